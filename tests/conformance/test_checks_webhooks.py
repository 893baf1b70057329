"""Checks of webhook events: green on the mock, red for their own defect only."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

import pytest

from conformance.runner import Result
from conformance.verdict import Verdict
from mockserver.core.clock import ClockMode
from mockserver.outbound.guard import Targets
from mockserver.outbound.sender import ErrorKind, HttpSender, Outcome, Outgoing
from mockserver.settings import Settings
from mockserver.webhooks.settings import WebhookSettings
from tests.conformance.harness import KEY, Answered, Asked, Wrapper, defect, judge, not_green, of_verdict

Event: TypeAlias = dict[str, Any]
SUCCEED, FAILED = "TASK_STATUS_SUCCEED", "TASK_STATUS_FAILED"


class Sender:
    """Sends what the mock sends, with a defect.

    Args:
        change: makes another request of one, or none.
        judged: what the mock is told of an outcome.
        again: whether an event that was taken is sent once more.
        twice: whether every event is sent twice at the same time.
    """

    def __init__(
        self,
        change: Callable[[Outgoing], Outgoing | None] = lambda outgoing: outgoing,
        *,
        judged: Callable[[Outcome], Outcome] = lambda outcome: outcome,
        again: bool = False,
        twice: bool = False,
    ) -> None:
        self._change, self._judged, self._again, self._twice = change, judged, again, twice
        self._inner = HttpSender(Targets())

    async def send(self, outgoing: Outgoing, *, timeout_s: float) -> Outcome:
        """Sends one."""
        changed = self._change(outgoing)
        if changed is None:
            return Outcome(status=200)
        try:
            outcome, *_ = await asyncio.gather(
                *(self._inner.send(changed, timeout_s=timeout_s) for _ in range(2 if self._twice else 1))
            )
        except asyncio.CancelledError:  # the clock was moved beyond its time
            late = self._judged(Outcome(error=ErrorKind.TIMEOUT))
            if late.ok:
                return late
            raise
        if self._again and outcome.ok:
            await self._inner.send(changed, timeout_s=timeout_s)
        return self._judged(outcome)

    async def aclose(self) -> None:
        """Ends it."""


def said(change: Callable[[Event], object]) -> Sender:
    """Sends events that a function has changed in place, or replaced."""

    def changed(outgoing: Outgoing) -> Outgoing:
        event = json.loads(outgoing.body)
        other = change(event)
        return replace(outgoing, body=json.dumps(event if other is None else other).encode())

    return Sender(changed)


def taken_for_taken(which: Callable[[Outcome], bool]) -> Sender:
    """Takes some outcomes for an event that was taken."""
    return Sender(judged=lambda outcome: Outcome(status=200) if which(outcome) else outcome)


def made_up(event: Event) -> bool:
    """Whether it is one of test mode."""
    return "/test_data/" in json.dumps(event) or event["payload"]["task"]["status"] == FAILED


def result(change: Callable[[Event], object]) -> Sender:
    """Sends events whose payload a function has changed."""
    return said(lambda event: change(event["payload"]) and None)


def in_tests(change: Callable[[Event], object]) -> Sender:
    """Sends made-up events that a function has changed."""
    return said(lambda event: change(event["payload"]) and None if made_up(event) else None)


def webhook(change: Callable[[dict[str, Any]], object]) -> Wrapper:
    """A mock that gets submits whose webhook a function has changed in place."""

    def changed(asked: Asked) -> Asked:
        body = asked.json
        hook = body.get("extra", {}).get("webhook") if isinstance(body, dict) else None
        if not isinstance(hook, dict):
            return asked
        change(hook)
        return asked.saying(body)

    return defect(request=changed)


def webhooks_judged(**how: Any) -> Result:
    """All rows of webhooks, judged."""
    return judge(["WEBHOOK"], **{"sends": True, **how})


@pytest.mark.parametrize("strict", [False, True], ids=["lenient", "strict"])
def test_the_mock_is_green(strict: bool) -> None:
    found = webhooks_judged(strict=strict)
    assert not_green(found) == {}
    assert found.spent.images <= (6 if strict else 9)
    assert of_verdict(found, Verdict.WARN) == (set() if strict else {"WEBHOOK-016"})


def fill(hook: dict[str, Any]) -> None:
    """A reader to whom half a test mode is enough."""
    if isinstance(hook.get("test_mode"), dict):
        hook["test_mode"].setdefault("return_task_status", SUCCEED)


def on(hook: dict[str, Any]) -> None:
    """A reader to whom test mode is on as soon as it is named."""
    if isinstance(hook.get("test_mode"), dict) and hook["test_mode"].get("enabled") is False:
        hook["test_mode"]["enabled"] = True


def any_url(hook: dict[str, Any]) -> None:
    """A reader that takes every text for a URL."""
    if isinstance(hook.get("url"), str) and not hook["url"].startswith("http://127.0.0.1:"):
        hook["url"] = "http://127.0.0.1:9/"


def no_hooks(asked: Asked, answered: Answered) -> Answered:
    """A server that wants test mode beside every URL."""
    body = asked.json
    hook = body.get("extra", {}).get("webhook") if isinstance(body, dict) else None
    if isinstance(hook, dict) and "url" in hook and "test_mode" not in hook:
        return answered.saying({"code": 400, "reason": "INVALID_REQUEST_BODY", "message": "test_mode"}, 400)
    return answered


PROCESSING = b'{"event_type":"ASYNC_TASK_RESULT","payload":{"task":{"task_id":"x","status":"TASK_STATUS_PROCESSING"}}}'


class Talkative(Sender):
    """Tells of the work as well."""

    async def send(self, outgoing: Outgoing, *, timeout_s: float) -> Outcome:
        """Sends two."""
        await self._inner.send(replace(outgoing, body=PROCESSING), timeout_s=timeout_s)
        return await super().send(outgoing, timeout_s=timeout_s)


LAG_POLLS = 30
"""More than are asked for in the moment by which a result may lag behind its event."""


def lagging(polls: int) -> Wrapper:
    """A server whose results show an end only some polls after its event was sent."""
    shown: dict[bytes, int] = {}

    def answer(asked: Asked, answered: Answered) -> Answered:
        found = answered.json
        if not asked.path.endswith("task-result") or found["task"]["status"] != SUCCEED:
            return answered
        shown[asked.query] = shown.get(asked.query, 0) + 1
        if shown[asked.query] > polls:
            return answered
        return answered.saying({**found, "task": {**found["task"], "status": "TASK_STATUS_PROCESSING"}, "images": []})

    return defect(answer=answer)


def unread() -> Wrapper:
    """A server that lets tasks fail whose receivers nobody reaches."""
    dead: set[str] = set()

    def answer(asked: Asked, answered: Answered) -> Answered:
        found = answered.json
        if b"/nobody" in asked.body and "task_id" in found:
            dead.add(found["task_id"])
        if asked.path.endswith("task-result") and asked.query.decode().partition("=")[2] in dead:
            return answered.saying({**found, "task": {**found["task"], "status": FAILED}})
        return answered

    return defect(answer=answer)


DEFECTS: list[tuple[str, str, dict[str, Any]]] = [
    ("WEBHOOK-001", "refused", {"transport": defect(answer=no_hooks)}),
    ("WEBHOOK-002", "any url", {"transport": webhook(any_url)}),
    ("WEBHOOK-003", "never", {"sends": Sender(lambda outgoing: None)}),
    ("WEBHOOK-003", "put", {"sends": Sender(lambda outgoing: replace(outgoing, method="PUT"))}),
    (
        "WEBHOOK-003",
        "text",
        {"sends": Sender(lambda outgoing: replace(outgoing, headers={"content-type": "text/plain"}))},
    ),
    ("WEBHOOK-003", "form", {"sends": Sender(lambda outgoing: replace(outgoing, body=b"task=1"))}),
    ("WEBHOOK-003", "twice", {"sends": Sender(twice=True)}),
    ("WEBHOOK-004", "type", {"sends": said(lambda event: {**event, "event_type": "TASK_RESULT"})}),
    ("WEBHOOK-004", "bare", {"sends": said(lambda event: event["payload"])}),
    ("WEBHOOK-005", "images", {"sends": result(lambda it: it.update(images={"0": it["images"]}))}),
    ("WEBHOOK-005", "no task", {"sends": result(lambda it: it.pop("task"))}),
    ("WEBHOOK-006", "id", {"sends": result(lambda it: it["task"].update(task_id="other"))}),
    ("WEBHOOK-006", "seed", {"sends": result(lambda it: it["extra"].update(seed="1"))}),
    ("WEBHOOK-006", "pictures", {"sends": result(lambda it: it.update(images=it["images"] * 2))}),
    ("WEBHOOK-007", "under way", {"sends": Talkative()}),
    ("WEBHOOK-007", "lagging", {"transport": lagging(LAG_POLLS)}),
    ("WEBHOOK-008", "again", {"sends": Sender(again=True)}),
    ("WEBHOOK-009", "redirect", {"sends": taken_for_taken(lambda one: one.status == 302)}),
    ("WEBHOOK-009", "404", {"sends": taken_for_taken(lambda one: one.status == 404)}),
    ("WEBHOOK-009", "500", {"sends": taken_for_taken(lambda one: one.status == 500)}),
    ("WEBHOOK-010", "silence", {"sends": taken_for_taken(lambda one: one.error is ErrorKind.TIMEOUT)}),
    ("WEBHOOK-011", "closed", {"sends": taken_for_taken(lambda one: one.error is ErrorKind.CLOSED)}),
    (
        "WEBHOOK-012",
        "seven",
        {"settings": Settings(clock=ClockMode.parse("manual"), webhooks=WebhookSettings(retries=6))},
    ),
    (
        "WEBHOOK-013",
        "four",
        {"settings": Settings(clock=ClockMode.parse("manual"), webhooks=WebhookSettings(retries=3))},
    ),
    ("WEBHOOK-014", "failed", {"sends": in_tests(lambda it: it["task"].update(status=FAILED))}),
    ("WEBHOOK-015", "reason", {"sends": in_tests(lambda it: it["task"].update(reason=""))}),
    ("WEBHOOK-016", "half", {"transport": webhook(fill)}),
    ("WEBHOOK-017", "on", {"transport": webhook(on)}),
    ("WEBHOOK-018", "failed", {"transport": unread()}),
    (
        "WEBHOOK-019",
        "header",
        {"sends": Sender(lambda one: replace(one, headers={**one.headers, "x-account": f"Bearer {KEY}"}))},
    ),
]


def test_a_result_may_show_its_end_a_moment_after_the_event() -> None:
    found = webhooks_judged(transport=lagging(1))
    assert of_verdict(found, Verdict.FAIL, Verdict.ERROR, Verdict.UNSTABLE) == set(), not_green(found)


@pytest.mark.parametrize(
    ("broken", "how"), [(one, how) for one, _, how in DEFECTS], ids=[f"{a}-{b}" for a, b, _ in DEFECTS]
)
def test_a_defect_turns_its_own_requirement_red(broken: str, how: dict[str, Any]) -> None:
    found = webhooks_judged(**how)
    soft = {"WEBHOOK-011", "WEBHOOK-013"}
    assert of_verdict(found, Verdict.FAIL, Verdict.ERROR, Verdict.UNSTABLE) == {broken} - soft, not_green(found)
    assert broken not in soft or found.outcomes[broken].verdict is Verdict.WARN
    assert of_verdict(found, Verdict.UNTESTABLE) == set(), not_green(found)
    assert {found.outcomes[name].blocked_by for name in of_verdict(found, Verdict.BLOCKED)} <= {broken}


def test_who_cannot_be_reached_is_told_so() -> None:
    found = webhooks_judged(webhook_host="")
    assert {"WEBHOOK-001", "WEBHOOK-002", "WEBHOOK-018"} == of_verdict(found, Verdict.PASS)
    assert {"WEBHOOK-016"} == of_verdict(found, Verdict.WARN)
    assert all("--webhook-host" in words for words in not_green(found).values())
    assert of_verdict(found, Verdict.FAIL, Verdict.BLOCKED) == set()


def test_a_target_that_waits_for_silent_receivers_is_judged_as_well() -> None:
    """Its clock knows no `under_way`, so the five seconds of the silent receiver are real ones."""
    refused: list[bytes] = []

    def answer(asked: Asked, answered: Answered) -> Answered:
        if b"under_way" not in asked.body:
            return answered
        refused.append(asked.body)
        return answered.saying({"detail": "unknown"}, 400)

    def request(asked: Asked) -> Asked:
        return replace(asked, path="/__mock/nothing") if b"under_way" in asked.body else asked

    assert not_green(webhooks_judged(transport=defect(request=request, answer=answer))) == {}
    assert len(refused) == 1
