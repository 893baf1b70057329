"""Scenarios: the library over HTTP, how files are read and refused, the schema, keys, control calls and commands."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import orjson
import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from mockserver.cli import cli
from mockserver.core.clock import ClockMode
from mockserver.core.fleet import FleetSettings
from mockserver.faults import scenario as scenario_module
from mockserver.faults.scenario import ACCOUNT_PROBLEMS, SUBMITS, WORDS, scenario_schema
from mockserver.money.account import PROBLEMS
from mockserver.scenarios import FOLDER, MAX_BYTES, SCHEMA, ScenarioError, find, load, names, read_text, shipped
from mockserver.webhooks.settings import MAX_RETRIES, MAX_TIMEOUT_MS, WebhookSettings
from openapi.document import Document
from tests.bodies import IMG2IMG, TXT2IMG, TXT2IMG_V2, img2img, txt2img, txt2img_v2
from tests.conftest import Server
from tests.mockserver.outbound.receivers import Received, Receiver, http
from tests.mockserver.webhooks.lab import Lab, tasks_told
from tests.processes import mock_process

SCHEMA_OF_FILES = jsonschema_rs.validator_for(json.loads(SCHEMA.read_text(encoding="utf-8")))
BUCKET = {"aws_s3": {"region": "us-east-2", "bucket": "my-pictures", "path": "/", "save_to_path_directly": False}}
HEAD = "name: mine\ndescription: Something happens.\n"
"""The two lines that every scenario needs."""


@pytest.fixture
def make_lab(make_server: Any) -> Iterator[Callable[[str], Lab]]:
    """Makes a mock whose worlds are in a scenario of the library."""
    made: list[Lab] = []

    def make(name: str) -> Lab:
        made.append(Lab(make_server(scenario=shipped(name))))
        return made[-1]

    yield make
    for lab in made:
        lab.close()


def task(server: Server, task_id: str) -> dict[str, Any]:
    """`task` of a result."""
    found: dict[str, Any] = server.result(task_id)["task"]
    return found


def values() -> st.SearchStrategy[str]:
    """Values as YAML, nested."""
    plain = st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.sampled_from(WORDS)
    )
    nested = st.recursive(
        plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    )
    return nested.map(lambda value: yaml.safe_dump(value, default_flow_style=True).removesuffix("\n...\n"))


def submit(server: Server, extra: Mapping[str, Any] | None = None, **request: Any) -> str:
    """A task of the plainest request."""
    return server.submit(TXT2IMG, txt2img(extra, **request))


def attempt(server: Server) -> int:
    """The status of a submit; 0 when the connection breaks."""
    try:
        return server.call("POST", TXT2IMG, json=txt2img()).status_code
    except ConnectionResetError:
        return 0


def in_a_row(statuses: list[int]) -> int:
    """The most failures in a row."""
    words = "".join("." if status == 200 else "x" for status in statuses).split(".")
    return max(map(len, words))


# The library, each over HTTP


def happy(lab: Lab) -> None:
    task_ids = [submit(lab.server) for _ in range(10)]
    lab.server.control("POST", "/clock/advance", {"seconds": 2.2})
    assert {task(lab.server, task_id)["status"] for task_id in task_ids} == {"TASK_STATUS_SUCCEED"}


def slow_queue(lab: Lab) -> None:
    task_id = submit(lab.server)
    assert task(lab.server, task_id)["eta"] > 300
    lab.server.control("POST", "/clock/advance", {"seconds": 299})
    assert task(lab.server, task_id)["status"] == "TASK_STATUS_QUEUED"
    lab.finish()
    assert task(lab.server, task_id)["status"] == "TASK_STATUS_SUCCEED"


def busy_fleet(lab: Lab) -> None:
    task_ids = [submit(lab.server) for _ in range(3)]
    assert [round(task(lab.server, task_id)["eta"] / 60) for task_id in task_ids] == [1, 2, 3]


def flaky_submit(lab: Lab) -> None:
    statuses = [attempt(lab.server) for _ in range(200)]
    assert {0, 200, 429, 503} == set(statuses)
    assert in_a_row(statuses) == 3
    assert lab.server.control("GET", "/ledger")["spent"]["tasks"] == statuses.count(200)


def rate_limited(lab: Lab) -> None:
    server = lab.server
    assert [attempt(server) for _ in range(20)] == [200] * 20
    answer = server.call("POST", TXT2IMG, json=txt2img())
    assert (answer.status_code, answer.json()["reason"]) == (429, "RATE_LIMIT_EXCEEDED")
    assert answer.headers["retry-after"] == "60"
    picture = [server.call("POST", IMG2IMG, json=img2img()).status_code for _ in range(11)]
    assert picture == [200] * 10 + [429]
    server.control("POST", "/clock/advance", {"seconds": 60})
    assert attempt(server) == 200


def lost_acknowledgement(lab: Lab) -> None:
    assert [attempt(lab.server) for _ in range(4)] == [200, 0, 200, 0]
    ledger = lab.server.control("GET", "/ledger")
    assert ledger["spent"]["tasks"] == 4
    assert ledger["wasted_micro_usd"] > 0


def stuck_task(lab: Lab) -> None:
    task_id = submit(lab.server)
    lab.server.control("POST", "/clock/advance", {"seconds": 86_400})
    found = task(lab.server, task_id)
    assert (found["status"], found["progress_percent"]) == ("TASK_STATUS_PROCESSING", 50)


def failed_task(lab: Lab) -> None:
    task_id = submit(lab.server)
    lab.finish()
    found = task(lab.server, task_id)
    assert (found["status"], found["reason"]) == ("TASK_STATUS_FAILED", "the GPU ran out of memory")
    old = lab.server.submit(TXT2IMG_V2, txt2img_v2())
    lab.finish()
    assert lab.server.progress(old)["data"]["status"] == 3


def nsfw(lab: Lab) -> None:
    body = lab.server.finished(TXT2IMG, txt2img({"enable_nsfw_detection": True}, image_num=3))
    found = [image["nsfw_detection_result"]["confidence"] for image in body["images"]]
    assert found == [98.5, 1.5, 98.5]


def expired_links(lab: Lab) -> None:
    [image] = lab.server.finished(TXT2IMG, txt2img())["images"]
    assert lab.server.download(image["image_url"]).status_code == 200
    lab.server.control("POST", "/clock/advance", {"seconds": 1.5})
    answer = lab.server.download(image["image_url"])
    assert (answer.status_code, answer.headers["content-type"]) == (403, "application/xml")
    assert "Request has expired" in answer.text


def webhook_storm(lab: Lab) -> None:
    receiver = lab.receiver(manners=particular)
    task_ids = [lab.submit(receiver.url) for _ in range(10)]
    lab.finish()
    found = [task_id for task_id, _ in whole(receiver)]
    assert set(found) == set(task_ids)
    assert len(found) > 10, "some came twice"
    assert list(dict.fromkeys(found)) != task_ids, "and not in order"
    assert len(receiver.received) > len(whole(receiver)), "and one was cut"


async def particular(receiver: Receiver, request: Received, writer: Any) -> None:
    """A receiver that takes only what it can read."""
    try:
        orjson.loads(request.body)
    except ValueError:
        writer.write(http(400, b""))
    else:
        writer.write(http(200, b""))


def whole(receiver: Any) -> list[tuple[str, str]]:
    """What a receiver was told by the events that are JSON."""
    found = []
    for one in receiver.received:
        try:
            event = orjson.loads(one.body)
        except ValueError:
            continue
        found.append((event["payload"]["task"]["task_id"], event["payload"]["task"]["status"]))
    return found


def webhook_never(lab: Lab) -> None:
    receiver = lab.receiver()
    task_ids = [lab.submit(receiver.url) for _ in range(5)]
    lab.finish()
    assert tasks_told(receiver) == []
    assert {task(lab.server, task_id)["status"] for task_id in task_ids} == {"TASK_STATUS_SUCCEED"}


def storage_denied(lab: Lab) -> None:
    task_id = submit(lab.server, {"custom_storage": BUCKET})
    lab.finish()
    found = task(lab.server, task_id)
    assert found["status"] == "TASK_STATUS_FAILED"
    assert "my-pictures" in found["reason"]


def brown_out(lab: Lab) -> None:
    statuses = [lab.server.call("GET", "/v3/model").status_code for _ in range(200)]
    assert set(statuses) == {200, 502, 503}
    assert in_a_row(statuses) == 3
    [bad] = [one for one in (lab.server.call("GET", "/v3/model") for _ in range(30)) if one.status_code != 200][:1]
    assert bad.headers["content-type"] == "text/html"
    lab.server.control("POST", "/clock/advance", {"seconds": 600})
    assert {lab.server.call("GET", "/v3/model").status_code for _ in range(50)} == {200}


def v2_sunset(lab: Lab) -> None:
    def both() -> tuple[int, int]:
        old = lab.server.call("POST", TXT2IMG_V2, json=txt2img_v2())
        return old.status_code, lab.server.call("POST", TXT2IMG, json=txt2img()).status_code

    seen = [both()]
    for seconds in (61, 40, 90, 120, 400):
        lab.server.control("POST", "/clock/advance", {"seconds": seconds})
        seen.append(both())
    assert seen == [(200, 200), (503, 200), (200, 200), (503, 200), (200, 200), (404, 200)]
    assert {both() for _ in range(5)} == {(404, 200)}, "the bound of faults in a row is not for it"


LIBRARY: Mapping[str, Callable[[Lab], None]] = {
    "brown-out": brown_out,
    "busy-fleet": busy_fleet,
    "expired-links": expired_links,
    "failed-task": failed_task,
    "flaky-submit": flaky_submit,
    "happy": happy,
    "lost-acknowledgement": lost_acknowledgement,
    "nsfw": nsfw,
    "rate-limited": rate_limited,
    "slow-queue": slow_queue,
    "storage-denied": storage_denied,
    "stuck-task": stuck_task,
    "v2-sunset": v2_sunset,
    "webhook-never": webhook_never,
    "webhook-storm": webhook_storm,
}


@pytest.mark.parametrize("name", names())
def test_each_scenario_does_what_it_says(make_lab: Callable[[str], Lab], name: str) -> None:
    """The effect that its description names, over HTTP."""
    LIBRARY[name](make_lab(name))


@pytest.mark.parametrize("name", names())
def test_each_file_says_what_happens_and_what_a_correct_client_does(name: str) -> None:
    """Name as its file, valid by the schema, every sentence of use."""
    text = (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
    found = load(FOLDER / f"{name}.yaml")
    assert found.name == name
    assert "A correct client " in found.description or "A correct receiver " in found.description
    assert SCHEMA_OF_FILES.is_valid(yaml.safe_load(text))
    assert all(rule.source == f"scenario {name}" for rule in found.faults)


# Files that are right, and files that are not

GOOD = {
    "nothing": HEAD,
    "json": '{"name": "mine", "description": "As JSON."}',
    "everything": HEAD
    + """
