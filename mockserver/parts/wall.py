"""The time source behind every world's clock; the only place that asks the machine for the time."""

from __future__ import annotations

import asyncio
import time


class SystemWall:
    """The machine's time in milliseconds since the epoch, read once and then counted by the monotonic clock.

    A wall clock that is set back while the server runs would un-finish tasks; this one never runs backwards.
    """

    __slots__ = ("_offset_ns",)

    def __init__(self) -> None:
        self._offset_ns = time.time_ns() - time.monotonic_ns()

    def __call__(self) -> int:
        """The instant."""
        return (time.monotonic_ns() + self._offset_ns) // 1_000_000


class FakeWall:
    """A time source that a test moves.

    Attributes:
        now_ms: what it says, milliseconds since the epoch.
    """

    __slots__ = ("now_ms",)

    def __init__(self, now_ms: int = 1_709_284_800_000) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        """The instant."""
        return self.now_ms


async def wait(seconds: float) -> None:
    """Waits for seconds of the wall; what holds an answer back or spaces uploads waits here."""
    await asyncio.sleep(seconds)  # noqa: TID251  # the one place that sleeps
