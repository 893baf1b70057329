"""Resources of a world's tasks: list, time line, end one now, and which task made a picture."""

from __future__ import annotations

from typing import Any

from mockserver.control.problem import ControlError
from mockserver.control.resource import Call, Resource, closed
from mockserver.core.task import Status, Task
from mockserver.submitting import recipe_of

MAX_LISTED = 1000


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


def _list(call: Call) -> dict[str, Any]:
    world, wanted = call.own, call.query.get("status")
    now_ms = world.clock.now_ms()
    found = [task for task in world.tasks if wanted is None or task.status_at(now_ms) == wanted]
    limit = call.query.get("limit", MAX_LISTED)
    return {"tasks": [describe_task(task, now_ms) for task in found[-limit:]], "total": len(found)}


def _get(call: Call) -> dict[str, Any]:
    task = _task(call)
    now_ms = call.own.clock.now_ms()
    timeline = [(task.submitted_ms, "submitted"), *((at_ms, event.value) for at_ms, event in task.events())]
    return {
        **describe_task(task, now_ms),
        "timeline": [{"at_ms": at_ms, "event": event, "happened": now_ms >= at_ms} for at_ms, event in timeline],
    }


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
            "limit": {"type": "integer", "minimum": 1, "maximum": MAX_LISTED},
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
