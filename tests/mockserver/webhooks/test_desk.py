"""The desk by itself, and the small values round it: bounds, turns, settings, the bell."""

from __future__ import annotations

import asyncio
import sys
from base64 import b64encode
from typing import Any

import pytest

from mockserver.core.redaction import Redactor
from mockserver.core.task import Delivery as HandOver
from mockserver.core.task import Task, TaskType
from mockserver.outbound.sender import ErrorKind, FakeSender, Outcome
from mockserver.webhooks.bell import Bell
from mockserver.webhooks.delivery import KEPT_ATTEMPTS, Delivery, State, Try
from mockserver.webhooks.desk import Desk
from mockserver.webhooks.inbox import MAX_EVENTS, Inbox
from mockserver.webhooks.judging import verdict
from mockserver.webhooks.settings import WebhookSettings
from tests.mockserver.outbound.receivers import hangs
from tests.mockserver.webhooks.lab import Lab, until

SECRET = "whsec_" + b64encode(bytes(32)).decode()
NOBODY = Redactor((b"sk-nobody-at-all",))


def task(number: int) -> Task:
    return Task(
        id=f"task-{number}",
        operation_id="createTxt2imgTask",
        number=number,
        type=TaskType.TXT_TO_IMG,
        body=b"{}",
        delivery=HandOver(webhook_url="http://127.0.0.1:9/hook"),
        seed=1,
        count=1,
        submitted_ms=0,
        started_ms=0,
        finished_ms=0,
    )


def owed(desk: Desk, number: int) -> Delivery:
    found = desk.owe(task(number), 10)
    assert found is not None
    return found


def test_a_task_owes_one_delivery() -> None:
    desk, one = Desk(1, NOBODY), task(1)
    assert desk.owe(one, 10) is not None
    assert desk.owe(one, 10) is None
    assert len(desk) == 1


def test_what_has_not_ended_owes_nothing_yet() -> None:
    desk, one = Desk(1, NOBODY), task(1)
    one.finished_ms = 20
    assert desk.owe(one, 19) is None
    assert desk.owe(one, 20) is not None


def test_at_the_bound_those_that_ended_longest_ago_go() -> None:
    desk = Desk(1, NOBODY, limit=3)
    made = [owed(desk, number) for number in range(3)]
    desk.end(made[1], State.DELIVERED)
    desk.end(made[0], State.FAILED)
    owed(desk, 3)
    assert [delivery.number for delivery in desk] == [1, 3, 4]
    assert desk.get(made[1].id) is None
    assert desk.of_task("task-1") is None
    assert desk.forgotten == 1


def test_what_is_owed_never_goes() -> None:
    desk = Desk(1, NOBODY, limit=2)
    made = [owed(desk, number) for number in range(5)]
    desk.hold(made[0], "by a test")
    assert len(desk) == 5
    desk.end(made[4], State.DELIVERED)
    assert [delivery.number for delivery in desk] == [1, 2, 3, 4]


def test_what_ends_twice_goes_once() -> None:
    """Given up, and then taken after all, when a test replays it."""
    desk = Desk(1, NOBODY, limit=1)
    delivery = owed(desk, 1)
    desk.end(delivery, State.FAILED)
    desk.end(delivery, State.DELIVERED)
    for number in (2, 3):
        desk.end(owed(desk, number), State.DELIVERED)
    assert [one.number for one in desk] == [3]


def test_an_errand_of_an_earlier_turn_is_stale() -> None:
    desk = Desk(1, NOBODY)
    delivery = owed(desk, 1)
    stale = desk.plan(delivery, 20)
    fresh = desk.plan(delivery, 30)
    assert desk.take(stale) is None
    assert desk.take(fresh) is delivery
    assert desk.take(fresh) is None, "a turn is taken once"
    assert desk.take(Try("msg_unknown", 1)) is None


