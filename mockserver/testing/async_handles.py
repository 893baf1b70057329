"""A world in the hands of a coroutine: what `mockserver.handles` does, awaited.

The work is done in the mock's thread and waited for in another one, so that the test's own loop goes on: a webhook
receiver that runs in it can answer while the test moves the clock. Any loop that Starlette knows will do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool

if TYPE_CHECKING:
    from os import PathLike

    from mockserver.handles import NovitaWorld, WorldClock, WorldFaults, WorldLedger, WorldWebhooks
    from mockserver.pictures import Receipt


@dataclass(frozen=True, slots=True)
class AsyncWorldClock:
    """A world's clock; `mockserver.handles.WorldClock` says what each does."""

    _inner: WorldClock

    async def now_ms(self) -> int:
        """The world's instant, milliseconds since the epoch."""
        return await run_in_threadpool(self._inner.now_ms)

    async def advance(self, duration: float | str) -> None:
        """Moves forward by seconds, or by text such as `90s` or `2h`."""
        await run_in_threadpool(self._inner.advance, duration)

    async def advance_to_next_event(self) -> int | None:
        """Moves to what happens next; None when nothing lies ahead."""
        return await run_in_threadpool(self._inner.advance_to_next_event)

    async def run_until_idle(self) -> None:
        """Moves until all tasks have ended and all webhooks are delivered or given up."""
        await run_in_threadpool(self._inner.run_until_idle)

    async def freeze(self) -> None:
        """Stops the clock."""
        await run_in_threadpool(self._inner.freeze)

    async def resume(self) -> None:
        """Lets it run again."""
        await run_in_threadpool(self._inner.resume)


@dataclass(frozen=True, slots=True)
class AsyncWorldWebhooks:
    """A world's webhooks; `mockserver.handles.WorldWebhooks` says what each does."""

    _inner: WorldWebhooks

    @property
    def inbox_url(self) -> str:
        """Takes events for a test without a receiver."""
        return self._inner.inbox_url

    async def deliveries(self) -> list[dict[str, Any]]:
        """Every delivery with its event and its attempts, oldest first."""
        return await run_in_threadpool(self._inner.deliveries)

    async def inbox(self) -> list[dict[str, Any]]:
        """The events that came to `inbox_url`, oldest first."""
        return await run_in_threadpool(self._inner.inbox)

    async def wait(self, count: int = 1, timeout: float = 5.0) -> list[dict[str, Any]]:  # noqa: ASYNC109  # as its twin
        """The deliveries, as soon as so many have ended; TimeoutError when they do not."""
        return await run_in_threadpool(self._inner.wait, count, timeout)

    async def replay(self, id: str) -> bool:
        """Sends the event of a delivery once more; whether it was taken."""
        return await run_in_threadpool(self._inner.replay, id)

    async def hold(self) -> None:
        """All new deliveries wait until they are released."""
        await run_in_threadpool(self._inner.hold)

    async def release(self, *, reverse: bool = False) -> None:
        """Sends all held deliveries, one after the other."""
        await run_in_threadpool(self._inner.release, reverse=reverse)


@dataclass(frozen=True, slots=True)
class AsyncWorldFaults:
    """A world's fault plan; `mockserver.handles.WorldFaults` says what each does."""

    _inner: WorldFaults

    async def arm(self, point: str, effect: object, **when: Any) -> None:
        """Arms a fault; ValueError when something in it is not what it may be."""
        await run_in_threadpool(self._inner.arm, point, effect, **when)

    async def disarm(self) -> None:
        """Disarms everything."""
        await run_in_threadpool(self._inner.disarm)

    async def fired(self) -> list[str]:
        """What happened, oldest first."""
        return await run_in_threadpool(self._inner.fired)


@dataclass(frozen=True, slots=True)
class AsyncWorldLedger:
    """A world's money; `mockserver.handles.WorldLedger` says what each does."""

    _inner: WorldLedger

    async def usd(self) -> float:
        """What was spent, in US dollars."""
        return await run_in_threadpool(lambda: self._inner.usd)

    async def double_spends(self) -> list[str]:
        """Each task that was paid twice because an answer was lost, in words."""
        return await run_in_threadpool(self._inner.double_spends)

    async def check_budget(self, usd: float) -> None:
        """Passes when no more was spent; AssertionError when more was."""
        await run_in_threadpool(self._inner.check_budget, usd)


@dataclass(frozen=True, slots=True)
class AsyncNovitaWorld:
    """One test's world: point the client at `url` with `key`."""

    _inner: NovitaWorld

    @property
    def url(self) -> str:
        """Where its mock answers."""
        return self._inner.url

    @property
    def key(self) -> str:
        """Its API key."""
        return self._inner.key

    @property
    def clock(self) -> AsyncWorldClock:
        """Its clock."""
        return AsyncWorldClock(self._inner.clock)

    @property
    def faults(self) -> AsyncWorldFaults:
        """What goes wrong in it."""
        return AsyncWorldFaults(self._inner.faults)

    @property
    def webhooks(self) -> AsyncWorldWebhooks:
        """Its events."""
        return AsyncWorldWebhooks(self._inner.webhooks)

    @property
    def ledger(self) -> AsyncWorldLedger:
        """Its money."""
        return AsyncWorldLedger(self._inner.ledger)

    async def decode(self, picture: bytes | str | PathLike[str]) -> Receipt:
        """The receipt in a picture; NotAReceipt when there is none."""
        return await run_in_threadpool(self._inner.decode, picture)

    async def request_of(self, picture: bytes | str | PathLike[str]) -> dict[str, Any]:
        """The JSON body of the submit that made a picture."""
        return await run_in_threadpool(self._inner.request_of, picture)

    async def findings(self) -> dict[str, int]:
        """What the client did that it should not, by code, with how often."""
        return await run_in_threadpool(self._inner.findings)

    async def requests(self) -> list[dict[str, Any]]:
        """Every call of the client, oldest first."""
        return await run_in_threadpool(self._inner.requests)
