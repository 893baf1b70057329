"""One handler per operation of the contract, by operationId.

A handler gets a call whose key was accepted and gives the body of the answer, at once or to be awaited when it has to
draw, or raises a `Refusal`. The table at the end is held against the document at start: an operation without a
handler, or a handler without an operation, stops the server.
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from mockserver import answers
from mockserver.aside import draw_aside
from mockserver.calls import Call, read_query
from mockserver.core.errors import Reason, Refusal
from mockserver.core.task import Status, Task
from mockserver.faults.facts import Facts
from mockserver.faults.kinds import LOSING
from mockserver.faults.points import Point
from mockserver.submitting import recipe_of, submit
from mockserver.trouble import Disturbed
from openapi.catalogue import Kind, Source, Visibility
from openapi.document import Operation

MAX_PREVIEWS = 8
"""Pictures in progress that a v2 poll shows: those of one run, whose batch_size is at most 8."""
DEFAULT_PAGE = 20
"""Models per page when pagination.limit is absent: no page states a number."""

Answer = dict[str, Any]
Handler = Callable[[Call], Answer | Awaitable[Answer]]


def submit_v3(call: Call) -> Answer:
    """POST /v3/async/txt2img and /v3/async/img2img: the bare task id (C1)."""
    return {"task_id": submit(call).id}


def submit_v2(call: Call) -> Answer:
    """POST /v2/txt2img and /v2/img2img."""
    return {"code": 0, "msg": "", "data": {"task_id": submit(call).id}}


def get_task_result(call: Call) -> Answer:
    """GET /v3/async/task-result."""
    task, now_ms = _poll(call)
    return answers.task_result(task, now_ms, _view(call))


def get_progress(call: Call) -> Answer | Awaitable[Answer]:
    """GET /v2/progress."""
    task, now_ms = _poll(call)
    if task.delivery.previews and task.status_at(now_ms) is Status.PROCESSING:
        return _progress_with_previews(call, task, now_ms)
    return _progress(call, task, now_ms, ())


async def _progress_with_previews(call: Call, task: Task, now_ms: int) -> Answer:
    renderer, recipe, done = call.mock.renderer, recipe_of(task, call.mock), task.progress_at(now_ms)

    def draw() -> list[bytes]:
        return [renderer.preview(recipe, index, done) for index in range(min(task.count, MAX_PREVIEWS))]

    files = await draw_aside(recipe, draw, slow=task.count > 1)
    return _progress(call, task, now_ms, [base64.b64encode(file).decode() for file in files])


def _progress(call: Call, task: Task, now_ms: int, previews: Sequence[str]) -> Answer:
    return {"code": 0, "msg": "", "data": answers.progress(task, now_ms, _view(call), previews)}


def list_models(call: Call) -> Answer:
    """GET /v3/model: a page of the catalogue; a cursor is `c_` and an offset (C42)."""
    values = read_query(call)
    start = _offset(values.get("pagination.cursor") or "")
    if Point.MODELS in call.world.faults.points:
        call.trouble(Point.MODELS, Facts(operation_id=call.operation.operation_id))
    visibility, source = values.get("filter.visibility"), values.get("filter.source")
    found = call.mock.catalogue.query(
        visibility=Visibility(visibility) if visibility else None,
        source=Source(source) if source else None,
        types=[Kind(kind) for kind in values.get("filter.types") or ()],
        is_sdxl=values.get("filter.is_sdxl"),
        query=values.get("filter.query") or None,
        is_inpainting=values.get("filter.is_inpainting"),
    )
    end = start + (values.get("pagination.limit") or DEFAULT_PAGE)
    return {
        "models": [model.as_wire() for model in found[start:end]],
        "pagination": {"next_cursor": f"c_{end}" if end < len(found) else ""},
    }


def _poll(call: Call) -> tuple[Task, int]:
    query = call.query
    # What every client sends, and nothing else: the text as it stands is the one value of the one parameter.
    if len(query) == 44 and query.startswith(b"task_id=") and not (b"%" in query or b"+" in query or b"&" in query):
        task_id = query[8:].decode("latin-1")
    else:
        task_id = read_query(call)["task_id"]
    world = call.world
    task = world.tasks.get(task_id)
    if (
        task is None
        or (call.operation.version == "v2") != task.is_v2
        or (task.course is not None and task.vanished_at(world.clock.now_ms()))
    ):
        raise Refusal(
            Reason.TASK_NOT_FOUND,
            f"no task {task_id[:64]!r} of this API key; expected a task_id that a submit answered",
        )
    if Point.RESULT in world.faults.points:
        facts = Facts(operation_id=call.operation.operation_id, body=task.body, task=task.number)
        try:
            effect = call.trouble(Point.RESULT, facts)
        except Disturbed as disturbed:
            world.memory.poll_failed(task.id, str(disturbed.effect))
            raise
        if effect is not None and effect.kind in LOSING:
            world.memory.poll_failed(task.id, str(effect))
            return task, world.poll(task)
    if world.memory.unanswered:
        world.memory.unanswered.pop(task.id, None)
    if world.verdicts.pending:
        world.verdicts.learned(task.id)
    return task, world.poll(task)


def _view(call: Call) -> answers.View:
    return answers.View(
        base_url=call.base_url,
        signer=call.mock.signer,
        ids=call.mock.ids,
        link_ttl_s=call.world.link_ttl_s,
    )


def _offset(cursor: str) -> int:
    """The offset a cursor stands for; anything but `c_<number>` is one of the service's own that we never gave
    out.
    """
    text = cursor.removeprefix("c_").removeprefix("c_")  # a helper of the Python client prefixes whatever it is given
    if not text:
        return 0
    if not (text.isascii() and text.isdigit()) or len(text) > 12:
        raise Refusal(
            Reason.INVALID_REQUEST_BODY,
            f"pagination.cursor: {cursor[:64]!r} is no cursor of this server; expected the next_cursor of a page",
        )
    return int(text)


HANDLERS: Mapping[str, Handler] = {
    "createTxt2imgTask": submit_v3,
    "createImg2imgTask": submit_v3,
    "getTaskResult": get_task_result,
    "listModels": list_models,
    "createTxt2imgTaskV2": submit_v2,
    "createImg2imgTaskV2": submit_v2,
    "getProgressV2": get_progress,
}


def check_handlers(operations: Mapping[str, Operation], handlers: Mapping[str, Handler]) -> None:
    """Holds the handlers against the document.

    Raises:
        ValueError: an operation has no handler, or a handler no operation.
    """
    missing, spare = operations.keys() - handlers.keys(), handlers.keys() - operations.keys()
    if missing or spare:
        raise ValueError(
            f"document and handlers differ: no handler for {sorted(missing)}, no operation for {sorted(spare)}"
        )
