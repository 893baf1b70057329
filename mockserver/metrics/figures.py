"""What is counted for Prometheus beside calls, so that counters never fall.

Most figures are read from the state of the worlds when somebody asks. But worlds are reset and forgotten; what they had
come to is added up here when they end, and goes on counting.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from mockserver.metrics import MetricsUnavailable, metrics_available
from mockserver.metrics.counting import Calls

if TYPE_CHECKING:
    from mockserver.faults.plan import Fired
    from mockserver.metrics.exposition import Exposition
    from mockserver.mock import Mock
    from mockserver.webhooks.delivery import Attempt, Delivery
    from mockserver.world import World

TAKEN = "taken"
REFUSED = "refused"
UNNAMED = "other"
"""In the place of a code: findings beyond what a world keeps apart."""


class Booked:
    """Accepted submissions of one operation."""

    __slots__ = ("micro_usd", "pictures", "tasks")

    def __init__(self, tasks: int = 0, pictures: int = 0, micro_usd: int = 0) -> None:
        self.tasks = tasks
        self.pictures = pictures
        self.micro_usd = micro_usd

    def add(self, tasks: int, pictures: int, micro_usd: int) -> None:
        """Adds to it."""
        self.tasks += tasks
        self.pictures += pictures
        self.micro_usd += micro_usd


class Figures:
    """The counts of one server.

    Args:
        mock: the server.

    Raises:
        MetricsUnavailable: the extra is not installed.

    Attributes:
        calls: by operation.
        faults: that happened, by point and effect.
        attempts: to deliver webhooks, by cause and outcome.
    """

    __slots__ = ("_booked", "_exposition", "_findings", "_mock", "attempts", "calls", "faults")

    def __init__(self, mock: Mock) -> None:
        if not metrics_available():
            raise MetricsUnavailable
        self._mock = mock
        self.calls = Calls(mock.document.operations)
        self.faults: Counter[tuple[str, str]] = Counter()
        self.attempts: Counter[tuple[str, str]] = Counter()
        self._booked: dict[str, Booked] = {}
        self._findings: Counter[str] = Counter()
        self._exposition: Exposition | None = None

    async def written(self, accept: str) -> tuple[bytes, str]:
        """All figures as text, and its media type; `accept` is the caller's header."""
        from mockserver.metrics.exposition import Exposition  # most of these servers are asked much later, or never
        from mockserver.metrics.snapshot import take

        if self._exposition is None:
            self._exposition = Exposition()
        return self._exposition.written(await take(self._mock, self), accept)

    def fault(self, world: World, fired: Fired) -> None:
        """A fault happened."""
        del world
        self.faults[fired.point.value, fired.effect.kind.value] += 1

    def attempt(self, world: World, delivery: Delivery, attempt: Attempt) -> None:
        """An attempt to deliver a webhook was made."""
        del world, delivery
        outcome = TAKEN if attempt.ok else attempt.error or REFUSED
        self.attempts[attempt.cause.value, outcome] += 1

    def world_ends(self, world: World) -> None:
        """A world is to be reset or forgotten."""
        _add_booked(self._booked, world)
        self.findings_end(world)

    def findings_end(self, world: World) -> None:
        """A world's findings are to be forgotten."""
        self._findings.update(_findings_of(world))

    def booked(self) -> dict[str, Booked]:
        """What was ever accepted, by operation."""
        found = {name: Booked(one.tasks, one.pictures, one.micro_usd) for name, one in self._booked.items()}
        for world in self._mock.worlds:
            _add_booked(found, world)
        return found

    def findings(self) -> Counter[str]:
        """What was ever found, by code."""
        found = Counter(self._findings)
        for world in self._mock.worlds:
            found.update(_findings_of(world))
        return found


def _add_booked(booked: dict[str, Booked], world: World) -> None:
    for operation_id, spent in world.ledger.by_operation().items():
        booked.setdefault(operation_id, Booked()).add(spent.tasks, spent.pictures, spent.micro_usd)


def _findings_of(world: World) -> Counter[str]:
    found: Counter[str] = Counter()
    for finding, count in world.findings.counted():
        found[finding.code.value] += count
    if world.findings.dropped:
        found[UNNAMED] += world.findings.dropped
    return found