extends: failed-task
faults:
  - {point: result, effect: {status: {code: 429, reason: RATE_LIMIT_EXCEEDED, retry_after: 2s}}, nth: 2}
  - {point: download, effect: {dribble: {time: {lognormal: {median: 300ms, sigma: 0.5}}}}, match: {picture: 0}}
  - {point: result, effect: no-answer, match: {body: {request.steps: 20}, version: v3}, probability: 0.5, times: 3}
max_in_a_row: null
clock: x60
fleet: {workers: 2, speed: 0.5, task_duration: null}
nsfw_confidences: [1, 99.5]
link_ttl: 90s
webhooks: {retries: 0, spacing: [1s, 5], timeout: 2s}
account: {rate_limits: {createTxt2imgTask: 3}, retry_after: true, balance: 0.5, concurrency: 2}
v2: {brown_outs: [{after: 1s, until: 2s}], off_after: 1h}
""",
    "account": HEAD + "account: {rate_limits: documented, problem: NEED_REAL_NAME_VERIFY}",
    "spacing": HEAD + "webhooks: {spacing: 10s}",
    "v2 off": HEAD + "v2: off",
    "v2 on": HEAD + 'v2: "on"',
}
BAD = {
    "a list": ("- name: mine", 1, "expected an object with name, description, extends"),
    "no name": ("description: x", 1, "name is missing"),
    "no description": ("name: mine", 1, "description is missing"),
    "name": (
        "name: My Scenario\ndescription: x",
        1,
        "name: expected a name of small letters, digits and single hyphens",
    ),
    "description": ("name: mine\ndescription: ''", 2, "description: expected text of 1 to"),
    "word": (HEAD + "fault: []", 3, "fault: unknown word 'fault'; known: name, description, extends, faults"),
    "faults": (HEAD + "faults: {}", 3, "faults: expected a list of faults"),
    "point": (HEAD + "faults:\n  - point: rezult\n    effect: no-answer", 4, "expected one of auth, submit.before"),
    "no effect": (HEAD + "faults:\n  - point: result", 4, "faults[0]: effect is missing"),
    "effect": (HEAD + "faults:\n  - point: queue\n    effect: {status: 429}", 5, "status makes no sense at queue"),
    "option": (
        HEAD + "faults:\n  - point: result\n    effect:\n      status:\n        code: 429\n        cause: x",
        8,
        "status has no option 'cause'; its options: code, reason, message, retry_after, body",
    ),
    "code": (
        HEAD + "faults:\n- {point: result, effect: {status: 42}}",
        4,
        "expected an integer from 400 to 599, came 42",
    ),
    "trigger": (
        HEAD + "faults:\n- {point: result, effect: no-answer, when: 3}",
        4,
        "a fault has no 'when'; known: point",
    ),
    "bounded": (
        HEAD + "faults:\n- {point: result, effect: no-answer, bounded: 3}",
        4,
        "expected true or false, came 3",
    ),
    "match": (
        HEAD + "faults:\n- {point: result, effect: no-answer, match: {colour: red}}",
        4,
        "known: operation, version",
    ),
    "in a row": (HEAD + "max_in_a_row: 0", 3, "expected an integer from 1 to 1000000, came 0"),
    "clock": (HEAD + "clock: fast", 3, "expected real, manual, auto, or x<N>"),
    "clock number": (HEAD + "clock: 2", 3, "expected real, manual, auto, or x<N>, came 2"),
    "fleet word": (
        HEAD + "fleet:\n  workers: 2\n  wrokers: 3",
        5,
        "unknown word 'wrokers'; known: workers, speed, task",
    ),
    "fleet speed": (HEAD + "fleet: {speed: 0}", 3, "fleet.speed: expected a number above 0, came 0"),
    "fleet list": (HEAD + "fleet: [1]", 3, "fleet: expected an object with workers, speed, task_duration, came [1]"),
    "fleet block": (HEAD + "fleet:\n\n  - 1", 3, "fleet: expected an object with workers"),
    "nsfw": (HEAD + "nsfw_confidences: [50, 101]", 3, "nsfw_confidences[1]: expected a number from 0 to 100, came 101"),
    "nsfw none": (HEAD + "nsfw_confidences: []", 3, "expected 1 to 64 numbers from 0 to 100"),
    "ttl": (HEAD + "link_ttl: soon", 3, "link_ttl: not a duration: 'soon'"),
    "webhooks": (HEAD + "webhooks:\n  retries: 99", 4, "webhooks.retries: expected an integer from 0 to 20, came 99"),
    "spacing": (HEAD + "webhooks: {spacing: []}", 3, "webhooks.spacing: expected 1 to 20 durations, came 0"),
    "spacing item": (HEAD + "webhooks:\n  spacing:\n    - 1s\n    - soon", 6, "webhooks.spacing[1]: not a duration"),
    "rates": (HEAD + "account: {rate_limits: high}", 3, "expected documented, or pictures per minute by operation"),
    "rates none": (
        HEAD + "account: {rate_limits: null}",
        3,
        "expected documented, or pictures per minute by operation",
    ),
    "rates name": (HEAD + "account:\n  rate_limits:\n    txt2img: 3", 5, "known: createTxt2imgTask, createImg2imgTask"),
    "rates number": (HEAD + "account: {rate_limits: {createTxt2imgTask: 0}}", 3, "expected an integer from 1 to"),
    "balance": (HEAD + "account: {balance: -1}", 3, "account.balance: expected a number from 0 to"),
    "problem": (HEAD + "account: {problem: TASK_NOT_FOUND}", 3, "expected one of INVALID_API_KEY, MISSING_API_KEY"),
    "v2": (HEAD + "v2: soon", 3, "v2: expected on, off, or when"),
    "v2 one": (HEAD + "v2: 1", 3, "v2: expected on, off, or when"),
    "v2 window": (HEAD + "v2: {brown_outs: [{after: 1s}]}", 3, "v2.brown_outs[0]: expected after and until"),
    "v2 windows": (HEAD + "v2: {brown_outs: []}", 3, "v2.brown_outs: expected a list of 1 to 100 times, came []"),
    "v2 word": (HEAD + "v2: {off_at: 1s}", 3, "unknown word 'off_at'; known: brown_outs, off_after"),
}
BEYOND_THE_SCHEMA = {
    "extends": (HEAD + "extends: hapy", 3, "extends: no scenario 'hapy' in the library"),
    "uniform": (
        HEAD + "faults:\n- {point: result, effect: {delay: {uniform: [2s, 1s]}}}",
        4,
        "expected uniform: [shortest, longest]",
    ),
    "long timeout": (HEAD + "webhooks: {timeout: 1h}", 3, "webhooks.timeout: expected 1ms to 120s, came '1h'"),
    "status without a code": (
        HEAD + "faults:\n- {point: result, effect: {status: {body: html}}}",
        4,
        "expected a status",
    ),
    "number": (HEAD + "link_ttl: .nan", 3, "link_ttl: expected a duration"),
}
NO_YAML = {
    "empty": ("", 1, "the file is empty"),
    "comment": ("# nothing\n", 1, "the file is empty"),
    "control character": (HEAD + "clock: \b", 3, "special characters are not allowed"),
    "tab": ("name: mine\n\tdescription: x", 2, "not YAML"),
    "bracket": ("name: mine\nfaults: [", 2, "not YAML"),
    "twice": (HEAD + "clock: auto\nclock: real", 4, "'clock' stands here a second time"),
    "object as a word": (HEAD + "? {a: 1}\n: 2", 3, "expected a word in front of the colon"),
    "code": ("name: !!python/object/apply:os.getcwd []\n", 1, "not YAML"),
    "two": ("name: mine\n---\nname: other", 2, "not YAML"),
    "date": (HEAD + "clock: 2026-13-40", 1, "not YAML"),
    "deep": ("[" * 5000, 1, "not YAML|nested too deeply"),
}


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD)
def test_schema_and_reader_take_the_same_files(text: str) -> None:
    """What an editor shows as right is read."""
    read_text(text, "mine.yaml")
    assert [str(problem) for problem in SCHEMA_OF_FILES.iter_errors(yaml.safe_load(text))] == []


@pytest.mark.parametrize(("text", "line", "told"), BAD.values(), ids=BAD)
def test_schema_and_reader_refuse_the_same_files(text: str, line: int, told: str) -> None:
    """The reader names file, line and the allowed words; the schema refuses the file too."""
    with pytest.raises(ScenarioError) as error:
        read_text(text, "mine.yaml")
    assert str(error.value).startswith(f"mine.yaml:{line}: ")
    assert told in str(error.value)
    assert not SCHEMA_OF_FILES.is_valid(yaml.safe_load(text))


@pytest.mark.parametrize(("text", "line", "told"), BEYOND_THE_SCHEMA.values(), ids=BEYOND_THE_SCHEMA)
def test_the_reader_sees_what_a_schema_cannot(text: str, line: int, told: str) -> None:
    """Whether a scenario exists, whether one time is before another."""
    with pytest.raises(ScenarioError) as error:
        read_text(text, "mine.yaml")
    assert str(error.value).startswith(f"mine.yaml:{line}: ")
    assert told in str(error.value)


@pytest.mark.parametrize(("text", "line", "told"), NO_YAML.values(), ids=NO_YAML)
def test_a_file_that_is_no_yaml_is_told_with_its_line(text: str, line: int, told: str) -> None:
    """Nothing in a file can run code, hide a second value, or exhaust the reader."""
    with pytest.raises(ScenarioError, match=told) as error:
        read_text(text, "mine.yaml")
    assert str(error.value).startswith(f"mine.yaml:{line}: ")


@given(
    st.one_of(
        st.text(max_size=60), st.sampled_from(["", *WORDS]).flatmap(lambda word: values().map(f"{word}: {{}}".format))
    )
)
def test_whatever_stands_in_a_file_is_read_or_told(text: str) -> None:
    """Never anything else: any text, and any value behind each word."""
    with suppress(ScenarioError):
        read_text(text, "mine.yaml")
    with suppress(ScenarioError):
        read_text(HEAD + text, "mine.yaml")


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """Missing, a folder, other bytes than text, too large."""
    with pytest.raises(ScenarioError, match="neither a file nor a scenario of the library; there are: brown-out, busy"):
        find(str(tmp_path / "none.yaml"))
    with pytest.raises(ScenarioError, match="cannot read"):
        load(tmp_path)
    path = tmp_path / "bytes.yaml"
    path.write_bytes(b"name: \xff\xfe")
    with pytest.raises(ScenarioError, match="not UTF-8"):
        load(path)
    path.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(ScenarioError, match="at most"):
        load(path)


def test_one_that_extends_another_adds_to_it_and_wins() -> None:
    """Its own rules come first; words of both are put together, parts of objects too."""
    found = read_text(
        HEAD + "extends: webhook-storm\nfleet: {task_duration: 9s}\nclock: auto\nmax_in_a_row: null\n"
        "faults: [{point: result, effect: no-answer}]\n",
        "mine.yaml",
    )
    base = shipped("webhook-storm")
    assert [str(rule.effect) for rule in found.faults] == ["no-answer", *(str(rule.effect) for rule in base.faults)]
    assert dict(found.fleet) == {"workers": 100, "task_ms": 9_000}
    assert (found.clock, found.bounded, found.in_a_row) == (ClockMode.parse("auto"), True, None)
    plain = read_text(HEAD + "extends: flaky-submit", "mine.yaml")
    assert (plain.bounded, plain.in_a_row) == (True, 3)


def test_the_shipped_schema_is_the_one_in_the_code() -> None:
    """It is a JSON Schema itself, and knows every word."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    assert schema == json.loads(json.dumps(scenario_schema()))
    jsonschema_rs.meta.validate(schema)
    assert schema["properties"].keys() == set(WORDS)


