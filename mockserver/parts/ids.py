"""Gives ids: of tasks (lower-case UUIDs of version 4 form) and of picture files (32 hex digits)."""

from __future__ import annotations

from hashlib import blake2b
from typing import Protocol

from mockserver.core.chance import mix

_FIRST_HALF = 0x7461736B
_SECOND_HALF = 0x75756964
"""So that the halves of an id are no numbers that anything else of the world draws."""


class Ids(Protocol):
    """Ids as functions of a world's seed, so that a run with the same seed gives the same ids."""

    def task_id(self, seed: int, number: int) -> str:
        """Id of a world's task by its number."""

    def picture_name(self, task_id: str, index: int) -> str:
        """Name, without ending, of one of a task's picture files."""


class SeededIds:
    """Ids by hashing."""

    __slots__ = ()

    def task_id(self, seed: int, number: int) -> str:
        """See `Ids.task_id`.

        Mixed numbers rather than a hash: two ids of a world differ as surely, and a submit is 4 µs faster.
        """
        low = mix(seed ^ _SECOND_HALF, number)
        text = f"{mix(seed ^ _FIRST_HALF, number):016x}{low:016x}"
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{'89ab'[low & 3]}{text[17:20]}-{text[20:]}"

    def picture_name(self, task_id: str, index: int) -> str:
        """See `Ids.picture_name`."""
        return blake2b(f"{task_id}/{index}".encode(), digest_size=16).hexdigest()
