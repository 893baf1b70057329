"""Deliveries as documented: what is sent, when, to whom, how often, and what counts as taken."""

from __future__ import annotations

from base64 import b64encode
from itertools import pairwise
from typing import Any

import pytest
from standardwebhooks import Webhook

from mockserver.core.findings import Code
from mockserver.outbound.sender import LOOP_HEADER
from mockserver.parts.wall import SystemWall
from mockserver.scenarios import shipped
from mockserver.world import Ending
from openapi.document import Document, Reading
from tests.bodies import TXT2IMG, TXT2IMG_V2, txt2img, txt2img_v2
from tests.mockserver.outbound.receivers import hangs, http, resets, says
from tests.mockserver.webhooks.lab import Lab, events, ids, tasks_told

STRANGER = "192.0.2.7"
"""An address for documentation; nobody has it."""
NO_ADDRESS = "0.0.0.0"
DONE, FAILED = "TASK_STATUS_SUCCEED", "TASK_STATUS_FAILED"


def test_a_finished_task_is_told_when_the_worlds_clock_gets_there(lab: Lab, document: Document) -> None:
    """WEBHOOK-003 to -008: one POST of JSON in the documented form, at the task's end and not before."""
    receiver = lab.receiver()
    task_id = lab.submit(receiver.url)
    end_ms = lab.server.control("GET", f"/tasks/{task_id}")["finished_ms"]

    lab.server.control("POST", "/clock/set", {"at_ms": end_ms - 1})
    assert receiver.received == []
    assert lab.deliveries() == []
    lab.server.control("POST", "/clock/set", {"at_ms": end_ms})

    (sent,) = receiver.received
    assert (sent.method, sent.target, sent.headers["content-type"]) == ("POST", "/hook", "application/json")
    (event,) = events(receiver)
    assert document.webhooks["asyncTaskResult"].is_valid(event, Reading.DOCUMENTED)
    assert event["event_type"] == "ASYNC_TASK_RESULT"
    assert event["payload"]["extra"].pop("webhook") == {"url": receiver.url}
    assert event["payload"] == lab.server.result(task_id)
    delivery = lab.delivery()
    assert (delivery["state"], delivery["task_id"], delivery["owed_since_ms"]) == ("delivered", task_id, end_ms)
    assert sent.headers[LOOP_HEADER.lower()] == delivery["id"]
    (attempt,) = delivery["history"]
    assert attempt["answer"]["status"] == 200
    assert attempt["at_ms"] == end_ms
    assert attempt["request"]["bytes"] == len(sent.body)
    assert attempt["verdict"].startswith("taken: 200")


def test_the_link_in_an_event_gives_the_picture(lab: Lab) -> None:
    """A receiver needs nothing but the event."""
    receiver = lab.receiver()
    lab.submit(receiver.url, width=128, height=128)
    lab.finish()

    (event,) = events(receiver)
    picture = lab.server.download(event["payload"]["images"][0]["image_url"])
    assert picture.headers["content-type"] == "image/png"


def test_links_in_an_event_live_as_long_as_those_of_a_poll(make_lab: Any) -> None:
    lab: Lab = make_lab(scenario=shipped("expired-links"))
    receiver = lab.receiver()
    task_id = lab.submit(receiver.url)
    lab.finish()
    (event,) = events(receiver)
    lifetime = event["payload"]["images"][0]["image_url_ttl"]
    assert lifetime == lab.server.result(task_id)["images"][0]["image_url_ttl"]
    assert int(lifetime) < 3600


def test_a_failed_task_is_told_as_failed(lab: Lab) -> None:
    receiver = lab.receiver()
    task_id = lab.submit(receiver.url)
    lab.server.control("POST", f"/tasks/{task_id}/end", {"status": FAILED, "reason": "no luck"})
    lab.finish()

    (event,) = events(receiver)
    assert (event["payload"]["task"]["status"], event["payload"]["task"]["reason"]) == (FAILED, "no luck")
    assert event["payload"]["images"] == []


def test_test_mode_that_is_off_tells_the_tasks_own_outcome(lab: Lab) -> None:
    """WEBHOOK-017."""
    receiver = lab.receiver()
    webhook = {"url": receiver.url, "test_mode": {"enabled": False, "return_task_status": FAILED}}
    task_id = lab.server.submit(TXT2IMG, txt2img({"webhook": webhook}))
    lab.settle()
    assert receiver.received == []
    lab.finish()
    assert tasks_told(receiver) == [(task_id, DONE)]


