"""The answer of GET /v3/async/task-result."""

from __future__ import annotations

from typing import Any

from conformance.bodies import IMG2IMG, RESULT, TXT2IMG
from conformance.mutants.making import (
    ABSENT,
    answers,
    both,
    fault,
    made_by,
    places,
    puts,
    statuses,
    succeeded,
    unfinished,
    value_at,
)
from conformance.mutants.values import Answer, Mutant, OnAnswer, Request, State, json_answer, refusal


def _of(status: int) -> Any:
    return lambda state, request, answer: answer.status == status


def _no_id(state: State, request: Request, answer: Answer) -> bool:
    return request.param("task_id") is None


def _unknown_id(state: State, request: Request, answer: Answer) -> bool:
    return answer.status == 404 and bool(request.param("task_id"))


def _moved(old: str, new: str, value: Any = None) -> OnAnswer:
    """A key of the top level under another name, or with another value."""

    def change(state: State, request: Request, answer: Answer) -> Answer:
        body = answer.fresh()
        body[new] = body.pop(old) if value is None else value
        return answer.with_json(body)

    return change


def _result(name: str, number: str, text: str, path: str, value: Any, **more: Any) -> Mutant:
    return puts(name, f"V3-RESULT-{number}", text, RESULT, path, value, **more)


def _any(name: str, number: str, text: str, change: OnAnswer, **more: Any) -> Mutant:
    return answers(name, f"V3-RESULT-{number}", text, RESULT, change, **more)


def _untyped_refused(state: State, request: Request, answer: Answer) -> Answer:
    """Where nothing else is wrong."""
    bare = request.operation == RESULT and "content-type" not in request.headers and answer.status == 200
    return refusal(RESULT, status=415) if bare else answer


def _flat(state: State, request: Request, answer: Answer) -> Answer:
    body = answer.fresh()
    return answer.with_json({**body.pop("task"), **body})


def _plus_one(seed: Any) -> Any:
    return str(int(seed) + 1) if str(seed).isdigit() else seed


def _given_seed(state: State, request: Request, answer: Answer) -> bool:
    task = state.task_of(request)
    return task is not None and (_asked_seed(task.sent.json) or 0) >= 0 and _asked_seed(task.sent.json) is not None


def _asked_seed(body: Any) -> int | None:
    found = [value_at(place) for place in places(body, "request.seed")]
    return found[0] if found and isinstance(found[0], int) else None


def _zero_seed(state: State, request: Request, answer: Answer) -> bool:
    task = state.task_of(request)
    return task is not None and _asked_seed(task.sent.json) == 0


def _as_float(seed: Any) -> Any:
    return str(round(int(seed) / 1024) * 1024) if str(seed).isdigit() else seed


def _same_draw(seed: int) -> Any:
    """Every task without a seed of its own draws the same one."""

    def request(state: State, request: Request) -> Request:
        body = request.fresh()
        if request.operation not in (TXT2IMG, IMG2IMG) or not isinstance(body, dict):
            return request
        inner = body.get("request")
        if not isinstance(inner, dict) or inner.get("seed", -1) != -1:
            return request
        inner["seed"] = seed
        return request.with_json(body)

    return request


def _absent_only(state: State, request: Request) -> Request:
    changed: Request = _same_draw(0)(state, request)
    asked = request.json.get("request") if isinstance(request.json, dict) else None
    return request if isinstance(asked, dict) and "seed" in asked else changed


def _one_less(images: Any) -> Any:
    return images[:-1] if isinstance(images, list) else images


def _one_more(images: Any) -> Any:
    return [*images, images[-1]] if isinstance(images, list) and images else images


_VIDEO = {"video_url": "https://videos.example/1.mp4", "video_url_ttl": "3600", "video_type": "mp4"}
_AUDIO = {"audio_url": "https://sounds.example/1.mp3", "audio_url_ttl": "3600", "audio_type": "mp3"}