def test_a_held_delivery_is_not_taken() -> None:
    desk = Desk(1, NOBODY)
    delivery = owed(desk, 1)
    errand = desk.plan(delivery, 20)
    desk.hold(delivery, "by a test")
    assert desk.take(errand) is None


def test_a_task_is_let_go_when_its_delivery_has_ended() -> None:
    """Its request may be long; the event is what a replay needs."""
    desk = Desk(1, NOBODY)
    delivery = owed(desk, 1)
    delivery.body = b"{}"
    desk.end(delivery, State.DELIVERED)
    assert delivery.task is None


def test_whoever_lets_the_next_one_go_first_may_be_held_or_planned_all_the_same() -> None:
    desk = Desk(1, NOBODY)
    delivery = owed(desk, 1)
    for what in (
        lambda: desk.hold(delivery, ""),
        lambda: desk.plan(delivery, 20),
        lambda: desk.end(delivery, State.DROPPED),
    ):
        desk.waiting.append(delivery)
        what()
        assert desk.waiting == []


def test_attempts_without_end_are_not_all_kept(make_lab: Any) -> None:
    lab: Lab = make_lab()
    receiver = lab.receiver()
    lab.end(lab.submit(receiver.url))
    lab.do("duplicate", times=60)
    delivery = lab.delivery()
    assert delivery["attempts"] == 61
    assert [one["number"] for one in delivery["history"]] == list(range(62 - KEPT_ATTEMPTS, 62))


def test_the_inbox_is_bounded() -> None:
    inbox = Inbox(NOBODY)
    for _ in range(MAX_EVENTS + 5):
        inbox.receive({}, b"{}", at_ms=0, received_ms=0)
    assert (len(inbox), inbox.total) == (MAX_EVENTS, MAX_EVENTS + 5)
    for _ in range(5):
        inbox.receive({}, b"x" * 1024 * 1024, at_ms=0, received_ms=0)
    assert len(inbox) == 4
    assert inbox.clear() == 4


@pytest.mark.parametrize(
    ("tries", "wait_ms"), [(1, 1_000), (2, 5_000), (3, 30_000), (4, 120_000), (5, 600_000), (6, None)]
)
def test_the_spacing_that_comes_with_it(tries: int, wait_ms: int | None) -> None:
    """WEBHOOK-013: five retries."""
    assert WebhookSettings().wait_ms(tries) == wait_ms


def test_the_last_spacing_goes_on() -> None:
    settings = WebhookSettings(retries=4, spacing_ms=(100, 200))
    assert [settings.wait_ms(tries) for tries in range(1, 6)] == [100, 200, 200, 200, None]


def test_a_secret_is_in_no_text() -> None:
    assert "whsec" not in repr(WebhookSettings(secret=SECRET))


def test_a_secret_that_is_none_is_told() -> None:
    with pytest.raises(ValueError, match="expected a signing secret"):
        WebhookSettings(secret="open sesame")


