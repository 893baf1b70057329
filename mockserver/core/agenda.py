"""What a world still has to do, in order of the instants at which it falls due.

The agenda knows instants, not time: whoever moves the clock walks it. Errands of the same instant keep the order in
which they were entered.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Generic, TypeVar

Errand = TypeVar("Errand")


class Agenda(Generic[Errand]):
    """Errands by instant, in virtual milliseconds since the epoch."""

    __slots__ = ("_entered", "_heap")

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Errand]] = []
        self._entered = 0

    def enter(self, at_ms: int, errand: Errand) -> None:
        """Enters an errand."""
        self._entered += 1
        heapq.heappush(self._heap, (at_ms, self._entered, errand))

    def next_ms(self) -> int | None:
        """When the next errand falls due; None when there is none."""
        return self._heap[0][0] if self._heap else None

    def take_due(self, now_ms: int) -> Iterator[Errand]:
        """Takes the errands that are due by an instant off the agenda, one after the other."""
        while self._heap and self._heap[0][0] <= now_ms:
            yield heapq.heappop(self._heap)[2]

    def withdraw(self, errand: Errand) -> bool:
        """Takes an errand off the agenda wherever it stands; whether it was there. Looks at each: not for busy ways."""
        left = [entry for entry in self._heap if entry[2] != errand]
        found = len(left) < len(self._heap)
        if found:
            heapq.heapify(left)
            self._heap = left
        return found

    def clear(self) -> None:
        """Forgets all errands."""
        self._heap.clear()

    def __len__(self) -> int:
        return len(self._heap)
