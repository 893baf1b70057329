"""From the queue to the end of a task: claim, draw, keep the pictures, say how it ended. One `Desk` per worker."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reference_impl.clock import Clock
from reference_impl.gallery import Gallery, name_of
from reference_impl.jobs import Cancelled, CannotDraw, Finished, Job, Step
from reference_impl.outbound.buckets import Buckets, NotStored
from reference_impl.outbound.events import Events
from reference_impl.progress import Progress
from reference_impl.store.protocol import Claimed, Ending, Store
from reference_impl.tasks import ATTEMPTS, Picture, Status, Task
from reference_impl.worker.protocol import Outcome, Worker, WorkerLost

LEASE_MS = 60_000
LOOK_EVERY_S = 2.0
"""How often an idle worker looks for work that nobody told it of: a shared store's, or a lost one's."""

CANCELLED = "cancelled by who runs this server"
GIVEN_UP = (
    f"given up after {ATTEMPTS} attempts: each time the process that drew it was lost; "
    "if memory is short, fewer or smaller pictures help"
)

JobReader = Callable[[str, bytes, int], Job]
"""Operation id, body and seed of an accepted task -> its job, the same as when it was accepted."""

log = logging.getLogger("reference_impl")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What every desk shares.

    Attributes:
        holder: the name under which this process holds tasks.
        batch: how many pictures of several tasks may be drawn as one.
    """

    store: Store
    gallery: Gallery
    buckets: Buckets
    events: Events
    progress: Progress
    clock: Clock
    job_of: JobReader
    holder: str
    batch: int = 1


