"""Correct servers that take the documents at their word in one thing that others let pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from conformance.bodies import IMG2IMG, RESULT, TXT2IMG
from conformance.mutants.allowed import V3_CALLS, Variation, requested
from conformance.mutants.making import V3, looks
from conformance.mutants.values import Answer, Request, State, json_answer, refusal
from conformance.wire import MISSING


def _refused(name: str, text: str, seen: Callable[[Any], bool], ops: Any = V3) -> Variation:
    def request(state: State, request: Request) -> Request | Answer:
        hit = request.operation in ops and isinstance(request.json, dict) and seen(request.json)
        return refusal(request.operation) if hit else request

    return requested(name, text, request, ops)


def _any(*seen: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda body: any(one(body) for one in seen)


_NULLS = (
    *("negative_prompt", "sd_vae", "seed", "clip_skip", "enable_transparent_background", "restore_faces", "loras"),
    *("loras[]", "embeddings", "embeddings[]", "hires_fix", "hires_fix.upscaler", "refiner", "controlnet"),
    *("ip_adapters",),
)
_EXTRA_NULLS = (
    *("response_image_type", "webhook", "custom_storage", "enterprise_plan", "enterprise_plan.enabled"),
    *("enable_nsfw_detection", "nsfw_detection_level", "custom_storage.aws_s3"),
)
_PICTURES = ("image_base64", "mask_image_base64", "controlnet.units[].image_base64", "ip_adapters[].image_base64")


def _null(value: Any) -> bool:
    return value is None


def _data_uri(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("data:")


def _unknown(body: Any) -> bool:
    return bool(set(body) - {"request", "extra"}) or any(
        str(key).startswith(("x_", "unknown", "no_such", "not_")) for key in _keys(body)
    )


def _keys(value: Any) -> list[str]:
    if isinstance(value, list):
        return [key for item in value for key in _keys(item)]
    if isinstance(value, dict):
        return [*value, *(key for item in value.values() for key in _keys(item))]
    return []


def _untyped(state: State, request: Request) -> Request | Answer:
    """Only JSON is taken for JSON."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.operation not in (TXT2IMG, IMG2IMG) or kind == "application/json":
        return request
    return json_answer(415, {"code": 415, "reason": "INVALID_REQUEST_BODY", "message": "no JSON", "metadata": {}})


def _bare_key(state: State, request: Request) -> Request | Answer:
    """A key counts only after the word Bearer."""
    sent = request.headers.get("authorization", "")
    if not request.operation or request.operation.endswith("V2") or not sent or sent.lower().startswith("bearer "):
        return request
    held = {"code": 403, "reason": "INVALID_API_KEY", "message": "no such key", "metadata": {}}
    return json_answer(403, held)


def _plain_booleans(state: State, request: Request) -> Request | Answer:
    """Booleans of a query are true and false only."""
    for name in ("filter.is_sdxl", "filter.is_inpainting"):
        value = request.param(name)
        if value is not None and value not in ("true", "false"):
            held = {"code": 400, "reason": "INVALID_REQUEST_BODY", "message": "no boolean", "metadata": {}}
            return json_answer(400, held)
    return request


def _odd_ids(state: State, request: Request) -> Request | Answer:
    """An id that cannot be one is a bad request."""
    task_id = request.param("task_id")
    if request.operation != RESULT or task_id is None or (len(task_id) == 36 and task_id.count("-") == 4):
        return request
    held = {"code": 400, "reason": "INVALID_REQUEST_BODY", "message": "no id", "metadata": {}}
    return json_answer(400, held)


def _whole_floats(value: Any) -> bool:
    if isinstance(value, list):
        return any(map(_whole_floats, value))
    if isinstance(value, dict):
        return any(
            (key in ("width", "height", "steps", "image_num", "seed", "clip_skip") and isinstance(item, float))
            or _whole_floats(item)
            for key, item in value.items()
        )
    return False


def _bodies_typed(body: Any) -> bool:
    return body is not MISSING and _whole_floats(body)


VARIATIONS = (
    _refused(
        "empty-negative-prompt-refused",
        "An empty negative_prompt is refused.",
        looks("request.negative_prompt", ""),
    ),
    _refused(
        "null-refused",
        "Null is refused for a field of request.",
        _any(*(looks(f"request.{name}", _null) for name in _NULLS)),
    ),
    _refused(
        "extra-null-refused",
        "Null is refused for extra and its fields.",
        _any(looks("extra", _null), *(looks(f"extra.{name}", _null) for name in _EXTRA_NULLS)),
    ),
    _refused("unknown-field-refused", "A field that no page names is refused.", _unknown),
    _refused(
        "data-uri-refused", "A data URI is refused.", _any(*(looks(f"request.{name}", _data_uri) for name in _PICTURES))
    ),
    _refused("clip-skip-0-refused", "A clip_skip of 0 is refused.", looks("request.clip_skip", 0)),
    _refused("whole-floats-refused", "2.0 is no integer.", _bodies_typed),
    requested("other-media-refused", "Other media types get 415.", _untyped, (TXT2IMG, IMG2IMG)),
    requested("bare-key-refused", "A key without the word Bearer is none.", _bare_key, V3_CALLS),
    requested("query-booleans-plain", "Booleans of a query are only true and false.", _plain_booleans),
    requested("odd-ids-are-bad", "An id that is no UUID gets 400.", _odd_ids, RESULT),
)
