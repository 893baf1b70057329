"""The laboratory: what a test does with deliveries, by control call and by fault plan."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from mockserver.faults.tape import read_tape
from openapi.document import Document, Reading
from tests.bodies import TXT2IMG, txt2img
from tests.mockserver.outbound.receivers import hangs, http, late
from tests.mockserver.webhooks.lab import Lab, events, ids, tasks_told, until

DONE, FAILED = "TASK_STATUS_SUCCEED", "TASK_STATUS_FAILED"


def test_replay_sends_the_same_event_again(lab: Lab) -> None:
    receiver = lab.receiver()
    lab.submit(receiver.url)
    lab.finish()
    answer = lab.do("replay")

    assert len(receiver.received) == 2
    assert receiver.received[0].body == receiver.received[1].body
    assert list(ids(receiver).values()) == [2]
    assert [sent["cause"] for sent in answer["sent"]] == ["replay"]
    assert lab.delivery()["state"] == "delivered"


def test_a_replay_that_is_taken_ends_a_delivery_that_was_given_up(lab: Lab) -> None:
    receiver = lab.receiver(*[500] * 6)
    lab.submit(receiver.url)
    lab.finish()
    assert lab.delivery()["state"] == "failed"
    assert lab.do("replay")["delivery"]["state"] == "delivered"


def test_a_replay_that_is_taken_makes_retries_needless(lab: Lab) -> None:
    receiver = lab.receiver(500)
    lab.end(lab.submit(receiver.url))
    lab.do("replay")
    assert lab.server.control("GET", "/clock")["next_event_ms"] is None
    lab.server.control("POST", "/clock/advance", {"duration": "1h"})
    assert len(receiver.received) == 2


def test_a_replay_that_is_refused_changes_nothing(lab: Lab) -> None:
    receiver = lab.receiver(200, 500)
    lab.end(lab.submit(receiver.url))
    assert lab.do("replay")["delivery"]["state"] == "delivered"


@pytest.mark.parametrize("at_once", [False, True])
def test_duplicate_sends_several_copies(lab: Lab, at_once: bool) -> None:
    receiver = lab.receiver()
    lab.end(lab.submit(receiver.url))
    answer = lab.do("duplicate", times=5, at_once=at_once)
    assert list(ids(receiver).values()) == [6]
    assert sorted(sent["number"] for sent in answer["sent"]) == [2, 3, 4, 5, 6]


def test_a_held_delivery_waits_until_it_is_released(lab: Lab) -> None:
    receiver = lab.receiver(500)
    lab.end(lab.submit(receiver.url))
    assert lab.do("hold")["state"] == "held"
    lab.server.control("POST", "/clock/run-until-idle")
    lab.server.control("POST", "/clock/advance", {"duration": "1h"})
    assert len(receiver.received) == 1

    assert lab.do("release")["state"] == "delivered"
    assert len(receiver.received) == 2


@pytest.mark.parametrize("order", ["as-is", "reversed"])
def test_all_new_deliveries_are_held_and_released_in_either_order(lab: Lab, order: str) -> None:
    receiver = lab.receiver()
    lab.server.control("POST", "/webhooks/hold")
    for _ in range(7):
        lab.submit(receiver.url)
    lab.finish()
    assert receiver.received == []
    assert {delivery["state"] for delivery in lab.deliveries()} == {"held"}
    made = [delivery["task_id"] for delivery in lab.deliveries()]

    answer = lab.server.control("POST", "/webhooks/release", {"order": order})
    expected = made if order == "as-is" else made[::-1]
    assert [task for task, _ in tasks_told(receiver)] == expected
    assert [one["task_id"] for one in answer["released"]] == expected
    lab.end(lab.submit(receiver.url))
    assert len(receiver.received) == 8, "later ones are not held"


def test_a_release_sends_what_is_held_even_if_it_fails(lab: Lab) -> None:
    """A refused release is a failed attempt like any other: the retries follow."""
    receiver = lab.receiver(500)
    lab.server.control("POST", "/webhooks/hold")
    lab.submit(receiver.url)
    lab.finish()
    lab.server.control("POST", "/webhooks/release")
    assert lab.delivery()["state"] == "pending"
    lab.finish()
    assert [one["cause"] for one in lab.delivery()["history"]] == ["first", "retry"]


def test_a_dropped_delivery_is_lost(lab: Lab) -> None:
    receiver = lab.receiver(500)
    lab.end(lab.submit(receiver.url))
    assert lab.do("drop")["state"] == "dropped"
    lab.server.control("POST", "/clock/advance", {"duration": "1h"})
    assert len(receiver.received) == 1
    assert lab.do("replay")["delivery"]["state"] == "delivered", "replay sends what was lost"


def test_a_delayed_delivery_comes_later(lab: Lab) -> None:
    receiver = lab.receiver(500)
    lab.end(lab.submit(receiver.url))
    now_ms = lab.server.control("GET", "/clock")["now_ms"]
    assert lab.do("delay", duration="45m")["next_attempt_ms"] == now_ms + 45 * 60_000
    lab.server.control("POST", "/clock/advance", {"duration": "44m"})
    assert len(receiver.received) == 1
    lab.server.control("POST", "/clock/advance", {"duration": "2m"})
    assert len(receiver.received) == 2
    assert lab.delivery()["state"] == "delivered"


@pytest.mark.parametrize("first", [DONE, FAILED])
def test_conflict_says_the_opposite_of_the_same_task(lab: Lab, first: str, document: Document) -> None:
    receiver = lab.receiver()
    task_id = lab.submit(receiver.url, test_mode=first)
    lab.settle()
    answer = lab.do("conflict")

    other = FAILED if first == DONE else DONE
    assert tasks_told(receiver) == [(task_id, first), (task_id, other)]
    assert (answer["origin"], answer["state"]) == ("conflict", "delivered")
    assert len(ids(receiver)) == 2, "it is another event"
    assert document.webhooks["asyncTaskResult"].is_valid(events(receiver)[1], Reading.DOCUMENTED)
    task = events(receiver)[1]["payload"]
    assert bool(task["images"]) == (other == DONE)
    assert bool(task["task"]["reason"]) == (other == FAILED)


def test_what_is_decided_while_an_attempt_is_under_way(lab: Lab) -> None:
    """The attempt is not called back. A delay makes no sense then; a hold that is released before the end is undone."""
    receiver = lab.receiver(manners=late(0.2, http(500)))
    lab.submit(receiver.url, test_mode=DONE)
    lab.run(until(lambda: receiver.received))
    id = lab.deliveries()[0]["id"]
    refused = lab.server.call("POST", f"/__mock/webhooks/deliveries/{id}/delay", json={"duration": 1})
    assert (refused.status_code, "under way" in refused.json()["detail"]) == (409, True)
    lab.do("hold")
    assert lab.do("release")["state"] == "pending"
    lab.do("hold")
    lab.settle()
    assert (lab.delivery()["state"], len(receiver.received)) == ("held", 1)
    assert lab.delivery()["next_attempt_ms"] is None


def test_a_reset_ends_a_submit_that_waits_for_its_event(lab: Lab) -> None:
    """It would wait for a minute otherwise."""
    receiver = lab.receiver(manners=hangs)
    lab.server.control("POST", "/faults", {"point": "webhook.before_reply", "effect": "early"})
    mock = lab.server.mock
    world = mock.world(lab.server.key)

    async def story() -> bool:
        submitting = asyncio.ensure_future(lab.ask(TXT2IMG, txt2img({"webhook": {"url": receiver.url}})))
        await until(lambda: receiver.received)
        mock.reset(world)
        return (await submitting).status_code == 200

    assert lab.run(story())


def test_an_early_event_is_waited_for_to_its_end_whatever_else_happens_in_the_world(lab: Lab) -> None:
    """Every change in a world makes whoever waits there look again."""
    receiver = lab.receiver(manners=hangs)
    lab.server.control("POST", "/faults", {"point": "webhook.before_reply", "effect": "early"})
    mock = lab.server.mock
    world = mock.world(lab.server.key)

    async def story() -> bool:
        submitting = asyncio.ensure_future(lab.ask(TXT2IMG, txt2img({"webhook": {"url": receiver.url}})))
        await until(lambda: receiver.received)
        for _ in range(50):
            world.desk.bell.ring()
            await asyncio.to_thread(int)
        waits = not submitting.done()
        mock.reset(world)
        await submitting
        return waits

    assert lab.run(story())


def test_a_client_that_leaves_a_submit_that_waits_for_its_event_has_lost_its_answer(lab: Lab) -> None:
    """The task is made and paid for; nobody waits for the receiver any longer."""
    receiver = lab.receiver(manners=hangs)
    lab.server.control("POST", "/faults", {"point": "webhook.before_reply", "effect": "early"})
    world = lab.server.mock.world(lab.server.key)
    body = orjson.dumps(txt2img({"webhook": {"url": receiver.url}}))
    scope = {
        "type": "http", "method": "POST", "path": TXT2IMG, "root_path": "", "scheme": "http", "query_string": b"",
        "headers": [(b"authorization", f"Bearer {lab.server.key}".encode()), (b"content-type", b"application/json")],
    }  # fmt: skip
    sent: list[Any] = []

    async def story() -> int:
        asked = False

        async def receive() -> dict[str, Any]:
            nonlocal asked
            if not asked:
                asked = True
                return {"type": "http.request", "body": body}
            await until(lambda: receiver.received)
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        await lab.server.app(scope, receive, send)
        return len(world.verdicts.unclaimed())

    assert (lab.run(story()), sent) == (1, [])
    lab.settle()


@pytest.mark.parametrize("verb", ["hold", "drop", "delay"])
def test_what_has_ended_is_not_held_dropped_or_delayed(lab: Lab, verb: str) -> None:
    receiver = lab.receiver()
    lab.end(lab.submit(receiver.url))
    id = lab.deliveries()[0]["id"]
    answer = lab.server.call("POST", f"/__mock/webhooks/deliveries/{id}/{verb}", json={"duration": "1s"})
    assert answer.status_code == 409
    assert "replay" in answer.json()["detail"]
    released = lab.server.call("POST", f"/__mock/webhooks/deliveries/{id}/release")
    assert (released.status_code, "not held" in released.json()["detail"]) == (409, True)


def test_deliveries_are_found_by_state_and_task(lab: Lab) -> None:
    receiver = lab.receiver(200, *[500] * 6)
    tasks = [lab.submit(receiver.url) for _ in range(2)]
    lab.end(tasks[0])
    lab.end(tasks[1])
    lab.finish()
    assert [one["task_id"] for one in lab.deliveries(state="failed")] == [tasks[1]]
    assert [one["state"] for one in lab.deliveries(task_id=tasks[0])] == ["delivered"]
    assert [one["task_id"] for one in lab.deliveries(limit=1)] == [tasks[1]]
    states = lab.server.control("GET", "/webhooks/deliveries")["states"]
    assert states == {"pending": 0, "held": 0, "delivered": 1, "failed": 1, "dropped": 0}


def test_an_unknown_delivery_is_told(lab: Lab) -> None:
    answer = lab.server.call("GET", "/__mock/webhooks/deliveries/msg_none")
    assert (answer.status_code, "msg_none" in answer.json()["detail"]) == (404, True)


def test_the_fault_plan_drops(lab: Lab) -> None:
    receiver = lab.receiver()
    lab.arm("drop", nth=1)
    lab.submit(receiver.url)
    lab.submit(receiver.url)
    lab.finish()
    first, second = lab.deliveries()
    assert (first["state"], first["attempts"], second["state"]) == ("dropped", 0, "delivered")
    assert "fault plan" in first["note"]
    assert len(receiver.received) == 1
    assert lab.do("replay", first["id"])["delivery"]["state"] == "delivered"


def test_the_fault_plan_holds(lab: Lab) -> None:
    receiver = lab.receiver()
    lab.arm("hold")
    lab.submit(receiver.url)
    lab.finish()
    assert receiver.received == []
    assert lab.do("release")["state"] == "delivered", "the plan has decided about this attempt already"


def test_the_fault_plan_delays(lab: Lab) -> None:
    receiver = lab.receiver()
    lab.arm({"late": "30m"})
    lab.end(lab.submit(receiver.url))
    assert lab.delivery()["state"] == "pending"
    lab.finish()
    delivery = lab.delivery()
    assert delivery["history"][0]["at_ms"] - delivery["owed_since_ms"] == 30 * 60_000
    assert delivery["state"] == "delivered"


def test_the_fault_plan_duplicates(lab: Lab) -> None:
    receiver = lab.receiver()
    lab.arm({"duplicate": 3})
    lab.submit(receiver.url)
    lab.finish()
    assert list(ids(receiver).values()) == [3]
    assert lab.delivery()["state"] == "delivered"


def test_a_copy_that_is_taken_is_enough(lab: Lab) -> None:
    receiver = lab.receiver(500)
    lab.arm("duplicate")
    lab.submit(receiver.url)
    lab.finish()
    assert len(receiver.received) == 2
    assert lab.delivery()["state"] == "delivered"


def test_the_fault_plan_reorders(lab: Lab) -> None:
    """One that waits for the next is sent after it; of two that should wait the second goes."""
    receiver = lab.receiver()
    lab.arm("reorder")
    tasks = [lab.submit(receiver.url) for _ in range(4)]
    for task in tasks:
        lab.end(task)
    one, two, three, four = tasks
    assert [task for task, _ in tasks_told(receiver)] == [two, one, four, three]


def test_nobody_waits_for_ever_for_the_next_one(lab: Lab) -> None:
    receiver = lab.receiver()
    lab.arm("reorder")
    task_id = lab.submit(receiver.url)
    lab.end(task_id)
    assert (receiver.received, lab.delivery()["state"]) == ([], "pending")
    lab.finish()
    delivery = lab.delivery()
    assert (delivery["state"], delivery["note"]) == ("delivered", "")
    assert delivery["history"][0]["at_ms"] - delivery["owed_since_ms"] == 60_000

    first, second = lab.submit(receiver.url), lab.submit(receiver.url)
    lab.end(first)
    lab.end(second)
    assert [task for task, _ in tasks_told(receiver)] == [task_id, second, first]
    assert lab.server.control("GET", "/clock")["next_event_ms"] is None


def test_the_fault_plan_contradicts(lab: Lab) -> None:
    receiver = lab.receiver()
    lab.arm("conflict")
    task_id = lab.submit(receiver.url)
    lab.finish()
    assert tasks_told(receiver) == [(task_id, DONE), (task_id, FAILED)]
    assert [one["origin"] for one in lab.deliveries()] == ["task", "conflict"]


def test_the_fault_plan_breaks_and_cuts_one_attempt(lab: Lab) -> None:
    """The retry brings the event as it should be."""
    receiver = lab.receiver(400, 400)
    lab.arm({"break": "missing"}, match={"attempt": 1})
    lab.arm({"truncate": 0.5}, match={"attempt": 2})
    lab.submit(receiver.url)
    lab.finish()
    broken, cut, whole = (one.body for one in receiver.received)
    assert "status" not in orjson.loads(broken)["payload"]["task"]
    assert whole.startswith(cut)
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(cut)
    assert orjson.loads(whole)["payload"]["task"]["status"] == DONE
    delivery = lab.delivery()
    assert [bool(one["effect"]) for one in delivery["history"]] == [True, True, False]
    assert lab.server.findings() == [], "a receiver may refuse what is no event"


def test_faults_in_a_row_end_for_attempts_too(lab: Lab) -> None:
    receiver = lab.receiver(*[400] * 3)
    lab.arm({"truncate": 0.5})
    lab.submit(receiver.url)
    lab.finish()
    assert [bool(one["effect"]) for one in lab.delivery()["history"]] == [True, True, True, False]
    assert lab.delivery()["state"] == "delivered"


def test_an_attempt_without_a_fault_begins_the_row_anew(lab: Lab) -> None:
    receiver = lab.receiver(*[400] * 5)
    rule = {"point": "webhook.attempt", "effect": {"truncate": 0.5}, "every": 2}
    lab.server.control("POST", "/faults", {"faults": [rule], "max_in_a_row": 1})
    lab.submit(receiver.url)
    lab.finish()
    assert [bool(one["effect"]) for one in lab.delivery()["history"]] == [False, True, False, True, False, True]


def test_an_event_may_come_before_the_answer_of_the_submit(lab: Lab) -> None:
    """The clock stands, and yet the event is there when the submit is answered."""
    receiver = lab.receiver()
    lab.server.control("POST", "/faults", {"point": "webhook.before_reply", "effect": "early"})
    task_id = lab.submit(receiver.url)
    assert tasks_told(receiver) == [(task_id, DONE)]
    assert lab.delivery()["state"] == "delivered"
    lab.finish()
    assert len(receiver.received) == 1


def test_an_early_event_that_is_held_holds_up_nobody(lab: Lab) -> None:
    receiver = lab.receiver()
    lab.server.control("POST", "/webhooks/hold")
    lab.server.control("POST", "/faults", {"point": "webhook.before_reply", "effect": "early"})
    task_id = lab.submit(receiver.url)
    assert receiver.received == []
    assert lab.server.result(task_id)["task"]["status"] == DONE


@pytest.mark.parametrize("status", [DONE, FAILED])
def test_early_goes_with_test_mode(lab: Lab, status: str) -> None:
    receiver = lab.receiver()
    lab.server.control("POST", "/faults", {"point": "webhook.before_reply", "effect": "early"})
    task_id = lab.submit(receiver.url, test_mode=status)
    assert tasks_told(receiver) == [(task_id, status)]


def test_early_without_a_webhook_is_nothing(lab: Lab) -> None:
    lab.server.control("POST", "/faults", {"point": "webhook.before_reply", "effect": "early"})
    task_id = lab.server.submit(TXT2IMG, txt2img())
    assert lab.server.result(task_id)["task"]["status"] == "TASK_STATUS_QUEUED"


@pytest.mark.parametrize(("effect", "status"), [("break", 200), ({"status": 500}, 500)])
def test_an_event_comes_before_an_answer_that_is_spoiled(lab: Lab, effect: object, status: int) -> None:
    receiver = lab.receiver()
    faults = [
        {"point": "submit.after_commit", "effect": effect},
        {"point": "webhook.before_reply", "effect": "early"},
    ]
    lab.server.control("POST", "/faults", {"faults": faults})
    answer = lab.server.call("POST", TXT2IMG, json=txt2img({"webhook": {"url": receiver.url}}))
    assert (answer.status_code, len(receiver.received)) == (status, 1)
    assert "task_id" not in answer.json()


def test_what_happens_to_attempts_does_not_depend_on_whose_task_ends_first(make_lab: Any) -> None:
    """Positions and ids are the task's: an upload takes real time, and another task's event may go before it."""
    found = []
    for order in ((0, 1), (1, 0)):
        lab: Lab = make_lab()
        lab.arm("duplicate", match={"task": 2})
        url = lab.receiver().url
        tasks = [lab.submit(url, test_mode="") for _ in range(2)]
        for number in order:
            lab.end(tasks[number])
        assert [one["at"] for one in lab.server.control("GET", "/faults")["fired"]] == ["webhook.attempt#1.1"]
        found.append({one["task_id"]: one["id"] for one in lab.deliveries()})
    assert found[0] == found[1]


def test_a_tape_repeats_what_happened_to_attempts(make_lab: Any) -> None:
    """Positions are the task's number, from 0, and the attempt's; no rule is needed the second time."""
    lab: Lab = make_lab()
    receiver = lab.receiver(500)
    lab.arm("duplicate", match={"attempt": 2})
    lab.submit(receiver.url)
    lab.finish()
    assert [one["at"] for one in lab.server.control("GET", "/faults")["fired"]] == ["webhook.attempt#0.2"]

    _, replay = read_tape(lab.server.call("GET", "/__mock/tape").content)
    again: Lab = make_lab(replay=replay)
    receiver = again.receiver(500)
    again.submit(receiver.url)
    again.finish()
    assert [one["cause"] for one in again.delivery()["history"]] == ["first", "retry", "duplicate"]
