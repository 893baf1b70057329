"""Errors on v3: their form, their reasons, and what another route or method is answered with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from conformance.bodies import IMG2IMG, MODELS, RESULT, TXT2IMG
from conformance.mutants.making import ABSENT, V3, answers, asked, fault, looks, places, put, value_at
from conformance.mutants.values import Answer, Mutant, Request, State, json_answer
from conformance.mutants.wanted import (
    MEGABYTE,
    MOST_PIXELS,
    above,
    below,
    filled,
    longer,
    no_base64,
    no_picture,
    pixels,
)
from conformance.wire import MISSING

ALL = (TXT2IMG, IMG2IMG, RESULT, MODELS)


def _of(*found: int) -> Callable[[State, Request, Answer], bool]:
    return lambda state, request, answer: answer.status in found and isinstance(answer.json, dict)


def _error(state: State, request: Request, answer: Answer) -> bool:
    return answer.status >= 400 and isinstance(answer.json, dict)


def _sets(name: str, number: str, words: str, key: str, value: Any, ops: Any = ALL, **more: Any) -> Mutant:
    """Another value in errors; a function makes it from the old one, ABSENT takes the key away."""
    when = more.pop("when", _error)

    def change(state: State, request: Request, answer: Answer) -> Answer:
        body = answer.fresh()
        for place in places(body, key):
            put(place, value)
        return answer.with_json(body)

    return answers(name, f"V3-ERROR-{number}", words, ops, change, when=when, **more)


def _turns(
    name: str, number: str, words: str, change: Callable[[Answer], Answer], ops: Any = ALL, **more: Any
) -> Mutant:
    when = more.pop("when", _error)
    return answers(name, f"V3-ERROR-{number}", words, ops, lambda _state, _request, one: change(one), when=when, **more)


def _sent(path: str, *wanted: Any) -> Callable[[State, Request, Answer], bool]:
    """Refusals of bodies that hold one of some values."""
    return lambda state, request, answer: (
        answer.status == 400
        and request.json is not MISSING
        and any(looks(f"request.{path}", one)(request.json) for one in wanted)
    )


def _no_json(state: State, request: Request, answer: Answer) -> bool:
    return answer.status == 400 and bool(request.body) and request.json is MISSING and not request.large


def _too_large(state: State, request: Request, answer: Answer) -> bool:
    return answer.status == 400 and request.length > 10 * MEGABYTE * 4 / 3


def _strange_checkpoint(state: State, request: Request, answer: Answer) -> bool:
    """Whether a body with a checkpoint that no accepted body named is refused."""
    names = {asked(task, "request.model_name") for task in state.tasks.values()}
    found = [value_at(place) for place in places(request.json, "request.model_name")]
    return answer.status in (400, 404) and bool(names) and bool(found) and filled(found[0]) and found[0] not in names


def _html(answer: Answer) -> Answer:
    page = b"<html><head><title>400 Bad Request</title></head><body><center>nginx</center></body></html>"
    return replace(answer, body=page, headers={"content-type": "text/html"})


def _plain(answer: Answer) -> Answer:
    text = str(answer.json.get("message", "bad request")).encode()
    return replace(answer, body=text, headers={"content-type": "text/plain; charset=utf-8"})


def _holding_an_id(state: State, request: Request, answer: Answer) -> Answer:
    return answer.with_json(
        {**answer.json, "task_id": request.param("task_id") or "4f1c0f1e-0000-4000-8000-000000000001"}
    )


def _holding_data(state: State, request: Request, answer: Answer) -> Answer:
    return answer.with_json({**answer.json, "data": {"task_id": "4f1c0f1e-0000-4000-8000-000000000001"}})


def _elsewhere(name: str, number: str, words: str, change: Any, **more: Any) -> Mutant:
    """Changes the answers of routes that the contract has not."""

    async def other(state: State, request: Request, answer: Answer) -> Answer:
        found = change(state, request, answer)
        return found if isinstance(found, Answer) else await found

    also = ("V3-MODEL-017",) if number == "007" else ()  # one of the routes that do not exist
    return Mutant(**{"name": name, "breaks": f"V3-ERROR-{number}", "text": words, "other": other, "also": also, **more})


KNOWN = ("/v3/async/txt2img", "/v3/async/img2img", "/v3/async/task-result", "/v3/model")


def _route(change: Callable[[Answer], Answer]) -> Any:
    """Only for paths that no operation has, on v3."""

    def changed(state: State, request: Request, answer: Answer) -> Answer:
        hit = request.path.startswith("/v3") and request.path not in KNOWN and answer.status == 404
        return change(answer) if hit else answer

    return changed


def _method(change: Callable[[Answer], Answer], *paths: str) -> Any:
    """Only for known paths with another method than the contract's."""

    def changed(state: State, request: Request, answer: Answer) -> Answer:
        hit = request.path in (paths or KNOWN) and request.method not in ("HEAD", "OPTIONS")
        return change(answer) if hit else answer

    return changed


