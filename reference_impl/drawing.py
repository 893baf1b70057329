"""From the queue to the end of a task: `Feeder` claims and reads, a `Desk` per worker has it drawn, `Hand` ends it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from reference_impl.clock import Clock, pause
from reference_impl.gallery import Gallery, name_of
from reference_impl.jobs import Cancelled, CannotDraw, Finished, Job, Step
from reference_impl.outbound.buckets import Buckets, NotStored
from reference_impl.outbound.events import Events
from reference_impl.progress import Progress
from reference_impl.store.protocol import Claimed, Ending, Store
from reference_impl.tasks import ATTEMPTS, Picture, Status, Task
from reference_impl.worker.protocol import Outcome, Worker, WorkerLost

LEASE_MS = 60_000
"""How long a task is held by whoever does not say that it is alive."""
LOOK_EVERY_S = 2.0
"""How often an idle server looks for work that nobody told it of: a shared store's, or a lost one's."""
AFTER_TROUBLE_S = 1.0

CANCELLED = "cancelled by who runs this server"
GIVEN_UP = (
    f"given up after {ATTEMPTS} attempts: each time the process that drew it was lost; "
    "if memory is short, fewer or smaller pictures help"
)

Batch = Sequence[tuple[Task, Job]]

JobReader = Callable[[str, bytes, int], Job]
"""Operation id, body and seed of an accepted task -> its job, the same as when it was accepted."""

log = logging.getLogger("reference_impl")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What drawing needs besides workers.

    Attributes:
        holder: the name under which this process holds tasks.
        batch: how many pictures of several tasks may be drawn as one.
        lease_ms: how long a task is held by whoever does not say that it is alive.
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
    lease_ms: int = LEASE_MS


class Hand:
    """The tasks that this process holds, and how they leave it: ended, or given back to the queue."""

    def __init__(self, tools: Tools) -> None:
        self.tools = tools
        self.held: set[str] = set()
        self.wake = asyncio.Event()
        """Set when something may be free to claim."""
        self._begun: set[str] = set()
        self._keeping: set[asyncio.Task[None]] = set()

    async def begin(self, task_ids: Collection[str]) -> None:
        """Work on these begins."""
        self._begun.update(task_ids)
        await self.tools.store.begin(self.tools.holder, task_ids, self.tools.clock.now_ms())

    def keep(self, task: Task, job: Job, outcome: Outcome) -> None:
        """Store what became of a task, beside whatever is drawn next: no device waits for disks and buckets."""
        keeping = asyncio.create_task(self._keep(task, job, outcome), name=f"keep {task.task_id}")
        self._keeping.add(keeping)
        keeping.add_done_callback(self._keeping.discard)

    async def fail(self, task: Task, reason: str) -> None:
        """The task ends without pictures."""
        log.warning("task.failed", extra={"task_id": task.task_id, "reason": reason})
        await self._end(task, Ending(status=Status.FAILED, ended_ms=self.tools.clock.now_ms(), reason=reason))

    async def give_back(self, task_ids: Collection[str], *, counts: bool = True) -> None:
        """Let others, or a later try, have these; without `counts` as if they had never been begun."""
        begun, unbegun = self._begun.intersection(task_ids), set(task_ids) - self._begun
        self._drop(task_ids)
        await self.tools.store.give_back(self.tools.holder, begun, counts=counts)
        await self.tools.store.give_back(self.tools.holder, unbegun, counts=True)
        self.wake.set()

    async def let_go(self, task_ids: Collection[str]) -> None:
        """Give back what can be given back; where the store does not answer, leases end by themselves."""
        try:
            await self.give_back(task_ids)
        except Exception:
            log.exception("store.failed")

    async def finish(self, within_s: float) -> None:
        """Let pictures that are drawn already be kept, for so long; the rest is queued again as if never begun."""
        if self._keeping:
            await asyncio.wait(self._keeping, timeout=within_s)
        for task in self._keeping:
            task.cancel()
        try:
            await self.give_back(list(self.held), counts=False)
        except Exception:
            log.exception("store.failed")

    def _drop(self, task_ids: Collection[str], *, ended: bool = False) -> None:
        self.held.difference_update(task_ids)
        self._begun.difference_update(task_ids)
        for task_id in task_ids:
            self.tools.progress.forget(task_id, ended=ended)

    async def _keep(self, task: Task, job: Job, outcome: Outcome) -> None:
        try:
            match outcome:
                case CannotDraw():
                    await self.fail(task, outcome.reason)
                case Cancelled():
                    await self.fail(task, CANCELLED)
                case _:
                    await self._succeed(task, job, outcome)
        except Exception:
            # Its lease runs out, and it is drawn again.
            log.exception("task.not_kept", extra={"task_id": task.task_id})
            self._drop([task.task_id])

    async def _succeed(self, task: Task, job: Job, drawn: list[Finished]) -> None:
        self.tools.progress.drawn(task)
        files = [(name_of(task.task_id, index, job.file_format), one.file) for index, one in enumerate(drawn)]
        try:
            urls = await self._stored(task, job, files)
        except NotStored as error:
            await self.fail(task, str(error))
            return
        except OSError as error:
            log.exception("pictures.not_kept", extra={"task_id": task.task_id})
            await self.fail(task, f"the server could not store the pictures: {error.strerror}")
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
        await self._end(task, Ending(status=Status.SUCCEED, ended_ms=self.tools.clock.now_ms(), pictures=pictures))

    async def _stored(self, task: Task, job: Job, files: list[tuple[str, bytes]]) -> Sequence[str | None]:
        """Where each file is to be found: None is here."""
        bucket = task.delivery.bucket
        if bucket is None:
            await asyncio.to_thread(self.tools.gallery.keep, task.task_id, files)
            return [None] * len(files)
        typed = [(name, content, job.file_format.media_type) for name, content in files]
        return await self.tools.buckets.put(bucket, task.task_id, typed)

    async def _end(self, task: Task, ending: Ending) -> None:
        ours = await self.tools.store.end(self.tools.holder, task.task_id, ending)
        self._drop([task.task_id], ended=True)
        log.info("task.ended", extra={"task_id": task.task_id, "status": ending.status, "ours": ours})
        self.tools.events.look()


class Feeder:
    """Claims and reads what workers ask for; one batch ahead, so that no device waits for the disk.

    Where tasks are drawn together nothing is done ahead: what comes in until a worker asks may join.
    """

    def __init__(self, hand: Hand) -> None:
        self._hand = hand
        self._asked = asyncio.Semaphore(0)
        self._ahead = 1 if hand.tools.batch == 1 else 0
        self._batches: asyncio.Queue[Batch] = asyncio.Queue()

    async def next(self) -> Batch:
        """The next batch to draw."""
        for _ in range(1 + self._ahead):
            self._asked.release()
        self._ahead = 0  # it stays one ahead from the first call on
        return await self._batches.get()

    async def run(self) -> None:
        """Claim and read as much as is asked for, for ever."""
        while True:
            await self._asked.acquire()
            while not (batch := await self._claimed()):
                pass
            self._batches.put_nowait(batch)

    async def _claimed(self) -> Batch:
        """What comes next; empty when there was nothing, after a wait."""
        hand = self._hand
        hand.wake.clear()
        try:
            until_ms = hand.tools.clock.now_ms() + hand.tools.lease_ms
            claimed = await hand.tools.store.claim(hand.tools.holder, until_ms=until_ms, pictures=hand.tools.batch)
            hand.held.update(one.task.task_id for one in claimed)
            if claimed:
                return [(one.task, job) for one in claimed if (job := await self._job(one)) is not None]
        except Exception:
            # What was claimed comes free when its lease ends, or at the next start.
            log.exception("queue.failed")
            await pause(AFTER_TROUBLE_S)
            return []
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_EVERY_S):
                await hand.wake.wait()
        return []

    async def _job(self, claimed: Claimed) -> Job | None:
        """The job of a task; a task that cannot have one has ended then."""
        task, tools = claimed.task, self._hand.tools
        if task.attempts >= ATTEMPTS:
            await self._hand.fail(task, GIVEN_UP)
            return None
        try:
            return await asyncio.to_thread(tools.job_of, task.operation_id, claimed.body, task.seed)
        except Exception as error:
            log.exception("task.unreadable", extra={"task_id": task.task_id})
            await self._hand.fail(task, f"its request, accepted before, is refused now: {error}")
            return None


class Desk:
    """Brings one worker one batch after the other."""

    def __init__(self, worker: Worker, hand: Hand, feeder: Feeder) -> None:
        self._worker = worker
        self._hand = hand
        self._feeder = feeder

    async def run(self) -> None:
        """Have drawn what comes, for ever."""
        while True:
            await self._worker.wait_ready()
            batch = await self._feeder.next()
            try:
                await self._drawn(batch)
            except Exception:
                log.exception("batch.failed", extra={"device": self._worker.name})
                await self._hand.let_go([task.task_id for task, _ in batch])
                await pause(AFTER_TROUBLE_S)

    async def _drawn(self, batch: Batch) -> None:
        try:
            await self._draw(batch)
        except WorkerLost as error:
            await self._lost(batch, error)

    async def _draw(self, batch: Batch) -> None:
        progress = self._hand.tools.progress
        task_ids = [task.task_id for task, _ in batch]
        for task, _ in batch:
            progress.begin(task)

        def on_step(step: Step) -> None:
            # The engine's preview is of the first picture; the other tasks of a batch show none.
            progress.step(task_ids[0], step)
            for task_id in task_ids[1:]:
                progress.step(task_id, Step(done=step.done, total=step.total))

        log.info("batch.begun", extra={"device": self._worker.name, "task_ids": task_ids})
        begin = asyncio.create_task(self._hand.begin(task_ids))
        try:
            outcomes = await self._worker.draw([(task.task_id, job) for task, job in batch], on_step)
        finally:
            await begin
        for (task, job), outcome in zip(batch, outcomes, strict=True):
            self._hand.keep(task, job, outcome)

    async def _lost(self, batch: Batch, error: WorkerLost) -> None:
        """Once more, unless this was the last attempt; `Task.attempts` are those before this one."""
        log.warning("batch.lost", extra={"device": self._worker.name, "reason": str(error)})
        spent = {task.task_id for task, _ in batch if error.begun and task.attempts + 1 >= ATTEMPTS}
        for task, _ in batch:
            if task.task_id in spent:
                await self._hand.fail(task, f"{GIVEN_UP} ({error})")
        await self._hand.give_back([task.task_id for task, _ in batch if task.task_id not in spent], counts=error.begun)
