"""Models in memory, bounded in bytes: the one that was not used for the longest time goes first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

V = TypeVar("V")


class Cache:
    """Values by key, least recently used first out. Used by one thread.

    A run keeps what it uses by holding it; the cache only forgets. So a run that needs more than the bound still works,
    and memory is above the bound as long as it lasts.

    Args:
        limit_bytes: how much may be kept; what was asked for last is kept even if it is larger alone.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._kept: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()

    def get(self, key: Hashable, load: Callable[[], V], size: Callable[[V], int]) -> V:
        """The value of the key, loaded when it is not there; others go until it fits.

        Args:
            key: such as (Kind.CHECKPOINT, name).
            load: makes the value; what it raises comes through, and nothing is kept then.
            size: bytes of the value.
        """
        if key in self._kept:
            self._kept.move_to_end(key)
            found: V = self._kept[key][0]
            return found
        value = load()
        self._kept[key] = (value, size(value))
        while self.nbytes > self._limit and len(self._kept) > 1:
            self._kept.popitem(last=False)
        return value

    def clear(self) -> None:
        """Forgets everything."""
        self._kept.clear()

    @property
    def nbytes(self) -> int:
        """Bytes that are kept."""
        return sum(size for _, size in self._kept.values())

    @property
    def keys(self) -> list[Hashable]:
        """What is kept, the next to go first."""
        return list(self._kept)
