"""How many pictures an account may ask for in a minute (the vendor's guide to rate limits)."""

from __future__ import annotations

import math
from collections import deque

from openapi.document import Operation
from reference_impl.clock import Clock

WINDOW_S = 60.0


class TooManyPictures(Exception):
    """An account has asked for more pictures than it may within a minute.

    Args:
        allowed: pictures in a minute.
        wait_s: seconds until the same request has room, rounded up.
    """

    def __init__(self, allowed: int, wait_s: int) -> None:
        super().__init__(f"at most {allowed} pictures in a minute; try again in {wait_s} s")
        self.wait_s = wait_s


class PicturesPerMinute:
    """A window that slides: what was asked for more than a minute ago counts no more.

    Args:
        clock: what time it is.
        allowed: pictures in a minute for each operation; 0: the documented number; None: no limit.
    """

    def __init__(self, clock: Clock, allowed: int | None) -> None:
        self._clock = clock
        self._allowed = allowed
        self._asked: dict[tuple[str, str], deque[tuple[float, int]]] = {}

    def take(self, account: str, operation: Operation, pictures: int) -> None:
        """Note that an account asks for so many pictures. Only operations with a documented limit have one.

        Raises:
            TooManyPictures: there is no room for them; nothing is noted.
        """
        if self._allowed is None or operation.pictures_per_minute is None:
            return
        allowed = self._allowed or operation.pictures_per_minute
        now = self._clock.now_ms() / 1000
        window = self._asked.setdefault((account, operation.operation_id), deque())
        while window and window[0][0] <= now - WINDOW_S:
            window.popleft()
        if sum(count for _, count in window) + pictures > allowed:
            raise TooManyPictures(allowed, _wait(window, pictures, allowed, now))
        window.append((now, pictures))


def _wait(window: deque[tuple[float, int]], pictures: int, allowed: int, now: float) -> int:
    """Seconds until enough of the window has passed; a whole one for what never fits."""
    left = sum(count for _, count in window)
    for asked_at, count in window:
        left -= count
        if left + pictures <= allowed:
            return max(1, math.ceil(asked_at + WINDOW_S - now))
    return math.ceil(WINDOW_S)
