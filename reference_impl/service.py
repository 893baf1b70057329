"""The service: takes jobs, queues them, has them drawn, keeps the results, tells who wants to know. No HTTP here."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
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
from reference_impl.store.protocol import Ending, QueueFull, Standing, Store
from reference_impl.tasks import Delivery, Picture, Status, Task, TaskView
from reference_impl.worker.protocol import Condition, Worker

__all__ = ["Condition", "EventWriter", "JobReader", "NoSuchTask", "Parts", "QueueFull", "Readiness", "Service"]

EventWriter = Callable[[TaskView], Mapping[str, object]]
"""The `payload` of a webhook's event: the result of v3, as it is answered at this moment, with fresh links."""

POLL_S = 0.02
HOUSEKEEPING = 4
"""Times in a lease."""
SHORTEST_EVENT_LEASE_MS = 10_000
"""Twice what one attempt may take, so that no other server sends what is being sent."""
REPORT_S = 0.2
"""Between two reports to a shared store; a poll at any of its servers sees progress as old as this."""
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
        lease_ms: how long tasks are held by a server that does not say that it is alive.
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
    lease_ms: int = LEASE_MS


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
        event_lease_ms = max(parts.lease_ms, SHORTEST_EVENT_LEASE_MS)
        self._events = Events(parts.store, parts.post, self._event, parts.clock, parts.retry_s, event_lease_ms)
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
            lease_ms=parts.lease_ms,
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
        if self._store.is_shared:
            jobs.append(self._report())
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
        # First what was reported: that goes with the end of a task, which the task itself must then tell.
        standing = await self._store.standing(task_id) if self._store.is_shared else None
        task = await self._store.read(task_id)
        if task is None or task.owner != owner:
            raise NoSuchTask(task_id)
        return await self._view(task, standing)

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

    async def _view(self, task: Task, standing: Standing | None = None) -> TaskView:
        waits = task.status is Status.QUEUED
        if self._store.is_shared and task.status is Status.PROCESSING:
            # Whoever is asked shows what was reported, so that a caller who meets now this server and now another
            # never sees progress sink.
            if standing is None:
                return TaskView(task=task, progress=0.0, eta_s=self._progress.eta_s(task, 0.0), preview=None)
            return TaskView(task=task, progress=standing.share, eta_s=standing.eta_s, preview=standing.preview)
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
            await pause(self._parts.lease_ms / 1000 / HOUSEKEEPING)

    async def _report(self) -> None:
        """Tell the others who share the store how far our tasks are: for ever."""
        told: dict[str, Standing] = {}
        while True:
            found = self._progress.standings()
            try:
                await self._store.report({task_id: _news(one, told.get(task_id)) for task_id, one in found.items()})
                told = found
            except Exception:
                log.exception("report.failed")
            await pause(REPORT_S)

    async def _tidy(self) -> None:
        now_ms = self._parts.clock.now_ms()
        await self._store.renew(self._parts.holder, list(self._hand.held), until_ms=now_ms + self._parts.lease_ms)
        if await self._store.free_lost(now_ms):
            self._hand.wake.set()
        for task_id in await self._store.forget(now_ms - self._parts.keep_s * 1000, FORGET_AT_ONCE):
            await asyncio.to_thread(self._parts.gallery.remove, task_id)

    async def _sweep(self) -> None:
        """Remove pictures whose task is gone: a crash fell between the one and the other."""
        found = await asyncio.to_thread(lambda: list(self._parts.gallery.tasks()))
        for task_id in set(found) - await self._store.known(found):
            await asyncio.to_thread(self._parts.gallery.remove, task_id)


def _news(now: Standing, told: Standing | None) -> Standing:
    """What is to be told, without a preview that was told already."""
    return replace(now, preview=None) if told is not None and told.preview is now.preview else now


def _group(job: Job) -> str | None:
    """A short name for what `batch_key` says; the same in every process."""
    key = batch_key(job)
    return None if key is None else hashlib.sha256(repr(key).encode()).hexdigest()[:32]
