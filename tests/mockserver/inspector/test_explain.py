"""`novita-mock explain`: the story of a task in the terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result

from mockserver.cli import cli
from mockserver.inspector.telling import plain, told
from mockserver.running import ServerThread
from tests.mockserver.inspector.visiting import Client, serving


@pytest.fixture(scope="module")
def site() -> Iterator[ServerThread]:
    """A mock whose clocks move when told."""
    with serving() as server:
        yield server


def explain(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(cli, ["explain", *arguments], env={"NOVITA_API_URI": None, **environment})


def test_a_task_is_told_from_submit_to_download(site: ServerThread) -> None:
    """Without a key: the server knows whose task it is."""
    client = Client(site.url, "sk-explain-0123456789")
    client.control("PATCH", "/worlds/current", {"fleet": {"task_duration": "10s"}})
    client.control("PUT", "/webhooks/inbox", {"answers": [{"status": 500}]})
    task = client.submit("a lighthouse\nat dawn", {"webhook": {"url": client.inbox}}, negative_prompt="")
    for _ in range(3):
        client.advance("3s")
        client.result(task)
    client.control("POST", "/clock/run-until-idle")
    client.http.get(client.result(task)["images"][0]["image_url"])
    done = explain(task, "--url", site.url)

    assert done.exit_code == 0, done.output
    lines = [" ".join(line.split()) for line in done.output.splitlines()]
    assert lines[0] == f"Task {task}: succeeded"
    assert lines[1] == "a lighthouse at dawn"
    assert any(line.startswith("world sk-e...89 (") and "clock manual" in line for line in lines)
    for expected in (
        "+0.000 s submitted",
        "POST /v3/async/txt2img: 200 OK",
        "+0.000 s 0.0021 USD booked",
        "work begins",
        "polled 3 times: running",
        "+ succeeded",
        "! webhook attempt 1: not taken",
        "+ webhook attempt 2: taken",
        "+ picture downloaded",
        "NV401 tolerated-request, warning: createTxt2imgTask: request.negative_prompt",
        "NV201 key-sent-to-image-host, error: header Authorization",
        "docs/findings/NV201.md",
    ):
        assert any(expected in line for line in lines), (expected, done.output)


def test_it_can_be_had_as_json(site: ServerThread) -> None:
    """What the control interface gives."""
    client = Client(site.url, "sk-json")
    task = client.submit()
    done = explain(task, "--json", NOVITA_API_URI=site.url)
    assert json.loads(done.output)["task"]["task_id"] == task


def test_without_a_task_the_newest_are_listed_and_the_beginning_of_an_id_will_do() -> None:
    """What a person has at hand is seldom a whole id."""
    with serving() as server:
        assert explain("--url", server.url).output == "no task yet: nothing was submitted to this mock\n"
        first, second = Client(server.url, "sk-one"), Client(server.url, "sk-two")
        older = first.submit("a fox \x1b[31m")
        second.advance("10s")
        newer = second.submit("a hare")

        lines = explain("--url", server.url).output.splitlines()
        assert [line.split()[0] for line in lines] == [newer, older]
        assert lines[1].endswith("a fox \ufffd[31m")
        assert explain("--url", server.url, "--key", "sk-two").output.split()[0] == newer
        assert [one["task_id"] for one in json.loads(explain("--json", "--url", server.url).output)] == [newer, older]
        assert explain(older[:8], "--url", server.url).output.startswith(f"Task {older}: ")
        missed = explain("ffffffff", "--url", server.url)
        assert (missed.exit_code, "without TASK the newest are listed" in missed.output) == (3, True)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["nobody"], "no world has a task 'nobody'"),
        (["a/b?c"], "expected a task's id, as a submit answered it, came 'a/b?c'"),
        (["nobody", "--key", "sk-x"], "no task 'nobody' of this key"),
    ],
)
def test_a_task_that_is_not_there_is_said_so(site: ServerThread, arguments: list[str], expected: str) -> None:
    """Exit code 3, one line, no traceback."""
    done = explain(*arguments, "--url", site.url)
    assert done.exit_code == 3
    assert expected in done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "nonsense", "http://[::1", "http://\x00"])
def test_a_server_that_is_not_there_is_said_so(url: str) -> None:
    """And what to do about it."""
    done = explain("nobody", "--url", url)
    assert done.exit_code == 3
    assert "is a novita-mock running there? --url names another" in done.output


def test_listed_keys_are_asked_for() -> None:
    """A server that takes listed keys only tells a task to its key."""
    with serving(keys=frozenset({"sk-listed"})) as server:
        task = Client(server.url, "sk-listed").submit()
        refused = explain(task, "--url", server.url)
        assert refused.exit_code == 3
        assert "--key gives the key of its world" in refused.output
        assert explain(task, "--url", server.url, "--key", "sk-listed").exit_code == 0


def test_what_a_client_sent_does_nothing_to_a_terminal(site: ServerThread) -> None:
    """Escape sequences are not passed on."""
    client = Client(site.url, "sk-escape")
    task = client.submit("red \x1b[31m and a bell \x07 and \u202e turned")
    done = explain(task, "--url", site.url)
    assert done.exit_code == 0
    assert not {"\x1b", "\x07", "\u202e"} & set(done.output)
    assert plain("a\tb\x1b[0m") == "a b\ufffd[0m"


def test_a_stuck_task_never_ends() -> None:
    """The end of time is not told as a date."""
    step = {"at_ms": 253_402_214_399_000, "until_ms": 0, "tone": "plain", "title": "x", "detail": "", "happened": False}
    task = {"task_id": "t", "status": "TASK_STATUS_QUEUED", "prompt": "", "task_type": "TXT_TO_IMG", "pictures": 1}
    told_story = told(
        {
            "task": {**task, "operation_id": "o", "image_type": "png", "seed": "1", "submitted_ms": 0},
            "world": {"key": "k", "id": "i", "clock": "manual", "now_ms": 0},
            "steps": [step],
            "money": {"usd": "0"},
            "findings": [],
            "forgotten": False,
        }
    )
    assert "never  . x (planned)" in told_story
