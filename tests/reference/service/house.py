"""A service in this process: a store on disk, workers that draw with Pillow, a network that is a function."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import orjson

from reference_impl.clock import RandomIds, ShiftedClock, pause
from reference_impl.gallery import Gallery
from reference_impl.jobs import Job
from reference_impl.links import Links
from reference_impl.outbound.buckets import NotStored
from reference_impl.outbound.guard import Guard
from reference_impl.outbound.post import Post
from reference_impl.service import Parts, Service
from reference_impl.store.sqlite import SqliteStore
from reference_impl.tasks import Bucket, Delivery, TaskView
from reference_impl.worker.protocol import Worker
from tests.reference.fakes import PaintingWorker

DEADLINE_S = 20.0
LOOK_EVERY_S = 0.002
OWNER = "an-account"
JOB = Job(model="shapes-sd15", prompt="a circle", width=64, height=64, steps=4, sampler="Euler", seed=1)


@dataclass(slots=True)
class Network:
    """Every POST that left, and what answered.

    Attributes:
        answer: the status of the nth, from 1.
    """

    answer: Callable[[int], int] = lambda number: 200
    sent: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """As `httpx.MockTransport` wants it."""
        self.sent.append(request)
        return httpx.Response(self.answer(len(self.sent)), headers={"Location": "http://127.0.0.1/elsewhere"})


@dataclass(slots=True)
class FakeBuckets:
    """Buckets in memory; `refusal` is what they say to everything."""

    refusal: str = ""
    kept: dict[str, bytes] = field(default_factory=dict)

    async def put(self, bucket: Bucket, task_id: str, files: Sequence[tuple[str, bytes, str]]) -> list[str]:
        """See `reference_impl.outbound.buckets.Buckets`."""
        if self.refusal:
            raise NotStored(self.refusal)
        urls = [f"https://{bucket.bucket}.test/{task_id}/{name}" for name, _, _ in files]
        self.kept.update(zip(urls, (content for _, content, _ in files), strict=True))
        return urls


@dataclass(slots=True, kw_only=True)
class House:
    """A service that runs, and what it was made of."""

    service: Service
    clock: ShiftedClock
    network: Network
    buckets: FakeBuckets
    pictures: Path

    async def submit(self, job: Job = JOB, delivery: Delivery | None = None, body: bytes | None = None) -> str:
        """The id of a task of the one account; its body is its job, unless it is another."""
        self_made = jobs_as_bodies(job) if body is None else body
        return await self.service.submit(OWNER, "createTxt2imgTask", self_made, job, delivery or Delivery())

    async def view(self, task_id: str) -> TaskView:
        """The task as it is now."""
        return await self.service.read(OWNER, task_id)

    async def ended(self, task_id: str) -> TaskView:
        """The task once it has ended; the deadline of the house ends the wait."""
        while not (view := await self.view(task_id)).task.status.is_final:
            await pause(LOOK_EVERY_S)
        return view

    async def sent(self, number: int) -> list[Any]:
        """The bodies of what was posted, once there are so many and no attempt is under way."""
        while len(self.network.sent) < number:
            await self.service.catch_up()
            await pause(LOOK_EVERY_S)
        await self.service.catch_up()
        return [orjson.loads(request.content) for request in self.network.sent]


def jobs_as_bodies(job: Job) -> bytes:
    """A body that `job_of` understands: what differs from the plain job."""
    told = {"prompt": job.prompt, "count": job.count, "seed": job.seed, "steps": job.steps, "model": job.model}
    return orjson.dumps(told)


def job_of(operation_id: str, body: bytes, seed: int) -> Job:
    """The job of a body of `jobs_as_bodies`.

    Raises:
        ValueError: it is none.
    """
    return replace(JOB, **(orjson.loads(body) | {"seed": seed}))


@asynccontextmanager
async def house(folder: Path, workers: Sequence[Worker] | None = None, **changes: Any) -> AsyncIterator[House]:
    """A service that runs on a folder, with one worker that is ready unless others are given; under a deadline."""
    clock, network, buckets = ShiftedClock(), Network(), FakeBuckets()
    links = Links(b"secret", "http://reference.test", clock)
    parts = Parts(
        store=SqliteStore(_made(folder) / "tasks.sqlite"),
        workers=[PaintingWorker()] if workers is None else workers,
        gallery=Gallery(folder / "pictures"),
        buckets=buckets,
        post=Post(Guard(loopback=True), httpx.MockTransport(network)),
        links=links,
        clock=clock,
        ids=RandomIds(),
        job_of=job_of,
        payload_of=lambda view: {"task": {"task_id": view.task.task_id, "status": view.task.status}},
        holder="this-house",
    )
    service = Service(replace(parts, **changes))
    async with asyncio.timeout(DEADLINE_S):
        await service.start()
        try:
            yield House(service=service, clock=clock, network=network, buckets=buckets, pictures=folder / "pictures")
        finally:
            await service.stop()


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
