"""The answer of GET /v2/progress: times, what is told in words, detection."""

from __future__ import annotations

from typing import Any

from conformance.mutants.making import ABSENT, asked, both, succeeded, unfinished
from conformance.mutants.v2_progress import on_call, on_progress, with_data
from conformance.mutants.values import Answer, Request, State


def _detects(state: State, request: Request, answer: Answer) -> bool:
    return asked(state.task_of(request), "extra.enable_nsfw_detection") is True


def _not_detecting(state: State, request: Request, answer: Answer) -> bool:
    return state.task_of(request) is not None and not _detects(state, request, answer)


def _only_level(state: State, request: Request, answer: Answer) -> bool:
    task = state.task_of(request)
    return _not_detecting(state, request, answer) and asked(task, "extra.nsfw_detection_level") is not None


def _times(change: Any) -> Any:
    """Changes the four times."""

    def changed(state: State, request: Request, answer: Answer) -> Answer:
        keys = ("submit_time", "execution_time", "txt2img_time", "finish_time")
        data = answer.json["data"]
        return with_data(answer, **{key: change(data[key]) for key in keys if data.get(key)})

    return changed


def _swapped(first: str, second: str) -> Any:
    """Two times change places, a second apart."""

    def changed(state: State, request: Request, answer: Answer) -> Answer:
        data = answer.json["data"]
        if not data.get(first) or not data.get(second):
            return answer
        return with_data(answer, **{first: "2099-01-01 00:00:00"})

    return changed


def _entry(change: Any) -> Any:
    return lambda found: [change(one) for one in found] if isinstance(found, list) else found


def _drop(key: str) -> Any:
    return _entry(lambda one: {name: value for name, value in one.items() if name != key})


MUTANTS = (
    on_call(
        "v2-times-with-t",
        "011",
        "Times are written as ISO 8601.",
        _times(lambda old: old.replace(" ", "T") + "Z"),
    ),
    on_call("v2-times-with-slashes", "011", "Dates have slashes.", _times(lambda old: old.replace("-", "/"))),
    on_progress("v2-times-are-null", "011", "finish_time is null at first.", "finish_time", None, unfinished, add=True),
    on_progress("v2-times-are-numbers", "011", "submit_time is a number.", "submit_time", 1700000000, add=True),
    on_call(
        "v2-submitted-at-last", "011", "A task is submitted after it ended.", _swapped("submit_time", "finish_time")
    ),
    on_call(
        "v2-drawn-after-the-end",
        "011",
        "txt2img_time lies after the end.",
        _swapped("txt2img_time", "finish_time"),
    ),
    on_progress("v2-reason-is-null", "012", "failed_reason is null.", "failed_reason", None, add=True),
    on_progress(
        "v2-success-has-a-reason", "012", "Success has a reason.", "failed_reason", "done", succeeded, add=True
    ),
    on_progress("v2-info-is-an-object", "012", "info is an object.", "info", {}, add=True),
    on_progress("v2-info-is-null", "012", "info is null at first.", "info", None, unfinished, add=True),
    on_progress(
        "v2-detection-denied", "012", "Detection is said to be off.", "enable_nsfw_detection", False, _detects, add=True
    ),
    on_progress(
        "v2-detection-claimed",
        "012",
        "Detection is said to be on.",
        "enable_nsfw_detection",
        True,
        _not_detecting,
        add=True,
    ),
    on_progress("v2-detection-in-digits", "012", "Detection is told as 0 or 1.", "enable_nsfw_detection", int),
    on_progress(
        "v2-detects-nothing",
        "013",
        "Detection leaves no result.",
        "nsfw_detection_result",
        None,
        both(_detects, succeeded),
    ),
    on_progress(
        "v2-detects-the-first",
        "013",
        "Only the first picture is judged.",
        "nsfw_detection_result",
        lambda old: old[:1] if old else old,
        both(_detects, succeeded),
    ),
    on_progress(
        "v2-detection-without-confidence",
        "013",
        "There is no confidence.",
        "nsfw_detection_result",
        _drop("confidence"),
        _detects,
    ),
    on_progress(
        "v2-detection-without-valid", "013", "There is no valid.", "nsfw_detection_result", _drop("valid"), _detects
    ),
    on_progress(
        "v2-confidence-is-text",
        "013",
        "confidence is text.",
        "nsfw_detection_result[].confidence",
        str,
        _detects,
    ),
    on_progress(
        "v2-detection-is-an-object",
        "013",
        "nsfw_detection_result is the first object.",
        "nsfw_detection_result",
        lambda old: old[0] if old else old,
        _detects,
    ),
    on_progress(
        "v2-detects-unasked",
        "014",
        "Pictures are judged unasked.",
        "nsfw_detection_result",
        [{"valid": True, "confidence": 1.5}],
        both(_not_detecting, succeeded),
        add=True,
    ),
    on_progress(
        "v2-level-switches-on",
        "014",
        "A level alone switches detection on.",
        "nsfw_detection_result",
        [{"valid": True, "confidence": 1.5}],
        both(_only_level, succeeded),
        add=True,
    ),
    on_progress("v2-debug-times-are-text", "015", "submit_time_ms is text.", "debug_info.submit_time_ms", str),
    on_progress("v2-debug-ends-untold", "015", "finish_time_ms is missing.", "debug_info.finish_time_ms", ABSENT),
    on_progress(
        "v2-debug-in-seconds",
        "015",
        "Times have fractions.",
        "debug_info.execution_time_ms",
        lambda old: old / 1000 + 0.5,
    ),
)
