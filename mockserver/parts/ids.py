"""Gives ids: of tasks (lower-case UUIDs of version 4 form) and of picture files (32 hex digits)."""

from __future__ import annotations

from hashlib import blake2b
from typing import Protocol


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
        """See `Ids.task_id`."""
        digest = blake2b(b"%d/%d" % (seed, number), digest_size=16).hexdigest()
        variant = "89ab"[int(digest[16], 16) & 3]
        return f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:]}"

    def picture_name(self, task_id: str, index: int) -> str:
        """See `Ids.picture_name`."""
        return blake2b(f"{task_id}/{index}".encode(), digest_size=16).hexdigest()
