"""Servers that break or hang when a request is strange as a whole."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import unquote_to_bytes

from conformance import timing
from conformance.bodies import MODELS, PROGRESS, RESULT, TXT2IMG
from conformance.mutants.making import (
    V3,
    breaks_on,
    fault,
    made_up_acceptance,
)
from conformance.mutants.values import Answer, Mutant, Request, State, json_answer
from conformance.mutants.wanted import (
    MEGABYTE,
    text,
)
from conformance.wire import MISSING

DEEP = 50_000
HUGE = 50 * MEGABYTE
CROWD = 12


def _breaks(
    name: str, number: str, words: str, ops: Any, hit: Callable[[Request], bool], answer: Any = fault, **more: Any
) -> Mutant:
    """Answers some requests in its own way, with a fault unless told."""
    chosen = (ops,) if isinstance(ops, str) else tuple(ops)

    def request(state: State, request: Request) -> Request | Answer:
        return answer() if request.operation in chosen and hit(request) else request

    return Mutant(name=name, breaks=f"ROBUST-{number}", text=words, request=request, ops=chosen, **more)


def _faults(name: str, number: str, words: str, ops: Any, path: str, bad: Any) -> Mutant:
    return breaks_on(name, f"ROBUST-{number}", words, ops, f"request.{path}", bad)


def _taken(name: str, number: str, words: str, hit: Callable[[Request], bool], ops: Any = V3, **more: Any) -> Mutant:
    """Accepts some submits, and makes no task."""
    chosen = (ops,) if isinstance(ops, str) else tuple(ops)

    def request(state: State, request: Request) -> Request | Answer:
        return made_up_acceptance(state) if request.operation in chosen and hit(request) else request

    return Mutant(name=name, breaks=f"ROBUST-{number}", text=words, request=request, ops=chosen, **more)


def _silence() -> Answer:
    """Half of nothing, then the connection is closed."""
    return replace(json_answer(400, {"code": 400, "reason": "INVALID_REQUEST_BODY", "message": "bad"}), cut=True)


def _deep(request: Request) -> bool:
    return max(request.body.count(b"["), request.body.count(b"{")) >= DEEP


def _no_json(request: Request) -> bool:
    return bool(request.body) and request.json is MISSING and not _deep(request) and not _no_utf8(request)


def _no_utf8(request: Request) -> bool:
    try:
        request.body.decode()
    except UnicodeDecodeError:
        return True
    return False


def _odd_constant(request: Request) -> bool:
    return re.search(rb"[:\[,]\s*-?(NaN|Infinity)\b", request.body) is not None


def _task_id(request: Request) -> bytes:
    found = re.search(r"(?:^|&)task_id=([^&]*)", request.query)
    return unquote_to_bytes(found[1].replace("+", " ")) if found else b"0" * 32


def _no_uuid(request: Request) -> bool:
    found = _task_id(request)
    return 0 < len(found) < 200 and not re.fullmatch(rb"[0-9a-fA-F-]{32,36}", found)


def _long_id(request: Request) -> bool:
    return len(_task_id(request)) > 200


def _empty_id(request: Request) -> bool:
    return _task_id(request) == b""


def _odd_cursor(request: Request) -> bool:
    cursor = request.param("pagination.cursor")
    return bool(cursor) and re.fullmatch(r"c_\d+", cursor or "") is None


def _controls(prompt: Any) -> bool:
    return text(prompt) and any(ord(letter) < 0x20 and letter not in "\t\r\n" for letter in prompt)


async def _crowded(state: State, request: Request) -> Request | Answer:
    """No more than a dozen equal submits at a time."""
    if request.operation != TXT2IMG:
        return request
    inside = state.memory.setdefault("inside", {})
    inside[request.body] = inside.get(request.body, 0) + 1
    await timing.pause(0.05)
    if inside[request.body] > CROWD:
        return json_answer(409, {"code": 409, "reason": "CONFLICT", "message": "busy", "metadata": {}})
    return request


def _left(state: State, request: Request, answer: Answer) -> Answer:
    if request.operation == TXT2IMG:
        state.memory["inside"][request.body] -= 1
    return answer


MUTANTS = (
    _breaks("odd-cursors-are-a-fault", "001", "A cursor of no known form is a fault.", MODELS, _odd_cursor),
    _breaks(
        "no-json-is-a-fault",
        "001",
        "A body that is no JSON is a fault.",
        V3,
        _no_json,
        also=("V3-SUBMIT-008",),
    ),
    _breaks(
        "no-json-is-not-answered",
        "001",
        "After a body that is no JSON the connection is closed.",
        V3,
        _no_json,
        _silence,
        also=("V3-SUBMIT-008",),
    ),
    _breaks(
        "odd-progress-ids-are-a-fault",
        "001",
        "A strange task id of progress is a fault.",
        PROGRESS,
        lambda request: _long_id(request) or _no_uuid(request),
    ),
    _faults("loras-of-null-are-a-fault", "001", "A null among LoRAs is a fault.", V3, "loras[]", None),
    _faults(
        "nul-in-a-name-is-a-fault",
        "001",
        "A name of a checkpoint with a control character is a fault.",
        V3,
        "model_name",
        _controls,
    ),
    _breaks("deep-bodies-are-a-fault", "003", "Deep nesting is a fault.", V3, _deep, also=("ROBUST-001",)),
    _breaks(
        "deep-bodies-are-not-answered",
        "003",
        "Deep nesting ends the connection.",
        V3,
        _deep,
        _silence,
        also=("ROBUST-001",),
    ),
    _taken("deep-bodies-are-taken", "003", "A body is not parsed beyond a depth, and accepted.", _deep),
    _breaks(
        "huge-bodies-are-a-fault",
        "004",
        "A body of 64 MB is a fault.",
        TXT2IMG,
        lambda request: request.length > HUGE,
        also=("ROBUST-001",),
    ),
    _taken(
        "huge-bodies-are-taken", "004", "A body of 64 MB is accepted.", lambda request: request.length > HUGE, TXT2IMG
    ),
    _breaks(
        "huge-bodies-are-forbidden",
        "004",
        "A body of 64 MB has status 403.",
        TXT2IMG,
        lambda request: request.length > HUGE,
        lambda: json_answer(403, {"code": 403, "reason": "BILLING_AUTH_FAILED", "message": "no", "metadata": {}}),
    ),
    _taken("no-utf-8-is-taken", "006", "Bytes that are no UTF-8 are accepted.", _no_utf8),
    _breaks("no-utf-8-is-a-fault", "006", "Bytes that are no UTF-8 are a fault.", V3, _no_utf8, also=("ROBUST-001",)),
    _taken("nan-is-taken", "006", "NaN and Infinity are numbers.", _odd_constant, also=("V3-SUBMIT-008",)),
    _breaks(
        "nan-is-a-fault",
        "006",
        "NaN and Infinity are a fault.",
        V3,
        _odd_constant,
        also=("ROBUST-001", "V3-SUBMIT-008"),
    ),
    _breaks(
        "odd-ids-are-a-fault",
        "010",
        "A task id that is no UUID is a fault.",
        RESULT,
        _no_uuid,
        also=("ROBUST-001", "V3-RESULT-003"),
    ),
    _breaks("long-ids-are-a-fault", "010", "A very long task id is a fault.", RESULT, _long_id, also=("ROBUST-001",)),
    _breaks(
        "long-ids-are-414",
        "010",
        "A very long task id has status 414.",
        RESULT,
        _long_id,
        lambda: json_answer(414, {"code": 414, "reason": "INVALID_REQUEST_BODY", "message": "long", "metadata": {}}),
    ),
    _breaks(
        "empty-id-lists-all",
        "010",
        "An empty task id is answered with a list of tasks.",
        RESULT,
        _empty_id,
        lambda: json_answer(200, {"tasks": []}),
    ),
    _breaks("empty-id-is-a-fault", "010", "An empty task id is a fault.", RESULT, _empty_id, also=("ROBUST-001",)),
    Mutant(
        name="a-dozen-at-a-time",
        breaks="ROBUST-011",
        text="Of more than a dozen equal submits at once some are answered with 409.",
        request=_crowded,
        answer=_left,
        ops=(TXT2IMG,),
    ),
)
