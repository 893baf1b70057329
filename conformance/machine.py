"""The laws of a task's life over interleavings that nobody thought of.

Hypothesis writes programs of a few steps: submit, submit an equal one, ask, ask twice at once, ask for an unknown task,
fetch a picture again, let time pass, list models. All programs run against the same few real tasks, which are dear, so
that a law which is broken is noted instead of raised: a program could not be run again from the same beginning.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar
from uuid import UUID

from conformance.bodies import MODELS, RESULT, TXT2IMG, txt2img
from conformance.client import Key
from conformance.errors import Broken, CheckEnd, NotMeasured
from conformance.expect import Claim, equals, status, typed
from conformance.tasks import Task, decoded, ended, links, status_of
from conformance.wire import MISSING, Exchange

if TYPE_CHECKING:
    from conformance.session import Session

Value = TypeVar("Value")

TASKS, STEPS = 6, 12
SEEDS = (7, 8)
"""Few, so that equal requests come up."""
PAUSES_S = (0.05, 0.05, 0.1, 0.1, 0.2, 1.0, 10.0, 900.0)
"""Mostly short ones, in which a task is seen on its way; a long one now and then, after which links are old."""
PURPOSE = "breadth: life of tasks"
RANKS = {"TASK_STATUS_QUEUED": 0, "TASK_STATUS_PROCESSING": 1, "TASK_STATUS_SUCCEED": 2, "TASK_STATUS_FAILED": 2}
ANSWER_S = 120.0
"""For one step, whatever the target's own deadlines are."""


async def explore(
    session: Session, seed: int, examples: int, *, tasks: int = TASKS, steps: int = STEPS
) -> list[Broken]:
    """Runs programs of the life cycle.

    Args:
        seed: the same one runs the same programs.
        examples: how many programs.
        tasks: how many tasks they may submit altogether, of one picture each.
        steps: how long a program may be.

    Returns:
        Which laws do not hold, each once, on its requirement.
    """
    world = World(session=session, most=tasks, loop=asyncio.get_running_loop())
    try:
        await asyncio.to_thread(_run, world, seed, examples, steps)
    finally:
        world.stopped = world.stopped or "over"  # the thread cannot be ended from here; it does no further step
    await world.settle()
    return list(world.broken.values())


@dataclass(kw_only=True)
class Life:
    """A task and what was learned of it.

    Attributes:
        end: the first answer that showed its end.
        file: the first file behind its link.
        told_s: virtual seconds at the last answer that was a result.
    """

    task: Task
    last: Exchange | None = None
    end: Exchange | None = None
    file: Exchange | None = None
    told_s: float = 0.0

    @property
    def seed(self) -> int:
        """The seed of its request."""
        found: int = self.task.body["request"]["seed"]
        return found


