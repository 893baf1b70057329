"""Judges what a client did over time: findings that no single call shows.

Worked out when somebody asks, from what tasks and the world remember, so that no call pays for it. What is said is
true at that instant: a task that was not polled again may still be.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mockserver.core.codes import Code
from mockserver.core.findings import Finding
from mockserver.core.task import Status, Task
from mockserver.money.amounts import usd
from mockserver.money.verdicts import Accepted, repeated

if TYPE_CHECKING:
    from mockserver.world import World

HASTY_POLLS = 5
"""So many of them are a habit (`mockserver.world.HASTY_MS`). Only a clock that runs with the wall can tell."""
POLLS_AFTER_END = 3
"""The first shows the end, a second may fetch fresh links."""
FORGOTTEN_MS = 600_000
"""A task that ended this long ago and was not asked for is forgotten."""
FOR_EVER_MS = 1_800_000
"""Nobody should ask for one task longer than this: pictures take seconds."""
FETCHES = 5
"""Downloads of one picture beyond which it seems to be shown from the link rather than stored."""

Judged = tuple[Finding, int]


def judged(world: World) -> list[Judged]:
    """Findings about sequences of calls, each with how often; in order of their codes."""
    now_ms = world.clock.now_ms()
    found = [*_of_tasks(world, now_ms), *_of_money(world), *_of_downloads(world), *_of_calls(world)]
    return sorted(found, key=lambda one: one[0].code)


def judged_task(world: World, task: Task) -> list[Judged]:
    """The findings about one task alone, whatever the others are like; repeats of its request apart."""
    how = world.memory.unanswered.get(task.id)
    found = [
        Finding(code, "getTaskResult", _sentence(code, [task]))
        for code in _codes_of(task, world.clock.now_ms(), known=how is None)
    ]
    if how is not None:
        found.append(_lost(task, how))
    found += [_left(task.id, index, refused) for (id, index), refused in world.memory.refused.items() if id == task.id]
    if _is_hot(task):
        found.append(_hot([task]))
    return [(finding, 1) for finding in sorted(found, key=lambda one: one.code)]


def _of_tasks(world: World, now_ms: int) -> Iterator[Judged]:
    kinds: dict[Code, list[Task]] = {}
    for task in world.tasks:
        for code in _codes_of(task, now_ms, known=task.id not in world.memory.unanswered):
            kinds.setdefault(code, []).append(task)
    for task_id, how in world.memory.unanswered.items():
        lost = world.tasks.get(task_id)
        if lost is not None:
            yield _lost(lost, how), 1
    for code, tasks in kinds.items():
        yield Finding(code, "getTaskResult", _sentence(code, tasks)), len(tasks)


def _lost(task: Task, how: str) -> Finding:
    return Finding(
        Code.PAID_TASK_LOST,
        f"task {task.id}",
        f"a poll was answered with {how}, and the task was not asked for again: "
        f"{usd(task.price_micro_usd)} USD paid. One failed poll says nothing about the task",
    )


def _codes_of(task: Task, now_ms: int, *, known: bool) -> Iterator[Code]:
    """What a task says of its client; that of one whose last poll failed (not `known`) is said elsewhere."""
    if task.hasty_polls >= HASTY_POLLS:
        yield Code.POLLS_TOO_FAST
    if task.ended_polls >= POLLS_AFTER_END:
        yield Code.POLLS_AFTER_END
    ended = known and task.ended_at(now_ms) and not task.vanished_at(now_ms)
    long_ago = ended and now_ms - task.finished_ms >= FORGOTTEN_MS
    if long_ago and not task.polls and task.delivery.webhook_url is None and task.outcome is Status.SUCCEED:
        yield Code.RESULT_NEVER_READ
    if long_ago and task.polls and not task.ended_polls:
        yield Code.GIVES_UP_EARLY
    if task.polls and not task.ended_polls and task.polled_ms - task.submitted_ms >= FOR_EVER_MS:
        yield Code.POLLS_FOR_EVER


def _sentence(code: Code, tasks: list[Task]) -> str:
    first = tasks[0]
    match code:
        case Code.POLLS_TOO_FAST:
            return f"task {first.id} was polled {first.hasty_polls} times right after the poll before"
        case Code.POLLS_AFTER_END:
            return f"task {first.id} was polled {first.ended_polls} times after it had ended; it never changes again"
        case Code.RESULT_NEVER_READ:
            return f"task {first.id} ended and nobody asked for its pictures: {usd(first.price_micro_usd)} USD paid"
        case Code.GIVES_UP_EARLY:
            waited_s = (first.polled_ms - first.submitted_ms) / 1000
            return f"task {first.id} was last polled {waited_s:g} s after it was submitted, and ended after that"
        case _:
            waited_s = (first.polled_ms - first.submitted_ms) / 1000
            return f"task {first.id} was polled {first.polls} times over {waited_s:g} s and had not ended: no time-out"


def _of_money(world: World) -> Iterator[Judged]:
    accepted = [
        Accepted(task.id, task.operation_id, task.body, task.submitted_ms, task.price_micro_usd) for task in world.tasks
    ]
    twice = repeated(accepted, world.verdicts.verdicts())
    if twice:
        yield Finding(Code.SAME_REQUEST_TWICE, "submit", twice[0].message), len(twice)


def _of_downloads(world: World) -> Iterator[Judged]:
    for (task_id, index), how in world.memory.refused.items():
        yield _left(task_id, index, how), 1
    often = [task for task in world.tasks if _is_hot(task)]
    if often:
        yield _hot(often), len(often)


def _left(task_id: str, index: int, how: str) -> Finding:
    return Finding(
        Code.REFUSED_DOWNLOAD_LEFT,
        f"picture {index} of task {task_id}",
        f"the download was answered with {how} and not tried again; what was stored is no picture, if the "
        "client did not look at the status",
    )


def _is_hot(task: Task) -> bool:
    return task.fetched > FETCHES * task.count


def _hot(often: list[Task]) -> Finding:
    message = f"task {often[0].id} has {often[0].count} pictures, downloaded {often[0].fetched} times; links expire"
    return Finding(Code.HOT_LINKED_PICTURE, "picture link", message)


def _of_calls(world: World) -> Iterator[Judged]:
    for operation_id, count in world.memory.hurried.items():
        yield Finding(Code.IGNORES_RETRY_AFTER, operation_id, "called again before Retry-After had passed"), count
    for operation_id, count in world.memory.patient.items():
        yield Finding(Code.NO_TIMEOUT, operation_id, "a call without any answer was kept open for minutes"), count
    nameless = sum(
        1
        for entry in world.journal
        if entry.operation_id and not any(name == b"user-agent" for name, _ in entry.headers)
    )
    if nameless:
        yield Finding(Code.NO_USER_AGENT, "header User-Agent", "calls came without the header"), nameless
