"""The laws of a task's life, held in every order of calls: submit, poll, move time, freeze, end, reset.

The machine knows each task by what a client has seen of it so far; after every step each law is checked on every
task. The diagram in docs/life-cycle.md is drawn from the same table that the laws are about.
"""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mockserver.answers import View, progress, task_result
from mockserver.core.links import LinkSigner
from mockserver.core.task import TRANSITIONS, Delivery, Status, Task
from mockserver.parts.ids import SeededIds
from mockserver.parts.store import MemoryTasks
from mockserver.parts.wall import FakeWall
from mockserver.world import World
from tests.mockserver.builders import make_world, submit
from tests.strategies import clock_modes, deliveries, durations_ms, fleet_settings

REPOSITORY = Path(__file__).parents[2]
VIEW = View(base_url="http://mock.test", signer=LinkSigner(b"secret"), ids=SeededIds())

V2_WORDS = {Status.QUEUED: 0, Status.PROCESSING: 1, Status.SUCCEED: 2, Status.FAILED: 3}


def reachable() -> dict[Status, set[Status]]:
    """Each status with itself and all that lie behind it in the table."""
    found = {status: {status} for status in Status}
    for _ in Status:
        for status, ways in TRANSITIONS.items():
            for end in ways.values():
                found[status] |= found[end]
    return found


REACHABLE = reachable()