@dataclass(kw_only=True)
class World:
    """What all programs act upon, and what they found.

    Attributes:
        most: tasks that may be submitted.
        stopped: why no further step is done; "" while it goes on.
    """

    session: Session
    most: int
    loop: asyncio.AbstractEventLoop
    lives: list[Life] = field(default_factory=list)
    broken: dict[str, Broken] = field(default_factory=dict)
    stopped: str = ""

    def do(self, step: Coroutine[Any, Any, None]) -> None:
        """Does a step from the thread of the programs."""
        if self.stopped:
            step.close()
            return
        asyncio.run_coroutine_threadsafe(self._noted(step), self.loop).result(ANSWER_S)

    async def _noted(self, step: Coroutine[Any, Any, None]) -> None:
        with self._notes():
            await step

    @contextmanager
    def _notes(self) -> Iterator[None]:
        try:
            yield
        except Broken as broken:
            self.broken.setdefault(broken.requirement, broken)
        except NotMeasured as end:
            self.stopped = end.reason  # a budget, or 429
        except CheckEnd as end:
            self.stopped = str(end)

    def life(self, index: int) -> Life | None:
        """One of the tasks so far."""
        return self.lives[index % len(self.lives)] if self.lives else None

    # Steps ------------------------------------------------------------------------------------------------------------

    async def submit(self, seed: int) -> None:
        """A new task, while there may be more."""
        if len(self.lives) >= self.most:
            return
        body = txt2img(await self.session.names(), seed=seed)
        blame = "V3-TXT2IMG-001"
        task = await self.session.submit(TXT2IMG, body, blame=blame, fresh=True, purpose=PURPOSE)
        for life in self.lives:
            if life.task.task_id == task.task_id:
                found = "the id of a task before it"
                raise Broken("V3-SUBMIT-004", "an id of its own", found, (life.task.submit.number, task.submit.number))
        self.lives.append(Life(task=task))
        await self.ask(len(self.lives) - 1)

    async def submit_equal(self, index: int) -> None:
        """The same request as one before."""
        life = self.life(index)
        if life is not None:
            await self.submit(life.seed)

    async def ask(self, index: int) -> None:
        """How a task is doing."""
        life = self.life(index)
        if life is not None:
            self._judge(life, await self.session.poll(life.task))

    async def ask_all(self) -> None:
        """How all are doing, all at once."""
        answers = await asyncio.gather(*(self.session.poll(life.task) for life in self.lives))
        for life, answer in zip(self.lives, answers, strict=True):
            self._judge(life, answer)

    async def ask_unknown(self, task_id: str) -> None:
        """For a task that does not exist."""
        answer = await self.session.ask(RESULT, params={"task_id": task_id}, purpose=f"{PURPOSE}, an id of no task")
        _hold("V3-RESULT-003", answer, status(404))

    async def fetch(self, index: int) -> None:
        """The picture of a finished task, by a link that is new."""
        life = self.life(index)
        if life is None or life.end is None or status_of(life.end, v2=False) != "TASK_STATUS_SUCCEED":
            return
        answer = await self.session.poll(life.task)
        self._judge(life, answer)
        for entry in links(answer, v2=False)[:1]:
            file = await self.session.client.request("GET", entry["image_url"], key=Key.NONE, purpose=PURPOSE)
            _hold("V3-LINK-001", file, status(200), answer)
            if life.file is not None and life.file.body != file.body:
                _broken("V3-LIFE-007", "the same file", f"{len(file.body)} other bytes", life.file, answer, file)
            if life.file is None:
                self._look(file, answer)
            life.file = life.file or file

    async def pass_time(self, seconds: float) -> None:
        """Moves a virtual clock, where there is one, and looks what came of it."""
        if self.session.clock:
            await self.session.clock.advance(seconds)
        await self.ask_all()

    async def list_models(self) -> None:
        """The list of models, which has nothing to do with tasks."""
        query = (("pagination.limit", "1"),)
        answer = await self.session.ask(MODELS, params=query, purpose=f"{PURPOSE}, a list in between")
        _hold("V3-MODEL-001", answer, status(200))
        _hold("V3-MODEL-001", answer, typed("models", "array"))

    async def settle(self) -> None:
        """At last each task must end well, its files stay, and equal requests have given equal pictures."""
        self.stopped = ""
        for index, life in enumerate(self.lives):
            with self._notes():
                await self.ask(index)
                await self.session.finish(life.task)
                await self.fetch(index)
                await self.fetch(index)
        with self._notes():
            self._compare()

    # Laws -------------------------------------------------------------------------------------------------------------

    def _judge(self, life: Life, answer: Exchange) -> None:
        """Holds an answer about a task to what was answered before."""
        submit, now_s = life.task.submit, self.session.clock.moved_s if self.session.clock else 0.0
        if answer.status == 404 and life.end is not None and now_s - life.told_s > _ttl(life.end):
            return  # it need not be readable for longer than its links live (V3-LIFE-010)
        if answer.status == 404:
            first = life.last is None
            _hold("V3-LIFE-001" if first else "V3-LIFE-010", answer, status(200), submit)
        _hold("V3-RESULT-001", answer, status(200), submit)
        _hold("V3-RESULT-005", answer, typed("task.status", "string"), submit)
        _hold("V3-RESULT-006", answer, equals("task.task_id", life.task.task_id), submit)
        life.told_s = now_s
        before, life.last = life.last, answer
        if life.end is not None:
            if _facts(answer) != _facts(life.end):
                _broken("V3-LIFE-004", str(_facts(life.end)), str(_facts(answer)), submit, life.end, answer)
            return
        if before is not None:
            self._forward(submit, before, answer)
        if ended(status_of(answer, v2=False), v2=False):
            life.end = answer
            self._at_the_end(life, answer)
        elif answer.at("images") and status_of(answer, v2=False) == "TASK_STATUS_QUEUED":
            _broken("V3-LIFE-006", "no pictures before success", "some", submit, answer)

    def _forward(self, submit: Exchange, before: Exchange, answer: Exchange) -> None:
        was, found = (RANKS.get(str(status_of(one, v2=False)), -1) for one in (before, answer))
        if -1 < found < was:
            words = [str(status_of(one, v2=False)) for one in (before, answer)]
            _broken("V3-LIFE-003", f"{words[0]} or what comes after it", words[1], submit, before, answer)
        if found < RANKS["TASK_STATUS_SUCCEED"]:
            low, high = (one.at("task", "progress_percent") for one in (before, answer))
            if isinstance(low, int | float) and isinstance(high, int | float) and high < low:
                _broken("V3-LIFE-005", f"progress_percent of at least {low}", str(high), submit, before, answer)

    def _at_the_end(self, life: Life, answer: Exchange) -> None:
        _hold("V3-LIFE-002", answer, equals("task.status", "TASK_STATUS_SUCCEED"), life.task.submit)
        found = answer.at("images")
        if not isinstance(found, list) or len(found) != 1:
            _broken("V3-RESULT-013", "one picture", f"images = {found!r}"[:200], life.task.submit, answer)
        told = answer.at("extra", "seed")
        if told is not MISSING and str(told) != str(life.seed):
            _broken("V3-RESULT-019", f"the seed {life.seed}", f"{told!r}", life.task.submit, answer)

    def _look(self, file: Exchange, answer: Exchange) -> None:
        try:
            decoded(file.body)
        except (OSError, ValueError, SyntaxError) as error:
            _broken("V3-IMAGE-001", "a whole picture", f"{len(file.body)} bytes: {error}", answer, file)

    def _compare(self) -> None:
        from conformance import pixels

        seen: dict[int, Life] = {}
        for life in self.lives:
            first = seen.setdefault(life.seed, life)
            if first.file is None or life.file is None:
                continue
            if not pixels.like(decoded(first.file.body), decoded(life.file.body)):
                _broken("V3-IMAGE-007", "the same picture for the same request", "another", first.file, life.file)
        files = [life.file for life in seen.values() if life.file is not None]
        if len(files) > 1 and not pixels.other(decoded(files[0].body), decoded(files[1].body)):
            _broken("V3-IMAGE-009", "another picture for another seed", "the same", *files)


