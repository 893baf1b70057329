"""A world: the tasks, time and chance of one API key, apart from all others."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.core.clock import MAX_MS, ClockMode
from mockserver.core.fleet import FleetSettings
from mockserver.core.task import Delivery, Status
from mockserver.parts.store import MemoryTasks
from mockserver.parts.wall import FakeWall
from mockserver.world import redact_key
from tests.mockserver.builders import KEY, make_world, submit
from tests.strategies import api_keys, fleet_settings, recipes

MINUTE = FleetSettings(task_ms=60_000)


def test_a_submission_becomes_a_task_with_the_plan_of_its_life() -> None:
    """Nothing is left open but the polls: start, end, seed and outcome are decided."""
    world = make_world(fleet=MINUTE)
    task = submit(world, seed=7, count=3)

    assert world.tasks.get(task.id) is task
    assert task.submitted_ms == world.clock.now_ms()
    assert task.submitted_ms < task.started_ms == task.finished_ms - 60_000
    assert (task.seed, task.count, task.outcome, task.polls) == (7, 3, Status.SUCCEED, 0)


def test_the_same_server_seed_and_key_repeat_ids_seeds_and_times() -> None:
    """A run can be repeated; another server seed is another run."""
    runs = []
    for server_seed in (1, 1, 2):
        world = make_world(seed=server_seed)
        tasks = [submit(world, seed=-1) for _ in range(3)]
        runs.append([(task.id, task.seed, task.started_ms, task.finished_ms) for task in tasks])

    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


@given(api_keys(), api_keys())
def test_two_keys_have_different_worlds(one: str, other: str) -> None:
    """Ids, drawn seeds and fingerprints of two keys never meet."""
    if one == other:
        return
    first, second = make_world(one), make_world(other)
    tasks = submit(first, seed=-1), submit(second, seed=-1)

    assert first.id != second.id
    assert tasks[0].id != tasks[1].id
    assert tasks[0].seed != tasks[1].seed
    assert second.tasks.get(tasks[0].id) is None


def test_a_random_seed_is_drawn_below_2_to_the_32() -> None:
    """C2: the answer never holds -1 but the seed drawn, of the size that every documented answer shows."""
    world = make_world()
    seeds = [submit(world, seed=-1).seed for _ in range(200)]

    assert all(0 <= seed < 2**32 for seed in seeds)
    assert len(set(seeds)) == 200
    assert max(seeds) > 2**31


def test_a_given_seed_is_kept_whatever_its_size() -> None:
    """C6: a seed other than -1 is reported back unchanged."""
    assert [submit(make_world(), seed=seed).seed for seed in (0, 5, 10**30)] == [0, 5, 10**30]


@given(fleet_settings(), st.lists(recipes(), min_size=1, max_size=12))
def test_every_task_of_any_recipe_has_a_plan_in_order(fleet: FleetSettings, asked: list[object]) -> None:
    """Submitted, started, finished; no task waits for ever."""
    world = make_world(fleet=fleet)
    for recipe in asked:
        task = submit(world, **{name: getattr(recipe, name) for name in ("width", "height", "steps", "count", "hires")})
        assert task.submitted_ms <= task.started_ms <= task.finished_ms <= MAX_MS

    assert world.run_until_idle() > 0
    assert {task.status_at(world.clock.now_ms()) for task in world.tasks} == {Status.SUCCEED}


def test_tasks_queue_for_the_workers_of_their_own_world() -> None:
    """A busy key does not slow another one down."""
    busy, other = make_world("sk-busy", fleet=replace(MINUTE, workers=1)), make_world("sk-other", fleet=MINUTE)
    submit(busy)
    waiting, alone = submit(busy), submit(other)

    assert waiting.started_ms >= waiting.submitted_ms + 60_000
    assert alone.started_ms < alone.submitted_ms + 1_000


def test_dedicated_capacity_does_not_wait() -> None:
    """`enterprise_plan.enabled` passes the queue."""
    world = make_world(fleet=replace(MINUTE, workers=1))
    submit(world)
    dedicated = submit(world, delivery=Delivery(dedicated=True))

    assert dedicated.started_ms < dedicated.submitted_ms + 1_000


@pytest.mark.parametrize("outcome", [Status.SUCCEED, Status.FAILED])
def test_webhook_test_mode_does_no_work(outcome: Status) -> None:
    """The task ends as asked at once, and takes no worker."""
    world = make_world(fleet=replace(MINUTE, workers=1))
    task = submit(world, delivery=Delivery(test_status=outcome))

    assert task.status_at(world.clock.now_ms()) is outcome
    assert ("test mode" in task.reason) is (outcome is Status.FAILED)
    assert submit(world).started_ms < world.clock.now_ms() + 1_000


def test_an_auto_clock_shows_the_present_then_the_middle_then_the_end() -> None:
    """Three polls show all that a client can see of a task of any length."""
    world = make_world(clock="auto", fleet=MINUTE)
    task = submit(world)
    seen = [(task.status_at(now_ms), task.progress_at(now_ms)) for now_ms in (world.poll(task) for _ in range(3))]

    assert seen == [(Status.QUEUED, 0.0), (Status.PROCESSING, 0.5), (Status.SUCCEED, 1.0)]
    assert task.polls == 3


def test_only_the_polled_tasks_own_time_moves_an_auto_clock() -> None:
    """A first poll of another task shows the present, however often this one was polled."""
    world = make_world(clock="auto", fleet=replace(MINUTE, workers=1))
    first, second = submit(world), submit(world)
    for _ in range(3):
        world.poll(first)
    now_ms = world.clock.now_ms()

    assert world.poll(second) == now_ms == first.finished_ms
    assert second.status_at(now_ms) is Status.PROCESSING


@pytest.mark.parametrize("mode", ["real", "manual", "x100"])
def test_polls_move_no_other_clock(mode: str) -> None:
    """Only `auto` jumps."""
    world = make_world(clock=mode, fleet=MINUTE)
    task = submit(world)

    assert len({world.poll(task) for _ in range(10)}) == 1


def test_polls_do_not_move_a_frozen_auto_clock() -> None:
    """`freeze` holds a task where it is, to be looked at."""
    world = make_world(clock="auto", fleet=MINUTE)
    task = submit(world)
    world.clock.freeze()

    assert len({world.poll(task) for _ in range(10)}) == 1


def test_an_auto_clock_works_at_the_end_of_time() -> None:
    """A task that was submitted in the last millisecond has ended, and polls jump nowhere."""
    world = make_world(clock="auto")
    world.clock.set(MAX_MS)
    task = submit(world)

    assert [task.status_at(world.poll(task)) for _ in range(3)] == [Status.SUCCEED] * 3


def test_events_are_the_starts_and_ends_still_to_come() -> None:
    """`advance_to_next_event` visits each once, in order, then has nowhere to go."""
    world = make_world(fleet=replace(MINUTE, workers=1))
    tasks = [submit(world) for _ in range(3)]
    due = sorted({instant for task in tasks for instant in (task.started_ms, task.finished_ms)})
    visited = []
    while (instant_ms := world.advance_to_next_event()) is not None:
        assert world.clock.now_ms() == instant_ms
        visited.append(instant_ms)

    assert visited == due
    assert world.next_event_ms() is None


def test_running_until_idle_ends_everything_and_counts_the_events() -> None:
    """A second run passes nothing and moves nothing."""
    world = make_world(fleet=replace(MINUTE, workers=1))
    tasks = [submit(world) for _ in range(3)]

    assert world.run_until_idle() == 6
    assert world.clock.now_ms() == max(task.finished_ms for task in tasks)
    assert world.run_until_idle() == 0
    assert world.clock.now_ms() == max(task.finished_ms for task in tasks)


def test_events_that_passed_by_themselves_are_not_counted() -> None:
    """Time that ran on its own has passed them."""
    wall = FakeWall()
    world = make_world(clock="real", fleet=MINUTE, wall=wall)
    task = submit(world)
    wall.now_ms = task.started_ms

    assert world.next_event_ms() == task.finished_ms
    assert world.run_until_idle() == 1


def test_an_ended_task_leaves_no_events_behind() -> None:
    """What was planned for it happens no more: there is nothing to wait for."""
    world = make_world(fleet=MINUTE)
    task = submit(world)
    world.end_task(task, Status.FAILED, "power cut")

    assert task.status_at(world.clock.now_ms()) is Status.FAILED
    assert world.next_event_ms() is None
    assert world.run_until_idle() == 0
    assert world.clock.now_ms() == task.submitted_ms


def test_the_events_of_other_tasks_stay() -> None:
    """Ending some of many tasks leaves the starts and ends of the others, shared instants included."""
    world = make_world(fleet=FleetSettings(workers=200, task_ms=60_000))
    tasks = [submit(world) for _ in range(200)]
    assert len({task.finished_ms for task in tasks}) < 60, "several tasks end in one instant"
    for task in tasks[::2]:
        world.end_task(task, Status.SUCCEED)

    visited = []
    while (instant_ms := world.advance_to_next_event()) is not None:
        visited.append(instant_ms)

    assert visited == sorted({ms for task in tasks[1::2] for ms in (task.started_ms, task.finished_ms)})


def test_a_task_ended_early_makes_room_for_the_next() -> None:
    """Its worker is free again."""
    world = make_world(fleet=replace(MINUTE, workers=1))
    first = submit(world)
    world.clock.advance(10_000)
    world.end_task(first, Status.FAILED)

    assert submit(world).started_ms < world.clock.now_ms() + 1_000


def test_a_dedicated_task_ended_early_frees_no_worker_of_others() -> None:
    """It had none, even when its end was planned for the same instant (as happens once in fifty submissions)."""
    for server_seed in range(1_000):
        world = make_world(fleet=replace(MINUTE, workers=1), seed=server_seed)
        first, dedicated = submit(world), submit(world, delivery=Delivery(dedicated=True))
        if first.finished_ms == dedicated.finished_ms:
            break
    assert first.finished_ms == dedicated.finished_ms
    world.end_task(dedicated, Status.FAILED)

    assert submit(world).started_ms == first.finished_ms


def test_ending_a_task_twice_is_refused() -> None:
    """A finished task never changes."""
    world = make_world()
    task = submit(world)
    world.end_task(task, Status.SUCCEED)
    with pytest.raises(ValueError, match="never changes"):
        world.end_task(task, Status.FAILED)


def test_new_settings_leave_planned_tasks_as_they_are() -> None:
    """Only later tasks are faster, and they wait for the workers that are still busy."""
    world = make_world(fleet=replace(MINUTE, workers=1))
    before = submit(world)
    plan = before.started_ms, before.finished_ms
    world.change(replace(world.settings, fleet=FleetSettings(workers=1, task_ms=1_000)))
    after = submit(world)

    assert (before.started_ms, before.finished_ms) == plan
    assert after.started_ms == before.finished_ms
    assert after.finished_ms == after.started_ms + 1_000


def test_settings_say_how_the_clock_moves_now() -> None:
    """Changed by its own verbs or by settings: setting the first mode again brings it back."""
    world = make_world(clock="manual")
    world.clock.change(ClockMode.parse("x10"))
    assert str(world.settings.clock) == "x10"

    world.change(replace(world.settings, fleet=MINUTE))
    assert str(world.clock.mode) == "x10", "a change of the fleet does not touch the clock"

    world.change(replace(world.settings, clock=ClockMode.parse("manual")))
    assert str(world.clock.mode) == "manual"

    world.change(replace(world.settings, clock=ClockMode.parse("auto")))
    world.clock.reset(keep_time=False)
    assert str(world.settings.clock) == "manual"


def test_a_reset_world_is_as_if_its_key_had_not_been_used() -> None:
    """Ids, seeds, time, settings and counts begin again."""
    world = make_world(fleet=MINUTE)
    first = submit(world, seed=-1)
    world.clock.advance(10**9)
    world.change(replace(world.settings, clock=ClockMode.parse("x5"), fleet=FleetSettings(), nsfw_confidences=(1.0,)))
    world.dropped = 3
    world.reset(MemoryTasks())

    assert len(world.tasks) == 0
    assert (world.created, world.dropped, world.next_event_ms()) == (0, 0, None)
    assert (world.settings.fleet, str(world.settings.clock), world.settings.nsfw_confidences) == (
        MINUTE,
        "manual",
        None,
    )
    again = submit(world, seed=-1)
    assert (again.id, again.seed, again.started_ms) == (first.id, first.seed, first.started_ms)


@pytest.mark.parametrize(
    ("key", "label"),
    [("sk-abcdefghijklmnop", "sk-a...op"), ("sk-short", "********"), ("a", "*"), ("sk-456789012", "sk-4...12")],
)
def test_a_label_gives_no_key_away(key: str, label: str) -> None:
    """Long keys keep four characters and two, short ones none."""
    assert redact_key(key) == label


def test_a_world_keeps_its_key_nowhere() -> None:
    """Neither its fingerprint nor any attribute holds it."""
    world = make_world(KEY)
    held = [repr(getattr(world, name)) for name in world.__slots__]

    assert not any(KEY in text for text in held)
