"""The codes of version 2."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from conformance.bodies import IMG2IMG_V2, PROGRESS, TXT2IMG_V2
from conformance.mutants.making import answers, both
from conformance.mutants.v2_making import CALLS, V2, code_of, has_code, is_error
from conformance.mutants.values import Answer, Mutant, Request, State
from conformance.predicates import type_name
from conformance.wire import MISSING

NEEDED = ("prompt", "sampler_name", "batch_size", "steps", "cfg_scale", "height", "width", "model_name")
NUMBERS = ("batch_size", "n_iter", "steps", "cfg_scale", "height", "width")


def _coded(name: str, number: str, text: str, ops: Any, code: Any, when: Any, **more: Any) -> Mutant:
    """Another code for some errors."""

    def change(state: State, request: Request, answer: Answer) -> Answer:
        return answer.with_json({**answer.json, "code": code(code_of(answer)) if callable(code) else code})

    return answers(name, f"V2-CODE-{number}", text, ops, change, when=both(is_error, when), **more)


def _body(wanted: Callable[[dict[str, Any]], bool]) -> Any:
    return lambda state, request, answer: (
        code_of(answer) in (1, 6) and isinstance(request.json, dict) and wanted(request.json)
    )


def _lacks(body: dict[str, Any]) -> bool:
    return any(field not in body for field in NEEDED)


def _mistyped(body: dict[str, Any]) -> bool:
    return any(isinstance(body.get(field), str) for field in NUMBERS) or type_name(body.get("prompt")) == "integer"


def _number_above(most: float, field: str) -> Any:
    return lambda body: type_name(body.get(field)) == "integer" and body[field] > most


def _outside(body: dict[str, Any]) -> bool:
    return any(type_name(body.get(field)) == "integer" and body[field] < 0 for field in NUMBERS) or any(
        type_name(body.get(field)) == "integer" and body[field] > 50 for field in ("steps", "batch_size", "cfg_scale")
    )


def _no_json(state: State, request: Request, answer: Answer) -> bool:
    return bool(request.body) and request.json is MISSING and code_of(answer) == 1


def _empty(state: State, request: Request, answer: Answer) -> bool:
    return not request.body and code_of(answer) == 1


def _keyless(state: State, request: Request, answer: Answer) -> bool:
    return "authorization" not in request.headers and "x-omni-key" not in request.headers


def _wrong_key(state: State, request: Request, answer: Answer) -> bool:
    return "authorization" in request.headers and code_of(answer) == 4


MUTANTS = (
    _coded("v2-codes-are-text", "001", "Codes of errors are text.", V2, str, has_code(1, 2, 6, 8)),
    _coded("v2-codes-like-status", "001", "A code is that of HTTP.", V2, 400, has_code(1, 6)),
    _coded("v2-code-of-progress-is-404", "001", "An unknown task has code 404.", PROGRESS, 404, has_code(3)),
    _coded("v2-code-12", "001", "An unknown sampler has code 12.", V2, 12, has_code(8)),
    _coded("v2-code-is-null", "001", "Without a key code is null.", CALLS, None, _keyless),
    _coded("v2-code-of-hundreds", "001", "Codes have four digits.", V2, lambda old: 1000 + old, has_code(1, 2, 6, 8)),
    _coded("v2-no-json-is-6", "002", "A body that is no JSON has code 6.", V2, 6, _no_json),
    _coded("v2-no-json-is-a-fault", "002", "Image to image breaks on no JSON.", IMG2IMG_V2, -1, _no_json),
    _coded("v2-missing-field-is-10", "003", "A missing field has code 10.", V2, 10, _body(_lacks)),
    _coded("v2-missing-field-is-a-fault", "003", "A missing field is a fault.", TXT2IMG_V2, -1, _body(_lacks)),
    _coded("v2-other-type-is-10", "003", "Text for a number has code 10.", IMG2IMG_V2, 10, _body(_mistyped)),
    _coded("v2-other-type-is-a-fault", "003", "Text for a number is a fault.", V2, -1, _body(_mistyped)),
    _coded("v2-out-of-range-is-10", "004", "A value outside its range has code 10.", V2, 10, _body(_outside)),
    _coded(
        "v2-too-wide-is-8", "004", "Too great a width has code 8.", TXT2IMG_V2, 8, _body(_number_above(2048, "width"))
    ),
    _coded(
        "v2-too-many-steps-are-a-fault",
        "004",
        "Too many steps are a fault.",
        IMG2IMG_V2,
        -1,
        _body(_number_above(50, "steps")),
    ),
    _coded("v2-unknown-model-is-6", "005", "An unknown checkpoint has code 6.", V2, 6, has_code(2)),
    _coded("v2-unknown-model-is-3", "005", "Image to image: code 3.", IMG2IMG_V2, 3, has_code(2)),
    _coded("v2-unknown-sampler-is-6", "006", "An unknown sampler has code 6.", V2, 6, has_code(8)),
    _coded("v2-unknown-sampler-is-1", "006", "Image to image: code 1.", IMG2IMG_V2, 1, has_code(8)),
    _coded("v2-unknown-task-is-1", "007", "An unknown task has code 1.", PROGRESS, 1, has_code(3)),
    _coded("v2-unknown-task-is-2", "007", "An unknown task has code 2.", PROGRESS, 2, has_code(3)),
    _coded("v2-keyless-is-1", "008", "Without a key the code is 1.", CALLS, 1, _keyless),
    _coded("v2-keyless-progress-is-3", "008", "Progress without a key: no such task.", PROGRESS, 3, _keyless),
    _coded("v2-wrong-key-is-7", "008", "A wrong key has no credit.", V2, 7, _wrong_key),
    _coded("v2-wrong-key-of-progress-is-3", "008", "Progress with a wrong key: code 3.", PROGRESS, 3, _wrong_key),
)
