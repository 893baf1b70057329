"""A worker's child process: it draws, is cancelled, dies, hangs, cannot be made; the parent copes with all of it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from reference_impl.jobs import Cancelled, CannotDraw, Job, Step
from reference_impl.worker.crew import ChildWorker, Patience
from reference_impl.worker.process import EngineOptions
from reference_impl.worker.protocol import Condition, WorkerLost
from tests.reference.fakes import UNDRAWABLE, finished, make_shelf

DEADLINE_S = 30.0
JOB = Job(model="shapes-sd15", prompt="a circle", width=64, height=64, steps=4, sampler="Euler", seed=1, count=2)
LONG = Job(model="shapes-sd15", prompt="a circle", width=64, height=64, steps=2000, sampler="Euler", seed=1)


def worker(folder: Path, engine: str, patience: Patience | None = None) -> ChildWorker:
    """A worker with an engine of `tests.reference.fakes`."""
    make_shelf(folder)
    options = EngineOptions(models=folder, aliases={}, device="cpu", dtype="auto", threads=1, cache_bytes=0)
    return ChildWorker(options, f"tests.reference.fakes:{engine}", patience or Patience(first_s=0.05))


def run(worker: ChildWorker, act: Callable[[], Awaitable[None]]) -> None:
    """Do something with a worker that has been started, under a deadline, and stop it."""

    async def whole() -> None:
        async with asyncio.timeout(DEADLINE_S):
            await worker.start()
            try:
                await act()
            finally:
                await worker.stop()

    asyncio.run(whole())


async def until(condition: Callable[[], bool]) -> None:
    """Return when it holds; the deadline of `run` ends it otherwise."""
    while not condition():
        await asyncio.wait_for(asyncio.shield(asyncio.get_running_loop().run_in_executor(None, os.getpid)), 1)


def test_it_draws_what_the_engine_draws_and_tells_each_step(tmp_path: Path) -> None:
    child = worker(tmp_path, "painter")
    steps: list[Step] = []

    async def act() -> None:
        await child.wait_ready()
        assert child.state.condition is Condition.READY
        (outcome,) = await child.draw([("a", JOB)], steps.append)
        assert outcome == [finished(JOB, 0), finished(JOB, 1)]
        assert [step.done for step in steps] == [1, 2, 3, 4]
        assert steps[0].preview is not None

    run(child, act)


def test_a_cancelled_job_ends_before_its_next_step(tmp_path: Path) -> None:
    child = worker(tmp_path, "painter")
    steps: list[Step] = []

    def on_step(step: Step) -> None:
        steps.append(step)
        child.cancel("a")

    async def act() -> None:
        await child.wait_ready()
        (outcome,) = await child.draw([("a", LONG)], on_step)
        assert isinstance(outcome, Cancelled)
        assert len(steps) < LONG.steps / 2
        (outcome,) = await child.draw([("b", JOB)], lambda step: None)
        assert isinstance(outcome, list)

    run(child, act)


def test_one_of_a_batch_that_cannot_be_drawn_does_not_take_the_others_along(tmp_path: Path) -> None:
    child = worker(tmp_path, "painter")
    bad = Job(model="shapes-sd15", prompt=UNDRAWABLE, width=64, height=64, steps=2, sampler="Euler", seed=1)

    async def act() -> None:
        await child.wait_ready()
        good, refused = await child.draw([("a", JOB), ("b", bad)], lambda step: None)
        assert good == [finished(JOB, 0), finished(JOB, 1)]
        assert isinstance(refused, CannotDraw)
        assert "ask for something else" in refused.reason

    run(child, act)


def test_a_bug_of_the_engine_is_a_reason_and_the_process_lives_on(tmp_path: Path) -> None:
    child = worker(tmp_path, "failing_painter")

    async def act() -> None:
        await child.wait_ready()
        pid = child.pid
        (outcome,) = await child.draw([("a", JOB)], lambda step: None)
        assert isinstance(outcome, CannotDraw)
        assert "ZeroDivisionError" in outcome.reason
        assert child.pid == pid

    run(child, act)


def test_a_device_that_refuses_everything_gets_a_new_process(tmp_path: Path) -> None:
    child = worker(tmp_path, "poisoned_painter")

    async def act() -> None:
        await child.wait_ready()
        pid = child.pid
        with pytest.raises(WorkerLost) as lost:
            await child.draw([("a", JOB)], lambda step: None)
        assert lost.value.begun
        await child.wait_ready()
        assert child.pid != pid

    run(child, act)


def test_a_process_that_is_killed_is_lost_and_another_takes_its_place(tmp_path: Path) -> None:
    child = worker(tmp_path, "painter")

    async def act() -> None:
        await child.wait_ready()
        first = child.pid
        assert first is not None
        with pytest.raises(WorkerLost) as lost:
            await child.draw([("a", LONG)], lambda step: os.kill(first, signal.SIGKILL))
        assert lost.value.begun
        assert "-9" in str(lost.value)
        assert child.state.condition is Condition.LOADING
        await child.wait_ready()
        (outcome,) = await child.draw([("a", JOB)], lambda step: None)
        assert isinstance(outcome, list)

    run(child, act)


def test_a_process_that_makes_no_step_is_killed(tmp_path: Path) -> None:
    child = worker(tmp_path, "hanging_painter", Patience(stalled_s=0.5, first_s=0.05))

    async def act() -> None:
        await child.wait_ready()
        with pytest.raises(WorkerLost, match=r"no step for 0\.5 s"):
            await child.draw([("a", JOB)], lambda step: None)
        await child.wait_ready()

    run(child, act)


def test_a_process_that_gives_no_sign_of_life_is_killed(tmp_path: Path) -> None:
    child = worker(tmp_path, "painter", Patience(silent_s=5.0, first_s=0.05))

    async def act() -> None:
        await child.wait_ready()
        first = child.pid
        assert first is not None
        os.kill(first, signal.SIGSTOP)
        with pytest.raises(WorkerLost, match="no sign of life for 5 s"):
            await child.draw([("a", JOB)], lambda step: None)
        await child.wait_ready()
        assert child.pid != first

    run(child, act)


def test_an_engine_that_cannot_be_made_says_what_helps(tmp_path: Path) -> None:
    child = worker(tmp_path, "missing_engine")

    async def act() -> None:
        await until(lambda: child.state.condition is Condition.BROKEN)
        assert "pip install 'novita-mock[reference]'" in child.state.reason
        with pytest.raises(WorkerLost) as lost:
            await child.draw([("a", JOB)], lambda step: None)
        assert not lost.value.begun

    run(child, act)


def test_a_job_that_the_process_cannot_even_take_is_lost_with_it(tmp_path: Path) -> None:
    child = worker(tmp_path, "painter", Patience(silent_s=3.0, first_s=0.05))
    large = Job(
        model="shapes-sd15", prompt="a", width=64, height=64, steps=1, sampler="Euler", seed=1, source=bytes(2**24)
    )

    async def act() -> None:
        await child.wait_ready()
        first = child.pid
        assert first is not None
        os.kill(first, signal.SIGSTOP)
        drawing = asyncio.create_task(child.draw([("a", large)], lambda step: None))
        await asyncio.wait([drawing], timeout=0.1)
        child.cancel("a")  # while the pipe is full
        with pytest.raises(WorkerLost):
            await drawing

    run(child, act)


def test_a_stop_while_the_process_is_being_made_leaves_none_behind(tmp_path: Path) -> None:
    child = worker(tmp_path, "known_painter")

    async def act() -> None:
        await asyncio.wait([asyncio.create_task(child.wait_ready())], timeout=0.001)

    run(child, act)
    assert list(tmp_path.glob("*.pid")) == []


def test_a_stop_ends_the_process_in_the_middle_of_its_work(tmp_path: Path) -> None:
    child = worker(tmp_path, "painter")
    pids: list[int | None] = []

    async def act() -> None:
        await child.wait_ready()
        pids.append(child.pid)
        drawing = asyncio.create_task(child.draw([("a", LONG)], lambda step: None))
        await asyncio.wait([drawing], timeout=0.05)
        await child.stop()
        with pytest.raises(WorkerLost):
            await drawing

    run(child, act)
    (pid,) = pids
    assert pid is not None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
