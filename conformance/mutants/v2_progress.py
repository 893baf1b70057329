"""The answer of GET /v2/progress."""

from __future__ import annotations

import base64
import io
from functools import cache
from typing import Any

from conformance.bodies import IMG2IMG_V2, PROGRESS, picture
from conformance.mutants.making import ABSENT, answers, asked, both, made_by, puts, succeeded, unfinished
from conformance.mutants.v2_making import code_of, coded, has_code
from conformance.mutants.values import Answer, Mutant, Request, State, json_answer


def _id(request: Request) -> str:
    return request.param("task_id") or ""


def shows_task(state: State, request: Request, answer: Answer) -> bool:
    """Whether an answer shows a task."""
    return code_of(answer) == 0 and isinstance(answer.json.get("data"), dict)


def _no_id(state: State, request: Request, answer: Answer) -> bool:
    return request.param("task_id") is None


def on_progress(
    name: str, number: str, text: str, path: str, value: Any, when: Any = shows_task, **more: Any
) -> Mutant:
    """Changes a value below `data` where a task is shown."""
    return puts(
        name, f"V2-PROGRESS-{number}", text, PROGRESS, f"data.{path}", value, when=both(shows_task, when), **more
    )


def on_call(name: str, number: str, text: str, change: Any, when: Any = shows_task, **more: Any) -> Mutant:
    """Changes answers, by default those that show a task."""
    return answers(name, f"V2-PROGRESS-{number}", text, PROGRESS, change, when=when, **more)


def with_data(answer: Answer, **change: Any) -> Answer:
    """With other members of `data`."""
    return answer.with_json({**answer.json, "data": {**answer.json["data"], **change}})


def _under_way(answer: Answer) -> Answer:
    return with_data(answer, status=1, progress=1.0, imgs=None, nsfw_detection_result=None, finish_time="")


_WORDS = ("TASK_STATUS_QUEUED", "TASK_STATUS_PROCESSING", "TASK_STATUS_SUCCEED", "TASK_STATUS_FAILED", "TIMEOUT")


def _word(status: Any) -> Any:
    return _WORDS[status] if type(status) is int and 0 <= status < 5 else status


def _goes_back(state: State, request: Request, answer: Answer) -> Answer:
    """Running is followed by initialising."""
    seen = state.count(f"going {_id(request)}")
    if seen > 3:
        return answer
    return _under_way(answer) if seen != 2 else with_data(_under_way(answer), status=0)


def _wakes_up(state: State, request: Request, answer: Answer) -> Answer:
    return _under_way(answer) if state.count(f"ended {_id(request)}") == 2 else answer


def _fails_later(state: State, request: Request, answer: Answer) -> Answer:
    if state.count(f"ended {_id(request)}") < 2:
        return answer
    return with_data(answer, status=3, imgs=None, failed_reason="expired", nsfw_detection_result=None)


def _sinks(state: State, request: Request, answer: Answer) -> Answer:
    return with_data(answer, progress=max(0.0, 0.95 - 0.05 * state.count(f"progress {_id(request)}")))


def _one_batch(state: State, request: Request, answer: Answer) -> Answer:
    """Only the first run's pictures."""
    size = asked(state.task_of(request), "batch_size", 1)
    cut = {
        key: found[:size]
        for key in ("imgs", "nsfw_detection_result")
        if isinstance(found := answer.json["data"].get(key), list)
    }
    return with_data(answer, **cut)


def _one_less(state: State, request: Request, answer: Answer) -> Answer:
    imgs = answer.json["data"].get("imgs") or []
    found = answer.json["data"].get("nsfw_detection_result")
    if len(imgs) < 2:
        return answer
    fewer = {"nsfw_detection_result": found[:-1]} if isinstance(found, list) else {}
    return with_data(answer, imgs=imgs[:-1], **fewer)


def _no_previews(state: State, request: Request, answer: Answer) -> bool:
    return asked(state.task_of(request), "extra.enable_progress_info") is False


def _previews(state: State, request: Request, answer: Answer) -> bool:
    return asked(state.task_of(request), "extra.enable_progress_info") is True


@cache
def _jpeg() -> str:
    from PIL import Image

    held = io.BytesIO()
    Image.new("RGB", (16, 16), (90, 120, 40)).save(held, "JPEG")
    return base64.b64encode(held.getvalue()).decode()


async def _shown_to_all(state: State, request: Request, answer: Answer) -> Answer:
    task = state.task_of(request)
    if task is None or code_of(answer) != 3:
        return answer
    return await state.upstream(request.with_header("authorization", task.sent.headers["authorization"]))


async def _status_to_all(state: State, request: Request, answer: Answer) -> Answer:
    found = await _shown_to_all(state, request, answer)
    return answer if found is answer else with_data(found, imgs=None, nsfw_detection_result=None)