def test_bounds_and_words_are_those_of_the_parts_that_they_speak_of(document: Document) -> None:
    """The reader imports nothing above it; what it repeats of others is held against them here."""
    assert set(ACCOUNT_PROBLEMS) == PROBLEMS.keys()
    assert set(SUBMITS) == {name for name in document.operations if name.startswith("create")}
    assert (scenario_module.MAX_RETRIES, scenario_module.MAX_TIMEOUT_MS) == (MAX_RETRIES, MAX_TIMEOUT_MS)


# What a world makes of one


def test_everything_that_a_scenario_says_reaches_its_world(make_server: Any, document: Document) -> None:
    """Clock, fleet, classifier, links, account, webhooks, bound and rules; the rest is as the server was started."""
    server = make_server(scenario=read_text(GOOD["everything"], "mine.yaml"), fleet=FleetSettings(workers=9, task_ms=5))
    found = server.mock.world("sk-mock-any").settings
    assert found.clock == ClockMode.parse("x60")
    assert found.fleet == FleetSettings(workers=2, speed=0.5, task_ms=None)
    assert (found.nsfw_confidences, found.link_ttl_s, found.in_a_row) == ((1.0, 99.5), 90, None)
    assert found.webhooks == WebhookSettings(retries=0, spacing_ms=(1_000, 5_000), timeout_ms=2_000)
    account = found.account
    assert (account.rate_limits, account.retry_after) == ({"createTxt2imgTask": 3}, True)
    assert (account.balance_micro_usd, account.concurrency) == (500_000, 2)
    assert [str(rule.point) for rule in found.faults] == ["result", "download", "result", "auth", "auth", "finish"]
    plain = make_server(scenario=read_text(HEAD, "mine.yaml"), in_a_row=7, fleet=FleetSettings(workers=9))
    assert plain.mock.world("sk-mock-any").settings.fleet.workers == 9
    assert plain.mock.world("sk-mock-any").faults.in_a_row == 7


