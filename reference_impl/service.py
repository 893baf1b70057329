"""The service: takes jobs, queues them, has them drawn, keeps the results, tells who wants to know. No HTTP here."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from reference_impl.clock import Clock, Ids, pause
from reference_impl.drawing import CANCELLED, LEASE_MS, Desk, Feeder, Hand, JobReader, Tools
from reference_impl.engine.protocol import batch_key
from reference_impl.gallery import Gallery
from reference_impl.jobs import Job
from reference_impl.links import Links
from reference_impl.outbound.buckets import Buckets
from reference_impl.outbound.events import Events
from reference_impl.outbound.post import Post
from reference_impl.progress import Progress, work_of
from reference_impl.store.protocol import Ending, QueueFull, Store
from reference_impl.tasks import Delivery, Picture, Status, Task, TaskView
from reference_impl.worker.protocol import Condition, Worker

__all__ = ["Condition", "EventWriter", "JobReader", "NoSuchTask", "Parts", "QueueFull", "Readiness", "Service"]

EventWriter = Callable[[TaskView], Mapping[str, object]]
"""The `payload` of a webhook's event: the result of v3, as it is answered at this moment, with fresh links."""

POLL_S = 0.02
HOUSEKEEPING_S = LEASE_MS / 1000 / 4
FORGET_AT_ONCE = 200
LAST_WORDS_S = 5.0
"""How long a stop waits for pictures that are being stored and events that are being sent."""

log = logging.getLogger("reference_impl")


class NoSuchTask(LookupError):
    """No task of this id belongs to this account."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a service is made of.

    Attributes:
        job_of: makes the job of a stored task again.
        payload_of: writes what an event tells.
        holder: this process's name in the store; of no other that shares it.
        room: pictures that may wait.
        batch: pictures of several tasks that are drawn as one; 1: each task on its own.
        keep_s: seconds that an ended task can be read.
        retry_s: seconds from the first failed attempt at an event to the second.
    """

    store: Store
    workers: Sequence[Worker]
    gallery: Gallery
    buckets: Buckets
    post: Post
    links: Links
    clock: Clock
    ids: Ids
    job_of: JobReader
    payload_of: EventWriter
    holder: str
    room: int = 1000
    batch: int = 1
    keep_s: int = 7 * 24 * 3600
    retry_s: float = 1.0


