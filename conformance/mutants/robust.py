"""Servers that break, hang or garble when the input is strange."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import unquote_to_bytes

from conformance import timing
from conformance.bodies import IMG2IMG, MODELS, PROGRESS, RESULT, TXT2IMG
from conformance.mutants.making import (
    V3,
    accepts,
    asked,
    breaks_on,
    fault,
    looks,
    made_up_acceptance,
    places,
    put,
    puts,
    succeeded,
    value_at,
)
from conformance.mutants.values import Answer, Mutant, Request, State, json_answer
from conformance.mutants.wanted import (
    MEGABYTE,
    MOST_PIXELS,
    a_picture,
    above,
    cut_off,
    opened,
    text,
    whole_float,
)
from conformance.wire import MISSING

DEEP = 50_000
HUGE = 50 * MEGABYTE
BOMB_BYTES = 2 * MEGABYTE
SLOW_S = 11.0
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
    return unquote_to_bytes(found[1].replace("+", " ")) if found else b"-"


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


def _bomb(value: Any) -> bool:
    image = opened(value)
    small = image is not None and len(value) <= BOMB_BYTES
    return small and image is not None and image.width * image.height > 4 * MOST_PIXELS


async def _unfolded(state: State, request: Request) -> Request:
    if request.operation == IMG2IMG and looks("request.image_base64", _bomb)(request.json):
        await timing.pause(SLOW_S)
    return request


def _beyond_basic(prompt: Any) -> bool:
    return text(prompt) and any(ord(letter) >= 0x10000 for letter in prompt)


def _beyond_ascii(prompt: Any) -> bool:
    return text(prompt) and any(0x7F < ord(letter) < 0xD800 for letter in prompt)


def _controls(prompt: Any) -> bool:
    return text(prompt) and any(ord(letter) < 0x20 and letter not in "\t\r\n" for letter in prompt)


def _echoing(name: str, words: str, garble: Callable[[str], str], **more: Any) -> Mutant:
    """Garbles what a result says of the prompt."""

    def change(info: Any) -> Any:
        import json

        try:
            found = json.loads(info)
        except (TypeError, ValueError):
            return info
        return json.dumps(_garbled(found, garble), ensure_ascii=False) if isinstance(found, dict) else info

    return puts(name, "ROBUST-005", words, RESULT, "extra.debug_info.request_info", change, **more)


def _garbled(value: Any, garble: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {key: _garbled(one, garble) for key, one in value.items()}
    if isinstance(value, list):
        return [_garbled(one, garble) for one in value]
    return garble(value) if isinstance(value, str) else value


def _mojibake(words: str) -> str:
    try:
        return words.encode().decode("latin-1")
    except UnicodeError:
        return words


def _huge_seed(state: State, request: Request) -> Request:
    """A seed beyond 64 bits loses its upper bits."""
    body, seen = request.fresh(), False
    for place in list(places(body, "request.seed")) if request.operation == TXT2IMG else ():
        value = value_at(place)
        if isinstance(value, int) and value >= 2**63:
            put(place, value % 2**32)
            seen = True
    return request.with_json(body) if seen else request


def _endless(state: State, request: Request, answer: Answer) -> Answer:
    """A task that never gets on."""
    task = {"task_id": request.param("task_id"), "status": "TASK_STATUS_PROCESSING", "progress_percent": 1}
    return json_answer(200, {"task": task, "images": [], "extra": {}})


def _from_half_a_file(state: State, request: Request, answer: Answer) -> bool:
    return (request.param("task_id") or "") in state.memory.get("half files", ())


def _half_file(state: State, request: Request) -> Request | Answer:
    if request.operation != IMG2IMG or not looks("request.image_base64", cut_off)(request.json):
        return request
    answer = made_up_acceptance(state)
    state.memory.setdefault("half files", set()).add(answer.task_id)
    return answer


async def _crowded(state: State, request: Request) -> Request | Answer:
    """No more than a dozen submits at a time."""
    if request.operation != TXT2IMG:
        return request
    state.memory["inside"] = state.memory.get("inside", 0) + 1
    await timing.pause(0.05)
    if state.memory["inside"] > CROWD:
        return json_answer(503, {"code": 503, "reason": "INTERNAL", "message": "busy", "metadata": {}})
    return request


def _left(state: State, request: Request, answer: Answer) -> Answer:
    if request.operation == TXT2IMG:
        state.memory["inside"] -= 1
    return answer


def _of_float(field: str) -> Any:
    """Results of tasks that gave a whole number with a point."""
    return lambda state, request, answer: (
        whole_float(asked(state.task_of(request), f"request.{field}")) and succeeded(state, request, answer)
    )


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
        also=("V2-PROGRESS-004",),
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
    _faults("steps-2-0-are-a-fault", "002", "Steps of 2.0 are a fault.", TXT2IMG, "steps", whole_float),
    _faults("image-num-2-0-is-a-fault", "002", "An image_num of 2.0 is a fault.", V3, "image_num", whole_float),
    puts(
        "seed-7-0-is-another",
        "ROBUST-002",
        "A seed of 7.0 is read as another one.",
        RESULT,
        "extra.seed",
        lambda seed: str(int(seed) + 1),
        when=_of_float("seed"),
    ),
    puts(
        "two-point-0-pictures-are-one",
        "ROBUST-002",
        "An image_num of 2.0 gives a picture less.",
        RESULT,
        "images",
        lambda images: images[:-1],
        when=_of_float("image_num"),
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
    _faults("emoji-are-a-fault", "005", "A prompt beyond the basic plane is a fault.", V3, "prompt", _beyond_basic),
    _faults("controls-are-a-fault", "005", "A prompt with control characters is a fault.", V3, "prompt", _controls),
    _faults("umlauts-are-a-fault", "005", "A prompt beyond ASCII is a fault.", V3, "prompt", _beyond_ascii),
    _echoing(
        "prompts-in-question-marks",
        "Letters beyond ASCII become question marks.",
        lambda words: words.encode("ascii", "replace").decode(),
    ),
    _echoing("prompts-in-mojibake", "UTF-8 is read as Latin-1.", _mojibake),
    _echoing(
        "prompts-end-at-nul",
        "A prompt ends at the first control character.",
        lambda words: re.split(r"[\x00-\x08]", words)[0],
    ),
    _taken("no-utf-8-is-taken", "006", "Bytes that are no UTF-8 are accepted.", _no_utf8),
    _breaks("no-utf-8-is-a-fault", "006", "Bytes that are no UTF-8 are a fault.", V3, _no_utf8, also=("ROBUST-001",)),
    _taken("nan-is-taken", "006", "NaN and Infinity are numbers.", _odd_constant),
    _breaks("nan-is-a-fault", "006", "NaN and Infinity are a fault.", V3, _odd_constant, also=("ROBUST-001",)),
    Mutant(
        name="long-seeds-lose-bits",
        breaks="ROBUST-007",
        text="A seed beyond 64 bits is cut to 32.",
        request=_huge_seed,
        ops=(TXT2IMG,),
    ),
    _faults("long-seeds-are-a-fault", "007", "A seed beyond 64 bits is a fault.", TXT2IMG, "seed", above(2**64 - 1)),
    accepts(
        "long-seeds-are-floats",
        "ROBUST-007",
        "A seed beyond 64 bits becomes the largest one.",
        TXT2IMG,
        "request.seed",
        above(2**64 - 1),
        2**32 - 1,
    ),
    accepts(
        "bombs-are-taken",
        "ROBUST-008",
        "A small file of very many pixels is accepted.",
        IMG2IMG,
        "request.image_base64",
        _bomb,
        a_picture,
    ),
    _faults("bombs-are-a-fault", "008", "A small file of very many pixels is a fault.", IMG2IMG, "image_base64", _bomb),
    Mutant(
        name="bombs-are-unfolded",
        breaks="ROBUST-008",
        text="A small file of very many pixels is refused after it was unfolded.",
        request=_unfolded,
        ops=(IMG2IMG,),
    ),
    _faults("half-files-are-a-fault", "009", "Half a picture file is a fault.", IMG2IMG, "image_base64", cut_off),
    Mutant(
        name="half-files-never-end",
        breaks="ROBUST-009",
        text="The task of half a picture file never ends.",
        request=_half_file,
        answer=lambda state, request, answer: (
            _endless(state, request, answer)
            if request.operation == RESULT and _from_half_a_file(state, request, answer)
            else answer
        ),
    ),
    _breaks(
        "odd-ids-are-a-fault", "010", "A task id that is no UUID is a fault.", RESULT, _no_uuid, also=("ROBUST-001",)
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
        text="More than a dozen submits at once are answered with 503.",
        request=_crowded,
        answer=_left,
        ops=(TXT2IMG,),
    ),
)
