"""The service: takes jobs, queues them, has them drawn, keeps the results, tells who wants to know. No HTTP here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from reference_impl.clock import Ids
from reference_impl.jobs import Job
from reference_impl.links import Links
from reference_impl.tasks import Delivery, TaskView

JobReader = Callable[[str, bytes, int], Job]
"""Operation id, body and seed of an accepted task -> its job, the same as when it was accepted."""

EventWriter = Callable[[TaskView], Mapping[str, object]]
"""The `payload` of a webhook's event: the result of v3, as it is answered at this moment, with fresh links."""


class QueueFull(Exception):
    """As many pictures wait as may; try again later (the contract's answer is 429)."""


class NoSuchTask(LookupError):
    """No task of this id belongs to this account."""


class Condition(StrEnum):
    """Whether pictures can be drawn."""

    LOADING = "loading"
    READY = "ready"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """What /ready says: loading until one worker is ready; broken when none will be without help.

    Attributes:
        reason: what is wrong and what helps; empty when nothing is.
        waiting: pictures in the queue.
    """

    condition: Condition
    reason: str = ""
    waiting: int = 0


class Service:
    """Everything behind the HTTP front. Made by `reference_impl.assembly`; started and stopped by the app's lifespan.

    Attributes:
        links: signs and checks links to finished pictures.
        ids: draws the seed of a request that names none, before its job is made.
    """

    links: Links
    ids: Ids

    async def start(self) -> None:
        """Open the store, put back what a crash left running, start the workers. Returns before they are ready."""
        raise NotImplementedError

    async def stop(self) -> None:
        """Stop drawing; what is not finished is queued again for the next start."""
        raise NotImplementedError

    async def submit(
        self,
        owner: str,
        operation_id: str,
        body: bytes,
        job: Job,
        delivery: Delivery,
        echo: Mapping[str, object] | None = None,
    ) -> str:
        """Accept a job; when this returns the task survives a crash.

        Args:
            owner: the account, as digest of its key; no key ever comes here.
            operation_id: of the document, such as `txt2imgV3`.
            body: the request's body, from which the job is made again after a restart, together with `job.seed`.
            job: what is to be drawn.
            delivery: where to. With a test mode nothing is drawn and the task has ended at once.
            echo: what answers will repeat of the request: small and JSON; it comes back as `TaskView.task.echo`.

        Returns:
            The task's id.

        Raises:
            QueueFull: try again later.
        """
        raise NotImplementedError

    async def read(self, owner: str, task_id: str) -> TaskView:
        """The task as it is now.

        Raises:
            NoSuchTask: there is none of this id, or it is another account's.
        """
        raise NotImplementedError

    async def picture(self, task_id: str, name: str) -> Path | None:
        """The file of a finished picture; None when there is none. Says nothing about links: see `links`."""
        raise NotImplementedError

    async def readiness(self) -> Readiness:
        """Whether pictures can be drawn."""
        raise NotImplementedError
