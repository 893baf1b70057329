"""The story of a task: everything that happened to it, in order, from what the world remembers.

Told the same on the page and by `novita-mock explain`. Nothing is recorded for it: it is put together from the plan,
the journal, the deliveries, the ledger and the findings when somebody asks, so it goes back as far as those do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson

from mockserver.core.course import NEVER_MS
from mockserver.core.findings import Code, Finding
from mockserver.core.journal import Entry
from mockserver.core.task import Event, Status, Task
from mockserver.faults.points import COURSE_POINTS, Point
from mockserver.money.amounts import usd
from mockserver.money.verdicts import Accepted, Verdict, VerdictKind, repeated
from mockserver.watch.about import POLLS, SUBMITS, task_of
from mockserver.watch.judge import judged_task
from mockserver.watch.pages import page_of
from mockserver.webhooks.delivery import State
from mockserver.webhooks.showing import describe_delivery

if TYPE_CHECKING:
    from mockserver.mock import Mock
    from mockserver.world import World

SHOWN_BYTES = 64 * 1024
"""Of a request; source pictures are references already."""
_V2_STATUS = {0: Status.QUEUED, 1: Status.PROCESSING, 2: Status.SUCCEED, 3: Status.FAILED, 4: Status.FAILED}
_WORDS = {
    Status.QUEUED: "queued",
    Status.PROCESSING: "running",
    Status.SUCCEED: "succeeded",
    Status.FAILED: "failed",
}
_EVENTS = {
    Event.STARTED: "work begins",
    Event.RENDERED: "succeeded",
    Event.BROKE: "failed",
    Event.FELL_BACK: "falls back into the queue",
}


_STANDS = {
    State.HELD: "webhook is held",
    State.DROPPED: "webhook was dropped",
    State.FAILED: "webhook was given up",
}


class StepKind(StrEnum):
    """What a step of a story is."""

    SUBMIT = "submit"
    PLAN = "plan"
    POLLS = "polls"
    DOWNLOAD = "download"
    WEBHOOK = "webhook"
    FAULT = "fault"
    MONEY = "money"


class Tone(StrEnum):
    """How a step went."""

    PLAIN = "plain"
    GOOD = "good"
    BAD = "bad"


@dataclass(slots=True, kw_only=True)
class Step:
    """One thing that happened, or is going to.

    Attributes:
        at_ms: the world's instant. until_ms: of the last, where several are told as one.
        kind, tone: what it is, and how it went.
        title: a few words. detail: a sentence, or nothing.
        happened: false for what is planned.
        count: how many calls it tells.
        calls: their numbers in the journal.
        id: of a webhook's delivery.
    """

    at_ms: int
    kind: StepKind
    title: str
    detail: str = ""
    tone: Tone = Tone.PLAIN
    happened: bool = True
    until_ms: int = 0
    count: int = 1
    calls: list[int] = field(default_factory=list)
    id: str | None = None

    def as_json(self) -> dict[str, Any]:
        """As the control interface gives it."""
        return {
            "at_ms": self.at_ms,
            "until_ms": max(self.at_ms, self.until_ms),
            "kind": self.kind.value,
            "tone": self.tone.value,
            "title": self.title,
            "detail": self.detail,
            "happened": self.happened,
            "count": self.count,
            "calls": self.calls,
            "id": self.id,
        }


def story(mock: Mock, world: World, task: Task) -> dict[str, Any]:
    """Everything about a task but its present state.

    Args:
        mock: whose documents name its operations.
        world: the task's.
        task: which.
    """
    now_ms = world.clock.now_ms()
    entries = [entry for entry in world.journal if task_of(entry) == task.id]
    submit = next((entry for entry in entries if entry.operation_id in SUBMITS), None) or _lost_submit(world, task)
    verdicts = _verdicts(world, task)
    steps = [
        *_submitted(task, submit),
        *_money(task, verdicts),
        *_planned(task, now_ms),
        *_faults(world, task),
        *_polls(entries),
        *_downloads(entries),
        *_webhooks(world, task),
    ]
    steps.sort(key=lambda step: step.at_ms)  # stable: what belongs together at an instant stays in this order
    request = world.desk.redactor.request(task.body, SHOWN_BYTES)[0]
    operation = mock.document.operations[task.operation_id]
    return {
        "world": {"id": world.id, "key": world.label, "clock": str(world.clock.mode), "now_ms": now_ms},
        "steps": [step.as_json() for step in steps],
        "request": {"method": operation.method, "path": operation.path, "body": _json_or_text(request)},
        "deliveries": [describe_delivery(one) for one in world.desk if one.task_id == task.id],
        "money": {
            "micro_usd": task.price_micro_usd,
            "usd": usd(task.price_micro_usd),
            "verdicts": [verdict.message for verdict in verdicts],
        },
        "findings": [_finding(finding, count) for finding, count in _findings(world, task, entries, submit, verdicts)],
        "faults": [armed.rule.as_json() for armed in world.faults.armed if armed.fired],
        "forgotten": world.journal.written > len(world.journal),
    }


def _lost_submit(world: World, task: Task) -> Entry | None:
    """The submit whose answer did not name the task: the only one of its instant, or the one with its request."""
    found = [
        entry
        for entry in world.journal
        if entry.operation_id == task.operation_id and entry.at_ms == task.submitted_ms and task_of(entry) is None
    ]
    if len(found) > 1:
        found = [entry for entry in found if task.body.startswith(entry.request[:1024])]
    return found[0] if len(found) == 1 else None


def _submitted(task: Task, entry: Entry | None) -> Iterator[Step]:
    step = Step(at_ms=task.submitted_ms, kind=StepKind.SUBMIT, title="submitted")
    if entry is None:
        step.detail = "the journal no longer has the call"
    else:
        step.calls = [entry.number]
        step.detail = f"{entry.method} {entry.path}: {_answered(entry)}"
        if task_of(entry) is None:
            step.tone, step.title = Tone.BAD, "submitted, answer lost"
    yield step


def _planned(task: Task, now_ms: int) -> Iterator[Step]:
    for at_ms, event in task.events():
        step = Step(at_ms=at_ms, kind=StepKind.PLAN, title=_EVENTS[event], happened=now_ms >= at_ms)
        if event is Event.STARTED and at_ms > task.submitted_ms:
            step.detail = f"after {_seconds(at_ms - task.submitted_ms)} in the queue"
        if event in (Event.RENDERED, Event.BROKE):
            step.tone = Tone.GOOD if event is Event.RENDERED else Tone.BAD
            step.detail = task.reason or f"{_seconds(at_ms - task.submitted_ms)} after the submit"
        yield step
    course = task.course
    if task.finished_ms >= NEVER_MS:
        at_ms = _stuck_ms(task)
        yield Step(
            at_ms=at_ms, kind=StepKind.PLAN, title="goes no further, ever", tone=Tone.BAD, happened=now_ms >= at_ms
        )
    if course is not None and course.held and now_ms >= task.finished_ms:
        detail = "the pictures are being put into the caller's bucket"
        yield Step(at_ms=task.finished_ms, kind=StepKind.PLAN, title="waits for its upload", detail=detail)
    if course is not None and course.vanish_ms is not None:
        yield Step(
            at_ms=course.vanish_ms,
            kind=StepKind.PLAN,
            title="becomes unknown",
            detail="polls are answered TASK_NOT_FOUND",
            tone=Tone.BAD,
            happened=now_ms >= course.vanish_ms,
        )


def _stuck_ms(task: Task) -> int:
    """When a task that never ends stops."""
    if task.started_ms >= NEVER_MS:
        return task.submitted_ms
    course = task.course
    if course is None or course.stuck_at is None:
        return task.started_ms
    return task.started_ms + round(course.stuck_at * max(0, course.planned_ms - task.started_ms))


def _faults(world: World, task: Task) -> Iterator[Step]:
    """What a fault plan decided about the task itself; what it did to calls and attempts stands with those."""
    for fired in world.faults.fired:
        number = fired.position.partition("#")[2].partition(".")[0]
        if fired.point in {*COURSE_POINTS, Point.STORAGE_PUT} and number == str(task.number):
            title = f"fault: {fired.point.value}, {fired.effect}"
            yield Step(at_ms=fired.at_ms, kind=StepKind.FAULT, title=title, tone=Tone.BAD)


def _polls(entries: list[Entry]) -> Iterator[Step]:
    """Polls one after the other that saw the same are one step."""
    step: Step | None = None
    before = ""
    progress: list[int] = []
    for entry in entries:
        if entry.operation_id not in POLLS:
            continue
        saw, percent, tone = _saw(entry)
        if step is not None and saw == before:
            step.count += 1
            step.until_ms = entry.at_ms
            step.calls.append(entry.number)
            progress += [] if percent is None else [percent]
        else:
            if step is not None:
                yield _told(step, before, progress)
            step = Step(at_ms=entry.at_ms, kind=StepKind.POLLS, title="", tone=tone, calls=[entry.number])
            progress = [] if percent is None else [percent]
        before = saw
    if step is not None:
        yield _told(step, before, progress)


def _told(step: Step, saw: str, progress: list[int]) -> Step:
    times = "polled" if step.count == 1 else f"polled {step.count} times"
    shown = ""
    if saw == _WORDS[Status.PROCESSING] and progress:
        low, high = min(progress), max(progress)
        shown = f" {low} %" if low == high else f" {low} to {high} %"
    step.title = f"{times}: {saw}{shown}"
    return step


def _saw(entry: Entry) -> tuple[str, int | None, Tone]:
    """What a poll saw: a status in words, the progress, how it went."""
    if entry.fault or entry.status != HTTPStatus.OK:
        return _answered(entry), None, Tone.BAD
    body = _json_or_text(entry.answer)
    if not isinstance(body, dict):
        return _answered(entry), None, Tone.PLAIN
    if entry.operation_id == "getTaskResult":
        task = body.get("task")
        status, percent = (task.get("status"), task.get("progress_percent")) if isinstance(task, dict) else (None, None)
    else:
        if body.get("code", 0) != 0:
            return f"code {body.get('code')} {body.get('msg', '')}".strip()[:120], None, Tone.BAD
        data = body.get("data")
        status = _V2_STATUS.get(data.get("status", -1)) if isinstance(data, dict) else None
        share = data.get("progress") if isinstance(data, dict) else None
        percent = round(share * 100) if isinstance(share, int | float) else None
    word = next((word for known, word in _WORDS.items() if known == status), None)
    if word is None:
        return _answered(entry), None, Tone.PLAIN
    tone = {"succeeded": Tone.GOOD, "failed": Tone.BAD}.get(word, Tone.PLAIN)
    return word, percent if isinstance(percent, int) else None, tone


def _downloads(entries: list[Entry]) -> Iterator[Step]:
    for entry in entries:
        if not entry.operation_id:
            good = entry.status in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT, HTTPStatus.NOT_MODIFIED)
            name = entry.path.rpartition("/")[2]
            yield Step(
                at_ms=entry.at_ms,
                kind=StepKind.DOWNLOAD,
                title="picture downloaded" if good and not entry.fault else "download failed",
                detail=f"{entry.method} {name}: {_answered(entry)}",
                tone=Tone.GOOD if good and not entry.fault else Tone.BAD,
                calls=[entry.number],
            )


def _webhooks(world: World, task: Task) -> Iterator[Step]:
    for delivery in world.desk:
        if delivery.task_id != task.id:
            continue
        for attempt in delivery.attempts:
            word = "attempt" if attempt.cause.value in ("first", "retry") else attempt.cause.value
            yield Step(
                at_ms=attempt.at_ms,
                kind=StepKind.WEBHOOK,
                title=f"webhook {word} {attempt.number}: {'taken' if attempt.ok else 'not taken'}",
                detail=f"{delivery.shown}: {attempt.verdict}" + (f" (fault: {attempt.effect})" * bool(attempt.effect)),
                tone=Tone.GOOD if attempt.ok else Tone.BAD,
                id=delivery.id,
            )
        if delivery.due_ms is not None:
            title = f"webhook attempt {delivery.made + 1} is due"
            yield Step(
                at_ms=delivery.due_ms,
                kind=StepKind.WEBHOOK,
                title=title,
                detail=delivery.shown,
                happened=False,
                id=delivery.id,
            )
        elif delivery.state in _STANDS:
            yield Step(
                at_ms=delivery.attempts[-1].at_ms if delivery.attempts else delivery.since_ms,
                kind=StepKind.WEBHOOK,
                title=_STANDS[delivery.state],
                detail=delivery.note,
                tone=Tone.PLAIN if delivery.state is State.HELD else Tone.BAD,
                id=delivery.id,
            )


def _money(task: Task, verdicts: list[Verdict]) -> Iterator[Step]:
    yield Step(at_ms=task.submitted_ms, kind=StepKind.MONEY, title=f"{usd(task.price_micro_usd)} USD booked")
    for verdict in verdicts:
        tone = Tone.PLAIN if verdict.kind.value == "safe-retry" else Tone.BAD
        title, _, detail = verdict.message.partition(": ")
        yield Step(at_ms=verdict.at_ms, kind=StepKind.MONEY, title=title, detail=detail, tone=tone)


def _verdicts(world: World, task: Task) -> list[Verdict]:
    """What is said of its price; a repeat of its request has its seed, so that only those need a look."""
    found = world.verdicts.verdicts()
    accepted = [
        Accepted(one.id, one.operation_id, one.body, one.submitted_ms, one.price_micro_usd)
        for one in world.tasks
        if one.seed == task.seed and one.operation_id == task.operation_id
    ]
    found = [*found, *repeated(accepted, found)]
    return [verdict for verdict in found if task.id in (verdict.task_id, verdict.first_task_id)]


def _findings(
    world: World, task: Task, entries: list[Entry], submit: Entry | None, verdicts: list[Verdict]
) -> Iterator[tuple[Finding, int]]:
    counts: dict[Finding, int] = {}
    for entry in {id(one): one for one in (*([submit] if submit else []), *entries)}.values():
        for finding in entry.told:
            counts[finding] = counts.get(finding, 0) + 1
    yield from counts.items()
    yield from judged_task(world, task)
    for verdict in verdicts:
        if verdict.kind is VerdictKind.REPEATED:
            yield Finding(Code.SAME_REQUEST_TWICE, "submit", verdict.message), 1


def _finding(finding: Finding, count: int) -> dict[str, Any]:
    return {
        "code": finding.code.value,
        "name": finding.code.label,
        "level": finding.level.value,
        "where": finding.where,
        "message": finding.message,
        "because": list(finding.because),
        "count": count,
        "page": page_of(finding.code),
    }


def _answered(entry: Entry) -> str:
    """An answer in words: its status, why, and what a fault plan did to it."""
    if not entry.status:
        return f"no answer ({entry.fault})" if entry.fault else "no answer"
    try:
        phrase = HTTPStatus(entry.status).phrase
    except ValueError:
        phrase = ""
    body = _json_or_text(entry.answer) if entry.status >= HTTPStatus.BAD_REQUEST else None
    reason = body.get("reason") if isinstance(body, dict) else None
    told = f"{entry.status} {reason if isinstance(reason, str) else phrase}".strip()
    return f"{told} (fault: {entry.fault})" if entry.fault else told


def _json_or_text(data: bytes) -> Any:
    try:
        found = orjson.loads(data)
        orjson.dumps(found)  # reading goes deeper than writing
    except (ValueError, TypeError):
        return data.decode("utf-8", "replace")
    return found


def _seconds(ms: int) -> str:
    return f"{ms / 1000:g} s"
