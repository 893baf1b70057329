"""An examination as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import click

from mockserver import __version__
from mockserver.doctor.values import Level, Section, counts, exit_code
from mockserver.money.amounts import counted

FORMAT = 1
"""Version of the JSON."""

_COLOURS = {Level.OK: "green", Level.NOTE: "cyan", Level.WARNING: "yellow", Level.PROBLEM: "red"}
_WIDTH = max(len(level.value) for level in Level)


def as_text(sections: Sequence[Section]) -> Iterator[str]:
    """Lines for the terminal; colours are taken out where there is none."""
    for section in sections:
        yield click.style(section.title, bold=True)
        for line in section.lines:
            yield f"  {click.style(f'{line.level.value:{_WIDTH}}', fg=_COLOURS[line.level])}  {line.text}"
            if line.do:
                yield f"  {'':{_WIDTH}}  -> {line.do}"
        yield ""
    found = counts(sections)
    if exit_code(sections) == 0:
        yield "Nothing to do: all is as it should be."
    else:
        told = f"{counted(found[Level.PROBLEM], 'problem')}, {counted(found[Level.WARNING], 'warning')}"
        yield f"{told}." if found[Level.PROBLEM] else f"{told}; where all works for you, they need not bother you."


def as_json(sections: Sequence[Section]) -> dict[str, Any]:
    """The same for programs."""
    return {
        "format": FORMAT,
        "version": __version__,
        "exit_code": exit_code(sections),
        "counts": {level.value: count for level, count in counts(sections).items()},
        "sections": [
            {
                "title": section.title,
                "lines": [
                    {"id": line.id, "level": line.level.value, "text": line.text, "do": line.do}
                    for line in section.lines
                ],
            }
            for section in sections
        ],
    }