def test_signing_needs_its_library(make_lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The attempt says what to install; nothing is sent unsigned."""
    monkeypatch.setitem(sys.modules, "standardwebhooks", None)
    lab: Lab = make_lab(webhooks=WebhookSettings(secret=SECRET, retries=0))
    receiver = lab.receiver()
    lab.submit(receiver.url)
    lab.finish()
    (attempt,) = lab.delivery()["history"]
    assert "novita-mock[signing]" in attempt["message"]
    assert (attempt["error"], attempt["answer"], receiver.received) == ("internal", None, [])
    answer = lab.server.call("PATCH", "/__mock/worlds/current", json={"webhooks": {"secret": SECRET}})
    assert (answer.status_code, "novita-mock[signing]" in answer.json()["detail"]) == (400, True)


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Outcome(status=204, elapsed_ms=7), "taken: 204 in 7 ms"),
        (Outcome(status=308), "refused: 308, and a redirect is not followed"),
        (Outcome(status=401), "refused: 401"),
        (
            Outcome(error=ErrorKind.TIMEOUT, message="no whole answer within 5 s"),
            "too late: no whole answer within 5 s",
        ),
        (Outcome(error=ErrorKind.CONNECT, message="refused"), "connect: refused"),
        (Outcome(status=200, error=ErrorKind.RESET, message="it broke off"), "reset: it broke off"),
    ],
)
def test_verdicts_in_words(outcome: Outcome, words: str) -> None:
    assert verdict(outcome) == words


def test_a_bell_wakes_whoever_waits() -> None:
    async def story() -> tuple[bool, bool]:
        bell, rung = Bell(), False
        waiting = asyncio.ensure_future(bell.wait_until(lambda: rung, 5.0))
        await asyncio.wait([waiting], timeout=0)
        bell.ring()  # nothing has changed
        await asyncio.wait([waiting], timeout=0)
        still = waiting.done()
        rung = True
        bell.ring()
        return still, await waiting

    assert asyncio.run(story()) == (False, True)


def test_a_bell_that_nobody_rings_is_waited_for_so_long() -> None:
    assert asyncio.run(Bell().wait_until(lambda: False, 0.01)) is False


def test_a_failure_of_our_own_is_told(lab: Lab, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    """The delivery does not stay pending without anybody who would go on with it."""

    def broken(*_: object) -> bytes:
        raise RuntimeError("a bug")

    receiver = lab.receiver()
    monkeypatch.setattr("mockserver.webhooks.courier.event_body", broken)
    lab.submit(receiver.url)
    lab.finish()
    delivery = lab.delivery()
    assert (delivery["state"], delivery["body"], delivery["attempts"]) == ("failed", None, 0)
    assert "its log tells why" in delivery["note"]
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == ["errand.failed"]


def test_attempts_are_told_to_an_observer(lab: Lab) -> None:
    """With what they led to."""
    receiver = lab.receiver(500)
    seen: list[tuple[str, int, bool, str]] = []
    lab.server.mock.on_attempt = lambda world, delivery, attempt: seen.append(
        (world.id, attempt.number, attempt.ok, delivery.state.value)
    )
    lab.submit(receiver.url)
    lab.finish()
    id = lab.server.mock.world(lab.server.key).id
    assert seen == [(id, 1, False, "pending"), (id, 2, True, "delivered")]


@pytest.mark.parametrize("path", ["/worlds/current", "/reset", "/reset?all=true"])
def test_a_world_may_go_while_its_event_is_on_its_way(lab: Lab, path: str) -> None:
    receiver = lab.receiver(manners=hangs)
    lab.submit(receiver.url, test_mode="TASK_STATUS_SUCCEED")
    lab.run(until(lambda: receiver.received))
    answer = lab.server.call("DELETE" if path == "/worlds/current" else "POST", f"/__mock{path}")
    assert answer.status_code == 200
    lab.settle()
    assert lab.deliveries() == []
    assert len(receiver.received) == 1


def test_the_sender_is_a_part(document: Any) -> None:
    """A fake one sees what would have been sent."""
    from mockserver.app import create_app
    from mockserver.core.clock import ClockMode
    from mockserver.mock import Parts
    from mockserver.parts.wall import FakeWall
    from mockserver.settings import Settings
    from tests.conftest import Server

    sender, wall = FakeSender([Outcome(status=500)]), FakeWall()
    settings = Settings(clock=ClockMode.parse("manual"), webhooks=WebhookSettings(timeout_ms=1500, retries=1))
    lab = Lab(Server(create_app(document, settings, Parts(wall=wall, sender=sender)), wall))
    lab.submit("http://receiver.test/hook")
    lab.finish()
    assert [timeout_s for _, timeout_s in sender.sent] == [1.5, 1.5]
    assert sender.sent[0][0].body == sender.sent[1][0].body
    assert lab.delivery()["state"] == "delivered"
    lab.close()
    lab.server.close()
