"""What a server's state is at an instant, as figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mockserver.core.task import Status
from mockserver.parts.wall import wait

if TYPE_CHECKING:
    from mockserver.metrics.counting import Name, Tally
    from mockserver.metrics.figures import Booked, Figures
    from mockserver.mock import Mock

AT_ONCE = 5_000
"""Tasks that are looked at before other calls get their turn: about two milliseconds."""

STATES: Mapping[Status, str] = {
    Status.QUEUED: "queued",
    Status.PROCESSING: "processing",
    Status.SUCCEED: "succeeded",
    Status.FAILED: "failed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Figures of a server.

    Attributes:
        calls: by who is called and the operation.
        booked: accepted submissions by operation.
        tasks: kept now, by operation and state.
        findings: by code.
        faults: that happened, by point and effect. armed: rules in force.
        attempts: to deliver webhooks, by cause and outcome.
        drawn: pictures; from_cache: downloads that needed no drawing; cached_pictures, cached_bytes: kept now.
        worlds: there are; forgotten_worlds: went at the bound.
        journal_entries, journal_bytes: kept now.
        input_bytes: source pictures kept now.
        limits: the bounds of what is held.
    """

    version: str
    contract: str
    calls: Mapping[Name, Tally]
    booked: Mapping[str, Booked]
    tasks: Mapping[tuple[str, str], int]
    findings: Mapping[str, int]
    faults: Mapping[tuple[str, str], int]
    armed: int
    attempts: Mapping[tuple[str, str], int]
    drawn: int
    from_cache: int
    cached_pictures: int
    cached_bytes: int
    worlds: int
    forgotten_worlds: int
    journal_entries: int
    journal_bytes: int
    limits: Mapping[str, int]


async def take(mock: Mock, figures: Figures) -> Snapshot:
    """Looks at everything. Tasks are many: other calls are answered in between."""
    from mockserver import __version__

    tasks = await _tasks(mock)
    limits, pictures, worlds = mock.settings.limits, mock.pictures, mock.worlds
    return Snapshot(
        version=__version__,
        contract=mock.document.version,
        calls=figures.calls.all(),
        booked=figures.booked(),
        tasks=tasks,
        findings=figures.findings(),
        faults=figures.faults,
        armed=sum(len(world.faults.armed) for world in worlds),
        attempts=figures.attempts,
        drawn=pictures.drawn,
        from_cache=pictures.found,
        cached_pictures=len(pictures),
        cached_bytes=pictures.total_bytes,
        worlds=len(worlds),
        forgotten_worlds=mock.forgotten_worlds,
        journal_entries=len(mock.outside) + sum(len(world.journal) for world in worlds),
        journal_bytes=mock.budget.total_bytes,
        limits={"worlds": limits.worlds, "tasks": limits.tasks, "journal_bytes": limits.journal_bytes},
    )


async def _tasks(mock: Mock) -> Mapping[tuple[str, str], int]:
    names = [name for name in mock.document.operations if name.startswith("create")]
    found = Counter({(name, state): 0 for name in names for state in STATES.values()})
    looked = 0
    for world in mock.worlds:
        now_ms = world.clock.now_ms()
        for task in list(world.tasks):  # submits go on meanwhile
            found[task.operation_id, STATES[task.status_at(now_ms)]] += 1
            looked += 1
            if looked % AT_ONCE == 0:
                await wait(0)
    return found