MUTANTS = (
    on_call(
        "v2-progress-is-a-list",
        "001",
        "data is a list, for there may be several ids.",
        lambda state, request, answer: answer.with_json({**answer.json, "data": [answer.json["data"]]}),
    ),
    on_call(
        "v2-progress-code-is-text",
        "001",
        "The code 0 of progress is text.",
        lambda state, request, answer: answer.with_json({**answer.json, "code": "0"}),
        also=("V2-CODE-001",),
    ),
    on_call(
        "v2-progress-is-flat",
        "001",
        "The members of data stand beside code.",
        lambda state, request, answer: answer.with_json({"code": 0, "msg": "", **answer.json["data"]}),
    ),
    on_call(
        "v2-img2img-has-no-progress",
        "001",
        "Tasks of image to image are not found.",
        lambda state, request, answer: coded(3),
        when=both(shows_task, made_by(IMG2IMG_V2)),
    ),
    on_call(
        "v2-no-id-is-fine",
        "002",
        "Without task_id data is an empty object, the code 0.",
        lambda *_: json_answer(200, {"code": 0, "msg": "", "data": {}}),
        when=_no_id,
        also=("V2-PROGRESS-003",),
    ),
    on_call(
        "v2-no-id-is-initialising",
        "002",
        "Without task_id some task waits.",
        lambda *_: json_answer(200, {"code": 0, "msg": "", "data": {"status": 0, "progress": 0, "imgs": None}}),
        when=_no_id,
    ),
    on_progress("v2-status-is-a-word", "003", "status is a word.", "status", _word),
    on_progress("v2-status-is-text", "003", "status is text.", "status", str),
    on_progress("v2-success-is-5", "003", "The status of success is 5.", "status", 5, succeeded),
    on_progress("v2-waiting-is-minus-1", "003", "The status of what waits is -1.", "status", -1, unfinished),
    on_progress("v2-status-is-absent", "003", "There is no status while a task waits.", "status", ABSENT, unfinished),
    on_call(
        "v2-tasks-never-end", "004", "Tasks run for ever.", lambda state, request, answer: _under_way(answer), succeeded
    ),
    on_call(
        "v2-tasks-fail",
        "004",
        "Every task fails.",
        lambda state, request, answer: with_data(
            answer, status=3, imgs=None, failed_reason="out of memory", nsfw_detection_result=None
        ),
        succeeded,
    ),
    on_call(
        "v2-tasks-time-out",
        "004",
        "Tasks of image to image time out.",
        lambda state, request, answer: with_data(
            answer, status=4, imgs=None, failed_reason="too long", nsfw_detection_result=None
        ),
        both(succeeded, made_by(IMG2IMG_V2)),
    ),
    on_call("v2-tasks-go-back", "005", "A running task is initialising again.", _goes_back, succeeded),
    on_call("v2-finished-tasks-wake-up", "005", "A finished task runs again at the next call.", _wakes_up, succeeded),
    on_call(
        "v2-finished-tasks-fail", "005", "A task that ended well has failed at the next call.", _fails_later, succeeded
    ),
    on_progress("v2-progress-in-percent", "006", "progress is told in percent.", "progress", lambda old: old * 100),
    on_progress("v2-progress-is-text", "006", "progress is text.", "progress", str),
    on_progress("v2-progress-below-0", "006", "progress of what waits is -1.", "progress", -1, unfinished, add=True),
    on_call("v2-progress-sinks", "006", "progress counts down.", _sinks, unfinished),
    on_progress(
        "v2-eta-below-0", "006", "eta_relative of a finished task is -1.", "eta_relative", -1, succeeded, add=True
    ),
    on_progress("v2-eta-is-text", "006", "eta_relative is text.", "eta_relative", str),
    on_progress("v2-eta-is-null", "006", "eta_relative is null.", "eta_relative", None, add=True),
    on_call("v2-one-run-of-pictures", "007", "Only the first run's pictures are shown.", _one_batch, succeeded),
    on_call("v2-one-picture-less", "007", "The last of several pictures is missing.", _one_less, succeeded),
    on_progress(
        "v2-imgs-are-objects",
        "007",
        "imgs holds objects.",
        "imgs[]",
        lambda link: {"image_url": link},
        succeeded,
    ),
    on_progress("v2-imgs-are-relative", "007", "Links are relative.", "imgs[]", lambda url: "/" + url.split("/", 3)[3]),
    on_progress("v2-imgs-is-a-link", "007", "imgs is a link.", "imgs", lambda imgs: (imgs or [None])[0], succeeded),
    on_progress("v2-imgs-are-files", "007", "imgs holds base64.", "imgs[]", picture(), succeeded),
    on_progress(
        "v2-pictures-too-early",
        "008",
        "imgs holds the link before there is a picture.",
        "imgs",
        ["https://pictures.example/soon.png"],
        unfinished,
        add=True,
    ),
    on_progress(
        "v2-imgs-of-empty-text", "008", "imgs holds an empty string at first.", "imgs", [""], unfinished, add=True
    ),
    on_progress(
        "v2-previews-unwanted",
        "009",
        "Previews come unasked.",
        "current_images",
        lambda old: [_jpeg()],
        _no_previews,
        add=True,
    ),
    on_progress(
        "v2-previews-unwanted-at-the-end",
        "009",
        "The last preview is shown though switched off.",
        "current_images",
        lambda old: [_jpeg()],
        both(_no_previews, succeeded),
        add=True,
    ),
    on_progress(
        "v2-previews-twice-empty",
        "009",
        "Without previews there are two empty strings.",
        "current_images",
        ["", ""],
        _no_previews,
        add=True,
    ),
    on_progress(
        "v2-previews-are-png",
        "010",
        "Previews are png.",
        "current_images",
        lambda old: [picture()],
        _previews,
        add=True,
    ),
    on_progress(
        "v2-previews-are-data-uris",
        "010",
        "Previews are data URIs.",
        "current_images",
        lambda old: ["data:image/jpeg;base64," + _jpeg()],
        _previews,
        add=True,
    ),
    on_progress(
        "v2-previews-are-links",
        "010",
        "Previews are links.",
        "current_images",
        ["https://previews.example/1.jpeg"],
        _previews,
        add=True,
    ),
    on_call(
        "v2-tasks-shown-to-all", "016", "Whoever has a key and an id sees a task.", _shown_to_all, when=has_code(3)
    ),
    on_call("v2-status-shown-to-all", "016", "Another account sees how a task goes.", _status_to_all, when=has_code(3)),
)
