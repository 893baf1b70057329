"""Keeps the tasks of one world, within a bound: the oldest finished ones go first."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Protocol

from mockserver.core.task import Task

LOOKED_AT = 64
"""How many of the oldest tasks are looked at for a finished one: a full server must not search them all each time."""


class TaskStore(Protocol):
    """Tasks by id, in order of submission."""

    def add(self, task: Task) -> None:
        """Keeps a task."""

    def get(self, task_id: str) -> Task | None:
        """The task of an id."""

    def drop_oldest_finished(self, now_ms: int) -> Task | None:
        """Forgets a task that has ended by an instant, the oldest first; None when none of the oldest has."""

    def __len__(self) -> int:
        """How many tasks are kept."""

    def __iter__(self) -> Iterator[Task]:
        """The tasks, oldest first."""


class MemoryTasks:
    """Tasks in memory."""

    __slots__ = ("_tasks",)

    def __init__(self) -> None:
        self._tasks: dict[str, Task] = {}

    def add(self, task: Task) -> None:
        """See `TaskStore.add`."""
        self._tasks[task.id] = task

    def get(self, task_id: str) -> Task | None:
        """See `TaskStore.get`."""
        return self._tasks.get(task_id)

    def drop_oldest_finished(self, now_ms: int) -> Task | None:
        """See `TaskStore.drop_oldest_finished`."""
        oldest = islice(self._tasks.values(), LOOKED_AT)
        found = next((task for task in oldest if task.ended_at(now_ms)), None)
        if found is not None:
            del self._tasks[found.id]
        return found

    def __len__(self) -> int:
        return len(self._tasks)

    def __iter__(self) -> Iterator[Task]:
        return iter(self._tasks.values())
