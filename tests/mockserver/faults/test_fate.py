"""What the effects of a task's course make of its plan: laws that hold for every combination of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.core.course import NEVER_MS
from mockserver.core.fleet import Plan
from mockserver.core.task import TRANSITIONS, Delivery, Status, Task, TaskType
from mockserver.faults.effects import Effect, read_effect
from mockserver.faults.fate import Fate, fate_of
from mockserver.faults.kinds import Kind
from mockserver.faults.points import COURSE, Point
from tests.mockserver.faults.strategies import effects

T0 = 1_709_284_800_000
MOST_POLLS = 6
"""A task that ends needs no more polls on an auto clock: fell back, again, middle, end, and the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """A task, and what was decided for it."""

    task: Task
    fate: Fate
    plan: Plan
    decided: Mapping[Point, Effect]

    @property
    def last(self) -> Kind | None:
        """The effect that decided its end; None when it ends as planned, or later."""
        kinds = [effect.kind for effect in self.decided.values() if effect.kind is not Kind.LATE]
        return kinds[0] if kinds else None


def live(plan: Plan, asked: Mapping[Point, Any]) -> Life:
    """A task as a world makes it."""
    decided: dict[Point, Effect] = {}

    def ask(point: Point) -> Effect | None:
        if asked.get(point) is None:
            return None
        decided[point] = read_effect(asked[point], point, ()).resolved(lambda: 0.7)
        return decided[point]

    fate = fate_of(plan, T0, ask)
    task = Task(
        id="t",
        operation_id="createTxt2imgTask",
        number=0,
        type=TaskType.TXT_TO_IMG,
        body=b"{}",
        delivery=Delivery(),
        seed=1,
        count=1,
        submitted_ms=T0,
        started_ms=fate.plan.started_ms,
        finished_ms=fate.plan.finished_ms,
        course=fate.course,
    )
    if fate.reason is not None:
        task.outcome, task.reason = Status.FAILED, fate.reason
    return Life(task=task, fate=fate, plan=plan, decided=decided)


@st.composite
def lives(draw: st.DrawFn) -> Life:
    """A task with any effects at any of its points."""
    wait_ms, work_ms = draw(st.integers(0, 100_000)), draw(st.integers(0, 100_000))
    asked = {point: draw(st.none() | effects(point)) for point in COURSE}
    return live(Plan(T0 + wait_ms, T0 + wait_ms + work_ms), asked)


def instants(life: Life) -> list[int]:
    """The instants at which something may change, those around them, and some between."""
    task = life.task
    course = task.course
    marks = [T0, *life.plan, task.started_ms, task.finished_ms, *(at_ms for at_ms, _ in task.events())]
    if course is not None:
        marks += [course.back_ms or 0, course.again_ms, course.vanish_ms or 0, course.planned_ms]
    spread = [T0 + step * 7_919 for step in range(60)]
    near = {at_ms + by_ms for at_ms in marks for by_ms in (-1, 0, 1)}
    return sorted(at_ms for at_ms in {*near, *spread} if T0 <= at_ms < NEVER_MS)


@given(lives())
def test_a_life_is_in_order(life: Life) -> None:
    task = life.task
    assert T0 <= task.started_ms <= task.finished_ms <= NEVER_MS
    course = task.course
    if course is not None and course.back_ms is not None:
        assert task.started_ms <= course.back_ms <= course.again_ms <= task.finished_ms < NEVER_MS
    if course is not None and course.vanish_ms is not None:
        assert T0 <= course.vanish_ms <= task.finished_ms
    assert (task.finished_ms == NEVER_MS) == (life.last is Kind.STUCK)


@given(lives())
def test_a_status_is_where_the_events_lead(life: Life) -> None:
    """The table of transitions, walked with the events that are due."""
    events = life.task.events()
    assert events == sorted(events, key=lambda event: event[0])
    for now_ms in instants(life):
        status = Status.QUEUED
        for at_ms, event in events:
            if at_ms <= now_ms:
                status = TRANSITIONS[status][event]
        assert life.task.status_at(now_ms) is status, now_ms


@given(lives())
def test_progress_is_a_share_that_only_a_fall_makes_smaller(life: Life) -> None:
    task = life.task
    back_ms = task.course.back_ms if task.course is not None else None
    before_ms, before = T0, 0.0
    for now_ms in instants(life):
        done = task.progress_at(now_ms)
        assert 0.0 <= done <= 1.0
        fell = back_ms is not None and before_ms < back_ms <= now_ms
        failed = task.status_at(now_ms) is Status.FAILED
        assert done >= before or fell or failed, now_ms
        if task.status_at(now_ms) is Status.QUEUED:
            assert done == 0.0
        assert (done == 1.0) <= (now_ms >= life.plan.started_ms)
        before_ms, before = now_ms, done
    assert task.finished_ms == NEVER_MS or task.progress_at(task.finished_ms) == (
        1.0 if life.fate.reason is None else 0.0
    )


