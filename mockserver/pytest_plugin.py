"""pytest fixtures: a running mock for the session, and a fresh world for each test.

Loaded in every pytest run of an environment that has the package, so nothing heavy is imported until a fixture is
used.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from mockserver.running import ServerThread
    from mockserver.world import World

_LONG_S = 120.0
"""How long receivers of a test's events may take in all."""


@dataclass(frozen=True, slots=True)
class WorldClock:
    """A world's clock in a test's hands. What moves it also delivers the webhooks that fall due, and waits for them."""

    _server: ServerThread
    _world: World

    def now_ms(self) -> int:
        """The world's instant, milliseconds since the epoch."""
        return int(self._server.call(self._world.clock.now_ms))

    def advance(self, duration: float | str) -> None:
        """Moves forward by seconds, or by text such as `90s` or `2h`."""
        from mockserver.core.clock import parse_duration_ms

        by_ms = parse_duration_ms(duration)
        errands = self._server.mock.errands
        self._server.call_async(lambda: errands.advance(self._world, self._world.clock.now_ms() + by_ms), _LONG_S)

    def advance_to_next_event(self) -> int | None:
        """Moves to the next start or end of a task, or the next webhook attempt; None when nothing lies ahead."""
        errands = self._server.mock.errands
        found: int | None = self._server.call_async(lambda: errands.advance_to_next_event(self._world), _LONG_S)
        return found

    def run_until_idle(self) -> None:
        """Moves until all tasks have ended and all webhooks are delivered or given up."""
        errands = self._server.mock.errands
        self._server.call_async(lambda: errands.run_until_idle(self._world), _LONG_S)

    def freeze(self) -> None:
        """Stops the clock."""
        self._change(self._world.clock.freeze)

    def resume(self) -> None:
        """Lets it run again."""
        self._change(self._world.clock.resume)

    def _change(self, change: Callable[[], None]) -> None:
        def run() -> None:
            change()
            self._world.clock_moved()

        self._server.call(run)


@dataclass(frozen=True, slots=True)
class WorldWebhooks:
    """A world's webhooks in a test's hands.

    Attributes:
        inbox_url: takes events for a test without a receiver; give it as `extra.webhook.url`.
    """

    _server: ServerThread
    _world: World
    inbox_url: str

    def deliveries(self) -> list[dict[str, Any]]:
        """Every delivery with its event and its attempts, oldest first, as GET /__mock/webhooks/deliveries/{id}."""
        from mockserver.webhooks.showing import describe_whole

        desk = self._world.desk
        found: list[dict[str, Any]] = self._server.call(lambda: [describe_whole(one, desk.redactor) for one in desk])
        return found

    def inbox(self) -> list[dict[str, Any]]:
        """The events that came to `inbox_url`, oldest first."""
        from mockserver.webhooks.showing import describe_received

        inbox = self._world.desk.inbox
        found: list[dict[str, Any]] = self._server.call(lambda: [describe_received(one) for one in inbox])
        return found

    def wait(self, count: int = 1, timeout: float = 5.0) -> list[dict[str, Any]]:
        """The deliveries, as soon as so many are delivered, given up or dropped.

        Args:
            count: how many.
            timeout: seconds of the wall.

        Raises:
            TimeoutError: fewer are; the message says how each stands.
        """
        desk = self._world.desk

        def enough() -> bool:
            return sum(not one.state.owed for one in desk) >= count

        done = self._server.call_async(lambda: desk.bell.wait_until(enough, timeout), timeout + _LONG_S)
        found = self.deliveries()
        if not done:
            stand = "; ".join(f"{one['id']} to {one['url']}: {one['state']}, {one['last']}" for one in found) or "none"
            raise TimeoutError(f"expected {count} webhook deliveries to end within {timeout:g} s; there are: {stand}")
        return found

    def replay(self, id: str) -> bool:
        """Sends the event of a delivery once more; whether it was taken.

        Raises:
            KeyError: no such delivery.
        """
        from mockserver.webhooks.delivery import Cause

        delivery = self._world.desk.get(id)
        if delivery is None:
            raise KeyError(id)
        courier = self._server.mock.courier
        sent = self._server.call_async(lambda: courier.send_again(self._world, delivery, Cause.REPLAY), _LONG_S)
        return bool(sent[0].ok)

    def hold(self) -> None:
        """All new deliveries wait until they are released."""
        self._server.call(lambda: setattr(self._world.desk, "holding", True))

    def release(self, *, reverse: bool = False) -> None:
        """Sends all held deliveries, one after the other, and no longer holds new ones."""
        courier, desk = self._server.mock.courier, self._world.desk

        async def release() -> None:
            desk.holding = False
            await courier.release(self._world, sorted(desk.held(), key=lambda one: one.number, reverse=reverse))

        self._server.call_async(release, _LONG_S)


@dataclass(frozen=True, slots=True)
class NovitaWorld:
    """One test's world: point the client at `url` with `key`."""

    url: str
    key: str
    clock: WorldClock
    webhooks: WorldWebhooks


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
    inbox_url = f"{novita_mock.url}/__mock/inbox/{world.id}"
    webhooks = WorldWebhooks(novita_mock, world, inbox_url)
    yield NovitaWorld(novita_mock.url, key, WorldClock(novita_mock, world), webhooks)
    novita_mock.call(lambda: novita_mock.mock.forget(world))
