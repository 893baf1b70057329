"""The one place that waits and reads clocks: real ones of ours, and a virtual one of the target where it offers one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

now = time.monotonic
"""Seconds; only differences mean something."""


def utc() -> str:
    """The time of day for reports: ISO 8601, UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def pause(seconds: float) -> None:
    """Waits; whoever calls has looked before and will look again, under a deadline."""
    await asyncio.sleep(seconds)  # every wait of the suite goes through here


@dataclass(slots=True, kw_only=True)
class VirtualClock:
    """The target's clock, moved through its control interface.

    `docs/conformance/clock.md` tells the two calls that a target offers.

    Attributes:
        send: moves the clock by seconds; gives whether it did.
        send_late: the same without waiting for receivers of webhooks that say nothing; None when the target cannot.
    """

    send: Callable[[float], Awaitable[bool]]
    send_late: Callable[[float], Awaitable[bool]] | None = None
    moved_s: float = 0.0

    async def advance(self, seconds: float, *, late: bool = False) -> None:
        """Moves it forward.

        Args:
            seconds: of the target's time.
            late: receivers that have not answered when their time is over are not waited for, if the target can.
        """
        moved = False
        if late and self.send_late is not None:
            moved = await self.send_late(seconds)
            if not moved:
                self.send_late = None
        if moved or await self.send(seconds):
            self.moved_s += seconds
