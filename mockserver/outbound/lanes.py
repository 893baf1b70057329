"""How many requests are sent at a time: a bound for all, a smaller one per receiver, and fair turns between them.

A receiver that hangs fills its own lane and no more: the next turn goes to the receivers in their order, and one whose
lane is full is passed over. Nothing is sent here.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

LIMIT = 16
PER_LANE = 4


class Lanes:
    """Turns to send.

    Args:
        limit: turns given at a time.
        per_lane: of these, to one lane.

    Attributes:
        busy: turns given now.
    """

    __slots__ = ("_busy", "_limit", "_per_lane", "_waiting", "busy")

    def __init__(self, limit: int = LIMIT, per_lane: int = PER_LANE) -> None:
        if limit < 1 or per_lane < 1:
            raise ValueError(f"limit {limit}, per_lane {per_lane}: expected 1 or more")
        self._limit = limit
        self._per_lane = per_lane
        self._busy: dict[str, int] = {}
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        self.busy = 0

    @property
    def waiting(self) -> int:
        """How many wait for a turn."""
        return sum(map(len, self._waiting.values()))

    @asynccontextmanager
    async def turn(self, lane: str) -> AsyncIterator[None]:
        """A turn in a lane (`guard.lane_of` of a URL); waits for it, first come first served within the lane."""
        await self._enter(lane)
        try:
            yield
        finally:
            self._leave(lane)

    async def _enter(self, lane: str) -> None:
        if lane not in self._waiting and self._has_room(lane):
            self._take(lane)
            return
        given: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(lane, deque()).append(given)
        try:
            await given
        except asyncio.CancelledError:
            if given.done() and not given.cancelled():  # the turn came just before the end
                self._leave(lane)
            else:
                self._forget(lane, given)
            raise

    def _leave(self, lane: str) -> None:
        self.busy -= 1
        left = self._busy[lane] - 1
        if left:
            self._busy[lane] = left
        else:
            del self._busy[lane]
        self._give()

    def _give(self) -> None:
        """Hands free turns to those who wait: one per lane and round, the lanes in the order of their last turn."""
        while (lane := next((one for one in self._waiting if self._has_room(one)), None)) is not None:
            queue = self._waiting[lane]
            given = queue.popleft()
            if queue:
                self._waiting.move_to_end(lane)
            else:
                del self._waiting[lane]
            if not given.cancelled():
                self._take(lane)
                given.set_result(None)

    def _forget(self, lane: str, given: asyncio.Future[None]) -> None:
        queue = self._waiting.get(lane)
        if queue and given in queue:
            queue.remove(given)
            if not queue:
                del self._waiting[lane]

    def _has_room(self, lane: str) -> bool:
        return self.busy < self._limit and self._busy.get(lane, 0) < self._per_lane

    def _take(self, lane: str) -> None:
        self.busy += 1
        self._busy[lane] = self._busy.get(lane, 0) + 1
