"""The tape: a run is repeated from what happened in it, without its rules, in whatever order its worlds come."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from mockserver.faults.tape import TapeError, load_tape, read_tape, tape, unreached
from mockserver.scenarios import shipped
from tests.bodies import TXT2IMG, txt2img
from tests.conftest import Server
from tests.processes import START_TIMEOUT_S, start

RULES = [
    {"point": "submit.before", "probability": 0.3, "effect": {"status": {"code": 503}}},
    {"point": "submit.after_commit", "probability": 0.2, "effect": "CONNECTION_RESET_BY_PEER"},
    {"point": "queue", "probability": 0.3, "effect": {"late": {"uniform": ["1s", "2m"]}}},
    {"point": "progress", "probability": 0.2, "effect": "stuck"},
    {"point": "finish", "probability": 0.3, "effect": {"fail": "by chance"}},
    {"point": "result", "probability": 0.3, "effect": {"break": {"kind": "missing"}}},
    {"point": "result", "probability": 0.2, "effect": {"status": {"reason": "INTERNAL"}}},
    {"point": "download", "probability": 0.5, "effect": {"status": 503}},
]
A, B = "sk-mock-tape-a", "sk-mock-tape-b"
Step = Callable[[], bytes]


def seen(server: Server, *call: Any, key: str, **more: Any) -> bytes:
    """Status and body of a call; what a broken connection gives."""
    try:
        answer = server.call(*call, key=key, **more)
    except ConnectionResetError:
        return b"reset"
    return b"%d " % answer.status_code + answer.content


def client(server: Server, key: str) -> list[Step]:
    """The steps of one client: it submits, waits, asks, and downloads what it is told."""
    steps: list[Step] = []
    tasks: list[str] = []
    links: list[str] = []

    def submit(number: int) -> bytes:
        found = seen(server, "POST", TXT2IMG, key=key, json=txt2img(prompt=f"a fox, take {number}"))
        if found.startswith(b"200"):
            tasks.append(orjson.loads(found[4:])["task_id"])
        return found

    def poll(number: int) -> bytes:
        if number >= len(tasks):
            return b"none"
        found = seen(server, "GET", "/v3/async/task-result", key=key, params={"task_id": tasks[number]})
        if found.startswith(b"200"):
            links.extend(image["image_url"] for image in orjson.loads(found[4:]).get("images", ()))
        return found

    def download() -> bytes:
        return seen(server, "GET", links.pop(), key="nobody") if links else b"none"

    def advance() -> bytes:
        return b"%d" % server.call("POST", "/__mock/clock/advance", key=key, json={"seconds": 60}).json()["now_ms"]

    steps += [partial(submit, number) for number in range(25)]
    steps.append(advance)
    for number in range(25):
        steps += [partial(poll, number), download]
    steps += [advance, *(partial(poll, number) for number in range(25))]
    return steps


def one_after_the_other(first: Sequence[Step], second: Sequence[Step]) -> tuple[list[bytes], list[bytes]]:
    """All of one client, then all of the other."""
    return [step() for step in first], [step() for step in second]


def interleaved(first: Sequence[Step], second: Sequence[Step]) -> tuple[list[bytes], list[bytes]]:
    """The second client begins, and they take turns."""
    found: tuple[list[bytes], list[bytes]] = [], []
    for one, other in zip(first, second, strict=True):
        found[1].append(other())
        found[0].append(one())
    return found


def fired(server: Server, key: str) -> list[tuple[str, object]]:
    """What happened in a world, in order."""
    answer = server.call("GET", "/__mock/faults", key=key).json()
    return [(one["at"], one["effect"]) for one in answer["fired"]]


def recorded(make_server: Any) -> tuple[dict[str, Any], tuple[list[bytes], list[bytes]], list[Any]]:
    """A run of two worlds with rules by chance: its tape, what both clients saw, what happened."""
    server = make_server(seed=4711)
    for key in (A, B):
        server.call("POST", "/__mock/faults", key=key, json={"faults": RULES})
    found = one_after_the_other(client(server, A), client(server, B))
    return server.call("GET", "/__mock/tape", key=None).json(), found, [fired(server, A), fired(server, B)]


def test_a_run_is_repeated_when_its_worlds_come_in_another_order_under_other_rules(make_server: Any) -> None:
    """The same faults at the same places, and the same bytes in every answer and picture."""
    told, answers, happened = recorded(make_server)
    assert all(len(one) > 20 for one in happened), "a run that shows something"
    assert {at.partition("#")[0] for one in happened for at, _ in one} == {rule["point"] for rule in RULES}
    seed, decisions = read_tape(orjson.dumps(told))
    other = make_server(seed=seed, replay=decisions, scenario=shipped("stuck-task"), in_a_row=1)
    for key in (A, B, "sk-mock-stranger"):
        other.call("POST", "/__mock/faults", key=key, json={"point": "submit.before", "effect": {"status": 429}})
    seen(other, "POST", TXT2IMG, key="sk-mock-stranger", json=txt2img())
    again = interleaved(client(other, A), client(other, B))
    assert again == answers
    assert [fired(other, A), fired(other, B)] == happened
    assert other.call("GET", "/__mock/tape", key=None).json() == told
    assert fired(other, "sk-mock-stranger") == [], "a world that the tape does not know suffers nothing"


def test_the_same_rules_and_seed_give_the_same_run_without_a_tape(make_server: Any) -> None:
    """And another seed gives another one."""
    told = recorded(make_server)[0]
    assert recorded(make_server)[0] == told
    server = make_server(seed=4712)
    server.call("POST", "/__mock/faults", key=A, json={"faults": RULES})
    for step in client(server, A):
        step()
    assert fired(server, A) != [(one["at"], one["effect"]) for one in told["faults"][server.mock.world(A).id]]


def test_what_prompts_asked_for_is_repeated_too(make_server: Any) -> None:
    """Magic of the run is on the tape; magic of the repetition is not asked."""
    server = make_server(seed=5)
    body = txt2img(prompt="a fox [[mock:429x2, fail=once, url-ttl=9s]]")
    assert [server.call("POST", TXT2IMG, json=body).status_code for _ in range(3)] == [429, 429, 200]
    told = server.call("GET", "/__mock/tape", key=None).json()
    again = make_server(seed=5, replay=read_tape(orjson.dumps(told))[1])
    assert [again.call("POST", TXT2IMG, json=body).status_code for _ in range(5)] == [429, 429, 200, 200, 200]
    assert again.call("GET", "/__mock/tape", key=None).json() == told
    shorter = make_server(seed=5, replay=read_tape(orjson.dumps(tape(5, [])))[1])
    assert shorter.call("POST", TXT2IMG, json=body).status_code == 200


def test_each_life_of_a_world_has_a_line_of_its_own(make_server: Any) -> None:
    """As a suite leaves it that forgets its worlds: the tape keeps them all, and repeats them in order."""

    def live(server: Server, *effects: object) -> list[int]:
        found = []
        for effect in effects:
            if effect is not None:
                server.control("POST", "/faults", {"point": "models", "effect": effect, "times": 1})
            found += [server.call("GET", "/v3/model").status_code for _ in range(2)]
            server.control(*(("POST", "/reset") if effect else ("DELETE", "/worlds/current")))
        return found

    server: Server = make_server(seed=3)
    told = live(server, {"status": 503}, None, {"status": 502}, {"status": 500})
    assert told == [503, 200, 200, 200, 502, 200, 500, 200]
    recorded = server.control("GET", "/tape")
    world = server.mock.world(server.key).id
    assert list(recorded["faults"]) == [world, f"{world}/3", f"{world}/4"]
    seed, decisions = read_tape(orjson.dumps(recorded))
    again: Server = make_server(seed=seed, replay=decisions)
    assert live(again, None, None, None, None) == told


def test_a_new_tape_begins_when_all_is_reset(make_server: Any) -> None:
    server: Server = make_server()
    server.control("POST", "/faults", {"point": "models", "effect": {"status": 503}})
    server.call("GET", "/v3/model")
    server.control("POST", "/reset")
    assert server.control("GET", "/tape")["faults"] != {}
    server.control("POST", "/reset", all="true")
    assert server.control("GET", "/tape")["faults"] == {}


def test_what_was_not_reached_is_named(make_server: Any) -> None:
    """A world that never came, and a place that a world never came to."""
    told, *_ = recorded(make_server)
    decisions = read_tape(orjson.dumps(told))[1]
    server = make_server(seed=4711, replay=decisions)
    everything = sum(map(len, decisions.values()))
    assert len(unreached(decisions, [])) == everything
    for step in client(server, A):
        step()
    left = unreached(decisions, [(world.id, world.faults.fired) for world in server.mock.worlds])
    world_b = next(iter(set(decisions) - {server.mock.world(A).id}))
    assert left == [f"{world_b} {position}" for position in decisions[world_b]]


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"{", "not JSON"),
        (b"[]", "expected a tape as GET /__mock/tape gives it"),
        (b'{"format": "novita-mock-tape/9"}', "expected a tape"),
        (b'{"format": "novita-mock-tape/1", "seed": true, "faults": {}}', "expected 'seed', a number"),
        (b'{"format": "novita-mock-tape/1", "seed": 1, "faults": {"a": 3}}', "faults.a: expected a list"),
        (
            b'{"format": "novita-mock-tape/1", "seed": 1, "faults": {"a": [{}]}}',
            "faults.a[0]: expected 'at' and 'effect'",
        ),
        (
            b'{"format": "novita-mock-tape/1", "seed": 1, "faults": {"a": [{"at": "x#1", "effect": "stuck"}]}}',
            "faults.a[0].at: unknown point 'x'; expected one of auth, submit.before",
        ),
        (
            b'{"format": "novita-mock-tape/1", "seed": 1, "faults": {"a": [{"at": "auth#1", "effect": "stuck"}]}}',
            "faults.a[0].effect: stuck makes no sense at auth",
        ),
    ],
)
def test_a_file_that_is_no_tape_is_told(tmp_path: Path, raw: bytes, told: str) -> None:
    """With the place and what was expected."""
    path = tmp_path / "tape.json"
    path.write_bytes(raw)
    with pytest.raises(TapeError) as error:
        load_tape(path)
    assert told in str(error.value)
    assert str(error.value).startswith(f"{path}: ")


# With the command


def statuses(url: str, key: str) -> list[tuple[int, str]]:
    """What a client sees of forty submits in a real process: status and task id; 0 for a broken connection."""
    found = []
    with httpx.Client(base_url=url, headers={"authorization": f"Bearer {key}"}, timeout=10) as caller:
        for _ in range(40):
            try:
                answer = caller.post(TXT2IMG, json=txt2img())
            except httpx.TransportError:
                found.append((0, ""))
            else:
                found.append((answer.status_code, answer.json().get("task_id", "")))
    return found


def test_a_saved_tape_repeats_a_run_in_another_process(tmp_path: Path) -> None:
    """`GET /__mock/tape` into a file, `--tape FILE`: its seed is used, and what was not reached is told at the end."""
    process, url = start("--scenario", "flaky-submit", "--seed", "4711")
    try:
        first = [statuses(url, key) for key in (A, B)]
        saved = httpx.get(f"{url}/__mock/tape").content
    finally:
        process.terminate()
        process.communicate(timeout=START_TIMEOUT_S)
    assert {status for status, _ in first[0]} == {0, 200, 429, 503}
    path = tmp_path / "tape.json"
    path.write_bytes(saved)
    process, url = start("--tape", str(path), "--scenario", "failed-task")
    try:
        assert statuses(url, B) == first[1]
        assert httpx.get(f"{url}/__mock/version").json()["seed"] == json.loads(saved)["seed"]
    finally:
        process.terminate()
        _, told = process.communicate(timeout=START_TIMEOUT_S)
    missed = sum(status != 200 for status, _ in first[0])
    assert f"novita-mock: warning: {missed} of the tape's faults were not reached: " in told
    assert "submit.before#" in told


def test_another_seed_than_the_tapes_is_a_usage_error(tmp_path: Path) -> None:
    """The seed decides ids and drawn seeds: with another one it would be another run."""
    path = tmp_path / "tape.json"
    path.write_bytes(orjson.dumps(tape(7, [])))
    command = [sys.executable, "-m", "mockserver", "--port", "0", "--tape", str(path), "--seed", "8"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "8 is not the seed of the tape, which is 7; leave it out" in " ".join(done.stderr.split())
    process, _ = start("--tape", str(path), "--seed", "7")
    process.terminate()
    _, told = process.communicate(timeout=START_TIMEOUT_S)
    assert "warning" not in told