def test_a_task_that_is_ended_early_is_told_once(lab: Lab) -> None:
    """The end that had been planned leads to nothing any more, and lies on nobody's agenda."""
    receiver = lab.receiver()
    task_id = lab.submit(receiver.url)
    lab.end(task_id)
    assert tasks_told(receiver) == [(task_id, DONE)]
    assert lab.server.control("GET", "/clock")["next_event_ms"] is None

    lab.server.control("POST", "/clock/advance", {"duration": "1h"})
    assert tasks_told(receiver) == [(task_id, DONE)]


def test_an_end_that_is_looked_at_too_early_is_looked_at_again(lab: Lab) -> None:
    receiver = lab.receiver()
    task_id = lab.submit(receiver.url)
    world = lab.server.mock.world(lab.server.key)
    task = world.tasks.get(task_id)
    assert task is not None
    world.agenda.clear()
    world.enter(world.clock.now_ms(), Ending(task))
    lab.server.control("POST", "/clock/advance", {"seconds": 0})
    assert (lab.deliveries(), world.agenda.next_ms()) == ([], task.finished_ms)
    lab.finish()
    assert tasks_told(receiver) == [(task_id, DONE)]


@pytest.mark.parametrize("effect", ["stuck", "vanish"])
def test_a_task_that_never_ends_owes_nothing(lab: Lab, effect: str) -> None:
    receiver = lab.receiver()
    lab.server.control("POST", "/faults", {"point": "progress", "effect": effect})
    lab.submit(receiver.url)
    lab.server.control("POST", "/clock/advance", {"duration": "1h"})
    assert receiver.received == []
    assert lab.deliveries() == []


def test_a_late_task_is_told_late(lab: Lab) -> None:
    """A course that was put off is waited for."""
    receiver = lab.receiver()
    lab.server.control("POST", "/faults", {"point": "finish", "effect": {"late": "10m"}})
    task_id = lab.submit(receiver.url)
    lab.server.control("POST", "/clock/advance", {"duration": "9m"})
    assert receiver.received == []
    lab.server.control("POST", "/clock/advance", {"duration": "2m"})
    assert tasks_told(receiver) == [(task_id, DONE)]


def test_v2_tasks_have_no_webhook(lab: Lab) -> None:
    receiver = lab.receiver()
    lab.server.submit(TXT2IMG_V2, txt2img_v2(extra={"webhook": {"url": receiver.url}}))
    lab.finish()
    assert receiver.received == []


@pytest.mark.parametrize(("status", "pictures"), [(DONE, 1), (FAILED, 0)])
def test_test_mode_tells_at_once_and_does_no_work(lab: Lab, status: str, pictures: int) -> None:
    """WEBHOOK-014, -015, -020: both outcomes; the clock need not move."""
    receiver = lab.receiver()
    task_id = lab.submit(receiver.url, test_mode=status)
    lab.settle()

    assert tasks_told(receiver) == [(task_id, status)]
    (event,) = events(receiver)
    links = [image["image_url"] for image in event["payload"]["images"]]
    assert len(links) == pictures
    assert all("/test_data/image_01." in link for link in links)
    assert lab.delivery()["test_mode"] is True


def test_an_hour_of_retries_takes_no_time(lab: Lab) -> None:
    """WEBHOOK-012, -013: one attempt and five retries, at the distances of the settings, on the world's clock."""
    receiver = lab.receiver(*[503] * 6)
    lab.server.control("PATCH", "/worlds/current", {"webhooks": {"spacing": ["10s", "1m", "4m", "15m", "40m"]}})
    lab.submit(receiver.url)
    lab.finish()

    delivery = lab.delivery()
    history = delivery["history"]
    gaps = [after["at_ms"] - before["at_ms"] for before, after in pairwise(history)]
    assert gaps == [10_000, 60_000, 240_000, 900_000, 2_400_000]
    assert [attempt["cause"] for attempt in history] == ["first"] + ["retry"] * 5
    assert (delivery["state"], delivery["next_attempt_ms"]) == ("failed", None)
    assert delivery["note"] == "given up after 6 attempts"
    assert ids(receiver) == {delivery["id"]: 6}
    assert len({one.body for one in receiver.received}) == 1, "every attempt sends the same bytes"


def test_a_retry_that_is_taken_ends_it(lab: Lab) -> None:
    receiver = lab.receiver(500, 404)
    lab.submit(receiver.url)
    lab.finish()
    delivery = lab.delivery()
    assert delivery["state"] == "delivered"
    assert [attempt["verdict"].split(" in ")[0] for attempt in delivery["history"]] == [
        "refused: 500", "refused: 404", "taken: 200",
    ]  # fmt: skip
    assert lab.server.control("GET", "/clock")["next_event_ms"] is None


