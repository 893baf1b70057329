"""Results of other correct servers."""

from __future__ import annotations

import random
from typing import Any

from conformance.bodies import IMG2IMG, RESULT, TXT2IMG
from conformance.mutants.allowed import V3_CALLS, Variation, answered, is_v3_error, plain, requested, told, walked
from conformance.mutants.allowed import with_status as status_is
from conformance.mutants.making import ABSENT, both, places, put, succeeded, unfinished, value_at
from conformance.mutants.values import Answer, Mutant, Request, State, json_answer
from conformance.wire import MISSING

_MOST_SEED = 2**31 - 1


def _sets(name: str, text: str, path: str, value: Any, *, add: bool = False, **more: Any) -> Variation:
    """Another value in results."""

    def change(body: Any) -> None:
        for place in list(places(body, path)):
            if add or value_at(place) is not ABSENT:
                put(place, value)

    when = more.pop("when", None)
    fits = status_is(200) if when is None else both(status_is(200), when)
    return told(name, text, change, RESULT, when=fits, **more)


def _bare(body: Any) -> None:
    """Takes away each key that a result may lack without being tolerated only."""
    for path in ("task.reason", "task.eta", "videos", "audios", "extra.debug_info", "extra.has_nsfw_contents"):
        for place in list(places(body, path)):
            put(place, ABSENT)
    for path in ("extra.webhook", "extra.enable_nsfw_detection", "extra.custom_storage", "extra.enterprise_plan"):
        for place in list(places(body, path)):
            put(place, ABSENT)
    for place in list(places(body, "images[].nsfw_detection_result")):
        if value_at(place) is None:
            put(place, ABSENT)
    if body.get("task", {}).get("status") in ("TASK_STATUS_QUEUED", "TASK_STATUS_PROCESSING"):
        for key in ("images", "extra"):
            body.pop(key, None)


def _adds_keys(rng: random.Random) -> Mutant:
    found = {"x_trace": "4f1c", "x_count": 3, "x_parts": [{"of": None}], "x_more": {"deep": [1.5, True]}}

    def more(held: dict[str, Any]) -> dict[str, Any]:
        return held | dict(rng.sample(sorted(found.items()), k=rng.randint(1, len(found))))

    def answer(state: State, request: Request, answer: Answer) -> Answer:
        body = answer.json
        if not isinstance(body, dict):
            return answer
        if answer.status >= 400:
            # What stands in metadata are strings; a further one is a string too.
            metadata = body.get("metadata")
            kept = {"metadata": metadata | {"x_trace": "4f1c"}} if isinstance(metadata, dict) else {}
            return answer.with_json(more(body) | kept)
        echo = [value_at(place) for place in places(body, "extra.debug_info.request_info")]
        changed = walked(body, more)
        for place in places(changed, "extra.debug_info.request_info"):
            if echo and echo[0] is not ABSENT:
                put(place, echo[0])
        return answer.with_json(changed)

    return plain(answer=answer)


def _shuffles(rng: random.Random) -> Mutant:
    def shuffled(held: dict[str, Any]) -> dict[str, Any]:
        return dict(rng.sample(list(held.items()), k=len(held)))

    def answer(state: State, request: Request, answer: Answer) -> Answer:
        return answer if answer.json is MISSING else answer.with_json(walked(answer.json, shuffled))

    async def event(state: State, hook: Any, request: Request) -> Answer:
        changed = request if request.json is MISSING else request.with_json(walked(request.json, shuffled))
        return await state.deliver(hook, changed)

    return plain(answer=answer, event=event, sees_webhooks=True)


WAITING_S = 20.0
"""Of the server's clock: a task waits no longer, whether or not anybody asks for it."""