def test_an_account_in_trouble_refuses_every_call(make_server: Any) -> None:
    """Each reason that a scenario can name."""
    scenario = read_text(HEAD + "account: {problem: NEED_REAL_NAME_VERIFY, balance: 0}", "mine.yaml")
    answer = make_server(scenario=scenario).call("POST", TXT2IMG, json=txt2img())
    assert (answer.status_code, answer.json()["reason"]) == (403, "NEED_REAL_NAME_VERIFY")


def test_a_world_says_its_scenario_and_takes_another_life_of_links(server: Server) -> None:
    """PATCH /worlds/current; what is said there wins until the world is put into a scenario again."""
    server.control("PUT", "/scenario", {"name": "expired-links"})
    world = server.control("GET", "/worlds/current")
    assert (world["scenario"], world["link_ttl"]) == ("expired-links", 1)
    assert server.control("PATCH", "/worlds/current", {"link_ttl": "2m"})["link_ttl"] == 120
    assert server.finished(TXT2IMG, txt2img())["images"][0]["image_url_ttl"] == "120"
    old = server.submit(TXT2IMG_V2, txt2img_v2())
    server.finish_all()
    assert "X-Amz-Expires=120&" in server.progress(old)["data"]["imgs"][0]
    assert server.control("PATCH", "/worlds/current", {"link_ttl": None})["link_ttl"] is None
    answer = server.call("PATCH", "/__mock/worlds/current", json={"link_ttl": "soon"})
    assert (answer.status_code, "not a duration: 'soon'" in answer.json()["detail"]) == (400, True)


