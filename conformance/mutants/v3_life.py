"""The life of a task on v3."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from conformance.bodies import RESULT, TXT2IMG
from conformance.mutants.making import answers, both, found_at, puts, succeeded, unfinished
from conformance.mutants.values import Answer, Link, Mutant, OnAnswer, Request, State, json_answer

LOST_AFTER_S = 1800.0


def _id(request: Request) -> str:
    return request.param("task_id") or ""


def _found(state: State, request: Request, answer: Answer) -> bool:
    return answer.status == 200 and isinstance(answer.json, dict)


def _not_found() -> Answer:
    return json_answer(404, {"code": 404, "reason": "TASK_NOT_FOUND", "message": "no such task", "metadata": {}})


def _first_call(state: State, request: Request, answer: Answer) -> bool:
    return _found(state, request, answer) and state.count(f"asked {_id(request)}") == 1


def _with_task(**change: Any) -> Callable[[State, Request, Answer], Answer]:
    def changed(state: State, request: Request, answer: Answer) -> Answer:
        body = answer.fresh()
        body["task"] |= change
        if change.get("status", "TASK_STATUS_SUCCEED") != "TASK_STATUS_SUCCEED":
            body["images"] = []
            body["task"].pop("progress_percent", None)  # how far it says to be is another requirement's matter
            body["task"].pop("eta", None)
        return answer.with_json(body)

    return changed


def _ends_by_asking(state: State, request: Request, answer: Answer) -> Answer:
    """A finished task is shown as such only to whoever asks for the third time."""
    if state.count(f"ended {_id(request)}") > 2:
        return answer
    return _with_task(status="TASK_STATUS_PROCESSING")(state, request, answer)


def _back(state: State, request: Request, answer: Answer) -> Answer:
    """A task that was seen before its end is seen at work, in the queue, and at work again."""
    if answer.status_word != "TASK_STATUS_SUCCEED":
        state.count(f"waiting {_id(request)}")
        return answer
    seen = state.count(f"ended {_id(request)}")
    if f"waiting {_id(request)}" not in state.memory or seen > 3:
        return answer
    word = ("TASK_STATUS_PROCESSING", "TASK_STATUS_QUEUED", "TASK_STATUS_PROCESSING")[seen - 1]
    return _with_task(status=word)(state, request, answer)


def _wakes_up(state: State, request: Request, answer: Answer) -> Answer:
    """A task that has ended is under way again when it is asked for once more."""
    if state.count(f"ended {_id(request)}") != 2:
        return answer
    return _with_task(status="TASK_STATUS_PROCESSING")(state, request, answer)


def _later(change: OnAnswer) -> OnAnswer:
    """Only from the second answer with the end on."""

    def changed(state: State, request: Request, answer: Answer) -> Any:
        return change(state, request, answer) if state.count(f"ended {_id(request)}") > 1 else answer

    return changed


def _other_seed(state: State, request: Request, answer: Answer) -> Answer:
    body = answer.fresh()
    body["extra"]["seed"] = "7"
    return answer.with_json(body)


def _other_images(change: Any) -> OnAnswer:
    def changed(state: State, request: Request, answer: Answer) -> Answer:
        body = answer.fresh()
        body["images"] = change(body["images"])
        return answer.with_json(body)

    return changed


def _sinking(state: State, request: Request, answer: Answer) -> Answer:
    """Progress counts down."""
    left = max(0, 95 - 5 * state.count(f"progress {_id(request)}"))
    return _with_task(progress_percent=left)(state, request, answer)


def _early_pictures(state: State, request: Request, answer: Answer) -> Answer:
    body = answer.fresh()
    body["images"] = [{"image_url": "https://pictures.example/soon.png", "image_url_ttl": "3600", "image_type": "png"}]
    body["task"]["status"] = "TASK_STATUS_QUEUED"
    return answer.with_json(body)


def _drawn_anew(state: State, link: Link, request: Request, answer: Answer) -> Answer:
    """A link of a later result gives the picture with one byte of a comment more: like, not the same file."""
    known = state.memory.setdefault("first links", {})
    first = known.setdefault((link.task_id, link.index), link.url)
    if state.count(f"fetched {link.task_id} {link.index}") == 1 or answer.status != 200:
        return answer
    return answer.with_body(answer.body + b"\0" * (1 if first else 0))


def _lost(state: State, request: Request, answer: Answer) -> Answer:
    ended_s = state.memory.setdefault(f"ended {_id(request)}", state.now_s())
    return _not_found() if state.now_s() - ended_s > LOST_AFTER_S else answer


def _own_size(request: Request) -> tuple[Any, ...] | None:
    """What tells neighbours apart: seed and size, of a submit that gives a seed and wants no events."""
    seed = request.operation == TXT2IMG and found_at(request.json, "request.seed")
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        return None
    if found_at(request.json, "extra.webhook") is not None:
        return None
    inner = request.json["request"]
    return seed, inner.get("width"), inner.get("height")


def _meets(state: State, request: Request) -> Request:
    """Notes which submits are under way at once."""
    own = _own_size(request)
    flying: dict[Any, Any] = state.memory.setdefault("flying", {})
    if own is not None:
        met = next((other for other in flying if other[0] != own[0] and other[1:] != own[1:]), None)
        state.memory["met", own] = met
        flying[own] = request
    return request


async def _swaps_pictures(state: State, request: Request, answer: Answer) -> Answer:
    """A task shows the pictures of another one, of other seed and size, whose submit ran at the same time."""
    if request.operation == TXT2IMG:
        state.memory.setdefault("flying", {}).pop(_own_size(request), None)
        return answer
    task = state.task_of(request)
    if request.operation != RESULT or task is None or answer.status_word != "TASK_STATUS_SUCCEED":
        return answer
    met = state.memory.get(("met", _own_size(task.sent)))
    other = next((name for name, one in state.tasks.items() if met and _own_size(one.sent) == met), None)
    if other is None:
        return answer
    found = await state.upstream(replace(request, query=f"task_id={other}"))
    if found.status_word != "TASK_STATUS_SUCCEED":
        return answer
    return answer.with_json({**answer.json, "images": found.json["images"]})


def _life(name: str, number: str, text: str, change: OnAnswer, when: Any = succeeded, **more: Any) -> Mutant:
    return answers(name, f"V3-LIFE-{number}", text, RESULT, change, when=both(_found, when), **more)


MUTANTS = (
    _life(
        "first-call-finds-nothing",
        "001",
        "A task is unknown to the first call for it.",
        lambda *_: _not_found(),
        _first_call,
    ),
    _life(
        "queued-tasks-are-unknown",
        "001",
        "A task is unknown until it is under way.",
        lambda *_: _not_found(),
        lambda state, request, answer: answer.status_word == "TASK_STATUS_QUEUED",
    ),
    _life(
        "tasks-never-end",
        "002",
        "Tasks stay under way for ever.",
        _with_task(status="TASK_STATUS_PROCESSING"),
    ),
    _life("tasks-fail", "002", "Every task fails.", _with_task(status="TASK_STATUS_FAILED", reason="out of memory")),
    _life(
        "tasks-end-when-asked",
        "002",
        "A task ends only when it is asked for several times.",
        _ends_by_asking,
        also=("WEBHOOK-007",),
    ),
    _life(
        "tasks-go-back", "003", "A task that was under way is in the queue again.", _back, _found, also=("WEBHOOK-007",)
    ),
    _life("finished-tasks-wake-up", "004", "A finished task is under way again at the next call.", _wakes_up),
    _life(
        "seed-changes-at-the-end",
        "004",
        "The seed of a finished task changes.",
        _later(_other_seed),
        also=("WEBHOOK-006",),
    ),
    _life(
        "pictures-change-order",
        "004",
        "The pictures of a finished task change places.",
        _later(_other_images(lambda images: images[::-1])),
    ),
    _life(
        "pictures-vanish",
        "004",
        "The pictures of a finished task are shown once.",
        _later(_other_images(lambda images: [])),
        also=("WEBHOOK-006",),
    ),
    _life("progress-sinks", "005", "Progress counts down.", _sinking, unfinished),
    _life("pictures-in-the-queue", "006", "A task in the queue has pictures.", _early_pictures, unfinished),
    Mutant(
        name="files-change",
        breaks="V3-LIFE-007",
        text="A picture is another file each time it is fetched.",
        picture=_drawn_anew,
        sees_links=True,
    ),
    Mutant(
        name="neighbours-swap-pictures",
        breaks="V3-LIFE-008",
        text="A task shows the pictures of another one that was submitted at the same time.",
        request=_meets,
        answer=_swaps_pictures,
        also=("V3-IMAGE-002",),
    ),
    puts("eta-stays", "V3-LIFE-009", "eta of a finished task is 3.", RESULT, "task.eta", 3, when=succeeded, add=True),
    _life("results-are-forgotten", "010", "A result is forgotten half an hour after its task ended.", _lost),
)
