"""Waiting for tasks: asked until they end, under a deadline, while the target's clock is moved where it has one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from conformance import timing
from conformance.bodies import PROGRESS, RESULT, Body
from conformance.client import Client
from conformance.errors import Broken
from conformance.predicates import has_type
from conformance.receiver import Receiver
from conformance.submitting import Submitting
from conformance.tasks import WORDS_V3, Task, ended, status_of
from conformance.timing import VirtualClock
from conformance.wire import MISSING, Exchange

MOST_VIRTUAL_POLLS = 60
"""With a virtual clock a task that has not ended after these, an hour of its time, never will."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.02, 1.0
SHORT_DEADLINE_S = 5.0
"""Real seconds for further tasks once one did not end at all."""
CLOSE_LOOKS, CLOSE_FIRST_LOOKS, CLOSE_STEP_S = 60, 10, 0.1
"""How often a watched task is looked at, and how far a virtual clock is moved between two looks while it is at work."""


class Waiting(Submitting):
    """The part of a session that waits."""

    def __init__(self, client: Client, clock: VirtualClock | None, receiver: Receiver) -> None:
        super().__init__(client, clock, receiver)
        self._moving = asyncio.Lock()
        self._moves = 0
        self._one_never_ended = False

    async def poll(self, task: Task) -> Exchange:
        """Asks once for a task and keeps the answer with it."""
        operation_id = PROGRESS if task.v2 else RESULT
        answer = await self.ask(operation_id, params={"task_id": task.task_id}, purpose="how the task is doing")
        task.polls.append(answer)
        return answer

    async def finish(self, task: Task) -> Task:
        """Asks until the task has ended well.

        Raises:
            Broken: it cannot be asked for, does not end in time, or fails.
        """
        return await self.once(
            f"finish {task.operation_id} {task.task_id} {task.submit.number}", lambda: self._finish(task)
        )

    async def _finish(self, task: Task) -> Task:
        started_s, wait_s, step_s = timing.now(), FIRST_PAUSE_S, 2.0
        seen_before = len(task.polls)
        while True:
            moves = self._moves
            # An end that was seen already counts: that it stays is a matter of its own.
            known = bool(task.polls) and ended(task.status, v2=task.v2)
            answer = task.result if known else await self.poll(task)
            status = self._status(task, answer)
            if ended(status, v2=task.v2):
                break
            late_s = min(self.target.task_timeout_s, SHORT_DEADLINE_S if self._one_never_ended else 1e9)
            if timing.now() - started_s > late_s or (self.clock and len(task.polls) - seen_before > MOST_VIRTUAL_POLLS):
                self._one_never_ended = True
                self._never_ended(task, answer, timing.now() - started_s)
            if self.clock:
                await self._move(step_s, since=moves)
                step_s = min(step_s * 1.2, 120.0)
            else:
                await timing.pause(wait_s)
                wait_s = min(wait_s * 1.5, LONGEST_PAUSE_S)
        good = status == (2 if task.v2 else "TASK_STATUS_SUCCEED")
        if not good:
            blame = "V2-PROGRESS-004" if task.v2 else "V3-LIFE-002"
            raise Broken(blame, "a task that ends well", answer.brief(), task.numbers)
        return task

    async def watch(self, operation_id: str, body: Body, *, blame: str) -> Task:
        """A task of this body, ended, that was looked at often enough to be seen at work.

        A virtual clock is moved in small steps for it, while nobody else moves it; that is why it is submitted here.
        A body that is watched must not be asked for in another way as well, or it may have ended before.
        """

        async def look() -> Task:
            if not self.clock:
                return await self.finish(await self.submit(operation_id, body, blame=blame, purpose="a valid submit"))
            async with self._moving:
                task = await self.submit(operation_id, body, blame=blame, purpose="a valid submit")
                for _ in range(CLOSE_LOOKS):
                    answer = await self.poll(task)
                    status = self._status(task, answer)
                    if ended(status, v2=task.v2):
                        break
                    await self.clock.advance(_close_step(task, answer, status))
                    self._moves += 1
            return await self.finish(task)

        return await self.once(f"watch {operation_id} {json.dumps(body, sort_keys=True)}", look)

    async def pass_time(self, seconds: float, pause_s: float) -> None:
        """Lets a little time pass for who waits for something to come.

        Args:
            seconds: of a virtual clock.
            pause_s: real ones.
        """
        if self.clock:
            await self._move(seconds, since=self._moves)
        await timing.pause(pause_s)

    @asynccontextmanager
    async def alone_with_the_clock(self) -> AsyncIterator[VirtualClock | None]:
        """The virtual clock, which nobody else moves during the block; who waits for it looks again afterwards."""
        async with self._moving:
            try:
                yield self.clock
            finally:
                self._moves += 1

    async def _move(self, seconds: float, *, since: int) -> None:
        """Moves the clock once for all who wait; whoever finds it moved since its last look asks again first."""
        assert self.clock is not None
        async with self._moving:
            if self._moves == since:
                await self.clock.advance(seconds)
                self._moves += 1

    def _status(self, task: Task, answer: Exchange) -> Any:
        if task.v2:
            told = answer.at("code") == 0 and isinstance(answer.at("data"), dict)
            if answer.status != 200 or not told:
                blame = "V2-SUBMIT-001" if told else "V2-PROGRESS-001"
                expected = "status 200, code 0 and an object data"
                raise Broken(blame, expected, answer.brief(), (task.submit.number, answer.number))
            if not has_type(answer.at("data", "status"), ["integer"]):
                expected = "an integer data.status"
                raise Broken("V2-PROGRESS-003", expected, answer.brief(), (task.submit.number, answer.number))
        elif answer.status != 200:
            # Known at once or not at all: an id that is unknown right after its submit breaks V3-LIFE-001.
            blame = "V3-LIFE-001" if answer.status == 404 and len(task.polls) == 1 else "V3-RESULT-001"
            raise Broken(blame, "status 200", answer.brief(), (task.submit.number, answer.number))
        elif not isinstance(answer.json, dict):
            raise Broken("V3-RESULT-001", "a JSON object", answer.brief(), (task.submit.number, answer.number))
        status = status_of(answer, v2=task.v2)
        if not task.v2 and status is MISSING:
            raise Broken(
                "V3-RESULT-005", "an object task with a status", answer.brief(), (*task.numbers[:1], answer.number)
            )
        return status

    def _never_ended(self, task: Task, answer: Exchange, waited_s: float) -> None:
        how_long = f"{self.clock.moved_s:.0f} s of its clock" if self.clock else f"{waited_s:.0f} s"
        status = status_of(answer, v2=task.v2)
        strange = status not in range(5) if task.v2 else status not in WORDS_V3
        if strange:
            blame = "V2-PROGRESS-003" if task.v2 else "V3-RESULT-007"
            raise Broken(blame, "a documented status", repr(status), task.numbers)
        blame = "V2-PROGRESS-004" if task.v2 else "V3-LIFE-002"
        raise Broken(blame, f"a task that has ended after {how_long}", answer.brief(), task.numbers)


def _close_step(task: Task, answer: Exchange, status: object) -> float:
    """Seconds of a virtual clock after which a watched task is worth another look: half of its rest while it waits."""
    rest = answer.at("data", "eta_relative") if task.v2 else answer.at("task", "eta")
    waits = status in (0, "TASK_STATUS_QUEUED")
    # The first looks are close whatever is told: a rest of 1 may stand for a tenth of a second.
    longer = waits and len(task.polls) > CLOSE_FIRST_LOOKS and has_type(rest, ["number"])
    return max(CLOSE_STEP_S, float(rest) / 2) if longer else CLOSE_STEP_S
