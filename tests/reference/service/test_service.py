"""From a job that was accepted to its end: queue, drawing, results, what goes wrong."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reference_impl.clock import pause
from reference_impl.jobs import FileFormat, Job
from reference_impl.service import NoSuchTask, QueueFull
from reference_impl.tasks import Bucket, Delivery, Status
from reference_impl.worker.protocol import Condition, OnStep, Outcome, WorkerLost, WorkerState
from tests.reference.fakes import UNDRAWABLE, UNSAFE, Painter, PaintingWorker, finished
from tests.reference.service.house import JOB, LOOK_EVERY_S, House, house

BUCKET = Delivery(bucket=Bucket(region="eu-west-1", bucket="pictures", path="/a"))


class Gate(Painter):
    """Waits before each step until it is let through."""

    def __init__(self) -> None:
        super().__init__(self._wait)
        self.permits = threading.Semaphore(0)

    def let_go(self) -> None:
        """Let all through."""
        self.permits.release(10_000)

    def _wait(self) -> None:
        assert self.permits.acquire(timeout=20)


class FragileWorker(PaintingWorker):
    """Is lost a number of times before it draws."""

    def __init__(self, times: int, *, begun: bool = True) -> None:
        super().__init__()
        self._times = times
        self._begun = begun

    async def draw(self, batch: Sequence[tuple[str, Job]], on_step: OnStep) -> list[Outcome]:
        """Draw, or be lost."""
        if self._times:
            self._times -= 1
            raise WorkerLost("it was killed", begun=self._begun)
        return await super().draw(batch, on_step)


def run(folder: Path, act: Callable[[House], Awaitable[None]], *workers: PaintingWorker, **changes: Any) -> None:
    """Do something in a house."""

    async def whole() -> None:
        async with house(folder, workers or None, **changes) as one:
            await act(one)

    asyncio.run(whole())


def test_a_task_ends_with_the_pictures_of_its_job(tmp_path: Path) -> None:
    job = replace(JOB, count=2)

    async def act(here: House) -> None:
        task_id = await here.submit(job)
        view = await here.ended(task_id)
        assert (view.task.status, view.progress, view.eta_s, view.preview) == (Status.SUCCEED, 1.0, 0.0, None)
        assert [picture.seed for picture in view.task.pictures] == [1, 2]
        for index, picture in enumerate(view.task.pictures):
            assert (picture.width, picture.height, picture.file_format) == (64, 64, FileFormat.PNG)
            file = await here.service.picture(task_id, picture.name)
            assert file is not None
            assert file.read_bytes() == finished(job, index).file
        times = (view.task.submitted_ms, view.task.started_ms or 0, view.task.ended_ms or 0)
        assert times == tuple(sorted(times))

    run(tmp_path, act)


def test_a_task_waits_while_the_worker_loads(tmp_path: Path) -> None:
    worker = PaintingWorker(ready=False)

    async def act(here: House) -> None:
        first, second = await here.submit(), await here.submit()
        before, behind = await here.view(first), await here.view(second)
        assert (before.task.status, before.progress) == (Status.QUEUED, 0.0)
        assert 0 < before.eta_s < behind.eta_s
        assert (await here.service.readiness()).condition is Condition.LOADING
        assert (await here.service.readiness()).waiting == 2
        worker.become_ready()
        assert (await here.ended(second)).task.status is Status.SUCCEED
        assert (await here.service.readiness()).condition is Condition.READY

    run(tmp_path, act, worker)


def test_progress_follows_the_steps_and_ends_below_one_until_all_is_kept(tmp_path: Path) -> None:
    gate = Gate()

    async def act(here: House) -> None:
        task_id = await here.submit()
        seen = []
        for step in range(1, JOB.steps):
            gate.permits.release()
            while (view := await here.view(task_id)).progress < 0.99 * step / JOB.steps:
                await pause(LOOK_EVERY_S)
            seen.append(view)
        assert [view.task.status for view in seen] == [Status.PROCESSING] * 3
        assert [view.progress for view in seen] == pytest.approx([0.2475, 0.495, 0.7425])
        assert all(view.preview and view.eta_s >= 0 for view in seen)
        gate.permits.release()
        assert (await here.ended(task_id)).progress == 1.0

    run(tmp_path, act, PaintingWorker(gate))


def test_a_task_is_shown_to_its_own_account_only(tmp_path: Path) -> None:
    async def act(here: House) -> None:
        task_id = await here.submit()
        for owner, asked in (("another", task_id), ("an-account", "no-such-id")):
            with pytest.raises(NoSuchTask):
                await here.service.read(owner, asked)

    run(tmp_path, act)


def test_a_full_queue_takes_no_more(tmp_path: Path) -> None:
    async def act(here: House) -> None:
        await here.submit(replace(JOB, count=8))
        with pytest.raises(QueueFull, match="8 of 8 pictures wait"):
            await here.submit()

    run(tmp_path, act, PaintingWorker(ready=False), room=8)


def test_what_cannot_be_drawn_fails_with_the_reason_of_the_engine(tmp_path: Path) -> None:
    async def act(here: House) -> None:
        view = await here.ended(await here.submit(replace(JOB, prompt=UNDRAWABLE)))
        assert view.task.status is Status.FAILED
        assert "ask for something else" in view.task.reason
        assert view.task.pictures == ()
        assert (await here.ended(await here.submit())).task.status is Status.SUCCEED

    run(tmp_path, act)


def test_a_request_that_is_refused_when_it_is_read_again_fails(tmp_path: Path) -> None:
    async def act(here: House) -> None:
        view = await here.ended(await here.submit(body=b'{"no_such_field": 1}'))
        assert view.task.status is Status.FAILED
        assert "refused now" in view.task.reason

    run(tmp_path, act)


@pytest.mark.parametrize("times", [1, 2])
def test_a_task_whose_worker_is_lost_is_drawn_again(tmp_path: Path, times: int) -> None:
    async def act(here: House) -> None:
        view = await here.ended(await here.submit())
        assert (view.task.status, view.task.attempts) == (Status.SUCCEED, times + 1)

    run(tmp_path, act, FragileWorker(times))


def test_a_task_is_given_up_after_three_attempts(tmp_path: Path) -> None:
    async def act(here: House) -> None:
        view = await here.ended(await here.submit())
        assert view.task.status is Status.FAILED
        assert view.task.attempts == 3
        assert "given up after 3 attempts" in view.task.reason
        assert "it was killed" in view.task.reason

    run(tmp_path, act, FragileWorker(99))


def test_a_worker_that_is_lost_before_it_begins_costs_no_attempt(tmp_path: Path) -> None:
    async def act(here: House) -> None:
        view = await here.ended(await here.submit())
        assert (view.task.status, view.task.attempts) == (Status.SUCCEED, 1)

    run(tmp_path, act, FragileWorker(5, begun=False))


def test_what_waits_can_be_cancelled(tmp_path: Path) -> None:
    async def act(here: House) -> None:
        task_id = await here.submit()
        await here.service.cancel(task_id)
        view = await here.view(task_id)
        assert view.task.status is Status.FAILED
        assert "cancelled" in view.task.reason

    run(tmp_path, act, PaintingWorker(ready=False))


def test_what_is_being_drawn_can_be_cancelled(tmp_path: Path) -> None:
    gate = Gate()

    async def act(here: House) -> None:
        task_id = await here.submit(replace(JOB, steps=1000))
        gate.permits.release(2)
        while (await here.view(task_id)).progress == 0:
            await pause(LOOK_EVERY_S)
        await here.service.cancel(task_id)
        gate.permits.release(5)
        assert "cancelled" in (await here.ended(task_id)).task.reason

    run(tmp_path, act, PaintingWorker(gate))


def test_tasks_are_drawn_on_their_own_unless_a_batch_is_allowed(tmp_path: Path) -> None:
    alone, together = PaintingWorker(ready=False), PaintingWorker(ready=False)

    def four(worker: PaintingWorker) -> Callable[[House], Awaitable[None]]:
        async def act(here: House) -> None:
            task_ids = [await here.submit(replace(JOB, seed=seed)) for seed in range(4)]
            task_ids.append(await here.submit(replace(JOB, steps=9)))
            worker.become_ready()
            assert {(await here.ended(task_id)).task.status for task_id in task_ids} == {Status.SUCCEED}

        return act

    run(tmp_path / "alone", four(alone), alone)
    run(tmp_path / "together", four(together), together, batch=3)
    assert [len(batch) for batch in alone.drawn] == [1, 1, 1, 1, 1]
    assert [len(batch) for batch in together.drawn] == [3, 1, 1]


def test_pictures_for_a_bucket_are_put_there_and_not_kept_here(tmp_path: Path) -> None:
    async def act(here: House) -> None:
        view = await here.ended(await here.submit(delivery=BUCKET))
        (picture,) = view.task.pictures
        assert picture.url is not None
        assert here.buckets.kept[picture.url] == finished(JOB, 0).file
        assert await here.service.picture(view.task.task_id, picture.name) is None

    run(tmp_path, act)


def test_a_bucket_that_refuses_fails_the_task(tmp_path: Path) -> None:
    async def act(here: House) -> None:
        here.buckets.refusal = "no such bucket"
        view = await here.ended(await here.submit(delivery=BUCKET))
        assert (view.task.status, view.task.reason) == (Status.FAILED, "no such bucket")

    run(tmp_path, act)


def test_a_disk_that_takes_nothing_fails_the_task_and_the_service_lives_on(tmp_path: Path) -> None:
    async def act(here: House) -> None:
        here.pictures.write_bytes(b"a file where the folder should be")
        view = await here.ended(await here.submit())
        assert view.task.status is Status.FAILED
        assert "could not store the pictures" in view.task.reason
        here.pictures.unlink()
        assert (await here.ended(await here.submit())).task.status is Status.SUCCEED

    run(tmp_path, act)


def test_an_ended_task_is_forgotten_after_its_time_with_its_pictures(tmp_path: Path) -> None:
    async def act(here: House) -> None:
        task_id = await here.submit()
        view = await here.ended(task_id)
        here.clock.advance(50)
        await here.service.catch_up()
        assert await here.service.picture(task_id, view.task.pictures[0].name) is not None
        here.clock.advance(20)
        await here.service.catch_up()
        with pytest.raises(NoSuchTask):
            await here.view(task_id)
        assert list(here.pictures.iterdir()) == []

    run(tmp_path, act, keep_s=60)


def test_what_was_being_drawn_at_a_stop_is_drawn_by_the_next_start(tmp_path: Path) -> None:
    task_ids: list[str] = []
    gate = Gate()

    async def before(here: House) -> None:
        task_ids.extend([await here.submit(), await here.submit(replace(JOB, prompt=UNSAFE))])
        while (await here.view(task_ids[0])).task.status is Status.QUEUED:
            await pause(LOOK_EVERY_S)
        gate.permits.release(2)

    async def after(here: House) -> None:
        for task_id in task_ids:
            view = await here.ended(task_id)
            assert (view.task.status, view.task.attempts) == (Status.SUCCEED, 1)

    run(tmp_path, before, PaintingWorker(gate))
    run(tmp_path, after)


def test_pictures_that_no_task_owns_are_swept_at_the_start(tmp_path: Path) -> None:
    lost = tmp_path / "pictures" / "8ec473ba-977d-4d72-9634-df6262bcccc4"
    unfinished = tmp_path / "pictures" / "9ec473ba-977d-4d72-9634-df6262bcccc4.unfinished"
    for folder in (lost, unfinished):
        folder.mkdir(parents=True)

    async def act(here: House) -> None:
        assert not lost.exists()
        assert not unfinished.exists()

    run(tmp_path, act)


def test_a_service_whose_workers_are_all_broken_says_why(tmp_path: Path) -> None:
    worker = PaintingWorker(ready=False)

    async def act(here: House) -> None:
        worker.state = WorkerState(condition=Condition.BROKEN, reason="no torch")
        readiness = await here.service.readiness()
        assert (readiness.condition, readiness.reason) == (Condition.BROKEN, "no torch")

    run(tmp_path, act, worker)
