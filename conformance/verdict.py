"""What a check says of a requirement, and what follows for a group of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum


class Verdict(StrEnum):
    """From best to worst; a group is as bad as its worst member."""

    NOT_APPLICABLE = "NOT_APPLICABLE"
    """The target does not offer what the requirement is about, and does not claim to."""
    PASS = "PASS"  # no password
    WARN = "WARN"
    """A SHOULD was not followed, or a MUST in the way that the requirement tolerates."""
    UNSTABLE = "UNSTABLE"
    """Red at first, not red when tried again in a fresh task."""
    BLOCKED = "BLOCKED"
    """Not decided, because another requirement that this one rests on is broken."""
    UNTESTABLE = "UNTESTABLE"
    """Could not be decided here: something was not reachable, not allowed or not paid for. Never green."""
    FAIL = "FAIL"
    ERROR = "ERROR"
    """Our own failure; says nothing about the target."""

    @property
    def rank(self) -> int:
        """Place in the order from best to worst."""
        return _ORDER.index(self)

    @property
    def green(self) -> bool:
        """Whether it speaks for the target."""
        return self.rank <= Verdict.WARN.rank


_ORDER = list(Verdict)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of some verdicts; NOT_APPLICABLE of none."""
    return max(verdicts, key=lambda verdict: verdict.rank, default=Verdict.NOT_APPLICABLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one requirement.

    Attributes:
        requirement: its id.
        message: one sentence; for a green verdict what was seen.
        expected, actual: what a red verdict rests on.
        blocked_by: the broken requirement, for BLOCKED.
        because: C-numbers of what was tolerated.
        branches: which of several allowed ways the server took, in words.
        exchanges: numbers in the wire log, in the order they were sent.
        claims: what the last exchanges should have fulfilled, as data (`conformance.predicates`); empty when the
            violation is no matter of single answers.
        site: module and line of the assertion that did not hold, such as `links_v3:57`; "" for none.
        first: the red outcome of the first try, for UNSTABLE.
        took_s: wall time.
    """

    requirement: str
    verdict: Verdict
    message: str = ""
    expected: str = ""
    actual: str = ""
    blocked_by: str = ""
    because: tuple[str, ...] = ()
    branches: tuple[str, ...] = ()
    exchanges: tuple[int, ...] = ()
    claims: tuple[tuple[int, dict[str, object]], ...] = ()
    site: str = field(default="", compare=False)
    first: Outcome | None = None
    took_s: float = field(default=0.0, compare=False)
