"""Detection of unsafe pictures on v3."""

from __future__ import annotations

from typing import Any

from conformance.bodies import RESULT
from conformance.mutants.making import ABSENT, V3, answers, asked, both, places, put, puts, succeeded
from conformance.mutants.values import Answer, Mutant, Request, State


def _detects(state: State, request: Request, answer: Answer) -> bool:
    return asked(state.task_of(request), "extra.enable_nsfw_detection") is True


def _not_detecting(state: State, request: Request, answer: Answer) -> bool:
    return not _detects(state, request, answer)


def _nsfw(name: str, number: str, text: str, path: str, value: Any, when: Any = _detects, **more: Any) -> Mutant:
    return puts(name, f"V3-NSFW-{number}", text, RESULT, path, value, when=both(when, succeeded), **more)


def _upside_down(state: State, request: Request, answer: Answer) -> Answer:
    level = asked(state.task_of(request), "extra.nsfw_detection_level", 0)
    body = answer.fresh()
    for place in list(places(body, "images[].nsfw_detection_result.confidence")):
        put(place, 50.0 - 10 * level)
    return answer.with_json(body)


def _level_2_by_default(state: State, request: Request) -> Request:
    body = request.fresh()
    extra = body.get("extra") if isinstance(body, dict) else None
    if request.operation not in V3 or not isinstance(extra, dict) or "nsfw_detection_level" in extra:
        return request
    if extra.get("enable_nsfw_detection") is not True:
        return request
    extra["nsfw_detection_level"] = 2
    return request.with_json(body)


_CONFIDENCE = "images[].nsfw_detection_result.confidence"
_VALID = "images[].nsfw_detection_result.valid"
_FOUND = "images[].nsfw_detection_result"

MUTANTS = (
    _nsfw("detection-without-result", "001", "Detection leaves no result.", _FOUND, None),
    _nsfw("detection-without-confidence", "001", "A detection has no confidence.", _CONFIDENCE, ABSENT),
    answers(
        "detection-of-the-first",
        "V3-NSFW-001",
        "Only the first picture is judged.",
        RESULT,
        lambda state, request, answer: answer.with_json(
            {
                **answer.json,
                "images": [
                    entry if index == 0 else {**entry, "nsfw_detection_result": None}
                    for index, entry in enumerate(answer.json["images"])
                ],
            }
        ),
        when=both(_detects, succeeded),
    ),
    _nsfw(
        "detection-unasked",
        "002",
        "Pictures are judged unasked.",
        "images[].nsfw_detection_result",
        {"valid": True, "confidence": 12.5},
        _not_detecting,
        add=True,
    ),
    _nsfw("valid-is-text", "003", "valid is text.", _VALID, "true"),
    _nsfw("confidence-is-text", "003", "confidence is text.", _CONFIDENCE, str),
    _nsfw(
        "confidence-beyond-100",
        "003",
        "confidence is told in thousandths.",
        _CONFIDENCE,
        lambda old: 100.5 + old,
        also=(),
    ),
    _nsfw(
        "detection-denied",
        "004",
        "A result says that nothing was asked for.",
        "extra.enable_nsfw_detection",
        False,
        add=True,
    ),
    _nsfw(
        "detection-claimed",
        "004",
        "A result says that detection was asked for.",
        "extra.enable_nsfw_detection",
        True,
        _not_detecting,
        add=True,
    ),
    answers(
        "confidence-falls",
        "V3-NSFW-007",
        "A higher level finds less.",
        RESULT,
        _upside_down,
        when=both(_detects, succeeded),
    ),
    Mutant(
        name="level-2-by-default",
        breaks="V3-NSFW-008",
        text="Without a level the level is 2.",
        request=_level_2_by_default,
    ),
)
