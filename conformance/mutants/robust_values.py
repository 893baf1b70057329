"""Servers that break, hang or garble when a value is strange."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from conformance import timing
from conformance.bodies import IMG2IMG, RESULT, TXT2IMG
from conformance.mutants.making import (
    V3,
    accepts,
    asked,
    breaks_on,
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

BOMB_BYTES = 2 * MEGABYTE
SLOW_S = 11.0


_COUNTED = "V3-TXT2IMG-010"
"""The longest prompt of such letters is not accepted then either."""


def _faults(name: str, number: str, words: str, ops: Any, path: str, bad: Any, *also: str) -> Mutant:
    made = breaks_on(name, f"ROBUST-{number}", words, ops, f"request.{path}", bad)
    return replace(made, also=(*made.also, *also))


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


def _of_float(field: str) -> Any:
    """Results of tasks that gave a whole number with a point."""
    return lambda state, request, answer: (
        whole_float(asked(state.task_of(request), f"request.{field}")) and succeeded(state, request, answer)
    )


MUTANTS = (
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
    _faults(
        "emoji-are-a-fault", "005", "A prompt beyond the basic plane is a fault.", V3, "prompt", _beyond_basic, _COUNTED
    ),
    _faults("controls-are-a-fault", "005", "A prompt with control characters is a fault.", V3, "prompt", _controls),
    _faults("umlauts-are-a-fault", "005", "A prompt beyond ASCII is a fault.", V3, "prompt", _beyond_ascii, _COUNTED),
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
)