MUTANTS = (
    statuses(
        "results-not-ready", "V3-RESULT-001", "An unfinished task has status 202.", RESULT, 200, 202, when=unfinished
    ),
    statuses(
        "results-created",
        "V3-RESULT-001",
        "A finished task is answered with status 201.",
        RESULT,
        200,
        201,
        when=succeeded,
    ),
    _any(
        "results-are-lists",
        "001",
        "A result is a list of one.",
        lambda state, request, answer: answer.with_json([answer.json]),
        when=_of(200),
    ),
    _any(
        "no-id-is-a-fault",
        "002",
        "A result call without task_id is a fault.",
        lambda *_: fault(),
        when=_no_id,
        also=("ROBUST-001",),
    ),
    _any(
        "no-id-is-nothing",
        "002",
        "A result call without task_id gets an empty object.",
        lambda *_: json_answer(200, {}),
        when=_no_id,
    ),
    statuses("unknown-id-is-bad", "V3-RESULT-003", "An unknown id has status 400.", RESULT, 404, 400, when=_unknown_id),
    _any(
        "unknown-id-is-queued",
        "003",
        "An unknown id is a task in the queue.",
        lambda state, request, answer: json_answer(
            200, {"task": {"task_id": request.param("task_id"), "status": "TASK_STATUS_QUEUED"}, "images": []}
        ),
        when=_unknown_id,
    ),
    _any("unknown-id-is-a-fault", "003", "An unknown id is a fault.", lambda *_: fault(), when=_unknown_id),
    Mutant(
        name="results-need-a-media-type",
        breaks="V3-RESULT-004",
        text="A result call without Content-Type is refused.",
        answer=_untyped_refused,
    ),
    _any("results-are-flat", "005", "The members of task stand at the top level.", _flat, when=_of(200)),
    _result("results-without-id", "005", "task has no task_id.", "task.task_id", ABSENT),
    _result(
        "finished-without-id", "005", "task of a finished task has no task_id.", "task.task_id", ABSENT, when=succeeded
    ),
    _result(
        "task-id-in-capitals",
        "006",
        "task.task_id is in other letters than asked for.",
        "task.task_id",
        str.upper,
        also=("WEBHOOK-006",),
    ),
    _result(
        "task-id-of-another",
        "006",
        "task.task_id is not the one asked for.",
        "task.task_id",
        lambda old: "00000000-0000-4000-8000-000000000000",
    ),
    _result(
        "success-has-another-word",
        "007",
        "A task that succeeded is TASK_STATUS_SUCCEEDED.",
        "task.status",
        lambda word: "TASK_STATUS_SUCCEEDED" if word == "TASK_STATUS_SUCCEED" else word,
    ),
    _result("status-in-small-letters", "007", "The words of status are in small letters.", "task.status", str.lower),
    _result(
        "task-type-of-img2img",
        "008",
        "A text-to-image task is one of image to image.",
        "task.task_type",
        "IMG_TO_IMG",
        when=made_by(TXT2IMG),
    ),
    _result(
        "task-type-in-small-letters",
        "008",
        "The type of a text-to-image task is txt2img.",
        "task.task_type",
        "txt2img",
        when=made_by(TXT2IMG),
    ),
    _result("reason-is-null", "009", "task.reason is null.", "task.reason", None, add=True),
    _result(
        "reason-of-success",
        "009",
        "A task that succeeded has a reason.",
        "task.reason",
        "done",
        add=True,
        when=succeeded,
    ),
    _result(
        "reason-of-waiting",
        "009",
        "A task that waits has a reason.",
        "task.reason",
        "waiting",
        add=True,
        when=unfinished,
    ),
    _result("eta-below-0", "010", "task.eta of a finished task is -1.", "task.eta", -1, add=True),
    _result("eta-is-text", "010", "task.eta is text.", "task.eta", "0", add=True),
    _result(
        "progress-beyond-100",
        "010",
        "Progress is told in thousandths.",
        "task.progress_percent",
        1000,
        add=True,
        when=succeeded,
    ),
    _result("progress-is-text", "010", "Progress is text with a sign.", "task.progress_percent", "100%", add=True),
    _result(
        "progress-ends-at-99",
        "011",
        "Progress of a task that succeeded is 99.",
        "task.progress_percent",
        99,
        add=True,
        when=succeeded,
    ),
    _any(
        "pictures-in-imgs",
        "012",
        "The pictures stand in imgs.",
        _moved("images", "imgs"),
        when=both(_of(200), succeeded),
    ),
    _result(
        "images-null-at-first",
        "012",
        "images is null until the task has ended.",
        "images",
        None,
        add=True,
        when=unfinished,
    ),
    _result("videos-null", "012", "videos is null.", "videos", None, add=True),
    _result("audios-null", "012", "audios of a finished task is null.", "audios", None, add=True, when=succeeded),
    _result(
        "one-picture-less",
        "013",
        "The last of several pictures is missing.",
        "images",
        lambda images: _one_less(images) if len(images or ()) > 1 else images,
        when=succeeded,
    ),
    _result(
        "one-picture-more",
        "013",
        "The last picture stands there twice.",
        "images",
        _one_more,
        when=succeeded,
        also=("V3-IMAGE-006",),
    ),
    _result(
        "links-without-host", "014", "Links are relative.", "images[].image_url", lambda url: "/" + url.split("/", 3)[3]
    ),
    _result(
        "links-without-scheme",
        "014",
        "Links begin with two slashes.",
        "images[].image_url",
        lambda url: url.split(":", 1)[1],
    ),
    _result("links-are-null", "014", "Links are null.", "images[].image_url", None),
    _result("ttl-below-0", "015", "image_url_ttl is -1.", "images[].image_url_ttl", -1),
    _result("ttl-in-words", "015", "image_url_ttl has a unit.", "images[].image_url_ttl", lambda ttl: f"{ttl}s"),
    _result("ttl-null", "015", "image_url_ttl is null.", "images[].image_url_ttl", None),
    _result("ttl-absent", "015", "image_url_ttl is absent.", "images[].image_url_ttl", ABSENT),
    _result("type-in-capitals", "016", "image_type is in capitals.", "images[].image_type", str.upper),
    _result(
        "jpeg-is-jpg",
        "016",
        "image_type of a jpeg is jpg.",
        "images[].image_type",
        lambda kind: "jpg" if kind == "jpeg" else kind,
    ),
    _result("type-absent", "016", "image_type is absent.", "images[].image_type", ABSENT),
    _result(
        "finished-without-extra",
        "017",
        "A finished task has no extra.",
        "extra",
        ABSENT,
        when=succeeded,
        also=("V3-RESULT-019",),
    ),
    _result(
        "extra-null-at-first",
        "017",
        "extra is null until the task has ended.",
        "extra",
        None,
        add=True,
        when=unfinished,
    ),
    _result(
        "seed-in-hex",
        "018",
        "extra.seed is hexadecimal.",
        "extra.seed",
        lambda seed: hex(int(seed)),
        also=("V3-RESULT-019",),
    ),
    _result(
        "seed-is-minus-1",
        "018",
        "extra.seed of an unfinished task is -1.",
        "extra.seed",
        "-1",
        add=True,
        when=unfinished,
    ),
    _result("seed-null", "018", "extra.seed is null.", "extra.seed", None),
    _result(
        "seed-one-off", "019", "A given seed is reported with one added.", "extra.seed", _plus_one, when=_given_seed
    ),
    _result(
        "seed-rounded", "019", "A given seed is reported in steps of 1024.", "extra.seed", _as_float, when=_given_seed
    ),
    _result(
        "seed-0-is-random", "019", "A seed of 0 is reported as another one.", "extra.seed", "1802", when=_zero_seed
    ),
    Mutant(
        name="one-draw-for-all",
        breaks="V3-RESULT-020",
        text="Every task without a seed gets the seed 42.",
        request=_same_draw(42),
    ),
    Mutant(name="no-seed-is-0", breaks="V3-RESULT-020", text="Without seed the seed is 0.", request=_absent_only),
    _any(
        "videos-of-pictures",
        "025",
        "A picture task has a video.",
        _moved("videos", "videos", [_VIDEO]),
        when=both(_of(200), succeeded),
    ),
    _any(
        "audios-of-pictures",
        "025",
        "A picture task has a sound.",
        _moved("audios", "audios", [_AUDIO]),
        when=both(_of(200), succeeded),
    ),
)
