"""The simulated fleet: queues over a number of workers, speed by size, jitter by seed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.core.clock import MAX_MS
from mockserver.core.fleet import (
    DISPATCH_MS,
    JITTER,
    OVERHEAD_MS,
    PIXEL_STEPS_PER_S,
    Fleet,
    FleetSettings,
    Plan,
)
from tests.strategies import SPRING_2024_MS, fleet_settings, instants_ms

PICTURE = 20 * 512 * 512
"""Pixel steps of one 512x512 picture of 20 steps."""


def most_at_once(plans: list[Plan]) -> int:
    """How many plans overlap at the busiest instant; a plan ends before the next one of its instant begins."""
    changes = sorted([(plan.started_ms, 1) for plan in plans] + [(plan.finished_ms, -1) for plan in plans])
    running = most = 0
    for _, change in changes:
        running += change
        most = max(most, running)
    return most


def test_the_documented_example_takes_its_documented_time() -> None:
    """Two 1024x1024 pictures of 20 steps took 3.786 s and began after 69 ms; jitter and dispatch lie around that."""
    plan = Fleet(FleetSettings(), seed=1).plan(now_ms=0, number=0, pixel_steps=2 * 20 * 1024 * 1024)

    assert DISPATCH_MS[0] <= plan.started_ms <= DISPATCH_MS[1]
    assert plan.finished_ms - plan.started_ms == pytest.approx(3_786, rel=JITTER + 0.02)


@given(st.integers(0, 2**64 - 1), st.integers(0, 10_000), st.integers(1, 100 * 4096 * 4096 * 8))
def test_work_follows_size_within_the_jitter(seed: int, number: int, pixel_steps: int) -> None:
    """The time is overhead plus steps x pixels x pictures, 8 % more or less."""
    plan = Fleet(FleetSettings(), seed).plan(now_ms=0, number=number, pixel_steps=pixel_steps)
    expected_ms = OVERHEAD_MS + pixel_steps / PIXEL_STEPS_PER_S * 1000

    assert (1 - JITTER) * expected_ms - 1 <= plan.finished_ms - plan.started_ms <= (1 + JITTER) * expected_ms + 1
    assert DISPATCH_MS[0] <= plan.started_ms <= DISPATCH_MS[1]


def test_twice_the_speed_is_half_the_time() -> None:
    """`speed` divides the work, not the dispatch."""
    slow, fast = (
        Fleet(FleetSettings(speed=speed), seed=5).plan(now_ms=0, number=0, pixel_steps=PICTURE) for speed in (1, 2)
    )

    assert slow.started_ms == fast.started_ms
    assert (fast.finished_ms - fast.started_ms) * 2 == pytest.approx(slow.finished_ms - slow.started_ms, abs=2)


def test_a_fixed_duration_has_no_jitter_and_ignores_size_and_speed() -> None:
    """`task_ms` is exactly the time between start and end."""
    fleet = Fleet(FleetSettings(workers=100, speed=9, task_ms=60_000), seed=5)
    plans = [fleet.plan(now_ms=0, number=number, pixel_steps=number * PICTURE) for number in range(50)]

    assert {plan.finished_ms - plan.started_ms for plan in plans} == {60_000}


@given(
    settings=fleet_settings(),
    seed=st.integers(0, 2**32),
    gaps_ms=st.lists(st.integers(0, 3_000), min_size=1, max_size=40),
)
def test_no_more_tasks_run_at_once_than_there_are_workers(
    settings: FleetSettings, seed: int, gaps_ms: list[int]
) -> None:
    """Tasks wait for a free worker; each starts after it was dispatched and keeps the order of submission."""
    fleet = Fleet(settings, seed)
    now_ms, plans = SPRING_2024_MS, []
    for number, gap_ms in enumerate(gaps_ms):
        now_ms += gap_ms
        plans.append(fleet.plan(now_ms=now_ms, number=number, pixel_steps=PICTURE))
        assert plans[-1].started_ms >= now_ms + DISPATCH_MS[0]
        assert plans[-1].finished_ms >= plans[-1].started_ms

    assert most_at_once([plan for plan in plans if plan.finished_ms > plan.started_ms]) <= settings.workers


def test_a_second_task_of_one_worker_starts_when_the_first_ends() -> None:
    """A busy fleet has a queue."""
    fleet = Fleet(FleetSettings(workers=1, task_ms=10_000), seed=0)
    first, second = (fleet.plan(now_ms=0, number=number, pixel_steps=PICTURE) for number in (0, 1))

    assert second.started_ms == first.finished_ms


def test_dedicated_capacity_neither_waits_nor_takes_a_worker() -> None:
    """`enterprise_plan`: the task begins at once, and the queue does not notice it."""
    fleet = Fleet(FleetSettings(workers=1, task_ms=10_000), seed=0)
    first = fleet.plan(now_ms=0, number=0, pixel_steps=PICTURE)
    dedicated = fleet.plan(now_ms=0, number=1, pixel_steps=PICTURE, queued=False)
    second = fleet.plan(now_ms=0, number=2, pixel_steps=PICTURE)

    assert dedicated.started_ms <= DISPATCH_MS[1]
    assert second.started_ms == first.finished_ms


def test_the_same_seed_plans_the_same_times() -> None:
    """Seed and position decide the jitter: another seed gives other times, the same seed the same ones."""
    runs = [
        [Fleet(FleetSettings(), seed).plan(now_ms=0, number=number, pixel_steps=PICTURE) for number in range(20)]
        for seed in (3, 3, 4)
    ]

    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_a_task_taken_off_while_it_works_frees_its_worker_at_once() -> None:
    """`release` lets the next task begin as soon as it is dispatched."""
    fleet = Fleet(FleetSettings(workers=1, task_ms=10_000), seed=0)
    first = fleet.plan(now_ms=0, number=0, pixel_steps=PICTURE)
    fleet.release(first, now_ms=2_000)
    second = fleet.plan(now_ms=2_000, number=1, pixel_steps=PICTURE)

    assert second.started_ms <= 2_000 + DISPATCH_MS[1]


def test_a_task_taken_off_while_it_waits_frees_its_worker_when_its_turn_had_come() -> None:
    """Until then the worker is busy with the task before it: two tasks never share one worker."""
    fleet = Fleet(FleetSettings(workers=1, task_ms=10_000), seed=0)
    first, waiting = (fleet.plan(now_ms=0, number=number, pixel_steps=PICTURE) for number in (0, 1))
    fleet.release(waiting, now_ms=2_000)
    third = fleet.plan(now_ms=2_000, number=2, pixel_steps=PICTURE)

    assert third.started_ms == first.finished_ms


def test_a_fleet_that_takes_over_keeps_busy_workers_busy() -> None:
    """Changing the speed does not double the capacity for a moment."""
    before = Fleet(FleetSettings(workers=2, task_ms=10_000), seed=0)
    plans = [before.plan(now_ms=0, number=number, pixel_steps=PICTURE) for number in (0, 1)]
    after = Fleet(FleetSettings(workers=2, task_ms=1_000), 0, before)
    plans.append(after.plan(now_ms=0, number=2, pixel_steps=PICTURE))

    assert plans[2].started_ms == min(plan.finished_ms for plan in plans[:2])
    assert most_at_once(plans) == 2


def test_more_workers_take_waiting_work_and_fewer_wait_for_the_busiest() -> None:
    """A larger fleet has free workers at once; a smaller one keeps the ones that are busy longest."""
    before = Fleet(FleetSettings(workers=2, task_ms=10_000), seed=0)
    ends = [before.plan(now_ms=start_ms, number=start_ms, pixel_steps=PICTURE).finished_ms for start_ms in (0, 5_000)]
    larger = Fleet(FleetSettings(workers=3, task_ms=10_000), 0, before)
    smaller = Fleet(FleetSettings(workers=1, task_ms=10_000), 0, before)

    assert larger.plan(now_ms=5_000, number=2, pixel_steps=PICTURE).started_ms <= 5_000 + DISPATCH_MS[1]
    assert smaller.plan(now_ms=5_000, number=2, pixel_steps=PICTURE).started_ms == max(ends)


@pytest.mark.parametrize("speed", [5e-324, 1e-300, 1e-12])
def test_the_slowest_fleet_ends_its_tasks_with_time_itself(speed: float) -> None:
    """No speed overflows: a plan reaches to the end of time at most."""
    plan = Fleet(FleetSettings(speed=speed), seed=0).plan(now_ms=SPRING_2024_MS, number=0, pixel_steps=PICTURE)

    assert plan.finished_ms == MAX_MS


@given(instants_ms() | st.integers(MAX_MS - 1_000, MAX_MS), st.booleans())
def test_no_plan_goes_beyond_the_end_of_time(now_ms: int, queued: bool) -> None:
    """At the last instant work is over as soon as it is asked for."""
    fleet = Fleet(FleetSettings(workers=1, task_ms=MAX_MS), seed=0)
    for number in range(3):
        plan = fleet.plan(now_ms=now_ms, number=number, pixel_steps=PICTURE, queued=queued)
        assert now_ms <= plan.started_ms <= plan.finished_ms <= MAX_MS


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"workers": 0}, "at least 1 worker"),
        ({"speed": 0.0}, "above 0"),
        ({"speed": -1.0}, "above 0"),
        ({"speed": float("nan")}, "above 0"),
        ({"task_ms": -1}, "less than 0"),
    ],
)
def test_a_fleet_that_could_not_work_is_refused(settings: dict[str, float], message: str) -> None:
    """Settings are judged where they are made."""
    with pytest.raises(ValueError, match=message):
        FleetSettings(**settings)  # type: ignore[arg-type]  # one bad value at a time
