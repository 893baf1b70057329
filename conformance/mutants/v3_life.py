"""The life of a task on v3."""

from __future__ import annotations

from typing import Any

from conformance.bodies import RESULT
from conformance.mutants.making import answers, both, puts, succeeded, unfinished
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


def _with_task(**change: Any) -> OnAnswer:
    def changed(state: State, request: Request, answer: Answer) -> Answer:
        body = answer.fresh()
        body["task"] |= change
        if change.get("status", "TASK_STATUS_SUCCEED") != "TASK_STATUS_SUCCEED":
            body["images"] = []
        return answer.with_json(body)

    return changed


def _ends_by_asking(state: State, request: Request, answer: Answer) -> Answer:
    """A finished task is shown as such only to whoever asks for the third time."""
    if state.count(f"ended {_id(request)}") > 2:
        return answer
    return _with_task(status="TASK_STATUS_PROCESSING", progress_percent=50)(state, request, answer)  # type: ignore[return-value]


def _back(state: State, request: Request, answer: Answer) -> Answer:
    """Processing is followed by the queue."""
    seen = state.count(f"working {_id(request)}")
    if answer.status_word != "TASK_STATUS_SUCCEED" or seen > 3:
        return answer
    word = ("TASK_STATUS_PROCESSING", "TASK_STATUS_QUEUED", "TASK_STATUS_PROCESSING")[seen - 1]
    return _with_task(status=word, progress_percent=0)(state, request, answer)  # type: ignore[return-value]


def _wakes_up(state: State, request: Request, answer: Answer) -> Answer:
    """A task that has ended is under way again when it is asked for once more."""
    if state.count(f"ended {_id(request)}") != 2:
        return answer
    return _with_task(status="TASK_STATUS_PROCESSING", progress_percent=90)(state, request, answer)  # type: ignore[return-value]


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
    return _with_task(progress_percent=left)(state, request, answer)  # type: ignore[return-value]


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


def _swaps_pictures(state: State, request: Request, answer: Answer) -> Answer:
    """A task whose submit came within the same instant as another's shows that one's pictures."""
    task = state.tasks.get(_id(request))
    body = answer.fresh()
    kept = state.memory.setdefault("pictures", {})
    kept[_id(request)] = body["images"]
    for other_id, other in state.tasks.items():
        near = task is not None and other is not task and 0 < task.number - other.number <= 3
        if (
            near
            and task is not None
            and abs(task.at_s - other.at_s) < 0.3
            and len(kept.get(other_id, ())) == len(body["images"])
        ):
            body["images"] = kept[other_id]
            return answer.with_json(body)
    return answer


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
        _with_task(status="TASK_STATUS_PROCESSING", progress_percent=99),
    ),
    _life("tasks-fail", "002", "Every task fails.", _with_task(status="TASK_STATUS_FAILED", reason="out of memory")),
    _life("tasks-end-when-asked", "002", "A task ends only when it is asked for several times.", _ends_by_asking),
    _life("tasks-go-back", "003", "A task that was under way is in the queue again.", _back),
    _life("finished-tasks-wake-up", "004", "A finished task is under way again at the next call.", _wakes_up),
    _life("seed-changes-at-the-end", "004", "The seed of a finished task changes.", _later(_other_seed)),
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
    _life("neighbours-swap-pictures", "008", "Tasks of the same instant show each other's pictures.", _swaps_pictures),
    puts("eta-stays", "V3-LIFE-009", "eta of a finished task is 3.", RESULT, "task.eta", 3, when=succeeded, add=True),
    _life("results-are-forgotten", "010", "A result is forgotten half an hour after its task ended.", _lost),
)
