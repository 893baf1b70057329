"""One handler per operation of the contract, by operationId.

A handler gets a call whose key was accepted and gives the body of the answer, at once or to be awaited when it has to
draw, or raises a `Refusal`. The table at the end is held against the document at start: an operation without a
handler, or a handler without an operation, stops the server.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any
from urllib.parse import parse_qs

import orjson

from mockserver import answers
from mockserver.aside import draw_aside
from mockserver.core.errors import Reason, Refusal, V2Code
from mockserver.core.findings import Code, Finding
from mockserver.core.recipe import Recipe
from mockserver.core.task import Status, Task
from mockserver.mock import Mock
from mockserver.submissions.inputs import Pictures, StoredPictures, SubmittedPictures
from mockserver.submissions.submission import Context, Reader
from mockserver.world import World
from openapi.catalogue import Kind, Source, Visibility
from openapi.document import Operation, Problem, Reading

MAX_PROBLEMS_SHOWN = 5
MAX_PREVIEWS = 8
"""Pictures in progress that a v2 poll shows: those of one run, whose batch_size is at most 8."""
DEFAULT_PAGE = 20
"""Models per page when pagination.limit is absent: no page states a number."""

_SIZE_FIELDS = frozenset({"width", "height", "target_width", "target_height"})
_BRACKETS = re.compile(r"\[([A-Za-z_]*)\d*\]")
_RANGE_KEYWORDS = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"})


@dataclass(slots=True)
class Call:
    """A call of an operation.

    Attributes:
        mock: the server.
        world: the world of the call's key.
        operation: what was called.
        query: query string as sent.
        body: the request body as sent.
        base_url: scheme and host for links in the answer.
        findings: what the call did that is not documented; handlers add to it.
    """

    mock: Mock
    world: World
    operation: Operation
    query: bytes
    body: bytes
    base_url: str
    findings: list[Finding] = field(default_factory=list)


Answer = dict[str, Any]
Handler = Callable[[Call], Answer | Awaitable[Answer]]


def recipe_of(task: Task, mock: Mock) -> Recipe:
    """The recipe of a task, read again from its request, with the seed in use."""
    operation = mock.document.operations[task.operation_id]
    context = _context(task.operation_id, mock, StoredPictures(mock.inputs))
    submission = _reader(task.operation_id)(parse_body(task.body, operation.version), context)
    return _with_seed(submission.recipe, task.seed)


def parse_body(raw: bytes, version: str) -> dict[str, Any]:
    """The JSON object of a body (C21: JSON as RFC 8259 has it, nothing else).

    Args:
        raw: the body as sent.
        version: `v2` or `v3`; v3 nests what to draw in `request`.

    Raises:
        Refusal: no JSON.
    """
    try:
        body = orjson.loads(raw)
        fields = body.get("request") if version == "v3" and isinstance(body, dict) else body
        if isinstance(fields, dict) and type(fields.get("seed")) is float:
            body = json.loads(raw)  # an integer beyond 64 bits: exact here, rounded by the fast parser
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        raise Refusal(
            Reason.INVALID_REQUEST_BODY, f"the body is not JSON: {error}", v2_code=V2Code.INVALID_JSON
        ) from None
    return body  # type: ignore[no-any-return]  # the schema decides next whether it is an object


def place(problem: Problem) -> str:
    """Where a problem lies: `request.loras[0].strength`; `body` for the whole of it."""
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in problem.path)
    return path.removeprefix(".") or "body"


def refusal_of(operation: Operation, problems: Sequence[Problem]) -> Refusal:
    """The refusal that names what a request did wrong; the first problem decides its reason and code."""
    shown = "; ".join(f"{place(problem)}: {problem.message}" for problem in problems[:MAX_PROBLEMS_SHOWN])
    if len(problems) > MAX_PROBLEMS_SHOWN:
        shown += f"; and {len(problems) - MAX_PROBLEMS_SHOWN} more"
    first = problems[0]
    name = first.path[-1] if first.path else ""
    out_of_range = first.keyword in _RANGE_KEYWORDS
    if operation.version == "v2":
        code = V2Code.INVALID_JSON
        if first.keyword == "enum" and name == "sampler_name":
            code = V2Code.SAMPLER_NOT_EXIST
        elif out_of_range or first.keyword == "enum":
            code = V2Code.PARAM_RANGE_OUT_OF_LIMIT
        return Refusal(Reason.INVALID_REQUEST_BODY, shown, v2_code=code)
    if out_of_range and name in _SIZE_FIELDS:
        return Refusal(Reason.INVALID_IMAGE_SIZE, shown)
    return Refusal(Reason.INVALID_REQUEST_BODY, shown)


def _submit(call: Call) -> Task:
    operation, settings = call.operation, call.mock.settings
    body = parse_body(call.body, operation.version)
    if not operation.is_valid(body, Reading.DOCUMENTED):
        problems = operation.problems(body, Reading.DOCUMENTED)
        if settings.strict:
            raise refusal_of(operation, problems)
        if not operation.is_valid(body, Reading.TOLERATED):
            raise refusal_of(operation, operation.problems(body, Reading.TOLERATED))
        call.findings.extend(
            Finding(
                Code.TOLERATED_REQUEST,
                f"{operation.operation_id}: {place(problem)}",
                problem.message,
                problem.because,
            )
            for problem in problems
        )
    pictures = SubmittedPictures(call.mock.inputs, call.mock.document.picture_limits)
    context = _context(operation.operation_id, call.mock, pictures)
    submission = _reader(operation.operation_id)(body, context)
    call.findings.extend(submission.findings)
    kept = _dump(body) if pictures.taken else call.body
    task = call.mock.submit(call.world, operation.operation_id, submission, kept)
    pictures.keep()
    return task


def submit_v3(call: Call) -> Answer:
    """POST /v3/async/txt2img and /v3/async/img2img: the bare task id (C1)."""
    return {"task_id": _submit(call).id}


def submit_v2(call: Call) -> Answer:
    """POST /v2/txt2img and /v2/img2img."""
    return {"code": 0, "msg": "", "data": {"task_id": _submit(call).id}}


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
    values = _query(call)
    visibility, source = values.get("filter.visibility"), values.get("filter.source")
    found = call.mock.catalogue.query(
        visibility=Visibility(visibility) if visibility else None,
        source=Source(source) if source else None,
        types=[Kind(kind) for kind in values.get("filter.types") or ()],
        is_sdxl=values.get("filter.is_sdxl"),
        query=values.get("filter.query") or None,
        is_inpainting=values.get("filter.is_inpainting"),
    )
    start = _offset(values.get("pagination.cursor") or "")
    end = start + (values.get("pagination.limit") or DEFAULT_PAGE)
    return {
        "models": [model.as_wire() for model in found[start:end]],
        "pagination": {"next_cursor": f"c_{end}" if end < len(found) else ""},
    }


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


@cache
def _reader(operation_id: str) -> Reader:
    """What reads the bodies of an operation; imported at the first submit, so that the server is up sooner."""
    from mockserver.submissions import v2, v3

    readers: dict[str, Reader] = {
        "createTxt2imgTask": v3.read_txt2img,
        "createImg2imgTask": v3.read_img2img,
        "createTxt2imgTaskV2": v2.read_txt2img,
        "createImg2imgTaskV2": v2.read_img2img,
    }
    return readers[operation_id]


def _context(operation_id: str, mock: Mock, pictures: Pictures) -> Context:
    settings = mock.settings
    return Context(
        operation_id=operation_id,
        catalogue=mock.catalogue,
        pictures=pictures,
        any_model=settings.any_model,
        strict=settings.strict,
        illegal_words=settings.illegal_words,
    )


def _poll(call: Call) -> tuple[Task, int]:
    query = call.query
    # What every client sends, and nothing else: the text as it stands is the one value of the one parameter.
    if len(query) == 44 and query.startswith(b"task_id=") and not (b"%" in query or b"+" in query or b"&" in query):
        task_id = query[8:].decode("latin-1")
    else:
        task_id = _query(call)["task_id"]
    task = call.world.tasks.get(task_id)
    if task is None or (call.operation.version == "v2") != task.is_v2:
        raise Refusal(
            Reason.TASK_NOT_FOUND,
            f"no task {task_id[:64]!r} of this API key; expected a task_id that a submit answered",
        )
    return task, call.world.poll(task)


def _query(call: Call) -> Mapping[str, Any]:
    reading = Reading.DOCUMENTED if call.mock.settings.strict else Reading.TOLERATED
    query = parse_qs(call.query.decode("latin-1"), keep_blank_values=True)
    if reading is Reading.TOLERATED and any("[" in name for name in query):
        query = _dotted(query, call)
    values: Mapping[str, Any]
    values, problems = call.operation.read_query(query, reading)
    if problems:
        raise refusal_of(call.operation, problems)
    if reading is Reading.TOLERATED:
        _, undocumented = call.operation.read_query(query, Reading.DOCUMENTED)
        call.findings.extend(
            Finding(
                Code.UNDOCUMENTED_PARAMETER,
                f"{call.operation.operation_id}: query {place(problem)}",
                problem.message,
                problem.because,
            )
            for problem in undocumented
        )
    return values


def _dotted(query: Mapping[str, list[str]], call: Call) -> dict[str, list[str]]:
    """`filter[types]` as `filter.types`: how the HTTP library of the JavaScript client writes nested objects."""
    dotted: dict[str, list[str]] = {}
    for name, values in query.items():
        flat = _BRACKETS.sub(r".\1", name).rstrip(".")
        if flat != name:
            call.findings.append(
                Finding(
                    Code.UNDOCUMENTED_PARAMETER,
                    f"{call.operation.operation_id}: query {name}",
                    f"read as {flat}, the documented way to write it",
                    ("C28",),
                )
            )
        dotted.setdefault(flat, []).extend(values)
    return dotted


def _view(call: Call) -> answers.View:
    return answers.View(
        base_url=call.base_url,
        signer=call.mock.signer,
        ids=call.mock.ids,
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


def _with_seed(recipe: Recipe, seed: int) -> Recipe:
    return replace(recipe, seed=seed)


def _dump(body: dict[str, Any]) -> bytes:
    try:
        return bytes(memoryview(orjson.dumps(body)))  # a copy: the writer's own buffer is larger
    except TypeError:  # an integer beyond 64 bits, or deeper than the fast writer goes
        try:
            return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        except RecursionError:
            raise _too_deep() from None


def _too_deep() -> Refusal:
    return Refusal(Reason.INVALID_REQUEST_BODY, "the body is nested too deeply to be a request")
