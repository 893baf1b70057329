"""The inbox: a receiver that a test need not write. Over a real server, as clients call it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from mockserver.core.clock import ClockMode
from mockserver.outbound.sender import LOOP_HEADER
from mockserver.running import ServerThread
from mockserver.settings import Settings
from tests.bodies import TXT2IMG, txt2img
from tests.mockserver.webhooks.lab import Lab


@pytest.fixture(scope="module")
def running() -> Iterator[ServerThread]:
    with ServerThread(Settings(clock=ClockMode.parse("manual"))) as server:
        yield server


@pytest.fixture
def client(running: ServerThread, request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    """A client with a world of its own."""
    key = f"sk-inbox-{request.node.name}"
    with httpx.Client(base_url=running.url, headers={"authorization": f"Bearer {key}"}, timeout=30) as client:
        yield client


def inbox(client: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/__mock/webhooks/inbox").raise_for_status().json()
    return found


def submit(client: httpx.Client, url: str, **webhook: Any) -> str:
    answer = client.post(TXT2IMG, json=txt2img({"webhook": {"url": url, **webhook}})).raise_for_status()
    task_id: str = answer.json()["task_id"]
    return task_id


def wait(client: httpx.Client, **query: Any) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/__mock/webhooks/inbox/wait", params=query).raise_for_status().json()
    return found


def test_an_event_comes_to_the_inbox(client: httpx.Client) -> None:
    task_id = submit(client, inbox(client)["url"])
    client.post("/__mock/clock/run-until-idle").raise_for_status()
    (event,) = inbox(client)["events"]
    assert event["body"]["payload"]["task"]["task_id"] == task_id
    assert (event["event_type"], event["answered"], event["signed"]) == ("ASYNC_TASK_RESULT", 200, False)
    (delivery,) = client.get("/__mock/webhooks/deliveries").json()["deliveries"]
    assert (delivery["id"], delivery["state"]) == (event["delivery_id"], "delivered")


@pytest.mark.parametrize("spelled", ["localhost", "127.0.0.1"])
def test_the_inbox_is_reached_under_any_name_of_this_machine(client: httpx.Client, spelled: str) -> None:
    """One in process, the other over a socket; the caller sees no difference."""
    submit(client, inbox(client)["url"].replace("127.0.0.1", spelled))
    client.post("/__mock/clock/run-until-idle").raise_for_status()
    assert len(inbox(client)["events"]) == 1


def test_anybody_may_post_to_it(client: httpx.Client) -> None:
    url = inbox(client)["url"]
    assert httpx.post(url, json={"event_type": "SOMETHING_NEW"}).status_code == 200
    assert httpx.post(url, content=b"no json", headers={LOOP_HEADER: "msg_7"}).status_code == 200
    first, second = inbox(client)["events"]
    assert (first["event_type"], first["delivery_id"]) == ("SOMETHING_NEW", None)
    assert (second["body"], second["delivery_id"], second["event_type"]) == ("no json", "msg_7", None)
    assert [one["number"] for one in client.get("/__mock/webhooks/inbox?event=SOMETHING_NEW").json()["events"]] == [1]


@pytest.mark.parametrize("depth", [200, 300, 1_000, 2_000])
def test_an_event_of_any_depth_is_shown(client: httpx.Client, depth: int) -> None:
    """As JSON while an answer can hold it, else as the text that came."""
    raw = b'{"a":' * depth + b"1" + b"}" * depth
    client.post(inbox(client)["url"], content=raw).raise_for_status()

    (event,) = inbox(client)["events"]

    assert isinstance(event["body"], dict if depth == 200 else str)
    assert depth == 200 or event["body"] == raw.decode()


def test_an_inbox_of_no_world_is_told(client: httpx.Client) -> None:
    answer = httpx.post(inbox(client)["url"][:-3] + "zzz", json={})
    assert answer.status_code == 404
    assert "webhooks/inbox" in answer.json()["detail"]


def test_waiting_ends_as_soon_as_the_event_is_there(client: httpx.Client) -> None:
    url = inbox(client)["url"]
    asked = threading.Thread(target=submit, args=(client, url), kwargs={"test_mode": _mode()})
    asked.start()
    found = wait(client, event="ASYNC_TASK_RESULT", count=1, timeout=30)
    asked.join()
    assert found["complete"] is True
    assert len(found["events"]) == 1


def test_waiting_has_an_end(client: httpx.Client) -> None:
    assert wait(client, count=1, timeout=0) == {"complete": False, "events": []}
    refused = client.get("/__mock/webhooks/inbox/wait", params={"timeout": 61})
    assert (refused.status_code, "60" in refused.json()["detail"]) == (400, True)


def test_clearing_forgets_the_events(client: httpx.Client) -> None:
    submit(client, inbox(client)["url"], test_mode=_mode())
    wait(client, timeout=30)
    assert client.delete("/__mock/webhooks/inbox").json() == {"cleared": 1}
    assert inbox(client)["events"] == []


def test_the_inbox_answers_as_it_is_told(client: httpx.Client) -> None:
    """A 503, one that is too late, and then it is taken: the retries are the documented ones."""
    answers = [{"status": 503}, {"status": 200, "delay": "30s"}]
    client.patch("/__mock/worlds/current", json={"webhooks": {"timeout": "50ms"}}).raise_for_status()
    told = client.put("/__mock/webhooks/inbox", json={"answers": answers}).raise_for_status().json()
    assert told["answers"] == [{"status": 503, "delay": 0}, {"status": 200, "delay": 30}]
    submit(client, told["url"])
    client.post("/__mock/clock/run-until-idle").raise_for_status()

    (delivery,) = client.get("/__mock/webhooks/deliveries").json()["deliveries"]
    history = client.get(f"/__mock/webhooks/deliveries/{delivery['id']}").json()["history"]
    assert [one["verdict"].partition(":")[0] for one in history] == ["refused", "too late", "taken"]
    assert [one["answered"] for one in inbox(client)["events"]] == [503, 200, 200]
    assert inbox(client)["answers"] == []
    assert client.get("/__mock/findings").json()["findings"] == [], "nobody's receiver has failed"


@pytest.mark.parametrize("clock", ["auto", "real", "x1000"])
def test_on_a_clock_that_runs_events_come_by_themselves(client: httpx.Client, clock: str) -> None:
    """Nobody moves anything: the end and the retries ring by themselves."""
    settings = {"webhooks": {"spacing": ["10ms"]}, "fleet": {"task_duration": "100ms"}, "clock": clock}
    client.patch("/__mock/worlds/current", json=settings).raise_for_status()
    url = client.put("/__mock/webhooks/inbox", json={"answers": [{"status": 500}] * 2}).raise_for_status().json()["url"]
    submit(client, url)
    found = wait(client, count=3, timeout=30)
    assert [one["answered"] for one in found["events"]] == [500, 500, 200]


def test_an_answer_that_never_comes_is_refused(client: httpx.Client) -> None:
    answer = client.put("/__mock/webhooks/inbox", json={"answers": [{"delay": "3m"}]})
    assert (answer.status_code, "120 s" in answer.json()["detail"]) == (400, True)


def test_an_event_before_the_answer_over_a_real_socket(client: httpx.Client) -> None:
    """The client has no task id yet when its event comes."""
    url = inbox(client)["url"]
    client.post("/__mock/faults", json={"point": "webhook.before_reply", "effect": "early"}).raise_for_status()
    client.put("/__mock/webhooks/inbox", json={"answers": [{"delay": "200ms"}]}).raise_for_status()
    answered: list[str] = []
    asked = threading.Thread(target=lambda: answered.append(submit(client, url)))
    asked.start()
    event = wait(client, timeout=30)["events"][0]
    assert answered == [], "the submit waits until the receiver has answered"
    asked.join()
    assert answered == [event["body"]["payload"]["task"]["task_id"]]


def test_two_submits_may_be_told_early_at_the_same_time(client: httpx.Client) -> None:
    url = inbox(client)["url"]
    client.post("/__mock/faults", json={"point": "webhook.before_reply", "effect": "early"}).raise_for_status()
    asked = [threading.Thread(target=submit, args=(client, url)) for _ in range(2)]
    for one in asked:
        one.start()
    for one in asked:
        one.join()
    assert len(inbox(client)["events"]) == 2


def test_the_inbox_needs_no_socket(lab: Lab) -> None:
    """The mock is reached by a name that only its clients know (a container's); its own inbox is there all the same."""
    url = lab.server.control("GET", "/webhooks/inbox")["url"]
    assert url.startswith("http://mock.test/__mock/inbox/")
    lab.end(lab.submit(url + "?token=s3cret"))
    assert lab.delivery()["state"] == "delivered"
    shown = lab.server.control("GET", "/webhooks/inbox")
    assert len(shown["events"]) == 1
    assert "s3cret" not in str(shown)


def _mode() -> dict[str, Any]:
    return {"enabled": True, "return_task_status": "TASK_STATUS_SUCCEED"}
