"""What became of a program under one failure, held against its clean run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from mockserver.core.codes import Code
from mockserver.faults.points import Point
from mockserver.money.amounts import counted, usd
from mockserver.sweep.cases import Best, Case
from mockserver.sweep.files import Kind, Seen

LEAKS = (Code.KEY_SENT_TO_IMAGE_HOST, Code.KEY_IN_URL_OR_BODY)


_ERROR = re.compile(r"[\w.]*(Error|Exception)\b")
_NAMED = re.compile(r"\b[A-Z]?\w*(Error|Exception)\b.*\w")
_NO_WORDS = re.compile(r"at \S|[\]})^~,;]+$|Node\.js v")
"""Frames of a stack, brackets, pointers, and what Node says when it ends."""


class Mark(StrEnum):
    """What is said of a run; several may hold."""

    SURVIVED = "survived"
    FAILED = "failed"
    HUNG = "hung"
    PAID_TWICE = "paid twice"
    SAVED_GARBAGE = "saved garbage"
    LEAKED_KEY = "leaked the key"
    NOT_REACHED = "not reached"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a run left behind.

    Attributes:
        exit_code: None when it had to be stopped.
        seconds: how long it ran.
        stopped_after_ms: how much of the world's time had passed when it was stopped.
        micro_usd: what it cost.
        double_spends: repeats of a submit whose answer was lost.
        unclaimed: tasks that were paid for and that nobody knows.
        findings: how often each code was found.
        fired: the faults that happened.
        files: what was written.
        leaks: where the key stands in what it printed and wrote.
        points: where the program came by.
        last_words: the end of what it printed, complaints first.
    """

    exit_code: int | None
    seconds: float
    stopped_after_ms: int
    tasks: int
    micro_usd: int
    double_spends: int
    unclaimed: int
    findings: Mapping[Code, int]
    fired: tuple[str, ...]
    files: tuple[Seen, ...]
    leaks: tuple[str, ...]
    points: frozenset[Point]
    last_words: str

    @property
    def pictures(self) -> int:
        """Whole pictures that were written."""
        return sum(one.kind in (Kind.RECEIPT, Kind.PICTURE) for one in self.files)


class Rating(StrEnum):
    """How well a program did."""

    GOOD = "good"
    WEAK = "weak"
    BAD = "bad"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is said of a run.

    Attributes:
        marks: the worst first.
        silent: it ended as if all were well, without its pictures.
        rating: good: the best that can be done; weak: it could have gone on; bad: what no program should do.
        detail: for people.
    """

    marks: tuple[Mark, ...]
    silent: bool
    rating: Rating
    detail: str


def judge(case: Case, clean: Evidence, seen: Evidence) -> Verdict:
    """Judges a run.

    Args:
        case: what went wrong.
        clean: the run in which nothing did.
        seen: the run.
    """
    if not seen.fired and case.situation().faults:
        detail = "the program never came there"
        return Verdict(marks=(Mark.NOT_REACHED,), silent=False, rating=Rating.NONE, detail=detail)
    wrong = _wrong(case, clean, seen)
    marks, details = [mark for mark, _ in wrong], [detail for _, detail in wrong]
    missing = clean.pictures - seen.pictures
    silent = seen.exit_code == 0 and missing > 0
    survived = seen.exit_code == clean.exit_code and not silent
    if seen.exit_code is not None:
        marks.append(Mark.SURVIVED if survived else Mark.FAILED)
    if silent:
        details.append(f"exit code 0, though {counted(missing, 'picture')} of it is missing")
    elif seen.exit_code is not None and not survived:
        details.append(f"exit code {seen.exit_code}{_said(seen)}")
    if seen.unclaimed:
        details.append(f"{counted(seen.unclaimed, 'task')} paid for, and nobody knows it")
    if wrong or silent:
        rating = Rating.BAD
    elif survived or case.best is not Best.SURVIVE:
        rating = Rating.GOOD
    else:
        rating = Rating.WEAK
    return Verdict(marks=tuple(marks), silent=silent, rating=rating, detail="; ".join(details))


def _wrong(case: Case, clean: Evidence, seen: Evidence) -> list[tuple[Mark, str]]:
    """What it should not have done, the worst first."""
    found: list[tuple[Mark, str]] = []
    places = [*seen.leaks, *(f"{code.value} {code.label}" for code in LEAKS if code in seen.findings)]
    if places:
        found.append((Mark.LEAKED_KEY, f"the key stands in {', '.join(places)}"))
    more = seen.micro_usd - clean.micro_usd
    if seen.double_spends or (more > 0 and case.best is not Best.START_AGAIN):
        found.append((Mark.PAID_TWICE, f"paid {usd(seen.micro_usd)} USD instead of {usd(clean.micro_usd)}"))
    garbage = [one for one in seen.files if one.kind is Kind.GARBAGE]
    if garbage:
        found.append((Mark.SAVED_GARBAGE, "; ".join(f"{one.path}: {one.what}" for one in garbage[:3])))
    if seen.exit_code is None:
        passed = f", {seen.stopped_after_ms / 1000:.0f} s of the world's clock" if seen.stopped_after_ms else ""
        found.append((Mark.HUNG, f"stopped after {seen.seconds:.0f} s{passed}"))
    return found


def _said(seen: Evidence) -> str:
    """The line in which it says why, as far as one can tell.

    The last that begins with an error's name, else the last that has one, else the last that is more than a bracket or
    a place in the program: Node prints errors with their stack and their fields after them.
    """
    lines = [line.strip() for line in seen.last_words.splitlines() if line.strip()]
    telling = [line for line in lines if not _NO_WORDS.match(line)] or lines
    named = [line for line in telling if _ERROR.match(line)] or [line for line in telling if _NAMED.search(line)]
    last = (named or telling or [""])[-1]
    return f": {last[:160]}" if last else ""