class Desk:
    """Brings one worker its tasks, one batch after the other."""

    def __init__(self, worker: Worker, tools: Tools, wake: asyncio.Event) -> None:
        self.worker = worker
        self.held: set[str] = set()
        """The ids of what this desk has claimed and not ended yet."""
        self._tools = tools
        self._wake = wake
        self._keeping: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Draw for ever."""
        while True:
            await self.worker.wait_ready()
            try:
                idle = not await self._next()
            except Exception:
                # What was claimed and is not in hand any more comes back when its lease ends.
                log.exception("desk.failed", extra={"device": self.worker.name})
                idle = True
            if idle:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_EVERY_S):
                        await self._wake.wait()

    async def finish(self, within_s: float) -> None:
        """Let pictures that are drawn already be kept, for so long; the rest is queued again as if never begun."""
        if self._keeping:
            await asyncio.wait(self._keeping, timeout=within_s)
        for task in self._keeping:
            task.cancel()
        await self._give_back(list(self.held), counts=False)

    async def _next(self) -> bool:
        """Draw what comes next; False when nothing waits."""
        tools = self._tools
        self._wake.clear()
        claimed = await tools.store.claim(
            tools.holder, now_ms=tools.clock.now_ms(), lease_ms=LEASE_MS, pictures=tools.batch
        )
        if not claimed:
            return False
        self._wake.set()  # another desk may have slept through what came meanwhile
        task_ids = [one.task.task_id for one in claimed]
        self.held.update(task_ids)
        try:
            batch = [(one.task, job) for one in claimed if (job := await self._job(one)) is not None]
            if batch:
                await self._draw(batch)
        except WorkerLost as error:
            log.warning("batch.lost", extra={"device": self.worker.name, "reason": str(error)})
            spent = [one.task for one in claimed if error.begun and one.task.attempts >= ATTEMPTS]
            for task in spent:
                await self._fail(task, f"{GIVEN_UP} ({error})")
            await self._give_back([one for one in task_ids if one in self.held], counts=error.begun)
        except Exception:
            await self._give_back(task_ids, counts=True)
            raise
        return True

    async def _job(self, claimed: Claimed) -> Job | None:
        """The job of a task; a task that cannot have one has ended then."""
        task = claimed.task
        if task.attempts > ATTEMPTS:
            await self._fail(task, GIVEN_UP)
            return None
        try:
            return await asyncio.to_thread(self._tools.job_of, task.operation_id, claimed.body, task.seed)
        except Exception as error:
            log.exception("task.unreadable", extra={"task_id": task.task_id})
            await self._fail(task, f"its request, accepted before, is refused now: {error}")
            return None

    async def _draw(self, batch: Sequence[tuple[Task, Job]]) -> None:
        progress = self._tools.progress
        for task, _ in batch:
            progress.begin(task.task_id)

        def on_step(step: Step) -> None:
            for task, _ in batch:
                # The engine's preview is of the first picture; the others of a batch show none.
                first = task is batch[0][0]
                progress.step(task.task_id, step if first else Step(done=step.done, total=step.total))

        log.info("batch.begun", extra={"device": self.worker.name, "task_ids": [task.task_id for task, _ in batch]})
        outcomes = await self.worker.draw([(task.task_id, job) for task, job in batch], on_step)
        for (task, job), outcome in zip(batch, outcomes, strict=True):
            # Beside the next batch: the device need not wait for disks and buckets.
            keeping = asyncio.create_task(self._keep(task, job, outcome), name=f"keep {task.task_id}")
            self._keeping.add(keeping)
            keeping.add_done_callback(self._keeping.discard)

    async def _keep(self, task: Task, job: Job, outcome: Outcome) -> None:
        try:
            match outcome:
                case CannotDraw():
                    await self._fail(task, outcome.reason)
                case Cancelled():
                    await self._fail(task, CANCELLED)
                case _:
                    await self._succeed(task, job, outcome)
        except Exception:
            log.exception("task.not_kept", extra={"task_id": task.task_id})
            self.held.discard(task.task_id)  # its lease runs out, and it is drawn again

    async def _succeed(self, task: Task, job: Job, drawn: list[Finished]) -> None:
        self._tools.progress.drawn(task)
        files = [(name_of(task.task_id, index, job.file_format), one.file) for index, one in enumerate(drawn)]
        urls: Sequence[str | None] = [None] * len(drawn)
        try:
            if task.delivery.bucket is None:
                await asyncio.to_thread(self._tools.gallery.keep, task.task_id, files)
            else:
                typed = [(name, content, job.file_format.media_type) for name, content in files]
                urls = await self._tools.buckets.put(task.delivery.bucket, task.task_id, typed)
        except NotStored as error:
            await self._fail(task, str(error))
            return
        except OSError as error:
            log.exception("pictures.not_kept", extra={"task_id": task.task_id})
            await self._fail(task, f"the server could not store the pictures: {error.strerror}")
            return
        pictures = tuple(
            Picture(
                name=name,
                file_format=job.file_format,
                seed=one.seed,
                width=one.width,
                height=one.height,
                nsfw=one.nsfw,
                url=url,
            )
            for (name, _), one, url in zip(files, drawn, urls, strict=True)
        )
        await self._end(task, Ending(status=Status.SUCCEED, ended_ms=self._tools.clock.now_ms(), pictures=pictures))

    async def _fail(self, task: Task, reason: str) -> None:
        log.warning("task.failed", extra={"task_id": task.task_id, "reason": reason})
        await self._end(task, Ending(status=Status.FAILED, ended_ms=self._tools.clock.now_ms(), reason=reason))

    async def _end(self, task: Task, ending: Ending) -> None:
        ended = await self._tools.store.end(self._tools.holder, task.task_id, ending)
        self.held.discard(task.task_id)
        self._tools.progress.forget(task.task_id, ended=True)
        log.info("task.ended", extra={"task_id": task.task_id, "status": ending.status, "ours": ended})
        self._tools.events.look()

    async def _give_back(self, task_ids: Sequence[str], *, counts: bool) -> None:
        if not task_ids:
            return
        self.held.difference_update(task_ids)
        for task_id in task_ids:
            self._tools.progress.forget(task_id, ended=False)
        await self._tools.store.give_back(self._tools.holder, task_ids, counts=counts)
        self._wake.set()
