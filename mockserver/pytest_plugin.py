"""pytest fixtures: a running mock for the session, and a fresh world for each test.

Loaded in every pytest run of an environment that has the package, so nothing heavy is imported until a fixture is
used.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from mockserver.running import ServerThread
    from mockserver.world import World


@dataclass(frozen=True, slots=True)
class WorldClock:
    """A world's clock in a test's hands."""

    _server: ServerThread
    _world: World

    def now_ms(self) -> int:
        """The world's instant, milliseconds since the epoch."""
        return int(self._server.call(self._world.clock.now_ms))

    def advance(self, duration: float | str) -> None:
        """Moves forward by seconds, or by text such as `90s` or `2h`."""
        from mockserver.core.clock import parse_duration_ms

        by_ms = parse_duration_ms(duration)
        self._server.call(lambda: self._world.clock.advance(by_ms))

    def advance_to_next_event(self) -> int | None:
        """Moves to the next start or end of a task; None when all have ended."""
        found: int | None = self._server.call(self._world.advance_to_next_event)
        return found

    def run_until_idle(self) -> None:
        """Moves to the end of the last task."""
        self._server.call(self._world.run_until_idle)

    def freeze(self) -> None:
        """Stops the clock."""
        self._server.call(self._world.clock.freeze)

    def resume(self) -> None:
        """Lets it run again."""
        self._server.call(self._world.clock.resume)


@dataclass(frozen=True, slots=True)
class NovitaWorld:
    """One test's world: point the client at `url` with `key`."""

    url: str
    key: str
    clock: WorldClock


@pytest.fixture(scope="session")
def novita_mock() -> Iterator[ServerThread]:
    """A mock on a free loopback port, in a thread of this process; its worlds' clocks are `auto`."""
    from mockserver.core.clock import ClockMode
    from mockserver.running import ServerThread
    from mockserver.settings import Settings

    with ServerThread(Settings(clock=ClockMode.parse("auto"))) as server:
        yield server


@pytest.fixture
def novita_world(
    novita_mock: ServerThread, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[NovitaWorld]:
    """A world of the test's own, forgotten afterwards; NOVITA_API_KEY and NOVITA_API_URI are set to it."""
    name = hashlib.blake2b(request.node.nodeid.encode(), digest_size=8).hexdigest()
    key = f"sk-mock-{name}"
    world: World = novita_mock.call(lambda: novita_mock.mock.world(key))
    monkeypatch.setenv("NOVITA_API_KEY", key)
    monkeypatch.setenv("NOVITA_API_URI", novita_mock.url)
    yield NovitaWorld(novita_mock.url, key, WorldClock(novita_mock, world))
    novita_mock.call(lambda: novita_mock.mock.forget(world))
