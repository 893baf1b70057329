"""The usual defects of version 2 in a few lines: its refusals have status 200, its bodies are flat."""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final

from conformance.bodies import IMG2IMG_V2, PROGRESS, TXT2IMG_V2
from conformance.mutants.making import When, answers, looks, operations, tried_again, value_at
from conformance.mutants.making import places as at
from conformance.mutants.values import Answer, Mutant, Request, State, json_answer
from conformance.predicates import type_name
from conformance.wire import MISSING

V2: Final = (TXT2IMG_V2, IMG2IMG_V2)
CALLS: Final = (*V2, PROGRESS)


def coded(code: Any, message: str = "invalid request") -> Answer:
    """An error of version 2."""
    return json_answer(200, {"code": code, "msg": message, "data": None})


def code_of(answer: Answer) -> Any:
    """`code` of an answer; MISSING where there is none."""
    return answer.json.get("code", MISSING) if isinstance(answer.json, dict) else MISSING


def is_error(state: State, request: Request, answer: Answer) -> bool:
    """Whether an answer is an error."""
    return type_name(code_of(answer)) == "integer" and code_of(answer) != 0


def has_code(*codes: int) -> When:
    """Whether an answer is an error with one of these codes."""
    return lambda state, request, answer: code_of(answer) in codes


def is_accepted(state: State, request: Request, answer: Answer) -> bool:
    """Whether an answer is the one of an accepted submit."""
    return answer.task_id is not None


def made_up(state: State) -> Answer:
    """The answer of an accepted submit, yet there is no task."""
    number = state.count("made up")
    task_id = f"00000000-0000-4000-8000-{number:012d}"
    return json_answer(200, {"code": 0, "msg": "", "data": {"task_id": task_id}})


def refuses_when(
    name: str, breaks: str, text: str, ops: str | Sequence[str], wanted: Callable[[Any], bool], **more: Any
) -> Mutant:
    """Refuses good bodies that fulfil a predicate; a bad one, or one without a key, gets the answer that it would."""

    def change(state: State, request: Request, answer: Answer) -> Answer:
        return coded(6) if isinstance(request.json, dict) and wanted(request.json) else answer

    return answers(name, breaks, text, ops, change, when=is_accepted, **more)


def refuses(name: str, breaks: str, text: str, ops: str | Sequence[str], path: str, good: Any, **more: Any) -> Mutant:
    """Refuses a good value, or a good body that lacks an optional one (ABSENT)."""
    return refuses_when(name, breaks, text, ops, looks(path, good), **more)


def faults(
    name: str, breaks: str, text: str, ops: str | Sequence[str], wanted: Callable[[Any], bool], **more: Any
) -> Mutant:
    """Neither refuses nor accepts bodies that fulfil a predicate: the server breaks.

    This is the usual way to break a row whose both readings, refused and accepted, are fine. A code of -1 would not
    do, for that is a refusal like any other. It cannot but break that every answer has status 200, and that none is a
    fault.
    """
    chosen = operations(ops)

    def request(state: State, request: Request) -> Request | Answer:
        if request.operation in chosen and isinstance(request.json, dict) and wanted(request.json):
            return Answer(status=500)
        return request

    also = ("V2-SUBMIT-001", "ROBUST-001", *more.pop("also", ()))
    return Mutant(name=name, breaks=breaks, text=text, request=request, ops=chosen, also=also, **more)


def known_v2_model(state: State) -> str:
    """A checkpoint that an accepted submit of version 2 named; "" before the first one."""
    for task in state.tasks.values():
        if task.sent.operation in V2 and isinstance(task.sent.json, dict):
            name = task.sent.json.get("model_name")
            if isinstance(name, str):
                return name
    return ""


async def known_or_listed(state: State, request: Request) -> str:
    """A checkpoint that the server has."""
    if "checkpoint" not in state.memory:
        headers = {"authorization": request.headers.get("authorization", "")}
        query = "filter.types=checkpoint&pagination.limit=50"
        found = await state.upstream(Request(method="GET", path="/v3/model", query=query, headers=headers))
        models = found.json.get("models") if isinstance(found.json, dict) else None
        usable = [one["sd_name_in_api"] for one in models or () if one.get("status") == 1 and not one.get("is_sdxl")]
        if usable:
            state.memory["checkpoint"] = usable[0]
    return str(state.memory.get("checkpoint", known_v2_model(state)))


def takes_model(name: str, breaks: str, text: str, operation: str, wanted: Callable[[Any], bool]) -> Mutant:
    """Accepts a `model_name` (MISSING when absent) as if it were one that the server has."""

    async def answer(state: State, request: Request, answer: Answer) -> Answer:
        if request.operation != operation or answer.task_id is not None or not isinstance(request.json, dict):
            return answer
        if not wanted(request.json.get("model_name", MISSING)):
            return answer
        good = await known_or_listed(state, request)
        return await tried_again(state, request, answer, lambda body: body.update(model_name=good))

    return Mutant(name=name, breaks=breaks, text=text, answer=answer, ops=(operation,))


@cache
def is_picture(text: str) -> bool:
    """Whether a text is a picture in base64."""
    from PIL import Image

    try:
        image = Image.open(io.BytesIO(base64.b64decode(text, validate=True)))
        image.load()
    except (OSError, ValueError, SyntaxError, binascii.Error):
        return False
    return True


def no_picture(value: Any) -> bool:
    """Whether a value is text, but neither a picture nor empty nor a data URI."""
    return isinstance(value, str) and bool(value) and not value.startswith("data:") and not is_picture(value)


def data_uri(value: Any) -> bool:
    """Whether a value is a data URI."""
    return isinstance(value, str) and value.startswith("data:")


def text(value: Any) -> bool:
    """A string."""
    return isinstance(value, str)


def filled(value: Any) -> bool:
    """A string that is not empty."""
    return isinstance(value, str) and bool(value)


def number(value: Any) -> bool:
    """A number, which true is not."""
    return type_name(value) in ("integer", "number")


def broken(value: Any) -> bool:
    """A number that is no integer."""
    return type_name(value) == "number"


def a_list(value: Any) -> bool:
    """An array."""
    return isinstance(value, list)


def an_object(value: Any) -> bool:
    """An object."""
    return isinstance(value, dict)


def above(most: float) -> Callable[[Any], bool]:
    """A number above a bound."""
    return lambda value: number(value) and value > most


def below(least: float) -> Callable[[Any], bool]:
    """A number below a bound."""
    return lambda value: number(value) and value < least


def found_in(path: str, wanted: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """A predicate over a body: some value at a path fulfils another, MISSING among them."""
    return lambda body: any(wanted(value_at(place)) for place in at(body, path))


def lacks(*fields: str) -> Callable[[Any], bool]:
    """A predicate over a body: a field is absent."""
    return lambda body: any(field not in body for field in fields)


def null(*fields: str) -> Callable[[Any], bool]:
    """A predicate over a body: a field is null."""
    return lambda body: any(field in body and body[field] is None for field in fields)
