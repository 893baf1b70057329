"""Resources of a world's tasks: list, time line, end one now, and which task made a picture."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from mockserver.control.problem import ControlError
from mockserver.control.resource import Call, Resource, closed
from mockserver.core.course import NEVER_MS, Course
from mockserver.core.task import Status, Task
from mockserver.submitting import recipe_of
from mockserver.watch.about import prompt_of
from mockserver.world import World

MAX_LISTED = 1000
"""Unless `limit` says otherwise."""
MOST_LISTED = 10_000


def describe_task(task: Task, now_ms: int) -> dict[str, Any]:
    """A task as JSON, read at an instant."""
    return {
        "task_id": task.id,
        "operation_id": task.operation_id,
        "task_type": task.type.value,
        "status": task.status_at(now_ms).value,
        "reason": task.reason if now_ms >= task.finished_ms else "",
        "seed": str(task.seed),
        "pictures": task.count,
        "image_type": task.delivery.image_type.value,
        "submitted_ms": task.submitted_ms,
        "started_ms": task.started_ms,
        "finished_ms": task.finished_ms,
        "progress": round(task.progress_at(now_ms), 4),
        "polls": task.polls,
    }


def describe_listed(task: Task, world: World, now_ms: int) -> dict[str, Any]:
    """The same with what a list of many shows of each."""
    course = task.course
    return {
        **describe_task(task, now_ms),
        "number": task.number,
        "prompt": prompt_of(task, world),
        "micro_usd": task.price_micro_usd,
        "polled_ms": task.polled_ms if task.polls else None,
        "downloads": task.fetched,
        "webhook": task.delivery.webhook_url is not None,
        "course": None if course is None else _describe_course(task, course),
    }


def _describe_course(task: Task, course: Course) -> dict[str, Any]:
    return {
        "stuck": task.finished_ms >= NEVER_MS,
        "held": course.held,
        "vanish_ms": course.vanish_ms,
        "back_ms": course.back_ms,
        "again_ms": course.again_ms if course.back_ms is not None else None,
    }


def _list(call: Call) -> dict[str, Any]:
    world, wanted = call.own, call.query.get("status")
    now_ms = world.clock.now_ms()
    since_ms = call.query.get("since_ms")
    found = [
        task
        for task in world.tasks
        if (wanted is None or task.status_at(now_ms) == wanted)
        and (since_ms is None or _changed_since(task, since_ms, now_ms))
    ]
    limit = call.query.get("limit", MAX_LISTED)
    return {
        "tasks": [describe_listed(task, world, now_ms) for task in found[-limit:]],
        "total": len(found),
        "now_ms": now_ms,
    }


def _changed_since(task: Task, since_ms: int, now_ms: int) -> bool:
    """Whether a task was submitted, polled or ended since an instant; its plan says the rest beforehand."""
    return (
        max(task.submitted_ms, task.polled_ms) >= since_ms
        or since_ms <= task.finished_ms <= now_ms
        or (task.course is not None and task.course.held)
    )


def _get(call: Call) -> dict[str, Any]:
    task = _task(call)
    now_ms = call.own.clock.now_ms()
    timeline = [(task.submitted_ms, "submitted"), *((at_ms, event.value) for at_ms, event in task.events())]
    return {
        **describe_task(task, now_ms),
        "timeline": [{"at_ms": at_ms, "event": event, "happened": now_ms >= at_ms} for at_ms, event in timeline],
    }


def _story(call: Call) -> dict[str, Any]:
    from mockserver.inspector.story import story  # only who looks at a task needs it

    world, task = call.own, _task(call)
    return {"task": describe_listed(task, world, world.clock.now_ms()), **story(call.mock, world, task)}


async def _picture(call: Call) -> Response:
    from mockserver.inspector.gallery import NoPicture, picture

    text = call.path["index"]
    try:
        data, media_type = await picture(call.mock, call.own, _task(call), int(text) if text.isdecimal() else -1)
    except NoPicture as error:
        raise ControlError(404, "no-such-picture", str(error)) from None
    return Response(data, media_type=media_type, headers={"Cache-Control": "no-store"})


def _end(call: Call) -> dict[str, Any]:
    task, world = _task(call), call.own
    failed = call.body["status"] == Status.FAILED
    try:
        world.end_task(
            task, Status(call.body["status"]), call.body.get("reason", "ended by the test") if failed else ""
        )
    except ValueError as error:
        raise ControlError(409, "task-ended", str(error)) from None
    return describe_task(task, world.clock.now_ms())


def _decode(call: Call) -> dict[str, Any]:
    from mockserver.pictures import NotAReceipt, decode, recipe_digest

    try:
        receipt = decode(call.raw)
    except NotAReceipt as error:
        raise ControlError(422, "no-receipt", str(error)) from None
    tasks = []
    if call.world is not None:
        tasks = [
            task.id
            for task in call.world.tasks
            if task.seed == receipt.seed and recipe_digest(recipe_of(task, call.mock)) == receipt.digest
        ]
    return {"digest": receipt.digest.hex(), "index": receipt.index, "seed": str(receipt.seed), "tasks": tasks}


def _task(call: Call) -> Task:
    task = call.own.tasks.get(call.path["task_id"])
    if task is None:
        raise ControlError(404, "no-such-task", f"no task {call.path['task_id'][:64]!r} of this key")
    return task


TASK_RESOURCES: tuple[Resource, ...] = (
    Resource(
        method="GET",
        path="/tasks",
        operation_id="listTasks",
        summary="The world's tasks, oldest first; `limit` keeps the youngest.",
        handler=_list,
        query={
            "status": {"type": "string", "enum": [status.value for status in Status]},
            "limit": {"type": "integer", "minimum": 1, "maximum": MOST_LISTED},
            "since_ms": {"type": "integer", "description": "Submitted, polled or ended at this instant or later."},
        },
    ),
    Resource(
        method="GET",
        path="/tasks/{task_id}",
        operation_id="getTask",
        summary="A task with its time line.",
        handler=_get,
    ),
    Resource(
        method="GET",
        path="/tasks/{task_id}/story",
        operation_id="getStory",
        summary="Everything that happened to a task, in order: calls, plan, downloads, webhooks, money, findings.",
        handler=_story,
    ),
    Resource(
        method="GET",
        path="/tasks/{task_id}/pictures/{index}",
        operation_id="getPicture",
        summary="A picture of an ended task, counted from 0, without a download: nothing is counted or judged.",
        handler=_picture,
        answer=None,
        also=("image/png", "image/jpeg", "image/webp"),
    ),
    Resource(
        method="POST",
        path="/tasks/{task_id}/end",
        operation_id="endTask",
        summary="Ends a task now, as a success or as a failure with a reason; one that has ended stays as it is.",
        handler=_end,
        body=closed(
            {
                "status": {"type": "string", "enum": [Status.SUCCEED.value, Status.FAILED.value]},
                "reason": {"type": "string", "minLength": 1, "maxLength": 1000},
            },
            "status",
        ),
    ),
    Resource(
        method="POST",
        path="/decode",
        operation_id="decodePicture",
        summary="Reads a picture's receipt and, with a key, names the world's tasks that made it.",
        handler=_decode,
        key="optional",
        body={"type": "string", "contentMediaType": "image/*"},
        binary=True,
    ),
)
