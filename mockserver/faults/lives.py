"""The lives of worlds, as the tape tells them apart."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mockserver.faults.effects import Effect
    from mockserver.faults.plan import Fired
    from mockserver.faults.tape import Decisions

MAX_KEYS = 100_000
"""Keys whose lives are counted."""
MAX_ENDED = 100_000
"""Faults of ended lives that are kept."""


class Lives:
    """The lives of worlds: a world that is reset or forgotten ends one, and its key begins another.

    Each life has a line of its own on the tape, since each counts its calls and tasks from the beginning: `WORLD` for
    the first, `WORLD/2` for the second.

    Args:
        replay: what a tape says; None: rules decide.

    Attributes:
        cut: faults of ended lives that are no longer kept.
    """

    __slots__ = ("_begun", "_ended", "_kept", "_replay", "cut")

    def __init__(self, replay: Decisions | None) -> None:
        self._replay = replay
        self._begun: dict[str, int] = {}
        self._ended: OrderedDict[str, list[Fired]] = OrderedDict()
        self._kept = 0
        self.cut = 0

    def begin(self, world: str) -> tuple[str, Mapping[str, Effect] | None]:
        """The name of a key's next life, and what the tape says of it."""
        number = self._begun[world] = self._begun.pop(world, 0) + 1
        while len(self._begun) > MAX_KEYS:
            del self._begun[next(iter(self._begun))]
        name = world if number == 1 else f"{world}/{number}"
        return name, None if self._replay is None else self._replay.get(name, {})

    def end(self, life: str, fired: Iterable[Fired]) -> None:
        """A life is over; what happened in it stays on the tape."""
        found = list(fired)
        if not found:
            return
        self._ended[life] = found
        self._kept += len(found)
        while self._kept > MAX_ENDED:
            _, oldest = self._ended.popitem(last=False)
            self._kept -= len(oldest)
            self.cut += len(oldest)

    def ended(self) -> list[tuple[str, list[Fired]]]:
        """What happened in the lives that are over, by name."""
        return list(self._ended.items())

    def clear(self) -> None:
        """Begins a new tape."""
        self._begun.clear()
        self._ended.clear()
        self._kept = self.cut = 0