class Service:
    """Everything behind the HTTP front. Made by `reference_impl.assembly`; started and stopped by the app's lifespan.

    Attributes:
        links: signs and checks links to finished pictures.
        ids: draws the seed of a request that names none, before its job is made.
    """

    def __init__(self, parts: Parts) -> None:
        self.links = parts.links
        self.ids = parts.ids
        self._parts = parts
        self._store = parts.store
        self._progress = Progress(parts.clock, len(parts.workers))
        self._events = Events(parts.store, parts.post, self._event, parts.clock, parts.retry_s)
        tools = Tools(
            store=parts.store,
            gallery=parts.gallery,
            buckets=parts.buckets,
            events=self._events,
            progress=self._progress,
            clock=parts.clock,
            job_of=parts.job_of,
            holder=parts.holder,
            batch=parts.batch,
        )
        self._hand = Hand(tools)
        self._feeder = Feeder(self._hand)
        self._desks = [Desk(worker, self._hand, self._feeder) for worker in parts.workers]
        self._running: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Open the store, put back what a crash left running, start the workers. Returns before they are ready.

        Raises:
            StoreError: the store cannot be used; the message says what helps.
        """
        await self._store.open(self._parts.clock.now_ms())
        await self._sweep()
        for worker in self._parts.workers:
            await worker.start()
        jobs: list[Coroutine[Any, Any, None]] = [self._events.run(), self._keep_house(), self._feeder.run()]
        jobs += [desk.run() for desk in self._desks]
        self._running = [asyncio.create_task(job) for job in jobs]

    async def stop(self) -> None:
        """Stop drawing; what is not finished is queued again for the next start."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        for worker in self._parts.workers:
            await worker.stop()
        await self._hand.finish(LAST_WORDS_S)
        await self._events.finish(LAST_WORDS_S)
        await self._parts.post.close()
        await self._store.close()

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
            operation_id: of the document, such as `createTxt2imgTask`.
            body: the request's body, from which the job is made again when it is drawn, together with `job.seed`.
            job: what is to be drawn.
            delivery: where to. With a test mode nothing is drawn and the task has ended at once.
            echo: what answers will repeat of the request: small and JSON; it comes back as `TaskView.task.echo`.

        Returns:
            The task's id.

        Raises:
            QueueFull: try again later.
        """
        now_ms = self._parts.clock.now_ms()
        outcome = delivery.test
        task = Task(
            task_id=self._parts.ids.task(),
            owner=owner,
            operation_id=operation_id,
            seed=job.seed,
            delivery=delivery,
            echo=echo or {},
            count=job.count,
            work=work_of(job),
            group=_group(job),
            status=outcome or Status.QUEUED,
            submitted_ms=now_ms,
            started_ms=now_ms if outcome else None,
            ended_ms=now_ms if outcome else None,
            reason="the webhook's test mode asked for this failure" if outcome is Status.FAILED else "",
            pictures=self._made_up(job) if outcome is Status.SUCCEED else (),
        )
        await self._store.add(task, body, room=self._parts.room)
        log.info("task.accepted", extra={"task_id": task.task_id, "operation_id": operation_id})
        self._hand.wake.set()
        if outcome:
            self._events.look()
        return task.task_id

    async def read(self, owner: str, task_id: str) -> TaskView:
        """The task as it is now.

        Raises:
            NoSuchTask: there is none of this id, or it is another account's.
        """
        task = await self._store.read(task_id)
        if task is None or task.owner != owner:
            raise NoSuchTask(task_id)
        return await self._view(task)

    async def cancel(self, task_id: str) -> None:
        """Nobody wants this task any more: it fails, before the next call of the network if it is being drawn.

        For who runs the server: the contract knows no such call. A task that has ended stays as it is.
        """
        now_ms = self._parts.clock.now_ms()
        ending = Ending(status=Status.FAILED, ended_ms=now_ms, reason=CANCELLED)
        if await self._store.end_free(task_id, ending):
            self._events.look()
        elif task_id in self._hand.held:
            for worker in self._parts.workers:
                worker.cancel(task_id)

    async def picture(self, task_id: str, name: str) -> Path | None:
        """The file of a finished picture; None when there is none. Says nothing about links: see `links`."""
        return await asyncio.to_thread(self._parts.gallery.find, task_id, name)

    async def readiness(self) -> Readiness:
        """Whether pictures can be drawn."""
        waiting = await self._store.waiting()
        states = [worker.state for worker in self._parts.workers]
        if any(state.condition is Condition.READY for state in states):
            return Readiness(condition=Condition.READY, waiting=waiting)
        reason = "; ".join(dict.fromkeys(state.reason for state in states if state.reason))
        broken = all(state.condition is Condition.BROKEN for state in states)
        return Readiness(condition=Condition.BROKEN if broken else Condition.LOADING, reason=reason, waiting=waiting)

    async def idle(self, within_s: float) -> None:
        """Return when nothing waits and nothing is being drawn, or after so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self._hand.held or await self._store.waiting():
                    await pause(POLL_S)

    async def catch_up(self) -> None:
        """The clock was moved: return when what has fallen due since is done, as far as it is not drawing."""
        await self._tidy()
        await self._events.catch_up()

    async def _view(self, task: Task) -> TaskView:
        waits = task.status is Status.QUEUED
        return TaskView(
            task=task,
            progress=self._progress.share(task),
            eta_s=self._progress.eta_s(task, await self._store.ahead(task.task_id) if waits else 0.0),
            preview=self._progress.preview(task),
        )

    def _made_up(self, job: Job) -> tuple[Picture, ...]:
        """What a test mode shows in place of pictures: one that is always there, as often as was asked for."""
        name = f"image_01.{job.file_format}"
        url = f"{self.links.base_url}/test_data/{name}"
        width, height = job.size
        shown = Picture(
            name=name, file_format=job.file_format, seed=job.seed, width=width, height=height, nsfw=None, url=url
        )
        return (shown,) * job.count

    async def _event(self, task_id: str) -> bytes | None:
        task = await self._store.read(task_id)
        if task is None:
            return None
        payload = self._parts.payload_of(await self._view(task))
        return orjson.dumps({"event_type": "ASYNC_TASK_RESULT", "payload": payload}, default=dict)

    async def _keep_house(self) -> None:
        """Renew our leases, free those of the lost, forget what is old: for ever."""
        while True:
            try:
                await self._tidy()
            except Exception:
                log.exception("housekeeping.failed")
            await pause(HOUSEKEEPING_S)

    async def _tidy(self) -> None:
        now_ms = self._parts.clock.now_ms()
        await self._store.renew(self._parts.holder, list(self._hand.held), until_ms=now_ms + LEASE_MS)
        if await self._store.free_lost(now_ms):
            self._hand.wake.set()
        for task_id in await self._store.forget(now_ms - self._parts.keep_s * 1000, FORGET_AT_ONCE):
            await asyncio.to_thread(self._parts.gallery.remove, task_id)

    async def _sweep(self) -> None:
        """Remove pictures whose task is gone: a crash fell between the one and the other."""
        found = await asyncio.to_thread(lambda: list(self._parts.gallery.tasks()))
        for task_id in set(found) - await self._store.known(found):
            await asyncio.to_thread(self._parts.gallery.remove, task_id)


def _group(job: Job) -> str | None:
    """A short name for what `batch_key` says; the same in every process."""
    key = batch_key(job)
    return None if key is None else hashlib.sha256(repr(key).encode()).hexdigest()[:32]