def unsigned(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer without the signatures of its links, which each poll renews."""
    images = [{**image, "image_url": image["image_url"].partition("?")[0]} for image in answer["images"]]
    return {**answer, "images": images}


class LifeCycle(RuleBasedStateMachine):
    """A world and what has been seen of it.

    Attributes:
        seen: the answer that each task gave last, by id.
        last_ms: the latest instant seen since the reset.
    """

    world: World
    wall: FakeWall

    @initialize(mode=clock_modes(), fleet=fleet_settings(max_workers=3))
    def a_key_is_used_for_the_first_time(self, mode: Any, fleet: Any) -> None:
        """Any clock, any fleet."""
        self.wall = FakeWall()
        self.world = make_world(clock=str(mode), fleet=fleet, wall=self.wall)
        self.forget()

    def forget(self) -> None:
        """Nothing has been seen."""
        self.seen: dict[str, dict[str, Any]] = {}
        self.last_ms = 0

    def tasks(self) -> list[Task]:
        return list(self.world.tasks)

    def pick(self, data: st.DataObject) -> Task:
        return data.draw(st.sampled_from(self.tasks()), label="task")

    def look(self, task: Task) -> dict[str, Any]:
        return task_result(task, self.world.clock.now_ms(), VIEW)

    @rule(delivery=deliveries(), count=st.integers(1, 8), steps=st.integers(1, 100))
    def submit(self, delivery: Delivery, count: int, steps: int) -> None:
        """A client submits: the id is new, and the task is queued unless it is one of the test mode."""
        known = {task.id for task in self.tasks()}
        task = submit(self.world, delivery=delivery, count=count, steps=steps)
        assert task.id not in known
        if delivery.test_status is None:
            assert task.status_at(task.submitted_ms) is Status.QUEUED or task.finished_ms == task.submitted_ms
        else:
            assert task.status_at(task.submitted_ms) is delivery.test_status

    @precondition(lambda self: self.tasks())
    @rule(data=st.data())
    def poll(self, data: st.DataObject) -> None:
        """A client asks, and may move an `auto` clock by asking."""
        self.world.poll(self.pick(data))

    @precondition(lambda self: self.tasks() and self.world.clock.jumps)
    @rule(data=st.data())
    def poll_three_times(self, data: st.DataObject) -> None:
        """On an `auto` clock any task ends within three polls."""
        task = self.pick(data)
        seen = [task.status_at(self.world.poll(task)) for _ in range(3)]
        assert seen[-1].terminal

    @rule(ms=durations_ms())
    def advance(self, ms: int) -> None:
        """The test moves time."""
        self.world.clock.advance(ms)

    @rule(ms=st.integers(0, 5_000))
    def the_wall_goes_on(self, ms: int) -> None:
        """Real time passes."""
        self.wall.now_ms += ms

    @rule()
    def advance_to_next_event(self) -> None:
        """Time stops at the next start or end."""
        due = self.due()
        assert self.world.advance_to_next_event() == (min(due) if due else None)

    @rule()
    def run_until_idle(self) -> None:
        """Everything ends."""
        due = self.due()
        assert self.world.run_until_idle() == len(due)
        assert all(self.look(task)["task"]["eta"] == 0 for task in self.tasks())

    @rule()
    def freeze(self) -> None:
        """Time stops."""
        self.world.clock.freeze()

    @rule()
    def resume(self) -> None:
        """Time goes on."""
        self.world.clock.resume()

    @rule(mode=clock_modes())
    def change_the_clock(self, mode: Any) -> None:
        """Time goes on in another way."""
        self.world.change(replace(self.world.settings, clock=mode))

    @rule(fleet=fleet_settings(max_workers=3))
    def change_the_fleet(self, fleet: Any) -> None:
        """Later tasks are faster or slower."""
        plans = [(task.started_ms, task.finished_ms) for task in self.tasks()]
        self.world.change(replace(self.world.settings, fleet=fleet))
        assert plans == [(task.started_ms, task.finished_ms) for task in self.tasks()]

    @precondition(lambda self: self.tasks())
    @rule(data=st.data(), outcome=st.sampled_from([Status.SUCCEED, Status.FAILED]))
    def end_task(self, data: st.DataObject, outcome: Status) -> None:
        """The test ends a task; one that has ended refuses."""
        self.world.clock.freeze()  # so that the instant of the look is the instant of the end
        task = self.pick(data)
        before = self.look(task)
        ended = Status(before["task"]["status"]).terminal
        try:
            self.world.end_task(task, outcome, "ended by the test")
        except ValueError:
            assert ended
            assert unsigned(self.look(task)) == unsigned(before)
        else:
            assert not ended
            assert self.look(task)["task"]["status"] == outcome
        self.world.clock.resume()

    @rule()
    def reset(self) -> None:
        """The world starts again: only now may time go back and ids come again."""
        self.world.reset(MemoryTasks())
        self.forget()

    def due(self) -> list[int]:
        """Instants of the events to come."""
        now_ms = self.world.clock.now_ms()
        return [ms for task in self.tasks() for ms in (task.started_ms, task.finished_ms) if ms > now_ms]

    @invariant()
    def time_never_runs_backwards(self) -> None:
        now_ms = self.world.clock.now_ms()
        assert now_ms >= self.last_ms
        self.last_ms = now_ms

    @invariant()
    def ids_are_unique(self) -> None:
        assert len({task.id for task in self.tasks()}) == len(self.tasks()) == self.world.created

    @invariant()
    def the_next_event_is_the_earliest_to_come(self) -> None:
        assert self.world.next_event_ms() == min(self.due(), default=None)

    @invariant()
    def every_task_obeys_the_laws(self) -> None:
        for task in self.tasks():
            before, after = self.seen.get(task.id), self.look(task)
            self.one_answer_is_lawful(task, after)
            if before is not None:
                self.the_step_is_lawful(before, after)
            self.seen[task.id] = after

    def one_answer_is_lawful(self, task: Task, answer: dict[str, Any]) -> None:
        """Pictures only at success; progress and eta fit the status; both versions tell the same."""
        status = Status(answer["task"]["status"])
        assert len(answer["images"]) == (task.count if status is Status.SUCCEED else 0)
        assert 0 <= answer["task"]["progress_percent"] <= 100
        assert answer["task"]["eta"] >= 0
        assert (answer["task"]["eta"] == 0) is status.terminal
        assert (answer["task"]["progress_percent"] == 100) is (status is Status.SUCCEED)
        assert bool(answer["task"]["reason"]) <= (status is Status.FAILED)
        old = progress(task, self.world.clock.now_ms(), VIEW, [])
        assert old["status"] == V2_WORDS[status]
        assert (old["progress"] == 1) is (status is Status.SUCCEED)
        assert (old["imgs"] is not None) is (status is Status.SUCCEED)

    def the_step_is_lawful(self, before: dict[str, Any], after: dict[str, Any]) -> None:
        """The status moves along the table; the end is the end; until then progress only grows."""
        was, now = (Status(answer["task"]["status"]) for answer in (before, after))
        assert now in REACHABLE[was]
        if was.terminal:
            assert unsigned(after) == unsigned(before)
        elif now is not Status.FAILED:
            assert after["task"]["progress_percent"] >= before["task"]["progress_percent"]


LifeCycle.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestLifeCycle = LifeCycle.TestCase


def test_every_status_is_reached_from_queued() -> None:
    """The table has no island, and its ends are ends."""
    assert REACHABLE[Status.QUEUED] == set(Status)
    assert all(REACHABLE[status] == {status} for status in Status if status.terminal)


def life_cycle_program() -> ModuleType:
    """docs/make_life_cycle.py, which is no module of a package."""
    path = REPOSITORY / "docs" / "make_life_cycle.py"
    spec = importlib.util.spec_from_file_location("make_life_cycle", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_published_diagram_is_drawn_from_the_table() -> None:
    """docs/life-cycle.md is what the program writes now; `python docs/make_life_cycle.py --write` renews it."""
    assert life_cycle_program().page() == (REPOSITORY / "docs" / "life-cycle.md").read_text(encoding="utf-8")


def test_the_diagram_shows_every_way_of_the_table() -> None:
    """One arrow per event, one way in, one way out of each end."""
    page = life_cycle_program().page()
    for status, ways in TRANSITIONS.items():
        for event, end in ways.items():
            assert f"{status.value} --> {end.value}: {event.value}" in page
        assert (f"{status.value} --> [*]" in page) is status.terminal
    assert f"[*] --> {Status.QUEUED.value}" in page
