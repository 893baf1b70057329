"""Two reports of one server: what became better, what became worse."""

from __future__ import annotations

from dataclasses import dataclass

from conformance.report.json_report import Decided, Written
from conformance.verdict import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A requirement whose verdict is another one; None where a report does not have it."""

    id: str
    before: Decided | None
    after: Decided | None

    @property
    def words(self) -> str:
        """Both verdicts."""
        first, then = (one.verdict if one else "not chosen" for one in (self.before, self.after))
        return f"{first} -> {then}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What changed.

    Attributes:
        worse: from green to red, or to a worse red; or red and new. `other` are changes that say nothing of the
            server: rows that only one run chose, not applicable, errors of the suite.
    """

    worse: tuple[Change, ...]
    better: tuple[Change, ...]
    other: tuple[Change, ...]
    same: int


def compare(before: Written, after: Written) -> Comparison:
    """What changed from one report to another."""
    worse: list[Change] = []
    better: list[Change] = []
    other: list[Change] = []
    same = 0
    for one in dict.fromkeys([*before.requirements, *after.requirements]):
        change = Change(id=one, before=before.requirements.get(one), after=after.requirements.get(one))
        if change.before and change.after and change.before.verdict is change.after.verdict:
            same += 1
        else:
            {1: worse, -1: better, 0: other}[_direction(change)].append(change)
    return Comparison(worse=tuple(worse), better=tuple(better), other=tuple(other), same=same)


def _direction(change: Change) -> int:
    """1 for worse, -1 for better, 0 for neither."""
    before, after = change.before, change.after
    if after is None:
        return 0  # it was not looked at
    if before is None:
        return 1 if after.verdict is Verdict.FAIL else 0
    if Verdict.ERROR in (before.verdict, after.verdict):
        return 0
    both = {before.verdict, after.verdict}
    if Verdict.NOT_APPLICABLE in both and both <= {Verdict.NOT_APPLICABLE, Verdict.PASS, Verdict.WARN}:
        return 0  # something is offered now, or is not any more; both are allowed
    return 1 if after.verdict.rank > before.verdict.rank else -1
