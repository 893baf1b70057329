"""What ends a check early. Fields rather than sentences; the runner turns each into a verdict.

CheckEnd
├── Broken          the target breaks a requirement: FAIL of that one, BLOCKED for a check of another
├── NotMeasured     nothing can be said: UNTESTABLE
│   ├── OverBudget  a hard stop was reached
│   └── NotSent     enough was accepted that should not have been
├── NotApplicable   the target does not offer this
└── RouteGone       the operation does not exist at the target (C50)
HarnessError        our own mistake: ERROR
Unreachable         nobody answers at the target's address; ends the run
NoClock             the user named a clock, and there is none; wrong usage, ends the run
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conformance.expect import Claim


class CheckEnd(Exception):  # not all of them are errors
    """Ends a check before its last line."""


class Broken(CheckEnd):
    """A requirement is broken.

    Args:
        requirement: whose sentence does not hold; the check of another requirement is BLOCKED by it.
        expected, actual: noun phrases.
        exchanges: numbers in the wire log, the telling one last.
        claims: exchange number and what its answer should have fulfilled.
    """

    def __init__(
        self,
        requirement: str,
        expected: str,
        actual: str,
        exchanges: tuple[int, ...] = (),
        claims: tuple[tuple[int, Claim], ...] = (),
    ) -> None:
        super().__init__(f"{requirement}: expected {expected}, got {actual}")
        self.requirement = requirement
        self.expected = expected
        self.actual = actual
        self.exchanges = exchanges
        self.claims = claims


class NotMeasured(CheckEnd):
    """It could not be found out; the reason says what would make it possible."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class OverBudget(NotMeasured):
    """A hard stop: the next request would go beyond what was allowed."""


class NotSent(NotMeasured):
    """A further case that would order pictures, after enough others have shown the same."""


class NotApplicable(CheckEnd):
    """The target does not offer what the requirement is about."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class RouteGone(CheckEnd):
    """The operation does not exist at the target."""

    def __init__(self, operation_id: str, seen: str) -> None:
        super().__init__(f"route gone (C50): {operation_id} {seen}")
        self.operation_id = operation_id
        self.seen = seen


class HarnessError(Exception):
    """A mistake of the suite: a message of ours is not what it was meant to be."""


class Unreachable(Exception):
    """Nobody answers at the address."""

    def __init__(self, url: str, why: str) -> None:
        super().__init__(f"{url} cannot be reached: {why}")
        self.url = url
        self.why = why


class NoClock(Exception):
    """The user told where the target's virtual clock is, and none is there."""

    def __init__(self, prefix: str, seen: str) -> None:
        super().__init__(
            f"--clock {prefix}: no clock answers there: GET {prefix}/clock gave {seen}; expected status 200 and an "
            "object with an integer now_ms (--clock none for real time)"
        )
