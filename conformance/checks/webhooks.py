"""Webhook events: what is accepted, what is sent when a task has ended, and what stands in it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from typing import Any

from conformance import stories, webhooks
from conformance.bodies import IMG2IMG, TXT2IMG, Body
from conformance.client import Says
from conformance.errors import Broken
from conformance.predicates import task_id_v3
from conformance.receiver import Attempt
from conformance.registry import Area, Phase
from conformance.tasks import Task, links
from conformance.trial import Trial
from conformance.webhooks import Told, at, event_of
from conformance.wire import MISSING
from openapi.document import Document, Reading

area = Area()

BOTH = (TXT2IMG, IMG2IMG)
SUCCEED, FAILED = "TASK_STATUS_SUCCEED", "TASK_STATUS_FAILED"
ANSWERED_S = 5.0
"""An answer of ours has gone out by then."""
TEST_MODE = ("extra", "webhook", "test_mode")


@area.check("WEBHOOK-001")
async def a_submit_with_a_webhook_is_accepted(t: Trial) -> None:
    if t.receiver.reachable:
        await t.all((webhooks.taken(t), webhooks.redirected(t)))
        return
    for operation_id in BOTH:
        body = await webhooks.body_with(t, operation_id, {"url": t.receiver.sink_url})
        await t.accepted(operation_id, body, as_is=True)


@area.check("WEBHOOK-002")
async def a_malformed_webhook_is_refused(t: Trial) -> None:
    trials = []
    for operation_id in BOTH:
        for webhook, where, says in _malformed(t.receiver.sink_url):
            body = await webhooks.body_with(t, operation_id, webhook)
            trials.append(t.refused(operation_id, body, at=where, says=says, purpose=f"a webhook wrong in {where[-1]}"))
    await t.all(trials)


def _malformed(url: str) -> Iterator[tuple[object, tuple[str, ...], Says]]:
    """Webhooks with one thing wrong, and where; whoever accepts one has no work with it, where that can be had."""
    on = {"enabled": True, "return_task_status": SUCCEED}
    values: tuple[object, ...] = (url, [], 5, True)
    for value in values:
        yield value, ("extra", "webhook"), Says.WRONG
    yield {"test_mode": on}, ("extra", "webhook", "url"), Says.WRONG
    values = (None, 5, True, [], {})
    for value in values:
        yield {"url": value, "test_mode": on}, ("extra", "webhook", "url"), Says.WRONG
    for value in ("receiver", "not a url", "/hook", "http://", ""):
        yield {"url": value, "test_mode": on}, ("extra", "webhook", "url"), Says.MEANING
    values = ("on", True, 5, [])
    for value in values:
        yield {"url": url, "test_mode": value}, TEST_MODE, Says.WRONG
    values = ("true", 1, 0, [], {})
    for value in values:
        yield {"url": url, "test_mode": {**on, "enabled": value}}, (*TEST_MODE, "enabled"), Says.WRONG
    values = (None, 5, True, [], "TASK_STATUS_QUEUED", "SUCCEED", "task_status_failed", "")
    for value in values:
        test_mode = {**on, "return_task_status": value}
        yield {"url": url, "test_mode": test_mode}, (*TEST_MODE, "return_task_status"), Says.WRONG


@area.check("WEBHOOK-003")
async def a_finished_task_is_told_by_one_post_of_json(t: Trial) -> None:
    for told in await _well_known(t):
        event = await webhooks.arrival(t, told)
        task = _task(told)
        if event.method != "POST":
            t.fail("a POST", event.brief(), task)
        if not told.inbox.url.endswith(event.path):
            t.fail(f"a POST to {told.inbox.url}", f"one to {event.path}", task)
        if not isinstance(event.json, dict):
            t.fail("a JSON object in the body", event.brief(), task)
        kind = event.headers.get("content-type", "")
        if not re.fullmatch(r"application/([\w.-]+\+)?json", kind.partition(";")[0].strip().lower()):
            t.fail("the content type application/json", f"{kind or 'none'} in the headers of the event", task)
        await told.inbox.left(ANSWERED_S)
        webhooks.sent_once(told)


@area.check("WEBHOOK-004")
async def an_event_has_its_type_and_a_payload(t: Trial) -> None:
    for told in await _well_known(t):
        event = await event_of(t, told)
        if event.json.get("event_type", MISSING) != "ASYNC_TASK_RESULT":
            t.fail("event_type = 'ASYNC_TASK_RESULT'", f"{event.json.get('event_type', MISSING)!r}", _task(told))


@area.check("WEBHOOK-005")
async def a_payload_has_the_form_of_a_result(t: Trial) -> None:
    for told in await _well_known(t):
        event, task = await event_of(t, told), _task(told)
        usual = set(_problems(t.document, task.result.json, Reading.DOCUMENTED))
        wrong = _problems(t.document, at(event), Reading.TOLERATED)
        # What the result of this server has as well is no matter of the event.
        for place, seen in wrong.items():
            if place not in usual:
                t.fail("a payload in the form of a result", f"{'.'.join(map(str, place[0]))}: {seen}", task)
        if _lacks_pictures(told, event):
            t.fail("images as an array in the payload, as in the result", event.brief(), task)
        for place, seen in _problems(t.document, at(event), Reading.DOCUMENTED).items():
            if place not in usual:
                t.tolerated(f"in the payload, {'.'.join(map(str, place[0]))}: {seen}", task)


@area.check("WEBHOOK-006")
async def a_payload_agrees_with_the_result(t: Trial) -> None:
    for told in await _well_known(t):
        event, task = await event_of(t, told), _task(told)
        _judge_seed(t, task)
        for path in (("task", "task_id"), ("task", "status"), ("extra", "seed")):
            came, asked = at(event, *path), task.result.at(*path)
            if came is MISSING and path[0] == "task":
                raise Broken("WEBHOOK-005", f"{'.'.join(path)} in the payload", event.brief(), task.numbers)
            if _text(came) != _text(asked):
                t.fail(f"{'.'.join(path)} as in the result, {asked!r}", f"{came!r} in the event", task)
        if _lacks_pictures(told, event):
            raise Broken("WEBHOOK-005", "images as an array in the payload", event.brief(), task.numbers)
        number, wanted = len(webhooks.pictures(told, event)), len(links(task.result, v2=False))
        stories.entries_of(t, task.result)
        if number != wanted:
            t.fail(f"{wanted} pictures, as in the result", f"{number} in the event", task)


def _judge_seed(t: Trial, task: Task) -> None:
    """What the result itself says of the seed must be right, before an event can be held to it."""
    if not isinstance(task.result.at("extra"), dict):
        t.fail("an object extra in the result", task.result.brief(), task, blame="V3-RESULT-017")
    if task.result.at("extra", "seed") is not MISSING:
        stories.seed_of(t, task.result)


def _lacks_pictures(told: Told, event: Attempt) -> bool:
    """Whether a payload has no place for pictures, though the result has."""
    return at(event, "images") is MISSING and isinstance(_task(told).result.at("images"), list)


@area.check("WEBHOOK-007")
async def no_event_comes_before_the_end(t: Trial) -> None:
    told = await webhooks.taken(t)
    await webhooks.arrival(t, told)
    for attempt in t.receiver.attempts:
        if webhooks.under_way(attempt):
            t.fail("no event while a task is not finished", attempt.brief(), *([told.task] if told.task else []))
    answer = told.at_arrival
    if answer is None:
        return
    status = answer.at("task", "status")
    if (answer.status == 404 and told.early) or (answer.status == 200 and status in webhooks.UNDER_WAY):
        t.fail("a finished task when its event arrives", answer.brief(), _task(told), answer)


@area.check("WEBHOOK-014", needs=("WEBHOOK-003",))
async def test_mode_tells_of_a_success(t: Trial) -> None:
    for operation_id in BOTH:
        told = await webhooks.test_event(t, operation_id, SUCCEED, t.requirement.id)
        event = await webhooks.arrival(t, told, blame=t.requirement.id, finished=False)
        if webhooks.outcome(told, event) != SUCCEED:
            t.fail(f"an event with {SUCCEED}", event.brief(), _task(told))


@area.check("WEBHOOK-015", needs=("WEBHOOK-003", "WEBHOOK-014"))
async def test_mode_tells_of_a_failure(t: Trial) -> None:
    for operation_id in BOTH:
        told = await webhooks.test_event(t, operation_id, FAILED, t.requirement.id)
        event, task = await webhooks.arrival(t, told, blame=t.requirement.id, finished=False), _task(told)
        if webhooks.outcome(told, event) != FAILED:
            t.fail(f"an event with {FAILED}", event.brief(), task)
        reason = at(event, "task", "reason")
        if not isinstance(reason, str) or not reason.strip():
            t.fail("a reason that is not empty", f"{reason!r}", task)
        if found := webhooks.pictures(told, event):
            t.fail("no pictures", f"{found!r}", task)


@area.check("WEBHOOK-016")
async def test_mode_needs_both_fields(t: Trial) -> None:
    url = t.receiver.sink_url
    bodies = [await webhooks.body_with(t, one, {"url": url, "test_mode": {"enabled": True}}) for one in BOTH]
    where = (*TEST_MODE, "return_task_status")
    await t.all(t.refused(one, body, at=where) for one, body in zip(BOTH, bodies, strict=True))
    if t.target.safe:
        t.not_measured("not measured: what is tolerated here orders work, which safe mode does not (--no-safe)")
    await t.all(
        _off_or_refused(t, operation_id, test_mode, key)
        for operation_id, test_mode, key in (
            (TXT2IMG, {"return_task_status": FAILED}, "enabled"),
            (IMG2IMG, {"enabled": None, "return_task_status": FAILED}, "enabled"),
            (TXT2IMG, {"enabled": False}, "return_task_status"),
        )
    )


async def _off_or_refused(t: Trial, operation_id: str, test_mode: Body, key: str) -> None:
    """An incomplete test mode is refused, or switched off: then the task does real work and tells of that."""
    await t.finished(TXT2IMG, await t.txt2img())  # that results can be read at all is a matter of its own
    inbox = t.receiver.inbox() if t.receiver.reachable else None
    url = inbox.url if inbox else t.receiver.sink_url
    body = await webhooks.body_with(t, operation_id, {"url": url, "test_mode": test_mode})
    answer = await t.refused(operation_id, body, at=(*TEST_MODE, key), may_accept="test mode is off then")
    if task_id_v3(answer.json) is None:
        return
    task = t.session.task_of(operation_id, body, answer, blame=t.requirement.id)
    try:
        await t.session.finish(task)
    except Broken as broken:
        t.fail("a refusal, or test mode switched off and a task that ends well", broken.actual, task)
    if inbox is not None:
        told = Told(operation_id=operation_id, inbox=inbox, task=task)
        await webhooks.arrival(t, await webhooks.taken(t))  # that events come at all
        # That one comes when enabled is false is a matter of its own.
        blame = "WEBHOOK-017" if test_mode.get("enabled") is False else t.requirement.id
        event = await webhooks.arrival(t, told, blame=blame)
        if webhooks.outcome(told, event) == FAILED:
            t.fail("a refusal, or an event with the task's own outcome", event.brief(), task)


@area.check("WEBHOOK-018")
async def a_result_can_be_read_when_the_receiver_cannot_be_reached(t: Trial) -> None:
    await t.finished(TXT2IMG, await t.txt2img())  # that results can be read at all is not this row's matter
    body = await webhooks.body_with(t, TXT2IMG, {"url": t.receiver.dead_url})
    task = await t.submitted(TXT2IMG, body, blame="WEBHOOK-001")
    try:
        await t.session.finish(task)
    except Broken as broken:
        t.fail("the result of a task whose receiver nobody reaches", broken.actual, task)
    if t.receiver.reachable:
        told = await webhooks.taken(t)
        try:
            await t.session.finish(_task(told))
        except Broken as broken:
            t.fail("the result of a task with a webhook", broken.actual, _task(told))


@area.check("WEBHOOK-019", phase=Phase.LAST)
async def the_key_stands_in_no_event(t: Trial) -> None:
    told = await webhooks.taken(t)
    await webhooks.arrival(t, told)
    for name, key in (("the key", t.target.key), ("the second key", t.target.second_key)):
        if not key:
            continue
        alone = re.compile(rf"(?<![A-Za-z0-9_-]){re.escape(key)}(?![A-Za-z0-9_-])")
        for attempt in t.receiver.attempts:
            if place := _holds(attempt, alone):
                t.fail("no key in an event or its headers", f"{name} in {place}", _task(told))


def _holds(attempt: Attempt, key: re.Pattern[str]) -> str:
    """Where in an event a key stands."""
    for name, value in attempt.headers.items():
        if key.search(value):
            return f"the header {name}"
    if key.search(attempt.path):
        return "the address"
    return "the body" if key.search(attempt.body.decode("utf-8", "replace")) else ""


async def _well_known(t: Trial) -> tuple[Told, ...]:
    """A task of each operation whose events all checks of this module look at."""
    return tuple(await asyncio.gather(webhooks.taken(t), webhooks.redirected(t)))


def _task(told: Told) -> Task:
    assert told.task is not None
    return told.task


def _problems(document: Document, payload: Any, reading: Reading) -> dict[tuple[tuple[str | int, ...], str], str]:
    """What is wrong with a payload, by place and keyword."""
    event = {"event_type": "ASYNC_TASK_RESULT", "payload": payload}
    return dict(_told_by_place(document, event, reading))


def _told_by_place(
    document: Document, event: Body, reading: Reading
) -> Iterator[tuple[tuple[tuple[str | int, ...], str], str]]:
    for problem in document.webhooks["asyncTaskResult"].problems(event, reading):
        if problem.path[:1] == ("payload",):
            yield (problem.path[1:], problem.keyword), problem.message


def _text(value: Any) -> Any:
    """A seed may come as a number or as text; both say the same."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value