def _with_reason(reason: str) -> Callable[[Answer], Answer]:
    return lambda answer: answer.with_json({**answer.json, "reason": reason})


MUTANTS = (
    _turns("errors-are-html", "001", "Errors are an HTML page.", _html, V3, also=("V3-STORAGE-008",)),
    _turns("errors-are-plain-text", "001", "Errors are plain text.", _plain, V3, also=("V3-STORAGE-008",)),
    _turns(
        "errors-typed-as-html",
        "001",
        "The JSON of an error is sent as text/html.",
        lambda answer: answer.with_header("content-type", "text/html"),
    ),
    _turns(
        "unknown-tasks-untyped",
        "001",
        "The JSON of a 404 has no Content-Type.",
        lambda answer: answer.with_header("content-type", None),
        RESULT,
        when=_of(404),
    ),
    _turns(
        "errors-in-an-error",
        "001",
        "code, reason and message stand inside an object error.",
        lambda answer: answer.with_json({"error": answer.json}),
        V3,
    ),
    _turns("errors-in-a-list", "001", "An error is a list.", lambda answer: answer.with_json([answer.json]), V3),
    _sets("errors-without-message", "001", "Errors have no message.", "message", ABSENT),
    _sets("errors-with-empty-message", "001", "message is empty.", "message", "", V3),
    _sets("messages-are-lists", "001", "message is a list.", "message", lambda old: [old], V3),
    _sets("i2i-errors-without-message", "001", "message is null in img2img.", "message", None, IMG2IMG),
    _sets("unknown-tasks-without-reason", "001", "A 404 has no reason.", "reason", ABSENT, RESULT, when=_of(404)),
    _sets("codes-are-text", "002", "code is text.", "code", str),
    _sets("codes-as-on-v2", "002", "code is that of v2.", "code", 4, V3, when=_of(400)),
    _sets("codes-of-unknown-tasks-are-400", "002", "code of a 404 is 400.", "code", 400, RESULT, when=_of(404)),
    _sets("codes-of-keys-are-401", "002", "code of a 403 is 401.", "code", 401, when=_of(403)),
    _sets("codes-are-grpc", "002", "code is a number of gRPC.", "code", 3, MODELS, when=_of(400)),
    _sets(
        "reasons-of-lists-in-small-letters",
        "003",
        "reason of a model list is in small letters.",
        "reason",
        str.lower,
        MODELS,
        when=_of(400),
    ),
    _sets(
        "unknown-checkpoints-have-their-own",
        "003",
        "An unknown checkpoint has the reason MODEL_NOT_FOUND.",
        "reason",
        "MODEL_NOT_FOUND",
        V3,
        when=_strange_checkpoint,
    ),
    _sets(
        "reasons-of-keys-made-up",
        "003",
        "reason of a 403 is on no list.",
        "reason",
        "KEY_IS_BAD",
        when=_of(403),
        also=("V3-AUTH-004",),
    ),
    _sets(
        "reasons-of-lists-made-up",
        "003",
        "reason of a 400 is BAD_FILTER.",
        "reason",
        "BAD_FILTER",
        MODELS,
        when=_of(400),
    ),
    _sets(
        "reason-of-another-status",
        "003",
        "A 403 has the reason of a 404.",
        "reason",
        "TASK_NOT_FOUND",
        when=_of(403),
        also=("V3-AUTH-004",),
    ),
    _sets("metadata-is-a-list", "004", "metadata is a list.", "metadata", [], V3),
    _sets("metadata-is-null", "004", "metadata is null.", "metadata", None, RESULT),
    _sets("metadata-with-numbers", "004", "metadata has numbers.", "metadata", {"line": 3}, V3, when=_of(400)),
    _sets("metadata-with-lists", "004", "metadata has lists.", "metadata", {"fields": ["width"]}, IMG2IMG),
    _sets("metadata-is-text", "004", "metadata is text.", "metadata", "", when=_of(403)),
    _sets(
        "steps-are-an-image-size",
        "005",
        "Steps out of range have the reason INVALID_IMAGE_SIZE.",
        "reason",
        "INVALID_IMAGE_SIZE",
        V3,
        when=_sent("steps", above(100), below(1)),
    ),
    _sets(
        "width-is-a-resolution",
        "005",
        "A width out of range has the reason IMAGE_EXCEEDS_MAX_RESOLUTION.",
        "reason",
        "IMAGE_EXCEEDS_MAX_RESOLUTION",
        V3,
        when=_sent("width", above(2048)),
    ),
    _sets(
        "long-prompts-are-illegal",
        "005",
        "A prompt that is too long has the reason ILLEGAL_PROMPT.",
        "reason",
        "ILLEGAL_PROMPT",
        V3,
        when=_sent("prompt", longer(1024)),
    ),
    _sets(
        "no-json-is-no-image",
        "005",
        "A body that is no JSON has the reason INVALID_IMAGE_FORMAT.",
        "reason",
        "INVALID_IMAGE_FORMAT",
        V3,
        when=_no_json,
    ),
    _sets(
        "i2i-form-is-an-image-format",
        "005",
        "Without prompt the reason of img2img is INVALID_IMAGE_FORMAT.",
        "reason",
        "INVALID_IMAGE_FORMAT",
        IMG2IMG,
        when=_sent("prompt", ABSENT),
    ),
    _sets(
        "unknown-task-is-no-route",
        "006",
        "An unknown task has the reason API_NOT_FOUND.",
        "reason",
        "API_NOT_FOUND",
        RESULT,
        when=_of(404),
    ),
    _elsewhere(
        "unknown-route-is-bad", "007", "An unknown route has status 400.", _route(lambda one: one.with_status(400))
    ),
    _elsewhere(
        "unknown-route-is-a-task",
        "007",
        "An unknown route has the reason TASK_NOT_FOUND.",
        _route(_with_reason("TASK_NOT_FOUND")),
    ),
    _elsewhere(
        "unknown-route-redirects",
        "007",
        "An unknown route leads to the start page.",
        _route(lambda one: replace(one, status=302, headers={"location": "/"}, body=b"")),
    ),
    _elsewhere(
        "unknown-route-is-fine", "007", "An unknown route has status 200.", _route(lambda one: json_answer(200, {}))
    ),
    _elsewhere(
        "delete-is-taken",
        "008",
        "Another method is answered with status 200.",
        _method(lambda one: json_answer(200, {})),
    ),
    _elsewhere(
        "delete-is-a-fault", "008", "Another method is a fault.", _method(lambda one: fault()), also=("ROBUST-001",)
    ),
    _elsewhere(
        "delete-of-results-is-done",
        "008",
        "DELETE of a result has status 204.",
        _method(lambda one: replace(one, status=204, body=b""), "/v3/async/task-result"),
    ),
    _elsewhere(
        "delete-of-submits-is-not-implemented",
        "008",
        "Another method on a submit has status 501.",
        _method(lambda one: one.with_status(501), "/v3/async/txt2img", "/v3/async/img2img"),
        also=("ROBUST-001",),
    ),
    answers("errors-name-a-task", "V3-ERROR-009", "A refused submit names a task.", V3, _holding_an_id, when=_error),
    answers(
        "errors-name-a-task-in-data",
        "V3-ERROR-009",
        "A refused img2img names a task in data.",
        IMG2IMG,
        _holding_data,
        when=_error,
    ),
    answers(
        "unknown-tasks-are-repeated",
        "V3-ERROR-009",
        "The error of an unknown task repeats its id.",
        RESULT,
        _holding_an_id,
        when=_of(404),
    ),
    _sets(
        "no-picture-is-illegal",
        "010",
        "What is no picture has the reason ILLEGAL_IMAGE_CONTENT.",
        "reason",
        "ILLEGAL_IMAGE_CONTENT",
        IMG2IMG,
        when=_sent("image_base64", no_picture, no_base64),
    ),
    _sets(
        "large-file-is-a-form",
        "011",
        "A file that is too large has the reason INVALID_REQUEST_BODY.",
        "reason",
        "INVALID_REQUEST_BODY",
        IMG2IMG,
        when=_too_large,
    ),
    _sets(
        "large-file-is-a-resolution",
        "011",
        "A file that is too large has the reason IMAGE_EXCEEDS_MAX_RESOLUTION.",
        "reason",
        "IMAGE_EXCEEDS_MAX_RESOLUTION",
        IMG2IMG,
        when=_too_large,
    ),
    _sets(
        "many-pixels-are-a-file-size",
        "011",
        "Too many pixels have the reason IMAGE_FILE_EXCEEDS_MAX_SIZE.",
        "reason",
        "IMAGE_FILE_EXCEEDS_MAX_SIZE",
        IMG2IMG,
        when=_sent("image_base64", pixels(MOST_PIXELS)),
    ),
    _sets(
        "no-control-picture-is-no-face",
        "016",
        "A control picture that is none has the reason IMAGE_NO_FACE_DETECTED.",
        "reason",
        "IMAGE_NO_FACE_DETECTED",
        IMG2IMG,
        when=_sent("controlnet.units[].image_base64", no_picture, no_base64),
    ),
    _sets(
        "no-picture-is-no-face",
        "016",
        "A source picture that is none has the reason IMAGE_NO_FACE_DETECTED.",
        "reason",
        "IMAGE_NO_FACE_DETECTED",
        IMG2IMG,
        when=_sent("image_base64", no_picture, no_base64),
        also=("V3-ERROR-010",),
    ),
    _sets(
        "no-json-is-no-audio",
        "016",
        "A body that is no JSON has the reason INVALID_AUDIO_FILE.",
        "reason",
        "INVALID_AUDIO_FILE",
        V3,
        when=_no_json,
        also=("V3-ERROR-005",),
    ),
)
