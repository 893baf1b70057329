"""A world in a test's hands: its clock, faults, webhooks, money and findings, without HTTP.

What they do runs in the server's own thread, between two calls.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future
    from os import PathLike

    from starlette.applications import Starlette

    from mockserver.mock import Mock
    from mockserver.pictures import Receipt
    from mockserver.webhooks.desk import Desk
    from mockserver.world import World

T = TypeVar("T")

_LONG_S = 120.0
"""How long receivers of a test's events may take in all."""


class Running(Protocol):
    """A mock in a thread of this process, with a socket or without one."""

    @property
    def url(self) -> str:
        """What clients take for its address."""
        ...

    @property
    def app(self) -> Starlette:
        """The application; to be called in the mock's own loop only."""
        ...

    @property
    def mock(self) -> Mock:
        """The mock behind it."""
        ...

    def begin(self, function: Callable[[], Coroutine[Any, Any, T]]) -> Future[T]:
        """Starts a coroutine function in the mock's thread."""
        ...

    def call(self, function: Callable[[], Any]) -> Any:
        """Runs a function in the mock's thread, between two calls."""
        ...

    def call_async(self, function: Callable[[], Awaitable[Any]], timeout_s: float = ...) -> Any:
        """Runs a coroutine function in the mock's thread."""
        ...


@dataclass(frozen=True, slots=True)
class WorldClock:
    """A world's clock in a test's hands. What moves it also delivers the webhooks that fall due, and waits for them."""

    _server: Running
    _world: World

    def now_ms(self) -> int:
        """The world's instant, milliseconds since the epoch."""
        return int(self._server.call(self._world.clock.now_ms))

    def advance(self, duration: float | str) -> None:
        """Moves forward by seconds, or by text such as `90s` or `2h`."""
        from mockserver.core.clock import parse_duration_ms

        __tracebackhide__ = True  # of pytest: a mistake of the test is shown where the test makes it
        try:
            by_ms = parse_duration_ms(duration)
        except ValueError as error:
            raise error.with_traceback(None) from None
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

    _server: Running
    _world: World
    inbox_url: str

    @property
    def _desk(self) -> Desk:
        """Taken in the server's thread, which may be making it at this moment."""
        desk: Desk = self._server.call(lambda: self._world.desk)
        return desk

    def deliveries(self) -> list[dict[str, Any]]:
        """Every delivery with its event and its attempts, oldest first, as GET /__mock/webhooks/deliveries/{id}."""
        from mockserver.webhooks.showing import describe_whole

        desk = self._desk
        found: list[dict[str, Any]] = self._server.call(lambda: [describe_whole(one, desk.redactor) for one in desk])
        return found

    def inbox(self) -> list[dict[str, Any]]:
        """The events that came to `inbox_url`, oldest first."""
        from mockserver.webhooks.showing import describe_received

        inbox = self._desk.inbox
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
        __tracebackhide__ = True
        desk = self._desk

        def enough() -> bool:
            return sum(not one.state.owed for one in desk) >= count

        done = self._server.call_async(lambda: desk.bell.wait_until(enough, timeout), timeout + _LONG_S)
        found = self.deliveries()
        if not done:
            stand = "; ".join(f"{one['id']} to {one['url']}: {one['state']}, {one['last']}" for one in found) or "none"
            raise TimeoutError(
                f"expected {count} webhook deliveries to end within {timeout:g} s; there are: {stand}. "
                "What is owed later comes when the clock gets there: clock.run_until_idle()"
            )
        return found

    def replay(self, id: str) -> bool:
        """Sends the event of a delivery once more; whether it was taken.

        Raises:
            KeyError: no such delivery.
        """
        from mockserver.webhooks.delivery import Cause

        __tracebackhide__ = True
        delivery = self._desk.get(id)
        if delivery is None:
            known = ", ".join(one["id"] for one in self.deliveries()) or "none yet"
            raise KeyError(f"no delivery {id!r}; there are: {known}")
        courier = self._server.mock.courier
        sent = self._server.call_async(lambda: courier.send_again(self._world, delivery, Cause.REPLAY), _LONG_S)
        return bool(sent[0].ok)

    def hold(self) -> None:
        """All new deliveries wait until they are released."""
        self._server.call(lambda: setattr(self._world.desk, "holding", True))

    def release(self, *, reverse: bool = False) -> None:
        """Sends all held deliveries, one after the other, and no longer holds new ones."""
        courier, desk = self._server.mock.courier, self._desk

        async def release() -> None:
            desk.holding = False
            await courier.release(self._world, sorted(desk.held(), key=lambda one: one.number, reverse=reverse))

        self._server.call_async(release, _LONG_S)


@dataclass(frozen=True, slots=True)
class WorldFaults:
    """A world's fault plan in a test's hands."""

    _server: Running
    _world: World

    def arm(self, point: str, effect: object, **when: Any) -> None:
        """Arms a fault, as `POST /__mock/faults` does.

        Args:
            point: where, such as `submit.before`.
            effect: what, such as `"no-answer"` or `{"status": 429}`.
            when: `nth`, `every`, `times`, `probability`, `after`, `until`, `match`.

        Raises:
            ValueError: something in it is not what it may be; says what was expected.
        """
        from mockserver.faults.rules import read_rule

        __tracebackhide__ = True
        world = self._world
        try:
            rule = read_rule({"point": point, "effect": effect, **when}, (), source="test")
        except ValueError as error:
            raise error.with_traceback(None) from None
        self._server.call(lambda: world.faults.arm([rule], world.clock.now_ms()))

    def disarm(self) -> None:
        """Disarms everything."""
        self._server.call(self._world.faults.disarm_all)

    def fired(self) -> list[str]:
        """What happened, oldest first: `submit.before#2: status 429`, with the call's number in its world."""
        fired = self._world.faults.fired
        found: list[str] = self._server.call(lambda: [f"{one.position}: {one.effect}" for one in fired])
        return found


