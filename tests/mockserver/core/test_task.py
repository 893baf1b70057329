"""Tasks: plans over time, read at an instant, on a life cycle that is a table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.core.recipe import Hires, ImageType
from mockserver.core.task import TRANSITIONS, Event, Status, Task
from tests.mockserver.builders import make_recipe, make_task


def status_by_events(task: Task, now_ms: int) -> Status:
    """The life cycle walked with the events due by an instant; an event that the table does not know is an error."""
    status = Status.QUEUED
    for at_ms, event in task.events():
        if at_ms <= now_ms:
            status = TRANSITIONS[status][event]
    return status


def test_nothing_leads_out_of_success_and_failure() -> None:
    """C34: of the four words, two are ends."""
    assert {status for status in Status if status.terminal} == {Status.SUCCEED, Status.FAILED}
    assert set(TRANSITIONS) == set(Status)


def test_success_is_only_reached_through_work() -> None:
    """A task can fail from either living state; it can only succeed from PROCESSING."""
    into = {(source, event) for source, ways in TRANSITIONS.items() for event, end in ways.items() if end.terminal}

    assert into == {
        (Status.QUEUED, Event.BROKE),
        (Status.PROCESSING, Event.BROKE),
        (Status.PROCESSING, Event.RENDERED),
    }


@pytest.mark.parametrize(
    ("now_ms", "status", "progress", "eta_ms"),
    [
        (0, Status.QUEUED, 0.0, 5_000),
        (999, Status.QUEUED, 0.0, 4_001),
        (1_000, Status.PROCESSING, 0.0, 4_000),
        (2_000, Status.PROCESSING, 0.25, 3_000),
        (4_999, Status.PROCESSING, 0.99975, 1),
        (5_000, Status.SUCCEED, 1.0, 0),
        (10**15, Status.SUCCEED, 1.0, 0),
    ],
)
def test_a_plan_is_read_at_an_instant(now_ms: int, status: Status, progress: float, eta_ms: int) -> None:
    """Queued until the start, processing until the end; the share done grows evenly; the wait counts in eta."""
    task = make_task(started_ms=1_000, finished_ms=5_000)

    assert task.status_at(now_ms) is status
    assert task.progress_at(now_ms) == progress
    assert task.eta_ms_at(now_ms) == eta_ms


def test_a_failed_task_has_no_progress() -> None:
    """As the failed answer shows it: progress 0, eta 0."""
    task = make_task(outcome=Status.FAILED)

    assert task.status_at(5_000) is Status.FAILED
    assert task.progress_at(5_000) == 0.0
    assert task.eta_ms_at(5_000) == 0


@given(
    waits_ms=st.integers(0, 10**6),
    works_ms=st.integers(0, 10**6),
    outcome=st.sampled_from([Status.SUCCEED, Status.FAILED]),
    instants=st.lists(st.integers(-10, 3 * 10**6), min_size=1, max_size=20).map(sorted),
)
def test_the_status_is_the_table_walked_with_the_events_due(
    waits_ms: int, works_ms: int, outcome: Status, instants: list[int]
) -> None:
    """Nothing ticks: reading is folding, eta is never negative and the share done never shrinks before the end."""
    task = make_task(started_ms=waits_ms, finished_ms=waits_ms + works_ms, outcome=outcome)

    assert [task.status_at(now_ms) for now_ms in instants] == [status_by_events(task, now_ms) for now_ms in instants]
    assert all(task.eta_ms_at(now_ms) >= 0 for now_ms in instants)
    living = [task.progress_at(now_ms) for now_ms in instants if now_ms < task.finished_ms]
    assert living == sorted(living)
    assert all(0.0 <= share < 1.0 for share in living)


def test_an_auto_clock_stops_in_the_middle_and_at_the_end() -> None:
    """The milestones of a task show all that a poller can see."""
    task = make_task(started_ms=1_000, finished_ms=5_000)

    assert [task.next_milestone_ms(now_ms) for now_ms in (0, 2_999, 3_000, 4_999, 5_000)] == [
        3_000,
        3_000,
        5_000,
        5_000,
        None,
    ]


@pytest.mark.parametrize("now_ms", [0, 500, 1_000, 3_000, 4_999])
@pytest.mark.parametrize("outcome", [Status.SUCCEED, Status.FAILED])
def test_a_task_can_be_ended_at_any_time_before_its_end(now_ms: int, outcome: Status) -> None:
    """From then on it shows that outcome, and its past still follows the table."""
    task = make_task()
    task.end(now_ms, outcome, "power cut")

    assert task.status_at(now_ms) is outcome
    assert task.reason == "power cut"
    assert task.finished_ms == now_ms
    assert task.started_ms <= now_ms
    assert all(status_by_events(task, instant) is task.status_at(instant) for instant in range(-1, 6_000, 100))


def test_a_task_that_has_ended_cannot_be_ended_again() -> None:
    """A finished task never changes; the message says how it ended."""
    task = make_task()
    with pytest.raises(ValueError, match="TASK_STATUS_SUCCEED"):
        task.end(5_000, Status.FAILED, "too late")

    assert (task.outcome, task.reason) == (Status.SUCCEED, "")


def test_a_task_that_fails_before_its_work_began_never_started() -> None:
    """Its time line has one event."""
    task = make_task()
    task.end(500, Status.FAILED)

    assert task.events() == [(500, Event.BROKE)]


def test_the_hires_target_is_the_size_of_the_pictures() -> None:
    """Without a hires pass it is the size asked for."""
    assert make_recipe().size == (512, 512)
    assert make_recipe(hires=Hires(width=1024, height=768, strength=0.5, upscaler="Latent")).size == (1024, 768)


def test_each_format_has_its_media_type() -> None:
    """The words of response_image_type are the ones of the media types."""
    assert [kind.media_type for kind in ImageType] == ["image/png", "image/jpeg", "image/webp"]