def test_a_key_wins_over_the_servers_scenario(make_server: Any) -> None:
    """And both come back when the world is reset."""
    server = make_server(scenario=shipped("failed-task"))
    key = "sk-mock-mine--slow-queue"

    def name(of: str) -> str:
        found: str = server.call("GET", "/__mock/scenario", key=of).json()["name"]
        return found

    assert (name("sk-mock-mine"), name(key)) == ("failed-task", "slow-queue")
    server.call("PUT", "/__mock/scenario", json={"name": "nsfw"}, key=key)
    assert name(key) == "nsfw"
    server.call("POST", "/__mock/reset", key=key)
    assert name(key) == "slow-queue"
    [armed] = server.call("GET", "/__mock/faults", key=key).json()["armed"]
    assert armed["source"] == "scenario slow-queue"


def test_the_library_is_listed(server: Server) -> None:
    """Without a key."""
    found = server.call("GET", "/__mock/scenarios", key=None).json()["scenarios"]
    assert [one["name"] for one in found] == list(names())
    assert found[0]["description"] == shipped(names()[0]).description
    assert len(found) >= 15


def test_a_world_is_put_into_a_scenario_and_out_again(server: Server) -> None:
    """The earlier scenario's rules and settings go, those of POST /faults and the clock's way stay."""
    assert server.control("GET", "/scenario") == {"name": None, "description": None, "scenario": None, "faults": []}
    server.control("POST", "/faults", {"point": "result", "effect": {"status": 503}, "nth": 99})
    server.control("PUT", "/scenario", {"name": "rate-limited"})
    assert server.control("PUT", "/scenario", {"name": "v2-sunset"})["name"] == "v2-sunset"
    assert [one["source"] for one in server.control("GET", "/faults")["armed"]] == [
        "control",
        *["scenario v2-sunset"] * 3,
    ]
    assert [attempt(server) for _ in range(25)] == [200] * 25, "no rate limit any more"
    server.control("PUT", "/clock", {"mode": "x5"})
    server.control("PUT", "/scenario", {"name": "nsfw"})
    assert server.control("GET", "/clock")["mode"] == "x5"
    server.control("PUT", "/scenario", {"scenario": {"name": "mine", "description": "x", "clock": "manual"}})
    assert server.control("GET", "/clock")["mode"] == "manual"
    own = {"name": "mine", "description": "Mine.", "link_ttl": "5s", "fleet": {"task_duration": "1h"}}
    found = server.control("PUT", "/scenario", {"scenario": own})
    assert found == server.control("GET", "/scenario")
    assert found["scenario"] == own
    task_id = submit(server)
    assert task(server, task_id)["eta"] >= 3600
    assert server.control("DELETE", "/scenario")["name"] is None
    assert [one["source"] for one in server.control("GET", "/faults")["armed"]] == ["control"]
    server.finish_all()
    assert server.result(task_id)["images"][0]["image_url_ttl"] == "3600"
    assert task(server, submit(server))["eta"] < 60