@dataclass(frozen=True, slots=True)
class WorldLedger:
    """What a world's client would have paid."""

    _server: Running
    _world: World

    @property
    def usd(self) -> float:
        """What was spent, in US dollars."""
        return float(self._server.call(lambda: self._world.ledger.spent.micro_usd)) / 1_000_000

    def double_spends(self) -> list[str]:
        """Each task that was paid twice because an answer was lost, in words."""
        from mockserver.money.verdicts import VerdictKind

        verdicts = self._server.call(self._world.verdicts.verdicts)
        return [verdict.message for verdict in verdicts if verdict.kind is VerdictKind.DOUBLE_SPEND]

    def check_budget(self, usd: float) -> None:
        """Passes when no more was spent.

        Raises:
            AssertionError: more was; says how much, for what.
        """
        from mockserver.money.amounts import parse_usd

        __tracebackhide__ = True
        check = self._server.call(lambda: self._world.ledger.within(parse_usd(usd)))
        if not check.ok:
            raise AssertionError(check.message)


@dataclass(frozen=True, slots=True)
class NovitaWorld:
    """One test's world: point the client at `url` with `key`."""

    url: str
    key: str
    clock: WorldClock = field(repr=False)
    faults: WorldFaults = field(repr=False)
    webhooks: WorldWebhooks = field(repr=False)
    ledger: WorldLedger = field(repr=False)
    _server: Running = field(repr=False)
    _world: World = field(repr=False)

    @property
    def server(self) -> Running:
        """The mock that it lives in."""
        return self._server

    def decode(self, picture: bytes | str | PathLike[str]) -> Receipt:
        """The receipt in a picture: `.digest` of the request that made it, `.index` among its pictures, and `.seed`.

        Args:
            picture: a file or its bytes, as downloaded, or what became of it: recompressed, converted, scaled down.

        Raises:
            mockserver.pictures.NotAReceipt: it is no picture of this mock, or too little is left of it.
        """
        from mockserver.pictures import NotAReceipt, decode

        __tracebackhide__ = True
        data = bytes(picture) if isinstance(picture, bytes | bytearray | memoryview) else Path(picture).read_bytes()
        try:
            return decode(data)
        except NotAReceipt as error:
            if (text := data[:200].decode("ascii", "replace")).isascii():  # such as a store's refusal, saved unseen
                error.add_note(f"it is text: {text!r}")
            raise error.with_traceback(None) from None

    def request_of(self, picture: bytes | str | PathLike[str]) -> dict[str, Any]:
        """The JSON body of the submit that made a picture; source pictures in it are shortened.

        Args:
            picture: as for `decode`.

        Raises:
            mockserver.pictures.NotAReceipt: as for `decode`.
            LookupError: no task of this world made it.
        """
        import orjson

        from mockserver.pictures import recipe_digest
        from mockserver.submitting import recipe_of

        __tracebackhide__ = True
        receipt, mock = self.decode(picture), self._server.mock

        def find() -> bytes | None:
            for task in self._world.tasks:
                if task.seed == receipt.seed and recipe_digest(recipe_of(task, mock)) == receipt.digest:
                    return task.body
            return None

        body: bytes | None = self._server.call(find)
        if body is None:
            raise LookupError(f"no task of this world made the picture: {receipt}")
        found: dict[str, Any] = orjson.loads(body)
        return found

    def findings(self) -> dict[str, int]:
        """What the client did that it should not, by code, with how often; docs/findings says what each means."""
        from mockserver.watch.judge import judged

        def found() -> dict[str, int]:
            counts: dict[str, int] = {}
            for finding, count in [*self._world.findings.counted(), *judged(self._world)]:
                counts[finding.code.value] = counts.get(finding.code.value, 0) + count
            return counts

        counted: dict[str, int] = self._server.call(found)
        return counted

    def requests(self) -> list[dict[str, Any]]:
        """Every call of the client, oldest first, as GET /__mock/requests has them; JSON bodies as their values."""
        import orjson

        from mockserver.control.requests import describe_entry

        journal = self._world.journal
        told = self._server.call(lambda: orjson.dumps([describe_entry(entry) for entry in journal]))
        found: list[dict[str, Any]] = orjson.loads(told)  # bodies are fragments of JSON until here
        return found


def world_in_hand(server: Running, key: str) -> NovitaWorld:
    """The world of a key, with everything a test does to it."""
    world: World = server.call(lambda: server.mock.world(key))
    return NovitaWorld(
        url=server.url,
        key=key,
        clock=WorldClock(server, world),
        faults=WorldFaults(server, world),
        webhooks=WorldWebhooks(server, world, f"{server.url}/__mock/inbox/{world.id}"),
        ledger=WorldLedger(server, world),
        _server=server,
        _world=world,
    )