def _waits(polls: int) -> Any:
    """The first polls of each task show it in the queue; one whose event is awaited ends when it does."""

    def answer(state: State, request: Request, answer: Answer) -> Answer:
        task = state.task_of(request)
        if answer.status != 200 or task is None or value_in(task.sent.json, "extra.webhook") is not ABSENT:
            return answer
        if state.count(f"polls of {request.param('task_id')}") > polls or state.now_s() - task.at_s > WAITING_S:
            return answer
        body = answer.fresh()
        if body.get("task", {}).get("status") == "TASK_STATUS_QUEUED":
            return answer
        body["task"] |= {"status": "TASK_STATUS_QUEUED", "reason": "", "eta": 0, "progress_percent": 0}
        body["images"] = []
        body.pop("extra", None)
        return answer.with_json(body)

    return answer


def value_in(body: Any, path: str) -> Any:
    """What stands at a path; ABSENT when nothing does."""
    found = [value_at(place) for place in places(body, path)]
    return found[0] if found else ABSENT


def _other_word(word: str) -> Any:
    return lambda old: word if old == "TASK_STATUS_PROCESSING" else old


def _other_seeds(rng: random.Random) -> Mutant:
    def request(state: State, request: Request) -> Request:
        body = request.fresh()
        inner = body.get("request") if isinstance(body, dict) else None
        # A null stays, for the upstream decides whether it takes one.
        if not isinstance(inner, dict) or inner.get("seed", -1) != -1 or isinstance(inner.get("seed"), bool):
            return request
        inner["seed"] = rng.randint(0, _MOST_SEED)
        return request.with_json(body)

    return plain(request=request, ops=(TXT2IMG, IMG2IMG))


async def _previews(state: State, request: Request, answer: Answer) -> Answer:
    """While a task is worked on, the picture of a finished one stands in its result."""
    kept = state.memory.setdefault("finished", [])
    if succeeded(state, request, answer):
        kept[:] = answer.json.get("images") or kept
        return answer
    if answer.status_word != "TASK_STATUS_PROCESSING" or not kept:
        return answer
    body = answer.fresh()
    return answer.with_json(body | {"images": kept[:1]})


def _no_key(status: int, reason: str) -> Any:
    def request(state: State, request: Request) -> Request | Answer:
        if request.headers.get("authorization"):
            return request
        return json_answer(status, {"code": status, "reason": reason, "message": "who is asking?", "metadata": {}})

    return request


def _another_status(old: int, new: int) -> Any:
    def change(state: State, request: Request, answer: Answer) -> Answer:
        return answer.with_json(answer.json | {"code": new}).with_status(new) if answer.status == old else answer

    return change


def _without_id(state: State, request: Request, answer: Answer) -> bool:
    return answer.status == 400 and request.param("task_id") is None


def _not_found(state: State, request: Request, answer: Answer) -> Answer:
    held = {"code": 404, "reason": "TASK_NOT_FOUND", "message": "there is no such task", "metadata": {}}
    return json_answer(404, held)


_DETECTED = "images[].nsfw_detection_result"

