"""What an examination says, line by line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing that was looked at.

    Attributes:
        id: stable word, for programs.
        text: what was seen.
        do: what to do about it; empty where nothing is to be done.
    """

    id: str
    level: Level
    text: str
    do: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """What belongs together."""

    title: str
    lines: tuple[Line, ...]


def ok(id: str, text: str) -> Line:
    """It is as it should be."""
    return Line(id=id, level=Level.OK, text=text)


def note(id: str, text: str, do: str = "") -> Line:
    """Neither good nor bad, but worth knowing."""
    return Line(id=id, level=Level.NOTE, text=text, do=do)


def warning(id: str, text: str, do: str) -> Line:
    """It works, and may not do what is expected."""
    return Line(id=id, level=Level.WARNING, text=text, do=do)


def problem(id: str, text: str, do: str) -> Line:
    """It does not work."""
    return Line(id=id, level=Level.PROBLEM, text=text, do=do)


def counts(sections: Iterable[Section]) -> dict[Level, int]:
    """How many lines there are of each level."""
    found = dict.fromkeys(Level, 0)
    for section in sections:
        for line in section.lines:
            found[line.level] += 1
    return found


def exit_code(sections: Iterable[Section]) -> int:
    """0: nothing to do. 1: warnings. 2: a problem."""
    found = counts(sections)
    return 2 if found[Level.PROBLEM] else 1 if found[Level.WARNING] else 0
