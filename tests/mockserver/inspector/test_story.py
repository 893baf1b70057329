"""The story of a task: put together from what the world remembers, the same for the page and the terminal."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bodies import TXT2IMG, TXT2IMG_V2, txt2img, txt2img_v2
from tests.conftest import Server

INBOX = "http://mock.test/__mock/inbox/0"


def story(server: Server, task_id: str) -> dict[str, Any]:
    return server.control("GET", f"/tasks/{task_id}/story")


def titles(told: dict[str, Any]) -> list[str]:
    return [step["title"] for step in told["steps"]]


def advance(server: Server, duration: str) -> None:
    server.control("POST", "/clock/advance", {"duration": duration})


@pytest.fixture
def steady(make_server: Any) -> Server:
    """Tasks wait less than a second and work ten."""
    found: Server = make_server()
    found.control("PATCH", "/worlds/current", {"fleet": {"task_duration": "10s"}})
    return found


def test_it_goes_from_submit_to_download_in_order(steady: Server) -> None:
    """Polls that saw the same, one after the other, are one step."""
    task = steady.submit(TXT2IMG, txt2img())
    steady.result(task)
    for _ in range(3):
        advance(steady, "3s")
        steady.result(task)
    advance(steady, "3s")
    url = steady.result(task)["images"][0]["image_url"]
    steady.download(url)
    advance(steady, "2h")
    steady.download(url)
    told = story(steady, task)

    assert titles(told) == [
        "submitted",
        "0.0021 USD booked",
        "polled: queued",
        "work begins",
        "polled 3 times: running 29 to 89 %",
        "succeeded",
        "polled: succeeded",
        "picture downloaded",
        "download failed",
    ]
    polls = told["steps"][4]
    assert polls["calls"] == [3, 4, 5]
    assert polls["until_ms"] - polls["at_ms"] == 6_000
    assert told["steps"][-1]["detail"].endswith("403 Forbidden")
    assert [one["code"] for one in told["findings"]] == ["NV203", "NV205"]


def test_what_is_planned_is_told_as_planned(steady: Server) -> None:
    """The mock knows the end before it comes."""
    told = story(steady, steady.submit(TXT2IMG, txt2img()))

    assert [(step["title"], step["happened"]) for step in told["steps"]] == [
        ("submitted", True),
        ("0.0021 USD booked", True),
        ("work begins", False),
        ("succeeded", False),
    ]


def test_a_lost_answer_and_its_price_are_told_on_both_tasks(server: Server) -> None:
    """The journal entry of a lost answer names no task, and is found all the same."""
    server.control("POST", "/faults", {"point": "submit.after_commit", "effect": "EMPTY_RESPONSE", "times": 1})
    body = txt2img(seed=5)
    with pytest.raises(ConnectionResetError):
        server.call("POST", TXT2IMG, json=body)
    second = server.submit(TXT2IMG, body)
    first = next(one["task_id"] for one in server.control("GET", "/tasks")["tasks"] if one["task_id"] != second)

    told = story(server, first)
    assert told["steps"][0]["title"] == "submitted, answer lost"
    assert told["steps"][0]["calls"] == [1]
    assert "no answer (EMPTY_RESPONSE)" in told["steps"][0]["detail"]
    for task in (first, second):
        assert "double spend" in titles(story(server, task))
    assert [one["code"] for one in story(server, second)["findings"]] == ["NV301"]


@pytest.mark.parametrize(
    ("directive", "expected"),
    [
        ("stuck", "goes no further, ever"),
        ("vanish", "becomes unknown"),
        ("regress", "falls back into the queue"),
        ("fail", "failed"),
    ],
)
def test_trouble_with_its_course_is_told(server: Server, directive: str, expected: str) -> None:
    """What a fault plan decided about the task stands at the submit, what comes of it where it happens."""
    task = server.submit(TXT2IMG, txt2img(prompt=f"a cat [[mock:{directive}]]"))
    told = story(server, task)

    assert expected in titles(told)
    assert any(step["kind"] == "fault" and directive in step["title"] for step in told["steps"])


def test_webhook_attempts_are_told_with_what_came(server: Server) -> None:
    """A refused attempt, the retry that is due, and what stays held."""
    inbox = server.control("GET", "/webhooks/inbox")["url"]
    server.control("PUT", "/webhooks/inbox", {"answers": [{"status": 500}]})
    task = server.submit(TXT2IMG, txt2img({"webhook": {"url": "http://127.0.0.1:9/hook?secret=abc"}}))
    server.control("POST", "/clock/advance-to-next-event")
    server.control("POST", "/clock/advance-to-next-event")
    told = story(server, task)

    hooks = [step for step in told["steps"] if step["kind"] == "webhook"]
    assert hooks[0]["title"] == "webhook attempt 1: not taken"
    assert hooks[1]["title"] == "webhook attempt 2 is due"
    assert hooks[1]["happened"] is False
    assert "abc" not in str(told)
    assert inbox not in str(told)
    delivery = told["deliveries"][0]
    assert delivery["attempted"] == [{"at_ms": hooks[0]["at_ms"], "ok": False}]
    server.control("POST", f"/webhooks/deliveries/{delivery['id']}/drop")
    assert "webhook was dropped" in titles(story(server, task))


def test_v2_tasks_have_one_too(server: Server) -> None:
    """Their polls speak in numbers."""
    task = server.submit(TXT2IMG_V2, txt2img_v2())
    server.progress(task)
    server.finish_all()
    server.progress(task)
    told = story(server, task)

    assert [title for title in titles(told) if title.startswith("polled")] == ["polled: queued", "polled: succeeded"]
    assert {one["code"] for one in told["findings"]} == {"NV403"}
    assert told["request"]["path"] == TXT2IMG_V2


def test_polls_that_failed_say_how(server: Server) -> None:
    """Status and reason of the answer, and the fault behind it."""
    task = server.submit(TXT2IMG, txt2img())
    server.control("POST", "/faults", {"point": "result", "effect": {"status": 429}, "times": 1})
    server.call("GET", "/v3/async/task-result", params={"task_id": task})
    told = story(server, task)

    assert "polled: 429 RATE_LIMIT_EXCEEDED (fault: status 429)" in titles(told)
    assert told["faults"] == [{"point": "result", "effect": {"status": {"code": 429}}, "times": 1}]


def test_the_key_is_nowhere_in_it(server: Server) -> None:
    """Whatever a client put it into."""
    task = server.submit(TXT2IMG, txt2img(prompt=f"my key is {server.key}", negative_prompt=server.key))
    assert server.key not in server.call("GET", f"/__mock/tasks/{task}/story").text
    assert server.key not in server.call("GET", "/__mock/tasks").text


def test_it_says_when_the_journal_has_dropped_calls(make_server: Any) -> None:
    """A story is never shorter without a word."""
    from mockserver.settings import Limits

    server = make_server(limits=Limits(journal_entries=2))
    task = server.submit(TXT2IMG, txt2img())
    for _ in range(3):
        server.result(task)
    told = story(server, task)

    assert told["forgotten"] is True
    assert told["steps"][0]["detail"] == "the journal no longer has the call"


def test_a_picture_is_shown_without_a_download(server: Server) -> None:
    """Nothing is counted or judged; what is not there is a problem that says why."""
    task = server.submit(TXT2IMG, txt2img())
    early = server.call("GET", f"/__mock/tasks/{task}/pictures/0")
    assert (early.status_code, early.json()["detail"].endswith("there is no picture")) == (404, True)
    server.finish_all()
    shown = server.call("GET", f"/__mock/tasks/{task}/pictures/0")
    assert shown.headers["content-type"] == "image/png"
    url = server.result(task)["images"][0]["image_url"]
    assert server.download(url).content == shown.content
    for index in ("1", "-1", "x", "²"):
        assert server.call("GET", f"/__mock/tasks/{task}/pictures/{index}").status_code == 404
    assert server.control("GET", "/tasks")["tasks"][0]["downloads"] == 1


def test_a_call_can_be_looked_at_with_its_findings(server: Server) -> None:
    """The entry keeps the words of what was found in it, and the task that it is about."""
    task = server.submit(TXT2IMG, txt2img(negative_prompt=""))
    server.result(task)
    entry = server.control("GET", "/requests/1")

    assert entry["task_id"] == task
    assert [(one["code"], one["where"]) for one in entry["told"]] == [
        ("NV401", "createTxt2imgTask: request.negative_prompt")
    ]
    assert server.control("GET", "/requests/2")["task_id"] == task
    assert server.call("GET", "/__mock/requests/9").status_code == 404
    brief = server.control("GET", "/requests", brief="true")["requests"]
    assert [("request" in one, one["findings"]) for one in brief] == [(False, 1), (False, 0)]


def test_tasks_that_have_changed_since_are_listed(steady: Server) -> None:
    """Submitted, polled or ended; the others are left out."""
    first = steady.submit(TXT2IMG, txt2img())
    second = steady.submit(TXT2IMG, txt2img())
    advance(steady, "1m")
    since = steady.control("GET", "/tasks")["now_ms"]
    advance(steady, "1s")
    assert steady.control("GET", "/tasks", since_ms=since)["tasks"] == []
    steady.result(second)
    third = steady.submit(TXT2IMG, txt2img())
    changed = steady.control("GET", "/tasks", since_ms=since)["tasks"]
    assert [one["task_id"] for one in changed] == [second, third]
    assert first not in str(changed)


def test_points_and_effects_are_listed_for_forms(server: Server) -> None:
    """Everything that can be armed, with its options."""
    points = {one["point"]: one for one in server.call("GET", "/__mock/faults/effects", key=None).json()["points"]}
    assert len(points) == 13
    status = next(one for one in points["result"]["effects"] if one["effect"] == "status")
    assert status["main"] == "code"
    assert status["options"]["code"] == {"type": "integer", "minimum": 400, "maximum": 599}