VARIATIONS = (
    Variation(name="keys-shuffled", text="The keys of each object stand in an order of their own.", make=_shuffles),
    Variation(name="keys-added", text="Each object of an answer has further keys.", make=_adds_keys, apart=True),
    told("results-bare", "A result holds only what it must hold.", _bare, RESULT, when=status_is(200), tolerated=False),
    _sets("ttl-integer", "image_url_ttl is an integer.", "images[].image_url_ttl", int),
    _sets("ttl-text", "image_url_ttl is text.", "images[].image_url_ttl", str),
    _sets("task-type-absent", "task_type is absent.", "task.task_type", ABSENT, tolerated=True),
    _sets(
        "progress-0-at-success",
        "progress_percent is 0 at success.",
        "task.progress_percent",
        0,
        when=succeeded,
        tolerated=True,
    ),
    _sets(
        "progress-absent-at-success",
        "progress_percent is absent at success.",
        "task.progress_percent",
        ABSENT,
        when=succeeded,
        tolerated=True,
    ),
    _sets("progress-fraction", "progress_percent has a fraction.", "task.progress_percent", lambda old: float(old)),
    _sets("eta-absent", "eta is absent.", "task.eta", ABSENT),
    _sets("eta-fraction", "eta has a fraction.", "task.eta", 2.5, when=unfinished),
    _sets("no-debug-info", "There is no debug_info.", "extra.debug_info", ABSENT),
    _sets("request-info-empty", "request_info is empty.", "extra.debug_info.request_info", ""),
    _sets(
        "times-empty",
        "The times of debug_info are empty until the end.",
        "extra.debug_info.execute_time_ms",
        "",
        when=unfinished,
    ),
    _sets(
        "detection-absent",
        "nsfw_detection_result is absent where nothing was detected.",
        _DETECTED,
        lambda old: ABSENT if old is None else old,
    ),
    _sets(
        "detection-null",
        "nsfw_detection_result is null where nothing was detected.",
        _DETECTED,
        lambda old: None if old is ABSENT else old,
        add=True,
    ),
    _sets(
        "detection-empty",
        "nsfw_detection_result is an empty object where nothing was detected.",
        _DETECTED,
        lambda old: old if isinstance(old, dict) else {},
        add=True,
        tolerated=True,
    ),
    _sets("seed-integer", "extra.seed is an integer.", "extra.seed", int, tolerated=True),
    Variation(
        name="long-queued",
        text="The first four polls show a task in the queue.",
        make=lambda _: plain(answer=_waits(4), ops=(RESULT,)),
    ),
    _sets(
        "no-processing",
        "No result shows TASK_STATUS_PROCESSING.",
        "task.status",
        _other_word("TASK_STATUS_QUEUED"),
    ),
    _sets(
        "status-running",
        "A task that is worked on is TASK_STATUS_RUNNING.",
        "task.status",
        _other_word("TASK_STATUS_RUNNING"),
        tolerated=True,
    ),
    Variation(
        name="previews",
        text="While a task is worked on its result holds a preview.",
        make=lambda _: plain(answer=_previews, ops=(RESULT,)),
        tolerated=True,
        apart=True,
    ),
    Variation(name="other-seeds", text="Other seeds are drawn.", make=_other_seeds),
    answered(
        "submits-created",
        "A submit is answered with status 201.",
        lambda state, request, answer: answer.with_status(201),
        (TXT2IMG, IMG2IMG),
        when=status_is(200),
        tolerated=True,
    ),
    requested(
        "no-key-is-bad",
        "Without a key a call gets 400 MISSING_API_KEY.",
        _no_key(400, "MISSING_API_KEY"),
        V3_CALLS,
        tolerated=True,
    ),
    requested(
        "no-key-is-401", "Without a key a call gets 401.", _no_key(401, "INVALID_API_KEY"), V3_CALLS, tolerated=True
    ),
    requested("no-key-is-403", "Without a key a call gets 403.", _no_key(403, "INVALID_API_KEY"), V3_CALLS),
    answered(
        "keys-refused-with-401",
        "A missing or wrong key gets 401.",
        _another_status(403, 401),
        V3_CALLS,
        when=is_v3_error,
        tolerated=True,
    ),
    told(
        "errors-without-metadata",
        "Errors have no metadata.",
        lambda body: {key: value for key, value in body.items() if key != "metadata"},
        V3_CALLS,
        when=is_v3_error,
    ),
    told(
        "errors-in-other-words",
        "Errors have other messages.",
        lambda body: body | {"message": "das geht nicht: »" + str(body.get("reason")).lower() + "«"},
        V3_CALLS,
        when=is_v3_error,
    ),
    told(
        "errors-with-details",
        "Errors hold further keys.",
        lambda body: body | {"trace_id": "4f1c", "details": [{"field": "request"}], "metadata": {"trace": "4f1c"}},
        V3_CALLS,
        when=is_v3_error,
    ),
    answered(
        "no-task-id-is-404",
        "A result call without task_id gets 404.",
        _not_found,
        RESULT,
        when=_without_id,
        tolerated=True,
    ),
)