@given(lives())
def test_an_eta_is_never_negative_and_nothing_once_it_ended(life: Life) -> None:
    for now_ms in instants(life):
        eta_ms = life.task.eta_ms_at(now_ms)
        assert eta_ms >= 0
        if life.task.ended_at(now_ms):
            assert eta_ms == 0
        else:
            assert eta_ms > 0


@given(lives())
def test_a_task_that_has_ended_stays_as_it_is(life: Life) -> None:
    seen = {life.task.status_at(now_ms) for now_ms in instants(life) if now_ms >= life.task.finished_ms}
    assert len(seen) <= 1
    assert all(status.terminal for status in seen)
    vanished = [life.task.vanished_at(now_ms) for now_ms in instants(life)]
    assert vanished == sorted(vanished), "what is unknown stays unknown"


@given(lives())
def test_an_auto_clock_brings_every_task_to_its_end_in_a_few_polls(life: Life) -> None:
    """One that is stuck is polled for ever, and time goes on with each poll."""
    task, now_ms = life.task, T0
    polls = 1
    while not task.ended_at(now_ms) and polls < 50:
        milestone_ms = task.next_milestone_ms(now_ms)
        assert milestone_ms is not None
        assert milestone_ms >= now_ms
        assert milestone_ms > now_ms or task.ended_at(milestone_ms)
        now_ms = milestone_ms
        polls += 1
    assert polls == 50 if life.last is Kind.STUCK else polls <= MOST_POLLS


@given(lives(), st.integers(0, 200_000), st.booleans())
def test_a_task_can_be_ended_whatever_was_planned_for_it(life: Life, after_ms: int, failed: bool) -> None:
    """A test's own verb overrules a plan, and the laws still hold."""
    task, now_ms = life.task, T0 + after_ms
    if task.ended_at(now_ms):
        with pytest.raises(ValueError, match="has ended already"):
            task.end(now_ms, Status.FAILED)
        return
    outcome = Status.FAILED if failed else Status.SUCCEED
    task.end(now_ms, outcome)
    assert task.started_ms <= task.finished_ms <= now_ms
    for later_ms in (now_ms, now_ms + 1, now_ms + 10**9):
        assert task.status_at(later_ms) is outcome
        assert task.eta_ms_at(later_ms) == 0
        assert task.progress_at(later_ms) == (0.0 if failed else 1.0)


PLAN = Plan(T0 + 10_000, T0 + 30_000)


@pytest.mark.parametrize(
    ("point", "effect", "started_s", "finished_s"),
    [
        (Point.QUEUE, {"late": "30s"}, 40, 60),
        (Point.START, {"late": "30s"}, 10, 60),
        (Point.PROGRESS, {"late": "30s"}, 10, 60),
        (Point.FINISH, {"late": "30s"}, 10, 60),
        (Point.QUEUE, {"fail": {"at": 0.25}}, 2.5, 2.5),
        (Point.START, "fail", 10, 10),
        (Point.PROGRESS, {"fail": {"at": 0.25}}, 10, 15),
        (Point.FINISH, "fail", 10, 30),
        (Point.PROGRESS, {"regress": {"at": 0.5, "wait": "5s"}}, 10, 45),
    ],
)
def test_an_effect_moves_the_plan(point: Point, effect: Any, started_s: float, finished_s: float) -> None:
    """It waits ten seconds and works twenty."""
    found = live(PLAN, {point: effect}).fate.plan
    assert ((found.started_ms - T0) / 1000, (found.finished_ms - T0) / 1000) == (started_s, finished_s)


def test_effects_of_several_points_add_up_until_one_decides_the_end() -> None:
    asked = {
        Point.QUEUE: {"late": "1s"},
        Point.START: {"late": "2s"},
        Point.PROGRESS: {"fail": {"at": 0.5, "reason": "gone"}},
        Point.FINISH: {"late": "4s"},
    }
    life = live(PLAN, asked)
    assert life.fate.plan == Plan(T0 + 11_000, T0 + 22_000)
    assert life.fate.reason == "gone"
    assert Point.FINISH not in life.decided, "what comes after its end is not asked"


def test_a_task_that_will_fail_half_way_shows_half_of_its_work() -> None:
    """Until then it looks like any other, its eta included."""
    task = live(PLAN, {Point.PROGRESS: {"fail": {"at": 0.5}}}).task
    assert task.progress_at(T0 + 19_999) == pytest.approx(0.5, abs=0.001)
    assert task.eta_ms_at(T0 + 19_999) == 10_001
    assert task.status_at(T0 + 20_000) is Status.FAILED
    assert task.eta_ms_at(T0 + 20_000) == 0


def test_a_fall_into_a_queue_without_end_ends_with_time() -> None:
    task = live(PLAN, {Point.PROGRESS: {"regress": {"wait": "418000w"}}}).task
    assert task.course is not None
    assert task.course.again_ms < task.finished_ms < NEVER_MS
