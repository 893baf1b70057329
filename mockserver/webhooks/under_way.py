"""Attempts under way, and until when their receivers may take by the world's clock. Nothing is sent here.

A receiver's time is the wall's, so a silent one holds up a move of the clock by five real seconds. Whoever moves the
clock may say instead that such attempts are late (`Errands.advance`); this is what they are found and ended by.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

GRACE_S = 0.5
"""Wall seconds that every receiver gets, however far the clock is moved: one that answers at all has done so."""


@dataclass(slots=True, kw_only=True, eq=False)
class Waiting:
    """An attempt that waits for its turn, and then for its receiver.

    Attributes:
        errand: what makes it.
        limit_ms: the world's instant at which it is late; None until its turn has come.
    """

    errand: asyncio.Task[None] | None
    limit_ms: int | None = None
    _since_s: float = 0.0
    _end: asyncio.Timeout = field(default_factory=lambda: asyncio.timeout(None))

    def until(self, limit_ms: int) -> asyncio.Timeout:
        """Its turn has come. Whoever makes it sends within what is returned, which raises TimeoutError at a cut."""
        self.limit_ms = limit_ms
        self._since_s = asyncio.get_running_loop().time()
        return self._end

    def cut_off(self) -> None:
        """It is late now."""
        self.limit_ms = None
        self._since_s = asyncio.get_running_loop().time()
        self._end.reschedule(self._since_s)

    @property
    def had_its_grace(self) -> bool:
        """Whether the receiver has had what every one gets."""
        return self.limit_ms is not None and asyncio.get_running_loop().time() - self._since_s >= GRACE_S

    @property
    def sent(self) -> bool:
        """Whether its turn has come."""
        return self._since_s > 0


class UnderWay:
    """The attempts of one world that are under way."""

    __slots__ = ("_all",)

    def __init__(self) -> None:
        self._all: set[Waiting] = set()

    @contextmanager
    def one(self) -> Iterator[Waiting]:
        """An attempt, for the length of a block in the task that makes it."""
        waiting = Waiting(errand=asyncio.current_task())
        self._all.add(waiting)
        try:
            yield waiting
        finally:
            self._all.discard(waiting)

    def next_limit_ms(self) -> int | None:
        """When the next of them is late."""
        return min((one.limit_ms for one in self._all if one.limit_ms is not None), default=None)

    def cut_off(self, now_ms: int) -> None:
        """Ends those that are late."""
        for one in self._all:
            if one.limit_ms is not None and one.limit_ms <= now_ms:
                one.cut_off()

    def not_worth_a_wait(self) -> set[asyncio.Task[None] | None]:
        """Errands that only a move of the clock brings on: their receivers are silent, or have no turn before that."""
        return {one.errand for one in self._all if one.had_its_grace or not one.sent}
