"""Keeps the source pictures of tasks, each file once, within a bound."""

from __future__ import annotations

from collections import OrderedDict
from typing import Protocol


class InputStore(Protocol):
    """Files by the digest of their content."""

    def put(self, name: str, data: bytes) -> None:
        """Keeps a file; a name already kept is moved to the young end."""

    def get(self, name: str) -> bytes | None:
        """The file, or None when it was dropped."""


class MemoryInputs:
    """Files in memory. Over `max_bytes` the ones used longest ago are dropped: their tasks draw a placeholder
    instead.

    Attributes:
        total_bytes: bytes held. dropped: how many files had to go.
    """

    __slots__ = ("_files", "_max_bytes", "dropped", "total_bytes")

    def __init__(self, max_bytes: int = 256 * 1024 * 1024) -> None:
        self._files: OrderedDict[str, bytes] = OrderedDict()
        self._max_bytes = max_bytes
        self.total_bytes = 0
        self.dropped = 0

    def put(self, name: str, data: bytes) -> None:
        """See `InputStore.put`."""
        if name in self._files:
            self._files.move_to_end(name)
            return
        self._files[name] = data
        self.total_bytes += len(data)
        while self.total_bytes > self._max_bytes and len(self._files) > 1:
            _, oldest = self._files.popitem(last=False)
            self.total_bytes -= len(oldest)
            self.dropped += 1

    def get(self, name: str) -> bytes | None:
        """See `InputStore.get`."""
        data = self._files.get(name)
        if data is not None:
            self._files.move_to_end(name)
        return data

    def clear(self) -> None:
        """Drops everything."""
        self._files.clear()
        self.total_bytes = 0
