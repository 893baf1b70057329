"""Waits for something to change in a world, without asking again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Bell:
    """Rung whenever what it belongs to has changed; whoever waits looks again then.

    Attributes:
        rung: how often.
    """

    __slots__ = ("_waiting", "rung")

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()
        self.rung = 0

    def ring(self) -> None:
        """Something has changed."""
        self.rung += 1
        waiting, self._waiting = self._waiting, set()
        for one in waiting:
            if not one.done():
                one.set_result(None)

    async def wait_until(self, holds: Callable[[], bool], timeout_s: float) -> bool:
        """Waits until something holds, at most for seconds of the wall; gives whether it does."""
        try:
            async with asyncio.timeout(timeout_s):
                while not holds():
                    rung: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                    self._waiting.add(rung)
                    try:
                        await rung
                    finally:
                        self._waiting.discard(rung)
        except TimeoutError:
            return holds()
        return True
