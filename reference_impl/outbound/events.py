"""Sends what the store says is owed: each event at most six times, none after a 2xx, across restarts too."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from reference_impl.clock import Clock
from reference_impl.outbound.post import Post
from reference_impl.store.protocol import Owed, Store

ATTEMPTS = 6
"""The first and up to five more (WEBHOOK-012, WEBHOOK-013)."""
LEASE_MS = 60_000
"""An attempt whose end nobody has noted after this long counts as failed; an attempt takes 5 seconds at most."""
AT_ONCE = 100
LONGEST_WAIT_S = 30.0

EventOf = Callable[[str], Awaitable[bytes | None]]
"""The body of a task's event; None: there is no such task any more."""

log = logging.getLogger("reference_impl")


class Events:
    """The sender; `run` it as a task of its own.

    Args:
        store: knows what is owed.
        post: makes one attempt.
        event_of: writes an event when it is sent, so that its links are fresh.
        clock: what time it is.
        retry_s: seconds from the first failed attempt to the second; the waits double from there.
        lease_ms: see `LEASE_MS`; also how often at least a store is looked into that others may have died on.
    """

    def __init__(
        self, store: Store, post: Post, event_of: EventOf, clock: Clock, retry_s: float, lease_ms: int = LEASE_MS
    ) -> None:
        self._store = store
        self._post = post
        self._event_of = event_of
        self._clock = clock
        self._retry_s = retry_s
        self._lease_ms = lease_ms
        self._longest_wait_s = min(LONGEST_WAIT_S, lease_ms / 2000)
        self._wake = asyncio.Event()
        self._under_way: dict[str, asyncio.Task[None]] = {}

    def look(self) -> None:
        """Something may be owed now: a task has ended, or the clock was moved."""
        self._wake.set()

    async def run(self) -> None:
        """Send for ever."""
        while True:
            self._wake.clear()
            try:
                wait_s = await self._begin()
            except Exception:
                log.exception("events.failed")
                wait_s = 1.0
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._wake.wait()

    async def finish(self, within_s: float) -> None:
        """Let the attempts that are under way come to their end, for so long."""
        if self._under_way:
            await asyncio.wait(self._under_way.values(), timeout=within_s)
        for task in self._under_way.values():
            task.cancel()

    async def catch_up(self) -> None:
        """Return when nothing is due any more and nothing is under way."""
        while True:
            await self._begin()
            if not self._under_way:
                return
            await asyncio.wait(self._under_way.values())

    async def _begin(self) -> float:
        """Begin what is due; seconds until the next look."""
        room = AT_ONCE - len(self._under_way)
        now_ms = self._clock.now_ms()
        if room > 0:
            due = await self._store.take_owed(
                now_ms=now_ms, lease_ms=self._lease_ms, most=room, besides=frozenset(self._under_way)
            )
            for owed in due:
                task = asyncio.create_task(self._attempt(owed), name=owed.task_id)
                self._under_way[owed.task_id] = task
                task.add_done_callback(self._ended)
        due_ms = await self._store.next_due_ms()
        # What is due and was not begun is under way already, or finds no room: the end of an attempt wakes us.
        if due_ms is None or due_ms <= now_ms:
            return self._longest_wait_s
        return min((due_ms - now_ms) / 1000, self._longest_wait_s)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.pop(task.get_name())
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("event.failed", exc_info=error)
        self.look()

    async def _attempt(self, owed: Owed) -> None:
        body = await self._event_of(owed.task_id) if owed.attempt <= ATTEMPTS else None
        if body is None:
            await self._store.settle(owed.task_id)
            return
        answer = await self._post.send(owed.url, body)
        known = {"task_id": owed.task_id, "attempt": owed.attempt, "status": answer.status, "problem": answer.problem}
        log.info("event.attempted", extra=known)
        if answer.is_fine:
            await self._store.settle(owed.task_id)
        elif answer.hopeless or owed.attempt == ATTEMPTS:
            log.warning("event.given_up", extra=known)
            await self._store.settle(owed.task_id)
        else:
            wait_s = self._retry_s * 2 ** (owed.attempt - 1)
            await self._store.postpone(owed.task_id, self._clock.now_ms() + round(wait_s * 1000))
