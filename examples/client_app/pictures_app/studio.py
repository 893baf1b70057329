"""Ordering, waiting, collecting: what the app does with the API."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Lock

from .api import Api, Order, Pause, Status, Task
from .backoff import Backoff
from .errors import BudgetSpent, PicturesError, Refused, StillWorking, TaskFailed, TooBusy
from .store import Store

POLLS = Backoff(first_s=1.0, factor=1.4, longest_s=10.0, tries=10_000)
FRESH_LINKS = 3
"""How often a link may expire before it is fetched."""


class Studio:
    """Orders pictures and brings them into a store.

    Args:
        api: the service.
        store: where pictures go.
        pause: waits between polls.
        now_s: a clock that never runs backwards, in seconds.
        max_pictures: how many may be ordered in all; None: no bound.
    """

    def __init__(
        self, api: Api, store: Store, *, pause: Pause, now_s: Callable[[], float], max_pictures: int | None = None
    ) -> None:
        self._api = api
        self._store = store
        self._pause = pause
        self._now_s = now_s
        self._left = max_pictures
        self._collecting = Lock()

    def order(self, order: Order, webhook_url: str | None = None) -> str:
        """Orders pictures; gives the id of the task, which is remembered until they are kept.

        Raises:
            BudgetSpent: the order goes beyond the bound.
            Refused: the order cannot be filled.
            TooBusy: the service took no orders.
            OutcomeUnknown: the answer was lost; the order counts, since it may be billed.
        """
        if self._left is not None:
            if order.pictures > self._left:
                raise BudgetSpent(f"{order.pictures} pictures were asked for, and {self._left} are left")
            self._left -= order.pictures
        try:
            task_id = self._api.submit(order, webhook_url)
        except (Refused, TooBusy):  # nothing was made
            if self._left is not None:
                self._left += order.pictures
            raise
        self._store.remember(task_id)
        return task_id

    def wait(self, task_id: str, *, at_most_s: float = 600.0) -> list[Path]:
        """Polls a task until it ends, and keeps its pictures.

        Args:
            task_id: which.
            at_most_s: how long. In busy hours tasks queue for minutes.

        Raises:
            StillWorking: it has not ended; it stays open.
            TaskFailed: it failed.
            TooBusy: the service does not answer; the task stays open.
        """
        deadline_s = self._now_s() + at_most_s
        for wait_s in POLLS.waits_s():
            self._pause(wait_s)
            task = self._api.task(task_id)
            if task.status.is_final:
                return self.collect(task)
            if self._now_s() >= deadline_s:
                break
        raise StillWorking(f"task {task_id} has not ended within {at_most_s:g} s")

    def collect(self, task: Task) -> list[Path]:
        """Keeps the pictures of a task that has ended. Doing so twice, or from two threads, downloads once.

        Raises:
            TaskFailed: it failed.
            PicturesError: its pictures cannot be fetched.
        """
        with self._collecting:
            if not self._store.is_open(task.id):
                return self._store.pictures(task.id)
            if task.status is Status.FAILED:
                self._store.close(task.id)
                raise TaskFailed(task.reason)
            for _ in range(FRESH_LINKS):
                found = [self._api.download(link) for link in task.links]
                pictures = [data for data in found if data is not None]
                if len(pictures) == len(found):
                    return self._store.keep(task.id, pictures)
                task = self._api.task(task.id)  # its links are signed anew
        raise PicturesError(f"the links of task {task.id} expire before they can be fetched")

    def hear(self, task_id: str) -> list[Path]:
        """A webhook says that a task has ended.

        Anybody can send one, so it is a hint and no more: an id that is not ours is passed over, and what has become
        of the task is asked of the service.

        Raises:
            TaskFailed: it failed.
            PicturesError: its pictures cannot be fetched.
        """
        if not self._store.is_open(task_id):
            return []
        task = self._api.task(task_id)
        return self.collect(task) if task.status.is_final else []
