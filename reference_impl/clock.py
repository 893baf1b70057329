"""Time and ids, as parts that are passed in: a test moves the one and knows the others."""

from __future__ import annotations

import asyncio
import secrets
import time
import uuid
from typing import Protocol


class Clock(Protocol):
    """Says what time it is."""

    def now_ms(self) -> int:
        """Milliseconds since 1970; what users see and what is stored."""

    def monotonic_s(self) -> float:
        """Seconds since some instant; never goes back. For measuring."""


class RealClock:
    """The machine's clocks."""

    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return time.time_ns() // 1_000_000

    def monotonic_s(self) -> float:
        """Seconds since some instant."""
        return time.monotonic()


class ManualClock:
    """Stands still until it is told to move; for tests."""

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return self._now_ms

    def monotonic_s(self) -> float:
        """Seconds; the same clock."""
        return self._now_ms / 1000

    def advance(self, seconds: float) -> None:
        """Move forward."""
        self._now_ms += round(seconds * 1000)


class ShiftedClock(RealClock):
    """Runs like the machine's, and can be set forward besides: for tests of what takes an hour."""

    def __init__(self) -> None:
        self._shift_ms = 0

    def now_ms(self) -> int:
        """Milliseconds since 1970, and what it was set forward."""
        return super().now_ms() + self._shift_ms

    def advance(self, seconds: float) -> None:
        """Set it forward."""
        self._shift_ms += round(seconds * 1000)


class Ids(Protocol):
    """Makes names that nobody guesses."""

    def task(self) -> str:
        """The id of a task: a lower-case UUID, version 4."""

    def seed(self) -> int:
        """A seed for who asked for none, 0 to 2**32 - 1."""


class RandomIds:
    """From the system's source of randomness."""

    def task(self) -> str:
        """A UUID of version 4."""
        return str(uuid.uuid4())  # noqa: TID251  # this is the Ids part

    def seed(self) -> int:
        """0 to 2**32 - 1."""
        return secrets.randbelow(2**32)


async def pause(seconds: float) -> None:
    """Let so much real time go by; for loops that look again now and then."""
    await asyncio.sleep(seconds)  # noqa: TID251  # the one place that sleeps
