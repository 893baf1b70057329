"""A replica tells of its work as it goes, and stops when nobody listens; without Ray."""

from __future__ import annotations

import asyncio
import os
import threading
from dataclasses import replace

from reference_impl.cluster.replica import Begun, Replica
from reference_impl.jobs import CannotDraw, Step
from tests.reference.fakes import UNDRAWABLE, Painter, finished
from tests.reference.service.house import JOB

LONGEST_S = 10.0


def test_a_batch_begins_and_steps_and_ends() -> None:
    async def act() -> None:
        said = [one async for one in Replica(Painter()).draw([("a", JOB)])]
        begun, *steps, outcomes = said
        assert begun == Begun(pid=os.getpid())
        assert [step.done for step in steps if isinstance(step, Step)] == [1, 2, 3, 4]
        assert outcomes == [[finished(JOB, 0)]]

    asyncio.run(asyncio.wait_for(act(), LONGEST_S))


def test_one_jobs_fault_stays_its_own() -> None:
    async def act() -> None:
        batch = [("a", JOB), ("b", replace(JOB, prompt=UNDRAWABLE))]
        *_, outcomes = [one async for one in Replica(Painter()).draw(batch)]
        assert isinstance(outcomes, list)
        assert outcomes[0] == [finished(JOB, 0)]
        assert isinstance(outcomes[1], CannotDraw)

    asyncio.run(asyncio.wait_for(act(), LONGEST_S))


def test_a_batch_that_nobody_listens_to_ends_before_its_next_step_and_the_next_one_is_drawn() -> None:
    steps: list[int] = []
    may_go_on = threading.Event()

    def step() -> None:
        steps.append(len(steps))
        if len(steps) == 2:
            may_go_on.wait(LONGEST_S)

    async def act() -> None:
        replica = Replica(Painter(step))
        listening = replica.draw([("a", JOB)])
        while not isinstance(await anext(listening), Step):
            pass
        await listening.aclose()  # type: ignore[attr-defined]  # what an async generator has
        may_go_on.set()
        *_, outcomes = [one async for one in replica.draw([("b", JOB)])]
        assert outcomes == [[finished(JOB, 0)]]
        assert len(steps) == 2 + JOB.steps

    asyncio.run(asyncio.wait_for(act(), LONGEST_S))