def test_between_attempts_the_next_one_is_an_event_of_the_clock(lab: Lab) -> None:
    receiver = lab.receiver(500)
    task_id = lab.submit(receiver.url)
    lab.end(task_id)
    delivery = lab.delivery()
    assert delivery["state"] == "pending"
    assert delivery["next_attempt_ms"] == delivery["owed_since_ms"] + 1000
    assert lab.server.control("GET", "/clock")["next_event_ms"] == delivery["next_attempt_ms"]

    lab.server.control("POST", "/clock/advance-to-next-event")
    assert lab.delivery()["state"] == "delivered"


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_every_2xx_is_a_yes(lab: Lab, status: int) -> None:
    """WEBHOOK-008."""
    receiver = lab.receiver(status)
    lab.end(lab.submit(receiver.url))
    assert lab.delivery()["state"] == "delivered"
    assert lab.server.findings() == []


@pytest.mark.parametrize(
    ("manners", "error", "code"),
    [
        (says(http(302, b"", "Location: /other")), None, Code.RECEIVER_REDIRECTS),
        (says(http(500, b"oops")), None, Code.RECEIVER_REFUSED),
        (says(b""), "closed", Code.RECEIVER_REFUSED),
        (says(b"nonsense\r\n\r\n"), "protocol", Code.RECEIVER_REFUSED),
        (resets, "reset", Code.RECEIVER_REFUSED),
        (hangs, "timeout", Code.SLOW_RECEIVER),
    ],
    ids=["redirect", "500", "closed", "no-http", "reset", "hangs"],
)
def test_anything_else_is_a_no_and_a_finding(lab: Lab, manners: Any, error: str | None, code: Code) -> None:
    """WEBHOOK-009 to -011; a redirect is not followed."""
    receiver = lab.receiver(manners=manners)
    lab.server.control("PATCH", "/worlds/current", {"webhooks": {"timeout": "200ms"}})
    lab.end(lab.submit(receiver.url))

    delivery = lab.delivery()
    (attempt,) = delivery["history"]
    assert (delivery["state"], attempt["error"], attempt["ok"]) == ("pending", error, False)
    assert len(receiver.received) == 1
    assert [finding["code"] for finding in lab.server.findings()] == [code.value]


def test_nobody_listening_is_tried_again(lab: Lab) -> None:
    receiver = lab.receiver()
    lab.close()
    lab.opened.clear()
    lab.submit(receiver.url)
    lab.finish()
    delivery = lab.delivery()
    assert (delivery["state"], delivery["attempts"]) == ("failed", 6)
    assert {attempt["error"] for attempt in delivery["history"]} == {"connect"}
    assert lab.server.result(delivery["task_id"])["task"]["status"] == DONE, "polling goes on working (WEBHOOK-018)"


@pytest.mark.parametrize(
    ("url", "error", "words"),
    [
        (f"http://{STRANGER}/hook", "refused-target", f"--allow-target {STRANGER}"),
        (f"http://{NO_ADDRESS}:8080/hook", "refused-target", f"--allow-target {NO_ADDRESS}"),
        ("http://mock.test/v3/async/txt2img", "refused-target", "own routes"),
        ("http://mock.test/__mock/reset", "refused-target", "own routes"),
    ],
)
def test_a_target_that_is_not_allowed_is_an_attempt_that_failed(lab: Lab, url: str, error: str, words: str) -> None:
    """It is told, and not tried again: it would fail in the same way."""
    lab.end(lab.submit(url))
    delivery = lab.delivery()
    (attempt,) = delivery["history"]
    assert (delivery["state"], attempt["error"], attempt["answer"]) == ("failed", error, None)
    assert words in attempt["message"]
    assert lab.server.findings() == [], "the receiver has done nothing"


def test_a_target_is_allowed_by_a_setting(lab: Lab, make_lab: Any) -> None:
    """No-address leads to this machine, and is no loopback address all the same."""
    receiver = lab.receiver()
    lab.end(lab.submit(receiver.url.replace("127.0.0.1", NO_ADDRESS)))
    assert lab.delivery()["state"] == "failed"

    allowed: Lab = make_lab(allow_targets=frozenset({NO_ADDRESS}))
    receiver = allowed.receiver()
    allowed.end(allowed.submit(receiver.url.replace("127.0.0.1", NO_ADDRESS)))
    assert allowed.delivery()["state"] == "delivered"


def test_a_target_that_is_none_cannot_be_allowed(make_lab: Any) -> None:
    with pytest.raises(ValueError, match="expected a host"):
        make_lab(allow_targets=frozenset({"http://receiver.test"}))