def test_a_scenario_that_is_put_again_begins_anew(server: Server) -> None:
    """Its rules count from the start, and its windows from now."""
    own = {
        "name": "mine",
        "description": "Mine.",
        "faults": [{"point": "submit.before", "effect": {"status": 503}, "nth": 1}],
    }
    for _ in range(2):
        server.control("PUT", "/scenario", {"scenario": own})
        assert [attempt(server) for _ in range(3)] == [503, 200, 200]
    assert len(server.control("GET", "/faults")["armed"]) == 1
    taken = []
    for _ in range(2):
        server.control(
            "PUT", "/scenario", {"scenario": {"name": "mine", "description": "x", "account": {"balance": 0.01}}}
        )
        taken.append([attempt(server) for _ in range(20)].count(200))
    assert taken[0] == taken[1] > 0, "the balance is full again"


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        ({}, 400, "expected one of 'name'"),
        ({"name": "nsfw", "scenario": {}}, 400, "expected one of 'name'"),
        ({"name": "nothing"}, 404, "no scenario 'nothing' in the library; there are: brown-out"),
        ({"name": 3}, 404, "no scenario '3'"),
        ({"scenario": {"name": "mine"}}, 400, "scenario: description is missing"),
        ({"scenario": [1]}, 400, "scenario: expected an object with name"),
        (
            {"scenario": {"name": "mine", "description": "x", "fleet": {"workers": 0}}},
            400,
            "scenario: fleet.workers: expected an integer from 1 to 10000, came 0",
        ),
    ],
)
def test_what_cannot_be_put_is_refused(server: Server, body: object, status: int, told: str) -> None:
    """With what was expected; the world stays as it is."""
    answer = server.call("PUT", "/__mock/scenario", json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert told in answer.json()["detail"]
    assert server.control("GET", "/scenario")["name"] is None


def test_a_library_file_cannot_be_reached_by_a_path(server: Server) -> None:
    """A name is looked up in a list; it is no path."""
    for name in ("../scenarios/nsfw", "/etc/hostname", "nsfw.yaml", ""):
        assert server.call("PUT", "/__mock/scenario", json={"name": name}).status_code == 404


# Commands and flags


def run(*arguments: str) -> tuple[int, str]:
    """Exit code and output of a command."""
    done = CliRunner().invoke(cli, arguments)
    return done.exit_code, done.output


def test_the_commands_list_show_and_print_the_schema() -> None:
    """What is shown can be saved and checked."""
    code, listed = run("scenario", "list")
    assert code == 0
    assert [name for name in names() if not any(line.startswith(f"{name} ") for line in listed.splitlines())] == []
    assert run("scenario", "show", "nsfw") == (0, (FOLDER / "nsfw.yaml").read_text(encoding="utf-8"))
    code, told = run("scenario", "show", "nothing")
    assert (code, "there are: brown-out" in told) == (2, True)
    code, printed = run("scenario", "schema")
    assert (code, json.loads(printed)) == (0, json.loads(SCHEMA.read_text(encoding="utf-8")))


def test_check_tells_every_file_that_is_wrong(tmp_path: Path) -> None:
    """Exit code 1, one line each; 0 when all are right."""
    good, bad, worse = tmp_path / "good.yaml", tmp_path / "bad.yaml", tmp_path / "worse.yaml"
    good.write_text(GOOD["everything"])
    bad.write_text(HEAD + "clock: fast")
    worse.write_text("")
    assert run("scenario", "check", str(good)) == (0, f"{good}: mine, 6 rules\n")
    code, told = run("scenario", "check", str(bad), str(good), str(worse))
    assert code == 1
    assert f"{bad}:3: clock: unknown clock 'fast'" in told
    assert f"{worse}:1: the file is empty" in told


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--scenario", "nothing"], "neither a file nor a scenario of the library; there are: brown-out"),
        (["--tape", "none.json"], "cannot read none.json"),
        (["--max-faults-in-a-row", "-1"], "-1 is not in the range"),
    ],
)
def test_a_flag_that_cannot_be_read_is_a_usage_error(flags: list[str], told: str) -> None:
    """Exit code 2, before anything is served."""
    code, output = run(*flags)
    assert code == 2
    assert told in output.replace("\n", " ")


