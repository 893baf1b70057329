"""What a world remembers of its client beside the journal, so that sequences of calls can be judged. Bounded."""

from __future__ import annotations

from typing import NamedTuple, TypeVar

MAX_REMEMBERED = 1000

Key = TypeVar("Key")
Value = TypeVar("Value")


class Wait(NamedTuple):
    """A client was asked to wait: when, by the world's clock and by the wall, and how long. Milliseconds."""

    now_ms: int
    wall_ms: int
    wait_ms: int


class Memory:
    """Open questions about a client's behaviour.

    Attributes:
        unanswered: what the last poll of a task got instead of an answer, by task id.
        refused: what the last download of a picture got instead of it, by task id and index.
        waits: Retry-After that an operation answered last, by operationId.
        hurried: calls that came before they were to, by operationId.
        patient: calls that waited for an answer longer than any client should, by operationId.
    """

    __slots__ = ("hurried", "patient", "refused", "unanswered", "waits")

    def __init__(self) -> None:
        self.unanswered: dict[str, str] = {}
        self.refused: dict[tuple[str, int], str] = {}
        self.waits: dict[str, Wait] = {}
        self.hurried: dict[str, int] = {}
        self.patient: dict[str, int] = {}

    def poll_failed(self, task_id: str, how: str) -> None:
        """A poll of a task got no result."""
        _put(self.unanswered, task_id, how)

    def download_failed(self, task_id: str, index: int, how: str) -> None:
        """A download of a picture got something else."""
        _put(self.refused, (task_id, index), how)

    def asked_to_wait(self, operation_id: str, wait: Wait) -> None:
        """An answer carried Retry-After."""
        self.waits[operation_id] = wait

    def called(self, operation_id: str, now_ms: int, wall_ms: int) -> None:
        """An operation was called again after it had asked to wait; by whichever clock ran further."""
        wait = self.waits.pop(operation_id, None)
        if wait is not None and max(now_ms - wait.now_ms, wall_ms - wait.wall_ms) < wait.wait_ms:
            self.hurried[operation_id] = self.hurried.get(operation_id, 0) + 1

    def waited_long(self, operation_id: str) -> None:
        """A client kept a connection open without an answer, beyond all patience."""
        self.patient[operation_id] = self.patient.get(operation_id, 0) + 1

    def clear(self) -> None:
        """Forgets everything."""
        for remembered in (self.unanswered, self.refused, self.waits, self.hurried, self.patient):
            remembered.clear()


def _put(where: dict[Key, Value], key: Key, value: Value) -> None:
    where.pop(key, None)
    if len(where) >= MAX_REMEMBERED:
        del where[next(iter(where))]
    where[key] = value