def test_a_url_keeps_its_secrets(lab: Lab) -> None:
    """The receiver gets them, and the event echoes the URL (C10); nobody else sees them."""
    receiver = lab.receiver(500)
    url = receiver.url.replace("127.0.0.1", "user:pa55word@127.0.0.1") + "?token=s3cret&page=7"
    lab.end(lab.submit(url))

    assert receiver.received[0].target == "/hook?token=s3cret&page=7"
    assert events(receiver)[0]["payload"]["extra"]["webhook"]["url"] == url
    shown = str([lab.deliveries(), lab.delivery(), lab.server.findings()])
    assert "?token=***&page=***" in shown
    assert "s3cret" not in shown
    assert "pa55word" not in shown


def test_a_receivers_answer_is_kept_without_secrets(lab: Lab) -> None:
    """A receiver may echo the URL that it was called by, or the event, in which the key may stand."""
    url = "http://127.0.0.1/hook?token=s3cret"
    receiver = lab.receiver(manners=says(http(500, f"for {url} of {lab.server.key}".encode() + b"x" * 5000)))
    lab.end(lab.submit(receiver.url + "?token=s3cret", prompt=f"a dog {lab.server.key}"))
    shown = lab.delivery()
    beginning = shown["history"][0]["answer"]["beginning"]
    assert beginning.startswith("for http://127.0.0.1/hook")
    assert len(beginning) <= 1024
    assert "s3cret" not in str(shown)
    assert lab.server.key not in str(shown)


def test_an_event_is_signed_when_a_secret_is_set(lab: Lab) -> None:
    """Nothing documents a signature: it is an offer. Receivers judge its time by their own clock."""
    secret = "whsec_" + b64encode(bytes(range(32))).decode()
    receiver = lab.receiver(500)
    assert lab.server.control("PATCH", "/worlds/current", {"webhooks": {"secret": secret}})["webhooks"]["signed"]
    task_id = lab.submit(receiver.url)
    lab.server.wall.now_ms = SystemWall()()
    lab.finish()

    for sent in receiver.received:
        Webhook(secret).verify(sent.body, sent.headers)
        assert sent.headers["webhook-id"] == lab.delivery()["id"]
    assert len(receiver.received) == 2
    shown = str([lab.delivery(), lab.server.control("GET", "/worlds/current"), task_id])
    assert secret not in shown
    assert receiver.received[0].headers["webhook-signature"] not in shown


def test_an_event_carries_no_signature_and_no_key(lab: Lab) -> None:
    """WEBHOOK-019."""
    receiver = lab.receiver()
    lab.end(lab.submit(receiver.url))
    (sent,) = receiver.received
    assert not any(name.startswith("webhook-") for name in sent.headers)
    assert lab.server.key not in str(sent)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"secret": "abc"}, "whsec_"),
        ({"spacing": ["soon"]}, "not a duration"),
        ({"timeout": 0}, "expected 1 ms"),
        ({"timeout": "1h"}, "120 s"),
        ({"retries": 21}, "webhooks.retries"),
        ({"spacing": []}, "webhooks.spacing"),
    ],
)
def test_settings_that_are_none_are_told(lab: Lab, fields: dict[str, Any], words: str) -> None:
    answer = lab.server.call("PATCH", "/__mock/worlds/current", json={"webhooks": fields})
    assert answer.status_code == 400
    assert words in answer.json()["detail"]


def test_a_reset_forgets_what_is_owed(lab: Lab) -> None:
    receiver = lab.receiver(500)
    lab.end(lab.submit(receiver.url))
    first = lab.delivery()["id"]
    lab.server.control("POST", "/reset")
    assert lab.deliveries() == []
    lab.server.control("POST", "/clock/advance", {"duration": "1h"})
    assert len(receiver.received) == 1

    lab.end(lab.submit(receiver.url))
    assert lab.delivery()["id"] == first, "a world that starts again gives the same ids"


def test_worlds_do_not_see_each_others_deliveries(lab: Lab) -> None:
    receiver = lab.receiver()
    lab.end(lab.submit(receiver.url))
    id = lab.delivery()["id"]
    other = lab.server.call("GET", f"/__mock/webhooks/deliveries/{id}", key="sk-another")
    assert other.status_code == 404


def test_a_client_that_was_told_by_webhook_has_not_lost_its_task(lab: Lab) -> None:
    """The acknowledgement was lost; the event brings the task's id, so a later submission is no second payment."""
    receiver = lab.receiver()
    lab.server.control("POST", "/faults", {"point": "submit.after_commit", "effect": {"status": 503}, "nth": 1})
    body = txt2img({"webhook": {"url": receiver.url}})
    assert lab.server.call("POST", "/v3/async/txt2img", json=body).status_code == 503
    lab.finish()
    assert len(receiver.received) == 1
    assert not lab.server.mock.world(lab.server.key).verdicts.unclaimed()