def test_a_server_starts_in_a_scenario_by_flag_variable_and_file(tmp_path: Path) -> None:
    """`--scenario FILE`, NOVITA_MOCK_SCENARIO=NAME, `scenario:` in the configuration."""
    mine = tmp_path / "mine.yaml"
    mine.write_text(HEAD)
    (tmp_path / "novita-mock.yaml").write_text("scenario: happy\nmagic: false\nmax-faults-in-a-row: 0\n")

    def told(url: str, key: str = "sk-mock-a--nsfw") -> tuple[object, object]:
        headers = {"authorization": f"Bearer {key}"}
        return tuple(
            httpx.get(f"{url}/__mock/{path}", headers=headers).json()[name]
            for path, name in (("scenario", "name"), ("faults", "max_in_a_row"))
        )

    with mock_process(cwd=tmp_path) as url:
        assert told(url) == ("happy", None)
    with mock_process("--scenario", str(mine), "--magic", cwd=tmp_path) as url:
        assert told(url) == ("nsfw", None)
        assert told(url, "sk-mock-a") == ("mine", None)
    variables = {"NOVITA_MOCK_SCENARIO": "slow-queue", "NOVITA_MOCK_MAX_FAULTS_IN_A_ROW": "2"}
    with mock_process(env=variables, cwd=tmp_path) as url:
        assert told(url) == ("slow-queue", 2)