def _ttl(answer: Exchange) -> float:
    text = str(answer.at("images", 0, "image_url_ttl"))
    return float(text) if text.isascii() and text.isdigit() else 0.0


def _facts(answer: Exchange) -> dict[str, object]:
    """What stays once a task has ended."""
    found = answer.at("images")
    types = [one.get("image_type") for one in found if isinstance(one, dict)] if isinstance(found, list) else found
    return {"status": status_of(answer, v2=False), "seed": answer.at("extra", "seed"), "image_types": types}


def _hold(requirement: str, answer: Exchange, claim: Claim, *seen: Exchange) -> None:
    holds, found = claim.judge(answer)
    if not holds:
        numbers = (*(one.number for one in seen), answer.number)
        raise Broken(requirement, claim.words, found, numbers, ((answer.number, claim),))


def _broken(requirement: str, expected: str, actual: str, *seen: Exchange) -> NoReturn:
    raise Broken(requirement, expected, actual, tuple(one.number for one in seen))


def _run(world: World, seed: int, examples: int, steps: int) -> None:
    """Runs the programs; Hypothesis is loaded here, for it takes its time."""
    import hypothesis
    from hypothesis import HealthCheck, Phase, settings
    from hypothesis import strategies as st
    from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

    which = st.integers(0, TASKS - 1)

    class Program(RuleBasedStateMachine):
        """Steps in any order."""

        @rule(seed=st.sampled_from(SEEDS))
        def submit(self, seed: int) -> None:
            world.do(world.submit(seed))

        @rule(index=which)
        def submit_equal(self, index: int) -> None:
            world.do(world.submit_equal(index))

        @rule(index=which)
        def ask(self, index: int) -> None:
            world.do(world.ask(index))

        @rule()
        def ask_all(self) -> None:
            world.do(world.ask_all())

        @rule(number=st.integers(0, 2**122))
        def ask_unknown(self, number: int) -> None:
            world.do(world.ask_unknown(str(UUID(int=number, version=4))))

        @rule(index=which)
        def fetch(self, index: int) -> None:
            world.do(world.fetch(index))

        @rule(seconds=st.sampled_from(PAUSES_S))
        def pass_time(self, seconds: float) -> None:
            world.do(world.pass_time(seconds))

        @rule()
        def list_models(self) -> None:
            world.do(world.list_models())

    wanted = settings(
        max_examples=examples,
        stateful_step_count=steps,
        phases=[Phase.generate],  # nothing is raised, so that there is nothing to run again or to make smaller
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    run_state_machine_as_test(hypothesis.seed(seed)(Program), settings=wanted)
