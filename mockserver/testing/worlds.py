"""A test's world: opened in the situation that the test asks for, judged and forgotten at its end."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

from mockserver.core.codes import CATALOGUE, Level
from mockserver.core.findings import Finding
from mockserver.handles import NovitaWorld, world_in_hand
from mockserver.staging import staged
from mockserver.testing.tally import Tally
from mockserver.testing.warnings import NovitaFindingError, NovitaFindingNote, NovitaFindingWarning
from mockserver.watch.judge import judged

if TYPE_CHECKING:
    from collections.abc import Callable

    from mockserver.faults.scenario import Scenario
    from mockserver.handles import Running

_KINDS = {Level.NOTE: NovitaFindingNote, Level.WARNING: NovitaFindingWarning, Level.ERROR: NovitaFindingError}


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenWorld:
    """A world while its test runs.

    Attributes:
        world: for the test.
        opened_ms: by its clock.
        opened_s: by `time.perf_counter`.
    """

    server: Running
    world: NovitaWorld
    opened_ms: int
    opened_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a world has come to; findings each with how often."""

    tally: Tally
    findings: tuple[tuple[Finding, int], ...]

    def warn(self, emit: Callable[[NovitaFindingWarning], None]) -> NovitaFindingWarning | None:
        """Warns of each finding; gives the first that a filter makes an error, with further ones as its notes.

        Args:
            emit: warns of one.
        """
        raised: list[NovitaFindingWarning] = []
        for finding, count in self.findings:
            try:
                emit(as_warning(finding, count))
            except NovitaFindingWarning as error:
                raised.append(error)
        if not raised:
            return None
        for further in raised[1:]:
            raised[0].add_note(str(further))
        return raised[0]


def open_world(server: Running, key: str, scenario: Scenario | None = None) -> OpenWorld:
    """The fresh world of a key.

    Args:
        server: a running one.
        key: of the client under test.
        scenario: what it begins with; None: as the server's settings say.
    """
    opened_s = perf_counter()
    world = world_in_hand(server, key)
    mock = server.mock

    def prepare() -> int:
        inner = mock.world(key)
        if scenario is not None:
            inner.enact(staged(scenario, mock.plain_settings(), mock.document))
        return inner.clock.now_ms()

    return OpenWorld(server=server, world=world, opened_ms=server.call(prepare), opened_s=opened_s)


def close_world(opened: OpenWorld) -> Outcome:
    """Judges a world and forgets it. What its client has left undone by now is not held against it."""
    mock, key = opened.server.mock, opened.world.key

    def close() -> Outcome:
        world = mock.world(key)
        spent = world.ledger.spent
        tally = Tally(
            worlds=1,
            tasks=spent.tasks,
            pictures=spent.pictures,
            micro_usd=spent.micro_usd,
            passed_ms=max(0, world.clock.now_ms() - opened.opened_ms),
            took_s=perf_counter() - opened.opened_s,
        )
        found = Outcome(tally=tally, findings=(*world.findings.counted(), *judged(world)))
        mock.forget(world)
        return found

    outcome: Outcome = opened.server.call(close)
    return outcome


def as_warning(finding: Finding, count: int = 1) -> NovitaFindingWarning:
    """A finding as the warning of its level: code, title, place and what was seen."""
    often = f" ({count} times)" if count > 1 else ""
    text = f"{finding.code.value} {CATALOGUE[finding.code].title}{often}: {finding.where}: {finding.message}"
    return _KINDS[finding.level](text)
