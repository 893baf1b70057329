"""Two reports of one server: what became better, what became worse."""

from __future__ import annotations

from dataclasses import dataclass

from conformance.report.json_report import Decided, Written
from conformance.verdict import Verdict

_UNDECIDED = (Verdict.BLOCKED, Verdict.UNTESTABLE)
_RED = (Verdict.FAIL, Verdict.UNSTABLE)


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
        worse: from green to not green; or red and new.
        decided: red now, and not decided before (blocked, or not measured): nobody knows whether it was better then.
        other: changes that say nothing of the server: rows that only one run chose, not applicable, not decided any
            more after a red, errors of the suite.
    """

    worse: tuple[Change, ...]
    decided: tuple[Change, ...]
    better: tuple[Change, ...]
    other: tuple[Change, ...]
    same: int


def compare(before: Written, after: Written) -> Comparison:
    """What changed from one report to another."""
    found: dict[str, list[Change]] = {"worse": [], "decided": [], "better": [], "other": []}
    same = 0
    for one in dict.fromkeys([*before.requirements, *after.requirements]):
        change = Change(id=one, before=before.requirements.get(one), after=after.requirements.get(one))
        if change.before and change.after and change.before.verdict is change.after.verdict:
            same += 1
        else:
            found[_direction(change)].append(change)
    return Comparison(**{name: tuple(changes) for name, changes in found.items()}, same=same)


def _direction(change: Change) -> str:
    """The field of `Comparison` that a change belongs to."""
    before, after = change.before, change.after
    if after is None:
        return "other"  # it was not looked at
    if before is None:
        return "worse" if after.verdict is Verdict.FAIL else "other"
    if Verdict.ERROR in (before.verdict, after.verdict):
        return "other"
    both = {before.verdict, after.verdict}
    if Verdict.NOT_APPLICABLE in both and both <= {Verdict.NOT_APPLICABLE, Verdict.PASS, Verdict.WARN}:
        return "other"  # something is offered now, or is not any more; both are allowed
    if before.verdict in _UNDECIDED and not after.verdict.green:
        return "decided" if after.verdict in _RED else "other"
    if after.verdict in _UNDECIDED and not before.verdict.green:
        return "other"
    return "worse" if after.verdict.rank > before.verdict.rank else "better"
