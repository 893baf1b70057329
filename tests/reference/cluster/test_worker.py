"""What a server makes of what replicas tell, and of their end; the cluster is a few lines in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from reference_impl.clock import pause
from reference_impl.cluster.replica import Begun, Replica, Said
from reference_impl.cluster.worker import Cluster, RayWorker
from reference_impl.jobs import Cancelled, Job, Step
from reference_impl.tasks import Status
from reference_impl.worker.protocol import Condition, WorkerLost, WorkerState
from tests.reference.fakes import Painter, finished
from tests.reference.service.house import JOB, house

LONGEST_S = 10.0
Batch = Sequence[tuple[str, Job]]
Tell = Callable[[Batch], AsyncIterator[Said]]


@dataclass(slots=True)
class Answer:
    """A stream that can be cancelled, as Ray's handle gives it."""

    said: AsyncIterator[Said]
    reading: asyncio.Future[Said] | None = None

    def __aiter__(self) -> Answer:
        return self

    async def __anext__(self) -> Said:
        reading: asyncio.Future[Said] = asyncio.ensure_future(anext(self.said))
        self.reading = reading
        return await reading

    def cancel(self) -> None:
        """Whoever listens hears no more."""
        if self.reading is not None:
            self.reading.cancel()


@dataclass(slots=True)
class Handle:
    """What stands for the deployment."""

    tell: Tell
    models: list[str] = field(default_factory=list)

    @property
    def draw(self) -> Handle:
        """The method of the deployment."""
        return self

    def options(self, *, stream: bool, multiplexed_model_id: str) -> Handle:
        """Which checkpoint the replica should have."""
        assert stream
        self.models.append(multiplexed_model_id)
        return self

    def remote(self, batch: Batch) -> Answer:
        """Hand it over."""
        return Answer(self.tell(batch))


class ReadyCluster(Cluster):
    """Connected from the first."""

    def __init__(self, tell: Tell) -> None:
        super().__init__("nowhere")
        self.handle: Any = Handle(tell)
        self.state = WorkerState(condition=Condition.READY)

    async def start(self) -> None:
        """There is nothing to connect."""

    async def wait_ready(self) -> None:
        """It is."""

    async def stop(self) -> None:
        """There is nothing to let go."""


def run(act: Awaitable[None]) -> None:
    """Under a deadline."""

    async def whole() -> None:
        await asyncio.wait_for(act, LONGEST_S)

    asyncio.run(whole())


def test_a_batch_goes_to_a_replica_that_has_its_checkpoint_and_comes_back_with_its_steps() -> None:
    async def act() -> None:
        cluster = ReadyCluster(Replica(Painter()).draw)
        steps: list[Step] = []
        outcomes = await RayWorker(cluster, 0).draw([("a", JOB)], steps.append)
        assert outcomes == [[finished(JOB, 0)]]
        assert [step.done for step in steps] == [1, 2, 3, 4]
        assert cluster.handle.models == [JOB.model]

    run(act())


@pytest.mark.parametrize("begun", [True, False])
def test_a_replica_that_is_lost_says_whether_it_had_begun(begun: bool) -> None:
    async def tell(batch: Batch) -> AsyncIterator[Said]:
        if begun:
            yield Begun(pid=1)
        raise ConnectionError("the actor died\nand this is how")

    async def act() -> None:
        with pytest.raises(WorkerLost, match=r"the replica was lost: the actor died$") as lost:
            await RayWorker(ReadyCluster(tell), 0).draw([("a", JOB)], lambda step: None)
        assert lost.value.begun is begun

    run(act())


def test_a_batch_that_nobody_wants_any_more_is_cancelled_when_its_last_task_is() -> None:
    async def tell(batch: Batch) -> AsyncIterator[Said]:
        yield Begun(pid=1)
        yield Step(done=1, total=2)
        await asyncio.Event().wait()

    async def act() -> None:
        worker = RayWorker(ReadyCluster(tell), 0)
        first = asyncio.Event()
        drawing = asyncio.create_task(worker.draw([("a", JOB), ("b", JOB)], lambda step: first.set()))
        await first.wait()
        worker.cancel("a")
        worker.cancel("of another worker")
        await pause(0.01)
        assert not drawing.done()
        worker.cancel("b")
        assert all(isinstance(outcome, Cancelled) for outcome in await drawing)

    run(act())


def test_a_task_whose_replica_was_lost_is_drawn_by_the_next(tmp_path: Path) -> None:
    """And one that loses three fails with a reason."""
    lives = {"a circle": 2}

    async def tell(batch: Batch) -> AsyncIterator[Said]:
        lives[batch[0][1].prompt] = lives.get(batch[0][1].prompt, 3) - 1
        async for said in Replica(Painter()).draw(batch):
            yield said
            if isinstance(said, Step) and lives[batch[0][1].prompt] >= 0:
                raise ConnectionError("the actor died")

    async def act() -> None:
        async with house(tmp_path, [RayWorker(ReadyCluster(tell), number) for number in range(2)]) as home:
            well = await home.ended(await home.submit())
            assert (well.task.status, well.task.attempts) == (Status.SUCCEED, 3)
            badly = await home.ended(await home.submit(replace(JOB, prompt="a square")))
            assert badly.task.status is Status.FAILED
            assert "the actor died" in badly.task.reason

    run(act())


def test_a_cluster_that_does_not_answer_is_said_at_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(address: str) -> None:
        raise ConnectionError(f"nobody answers at {address}\nfor many reasons")

    monkeypatch.setattr("reference_impl.cluster.worker.connected", refuse)
    monkeypatch.setattr("reference_impl.cluster.worker.disconnect", lambda: None)

    async def act() -> None:
        cluster = Cluster("10.0.0.1:6379")
        await cluster.start()
        while not cluster.state.reason:
            await pause(0.002)
        assert cluster.state == WorkerState(condition=Condition.LOADING, reason="nobody answers at 10.0.0.1:6379")
        await cluster.stop()

    run(act())
