"""Correct servers of version 2."""

from __future__ import annotations

import random
from typing import Any

from conformance.bodies import PROGRESS
from conformance.mutants.allowed import V2_CALLS, Variation, answered, plain, told
from conformance.mutants.making import ABSENT, places, put, succeeded, value_at
from conformance.mutants.v2_making import V2, code_of, has_code, is_accepted, is_error
from conformance.mutants.values import Answer, Request, State


def _sets(name: str, text: str, path: str, value: Any, ops: Any = PROGRESS, **more: Any) -> Variation:
    add = more.pop("add", False)

    def change(body: Any) -> None:
        for place in list(places(body, path)):
            if add or value_at(place) is not ABSENT:
                put(place, value)

    return told(name, text, change, ops, **more)


def _not_well(state: State, request: Request, answer: Answer) -> bool:
    return code_of(answer) == 0 and not succeeded(state, request, answer)


def _of_form(state: State, request: Request, answer: Answer) -> bool:
    """Whether the form of a body was wrong, and not that it is no JSON."""
    return code_of(answer) == 1 and isinstance(request.json, dict)


def _code(new: int) -> Any:
    return lambda state, request, answer: answer.with_json(answer.json | {"code": new})


def _bare(body: Any) -> None:
    keep = ("task_id", "status", "imgs", "nsfw_detection_result", "enable_nsfw_detection")
    data = body.get("data")
    if isinstance(data, dict):
        body["data"] = {key: value for key, value in data.items() if key in keep}


def _waits(rng: random.Random) -> Any:
    def answer(state: State, request: Request, answer: Answer) -> Answer:
        body = answer.fresh()
        if code_of(answer) != 0 or state.count(f"polls of {request.param('task_id')}") > 4:
            return answer
        if not isinstance(body.get("data"), dict) or body["data"].get("status") == 0:
            return answer
        unborn: dict[str, Any] = {
            "status": 0,
            "progress": 0,
            "imgs": None,
            "current_images": [],
            "failed_reason": "",
            "info": "",
        }
        times = {"execution_time": "", "txt2img_time": "", "finish_time": "", "nsfw_detection_result": None}
        body["data"] |= {key: value for key, value in (unborn | times).items() if key in body["data"]}
        body["data"].pop("debug_info", None)
        return answer.with_json(body)

    return plain(answer=answer, ops=(PROGRESS,))


VARIATIONS = (
    _sets(
        "v2-warn",
        "An accepted submit of version 2 warns.",
        "data.warn",
        "steps are many",
        V2,
        add=True,
        when=is_accepted,
    ),
    told(
        "v2-errors-without-data",
        "Errors of version 2 have no data.",
        lambda body: {key: value for key, value in body.items() if key != "data"},
        V2_CALLS,
        when=is_error,
    ),
    answered(
        "v2-code-6-for-1", "What breaks the form of a body has code 6.", _code(6), V2, when=_of_form, tolerated=True
    ),
    answered("v2-code-1-for-6", "A value out of range has code 1.", _code(1), V2, when=has_code(6), tolerated=True),
    told(
        "v2-errors-in-other-words",
        "Errors of version 2 have other messages.",
        lambda body: body | {"msg": "das geht nicht", "request_id": "4f1c"},
        V2_CALLS,
        when=is_error,
    ),
    _sets("v2-imgs-absent", "imgs is absent before the end.", "data.imgs", ABSENT, when=_not_well),
    _sets("v2-imgs-empty", "imgs is empty before the end.", "data.imgs", [], when=_not_well),
    told("v2-progress-bare", "A progress holds only what it must hold.", _bare, PROGRESS),
    _sets("v2-no-debug-info", "A progress has no debug_info.", "data.debug_info", ABSENT),
    Variation(name="v2-long-queued", text="The first four polls of version 2 show a task in the queue.", make=_waits),
)
