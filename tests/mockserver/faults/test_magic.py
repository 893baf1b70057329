"""Magic inputs: every directive, reserved model and reserved seed does over HTTP what its table says."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.app import create_app
from mockserver.core.clock import ClockMode
from mockserver.core.errors import Reason, Refusal
from mockserver.faults.directives import CODE_EXAMPLE, DIRECTIVES, Spell
from mockserver.faults.effects import read_effect
from mockserver.faults.facts import Facts
from mockserver.faults.kinds import Kind
from mockserver.faults.magic import MODELS, SEEDS, STAND_IN, spell_of
from mockserver.faults.marks import may_ask
from mockserver.faults.plan import MAX_REQUESTS, FaultPlan
from mockserver.faults.points import Point
from mockserver.faults.rules import read_rule
from mockserver.mock import Parts
from mockserver.parts.wall import FakeWall
from mockserver.running import ServerThread
from mockserver.scenarios import names
from mockserver.settings import Settings
from openapi.document import Document
from tests.bodies import IMG2IMG, TXT2IMG, TXT2IMG_V2, img2img, txt2img, txt2img_v2
from tests.conftest import Server

ROOT = Path(__file__).resolve().parents[3]
NSFW = {"enable_nsfw_detection": True}


class Magic:
    """A mock on a manual clock whose held back answers come at once.

    Attributes:
        waits: how long each answer was held back, in seconds.
    """

    def __init__(self, document: Document, **options: Any) -> None:
        self.waits: list[float] = []
        wall = FakeWall()
        settings = Settings(clock=ClockMode.parse("manual"), **options)
        parts = Parts(wall=wall, pause=self._pause)
        self.server = Server(create_app(document, settings, parts), wall)

    async def _pause(self, seconds: float) -> None:
        self.waits.append(seconds)

    def post(self, **request: Any) -> httpx.Response:
        """Submits a v3 text-to-image request."""
        return self.server.call("POST", TXT2IMG, json=txt2img(**request))

    def accepted(self, extra: Mapping[str, Any] | None = None, **request: Any) -> str:
        """The task of one that must be accepted."""
        return self.server.submit(TXT2IMG, txt2img(extra, **request))

    def advance(self, seconds: float) -> None:
        """Moves the clock."""
        self.server.control("POST", "/clock/advance", {"seconds": seconds})

    def poll(self, task_id: str) -> httpx.Response:
        """Asks for a result."""
        return self.server.call("GET", "/v3/async/task-result", params={"task_id": task_id})

    def task(self, task_id: str) -> dict[str, Any]:
        """`task` of its result."""
        found: dict[str, Any] = self.server.result(task_id)["task"]
        return found

    def end(self, task_id: str) -> dict[str, Any]:
        """Lets everything end that ends, and gives the task's result."""
        self.server.finish_all()
        return self.server.result(task_id)

    def length_s(self, task_id: str) -> tuple[float, float]:
        """How long a task waits and works."""
        found = self.server.mock.world(self.server.key).tasks.get(task_id)
        assert found is not None
        return (found.started_ms - found.submitted_ms) / 1000, (found.finished_ms - found.started_ms) / 1000

    def decides(self, point: Point, number: int = 0) -> str:
        """What the plan lets happen at a point of the world's n-th task; "" when nothing."""
        world = self.server.mock.world(self.server.key)
        facts = Facts(operation_id="createTxt2imgTask", task=number, picture=0, attempt=1)
        effect = world.faults.decide(point, "probe", facts, world.clock.now_ms())
        return "" if effect is None else str(effect)


@pytest.fixture
def magic(document: Document) -> Iterator[Magic]:
    """A mock that answers held back calls at once."""
    found = Magic(document)
    yield found
    found.server.close()


Check = Callable[[Magic, dict[str, Any]], None]
"""Shows the effect of a request that has these fields."""


def fails(reason: str = "", progress: float = 1.0) -> Check:
    """The task fails, at a share of its work."""

    def check(magic: Magic, fields: dict[str, Any]) -> None:
        plain = magic.length_s(magic.accepted(seed=7))[1]
        task_id = magic.accepted(**fields)
        assert magic.length_s(task_id)[1] == pytest.approx(plain * progress, rel=0.2, abs=0.05)
        task = magic.end(task_id)["task"]
        assert task["status"] == "TASK_STATUS_FAILED"
        assert reason in task["reason"]
        assert task["reason"]

    return check


def takes(waits: float, works: float) -> Check:
    """The task waits or works so many seconds longer."""

    def check(magic: Magic, fields: dict[str, Any]) -> None:
        plain = magic.length_s(magic.accepted(seed=7))
        found = magic.length_s(magic.accepted(**fields))
        assert found[0] - plain[0] == pytest.approx(waits, abs=1)
        assert found[1] - plain[1] == pytest.approx(works, abs=1)

    return check


def stuck(status: str = "TASK_STATUS_PROCESSING", progress: int = 50) -> Check:
    """The task never ends."""

    def check(magic: Magic, fields: dict[str, Any]) -> None:
        task_id = magic.accepted(**fields)
        magic.advance(30 * 86_400)
        task = magic.task(task_id)
        assert (task["status"], task["progress_percent"]) == (status, progress)

    return check


def vanishes(magic: Magic, fields: dict[str, Any]) -> None:
    task_id = magic.accepted(**fields)
    assert magic.poll(task_id).status_code == 200
    magic.advance(3600)
    answer = magic.poll(task_id)
    assert (answer.status_code, answer.json()["reason"]) == (404, "TASK_NOT_FOUND")


def regresses(magic: Magic, fields: dict[str, Any]) -> None:
    task_id = magic.accepted(**fields)
    seen = [magic.task(task_id)["status"]]
    while magic.server.control("POST", "/clock/advance-to-next-event")["events_passed"]:
        seen.append(magic.task(task_id)["status"])
    assert [status.removeprefix("TASK_STATUS_") for status in seen] == [
        "QUEUED", "PROCESSING", "QUEUED", "PROCESSING", "SUCCEED",
    ]  # fmt: skip


def loses_the_answer(magic: Magic, fields: dict[str, Any]) -> None:
    with pytest.raises(ConnectionResetError):
        magic.post(**fields)
    ledger = magic.server.control("GET", "/ledger")
    assert ledger["spent"]["tasks"] == 1
    assert len(ledger["unclaimed"]) == 1
    assert magic.post(**fields).status_code == 200, "the same request sent again is answered"
    assert magic.server.control("GET", "/ledger")["spent"]["tasks"] == 2
    with pytest.raises(ConnectionResetError):
        magic.post(**fields)


def refused(*statuses: int) -> Check:
    """The first submits are answered so, the next one is accepted; then it begins anew."""

    def check(magic: Magic, fields: dict[str, Any]) -> None:
        for _ in range(2):
            assert [magic.post(**fields).status_code for _ in statuses] == list(statuses)
            assert magic.post(**fields).status_code == 200
        assert magic.server.control("GET", "/ledger")["spent"]["tasks"] == 2

    return check


def delays(magic: Magic, fields: dict[str, Any]) -> None:
    magic.accepted(**fields)
    assert magic.waits == [2.0]


def polls(*statuses: int) -> Check:
    """The first polls of the task are answered so; other tasks' are not."""

    def check(magic: Magic, fields: dict[str, Any]) -> None:
        task_id, other = magic.accepted(**fields), magic.accepted()
        assert magic.poll(other).status_code == 200
        assert [magic.poll(task_id).status_code for _ in statuses] == list(statuses)
        assert magic.poll(task_id).status_code == 200

    return check


def truncates_a_download(magic: Magic, fields: dict[str, Any]) -> None:
    url = magic.end(magic.accepted(**fields))["images"][0]["image_url"]
    with pytest.raises(ConnectionResetError):
        magic.server.download(url)
    assert magic.server.download(url).status_code == 200


def decides(point: Point, *effects: str) -> Check:
    """The plan lets these happen to the task, and nothing to another one."""

    def check(magic: Magic, fields: dict[str, Any]) -> None:
        magic.accepted(**fields)
        magic.accepted()
        assert [magic.decides(point, 0) for _ in effects] == list(effects)
        assert magic.decides(point, 1) == ""

    return check


def tells_before_the_answer(magic: Magic, fields: dict[str, Any]) -> None:
    magic.accepted({"webhook": {"url": "http://127.0.0.1:9/hook"}}, **fields)
    fired = magic.server.control("GET", "/faults")["fired"]
    assert [(one["at"].partition("#")[0], one["effect"]) for one in fired] == [("webhook.before_reply", "early")]


def expires(magic: Magic, fields: dict[str, Any]) -> None:
    body = magic.end(magic.accepted(**fields))
    [image] = body["images"]
    assert image["image_url_ttl"] == "1"
    assert magic.server.download(image["image_url"]).status_code == 200
    magic.advance(2)
    assert magic.server.download(image["image_url"]).status_code == 403


def is_unsafe(magic: Magic, fields: dict[str, Any]) -> None:
    [image] = magic.end(magic.accepted(NSFW, **fields))["images"]
    assert image["nsfw_detection_result"]["confidence"] == 99
    [other] = magic.end(magic.accepted(NSFW))["images"]
    assert other["nsfw_detection_result"]["confidence"] < 20


DIRECTIVE_CHECKS: Mapping[str, Check] = {
    "fail": fails("out of memory"),
    "fail-at": fails(progress=0.3),
    "slow": takes(0, 90),
    "queue": takes(30, 0),
    "stuck": stuck(),
    "vanish": vanishes,
    "regress": regresses,
    "lost-ack": loses_the_answer,
    "delay": delays,
    "result": polls(503, 503),
    "download": truncates_a_download,
    "webhook": decides(Point.WEBHOOK_ATTEMPT, "late 30000ms"),
    "storage": decides(Point.STORAGE_PUT, "refuse denied"),
    "url-ttl": expires,
    "nsfw": is_unsafe,
    "start": stuck(progress=0),
    "progress": stuck(),
    "finish": stuck(progress=99),
    "submit.before": refused(503, 503),
    "submit.after_commit": lambda magic, fields: answers(magic, fields, 503, 503),
    "webhook.before_reply": tells_before_the_answer,
    "webhook.attempt": decides(Point.WEBHOOK_ATTEMPT, "drop"),
    "storage.put": decides(Point.STORAGE_PUT, "refuse denied"),
}


def answers(magic: Magic, fields: dict[str, Any], *statuses: int) -> None:
    assert [magic.post(**fields).status_code for _ in range(len(statuses) + 1)] == [*statuses, 200]
    assert magic.server.control("GET", "/ledger")["spent"]["tasks"] == len(statuses) + 1, "each of them was made"


@pytest.mark.parametrize("name", DIRECTIVES)
def test_each_directive_does_what_its_row_says(magic: Magic, name: str) -> None:
    """The example of each row of docs/magic.md, in the middle of a prompt."""
    DIRECTIVE_CHECKS[name](magic, {"prompt": f"a fox [[mock:{DIRECTIVES[name].example}]] in the snow"})


def test_a_status_code_refuses_so_many_submits(magic: Magic) -> None:
    """`429x2`: two are refused, the third is accepted, and the next request that says the same begins anew."""
    refused(429, 429)(magic, {"prompt": f"a fox [[mock:{CODE_EXAMPLE}]]"})


MODEL_CHECKS: Mapping[str, Check] = {
    "mock-always-fail.safetensors": fails(),
    "mock-slow-60s.safetensors": takes(0, 60),
    "mock-stuck.safetensors": stuck(),
    "mock-vanish.safetensors": vanishes,
    "mock-lost-ack.safetensors": loses_the_answer,
    "mock-rate-limited.safetensors": refused(429, 429),
    "mock-expired-links.safetensors": expires,
    "mock-nsfw.safetensors": is_unsafe,
    "mock-flaky-every-3rd.safetensors": lambda magic, fields: every_third(magic, fields),
    "mock-no-balance.safetensors": lambda magic, fields: has_no_balance(magic, fields),
}


def every_third(magic: Magic, fields: dict[str, Any]) -> None:
    assert [magic.post(**fields).status_code for _ in range(7)] == [200, 200, 503, 200, 200, 503, 200]
    assert [magic.post().status_code for _ in range(3)] == [200, 200, 200], "other models are as ever"
    [armed] = magic.server.control("GET", "/faults")["armed"]
    assert (armed["source"], armed["asked"]) == ("model", 7)


def has_no_balance(magic: Magic, fields: dict[str, Any]) -> None:
    for _ in range(5):
        answer = magic.post(**fields)
        assert (answer.status_code, answer.json()["reason"]) == (400, "BILLING_BALANCE_NOT_ENOUGH")
    found = magic.server.call("POST", TXT2IMG_V2, json=txt2img_v2(**fields))
    assert (found.status_code, found.json()["code"]) == (200, 7)


@pytest.mark.parametrize("name", MODELS)
def test_each_reserved_model_does_what_its_row_says(magic: Magic, name: str) -> None:
    """A client whose prompt is fixed names another checkpoint."""
    MODEL_CHECKS[name](magic, {"model_name": name})


SEED_CHECKS: Mapping[int, Check] = {
    4000000002: fails(),
    4000000119: fails(progress=0.5),
    4000000341: loses_the_answer,
    4000000429: refused(429, 429),
    4000000503: refused(503, 503),
    4000000060: takes(0, 60),
    4000000404: vanishes,
    4000000403: expires,
    4000000666: is_unsafe,
    4000000999: stuck(),
}


@pytest.mark.parametrize("seed", SEEDS)
def test_each_reserved_seed_does_what_its_row_says(magic: Magic, seed: int) -> None:
    """A client whose prompt and model are fixed names another seed."""
    SEED_CHECKS[seed](magic, {"seed": seed})


def test_a_request_without_magic_costs_a_glance() -> None:
    """Every reserved name, seed and directive is found by it; any other request is none of them."""
    assert all(may_ask({"model_name": name}) for name in MODELS)
    assert all(may_ask({"seed": seed}) for seed in SEEDS)
    assert all(may_ask({"prompt": f"[[mock:{one.example}]]"}) for one in DIRECTIVES.values())
    assert not may_ask({"prompt": "a fox", "model_name": STAND_IN, "seed": -1})
    assert not may_ask({"prompt": None, "model_name": "", "seed": None})


def test_no_row_is_without_its_check() -> None:
    """The tables of the documentation and the checks of this module name the same things."""
    assert DIRECTIVE_CHECKS.keys() == DIRECTIVES.keys()
    assert MODEL_CHECKS.keys() == MODELS.keys()
    assert SEED_CHECKS.keys() == SEEDS.keys()


def test_the_pages_are_what_the_code_says() -> None:
    """docs/magic.md, the library of docs/scenarios.md and the shipped schema are written from the code."""
    done = subprocess.run(
        [sys.executable, "docs/make_faults.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


# How directives are found and read


@pytest.mark.parametrize(
    ("prompt", "reason"),
    [
        ("[[mock:fail=first]] and [[mock:fail=second]]", "second"),
        ("[[mock:fail=first,fail=second]]", "second"),
        ("a fox [[mock: fail = spaces around ]]", "spaces around"),
        ("[[mock:slow=10s]] [[mock:fail=behind another]] a fox", "behind another"),
        ("[[mock:fail=with = in it, slow=1s]]", "with = in it"),
    ],
)
def test_the_last_item_of_a_name_wins(magic: Magic, prompt: str, reason: str) -> None:
    """Several brackets, several items, spaces: read in order."""
    assert magic.end(magic.accepted(prompt=prompt))["task"]["reason"] == reason


def test_an_effect_takes_its_main_option_behind_a_colon(magic: Magic) -> None:
    """Times with a unit or in seconds, words, reasons, shares; how often stands last."""
    task_id = magic.accepted(prompt="a fox [[mock:result=delay:2x1]]")
    magic.poll(task_id)
    assert magic.waits == [2.0]
    answer = magic.poll(magic.accepted(prompt="a fox [[mock:result=status:GET_RESULT_FAILED]]"))
    assert (answer.status_code, answer.json()["reason"]) == (500, "GET_RESULT_FAILED")
    assert magic.poll(magic.accepted(prompt="[[mock:result=break:null]]")).json()["task"]["status"] is None
    assert magic.end(magic.accepted(prompt="[[mock:finish=fail:no memory]]"))["task"]["reason"] == "no memory"
    [image] = magic.end(magic.accepted(prompt="[[mock:download=wrong-file:html]]"))["images"]
    assert magic.server.download(image["image_url"]).headers["content-type"].startswith("text/html")
    magic.accepted(prompt="[[mock:webhook=dup:3]]")
    assert magic.decides(Point.WEBHOOK_ATTEMPT, 5) == "duplicate 3"


def test_several_directives_act_together(magic: Magic) -> None:
    """Two refusals, a longer wait, links that end, all of one prompt."""
    fields: dict[str, Any] = {"prompt": "a fox [[mock:429,503,queue=60]] [[mock:url-ttl=5s]]"}
    assert [magic.post(**fields).status_code for _ in range(2)] == [429, 503]
    task_id = magic.accepted(**fields)
    assert magic.length_s(task_id)[0] == pytest.approx(60, abs=1)
    assert magic.end(task_id)["images"][0]["image_url_ttl"] == "5"


def test_a_prompt_comes_before_the_model_and_the_model_before_the_seed(magic: Magic) -> None:
    """What is said in several fields is decided by the most particular one."""
    body = magic.end(
        magic.accepted(prompt="[[mock:url-ttl=7s]]", model_name="mock-expired-links.safetensors", seed=4000000403)
    )
    assert body["images"][0]["image_url_ttl"] == "7"
    fields: dict[str, Any] = {"model_name": "mock-always-fail.safetensors", "seed": 4000000002}
    body = magic.end(magic.accepted(prompt="[[mock:fail=said in the prompt]]", **fields))
    assert body["task"]["reason"] == "said in the prompt"


def test_an_escaped_bracket_is_a_bracket(magic: Magic) -> None:
    """The prompt is looked at after the JSON was read."""
    raw = orjson.dumps(txt2img(prompt="BRACKETSmock:fail]]")).replace(b"BRACKETS", b"\\u005b\\u005b")
    answer = magic.server.call("POST", TXT2IMG, content=raw, headers={"content-type": "application/json"})
    assert magic.end(answer.json()["task_id"])["task"]["status"] == "TASK_STATUS_FAILED"


@pytest.mark.parametrize(
    ("inside", "told"),
    [
        ("fial", "unknown directive 'fial'; known: fail, fail-at, slow"),
        ("fail-at=0.3,503y2", "unknown directive '503y2'"),
        ("200", "unknown directive '200'"),
        ("auth=503", "unknown directive 'auth'"),
        ("slow", "slow needs a value: slow=TIME"),
        ("slow=soon", "slow: not a duration: 'soon'"),
        ("queue=explode", "unknown effect 'explode'; effects at queue: late, fail, stuck, vanish"),
        ("queue=drop", "drop makes no sense at queue"),
        ("vanish=yes", "vanish takes no value, came 'yes'"),
        ("fail-at=noon", "expected queue, start, progress, finish or a number from 0 to 1, came 'noon'"),
        ("fail-at=1.5", "expected queue, start, progress, finish or a number from 0 to 1, came '1.5'"),
        ("stuck=noon", "stuck: expected one of queue, start, progress, finish, came 'noon'"),
        ("result=", "result needs a value: result=EFFECT"),
        ("result=42", "unknown effect '42'"),
        ("result=break:sideways", "unknown word 'sideways'; expected one of missing, null, type"),
        ("result=delay:never", "not a duration: 'never'"),
        ("result=a b", "'a b' is no effect"),
        ("result=900", "expected an integer from 400 to 599, came 900"),
        ("download=drop", "drop makes no sense at download"),
        ("webhook=eat", "unknown effect 'eat'; effects at webhook.attempt: "),
        ("webhook=dup:1", "expected an integer from 2 to 20, came 1"),
        ("storage=full", "storage: expected one of denied, no-bucket, wrong-region, timeout, partial, came 'full'"),
        ("url-ttl=-1s", "not a duration: '-1s'"),
        ("nsfw=very", "nsfw: expected a number from 0 to 100, came 'very'"),
        ("nsfw=101", "nsfw: expected a number from 0 to 100, came 101"),
    ],
)
def test_what_there_is_not_is_refused_with_what_there_is(magic: Magic, inside: str, told: str) -> None:
    """INVALID_REQUEST_BODY names the directive and the allowed words; v2 says the same in its own form."""
    prompt = f"a fox [[mock:{inside}]]"
    answer = magic.post(prompt=prompt)
    assert (answer.status_code, answer.json()["reason"]) == (400, "INVALID_REQUEST_BODY")
    assert told in answer.json()["message"]
    assert answer.json()["message"].startswith("request.prompt: [[mock:...]]: ")
    found = magic.server.call("POST", TXT2IMG_V2, json=txt2img_v2(prompt=prompt))
    assert (found.status_code, found.json()["code"], found.json()["data"]) == (200, 1, None)
    assert told in found.json()["msg"]
    assert magic.server.control("GET", "/ledger")["spent"]["tasks"] == 0


def test_a_directive_that_is_not_closed_is_refused(magic: Magic) -> None:
    """It would be a part of the prompt, and nothing would happen without a word."""
    assert "is not closed; expected ]] behind it" in magic.post(prompt="a fox [[mock:fail").json()["message"]


@pytest.mark.parametrize("prompt", ["a [[fox]]", "[mock:fail]", "mock:fail", "[[ mock:fail]]", "[[mock:]]"])
def test_other_brackets_are_a_part_of_the_prompt(magic: Magic, prompt: str) -> None:
    """Prompts of other tools weight words with brackets."""
    assert magic.end(magic.accepted(prompt=prompt))["task"]["status"] == "TASK_STATUS_SUCCEED"
    assert magic.server.control("GET", "/faults")["total"] == 0


def test_a_picture_model_takes_directives_too(magic: Magic) -> None:
    """Requests with a source picture are kept by reference; counting goes by what was sent."""
    body = img2img(prompt="a fox [[mock:503,fail]]")
    assert [magic.server.call("POST", IMG2IMG, json=body).status_code for _ in range(3)] == [503, 200, 503]


def test_v2_tasks_take_directives_too(magic: Magic) -> None:
    """A v2 task fails with status 3."""
    task_id = magic.server.submit(TXT2IMG_V2, txt2img_v2(prompt="a fox [[mock:fail=out of memory]]"))
    magic.server.finish_all()
    data = magic.server.progress(task_id)["data"]
    assert (data["status"], data["failed_reason"]) == (3, "out of memory")


@given(
    st.lists(
        st.one_of(
            st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=30),
            st.builds(
                "{}{}{}".format,
                st.sampled_from([*DIRECTIVES, "429", "x"]),
                st.sampled_from(["", "=", "x", "=x", ":"]),
                st.sampled_from(
                    ["", "503", "x2", "1e999", "nan", "-1s", "9" * 30, "delay:", "break:null", "fail:a:b", "²", "٣"]
                )
                | st.sampled_from([kind.value for kind in Kind]),
            ),
        ),
        max_size=4,
    ).map(",".join)
)
def test_whatever_stands_in_the_brackets_is_read_or_refused(inside: str) -> None:
    """Never anything else; and what is read can be written on a tape."""
    spell = read_or_refused(f"a fox [[mock:{inside}]]")
    for rule in spell.rules:
        assert read_effect(orjson.loads(orjson.dumps(rule.effect.as_json())), rule.point, ()) == rule.effect


def read_or_refused(prompt: str) -> Spell:
    """What a prompt asks for; nothing, when it is refused as it should be."""
    try:
        return spell_of({"prompt": prompt}, "prompt") or Spell()
    except Refusal as refusal:
        if refusal.reason is not Reason.INVALID_REQUEST_BODY or len(refusal.message) > 2000:
            raise
    return Spell()


# What stays as it is


def test_a_prompt_with_a_directive_is_echoed_and_drawn_as_it_was_sent(magic: Magic, document: Document) -> None:
    """The echo holds the whole prompt and the model's name as sent; the same request gives the same bytes elsewhere."""
    fields: dict[str, Any] = {"prompt": "a fox [[mock:slow=5s]]", "model_name": "mock-slow-60s.safetensors", "seed": 7}
    body = magic.end(magic.accepted(**fields))
    echo = orjson.loads(body["extra"]["debug_info"]["request_info"])
    assert (echo["prompts"], echo["model"]) == ([fields["prompt"]], fields["model_name"])
    file = magic.server.download(body["images"][0]["image_url"]).content
    other = Magic(document, seed=99)
    assert other.server.download(other.end(other.accepted(**fields))["images"][0]["image_url"]).content == file
    plain = other.end(other.accepted(prompt="a fox", seed=7))
    assert other.server.download(plain["images"][0]["image_url"]).content != file
    other.server.close()


def test_reserved_models_are_not_listed(magic: Magic) -> None:
    """GET /v3/model stays the catalogue, which has the checkpoint that draws for them."""
    listed = magic.server.call("GET", "/v3/model", params={"pagination.limit": 100}).text
    assert "mock-" not in listed
    assert magic.server.mock.catalogue.find(STAND_IN, next(iter(magic.server.mock.catalogue.models)).kind) is not None


@pytest.mark.parametrize("name", ["mock-always-fial.safetensors", "mock-slow-soon.safetensors", "mock-stuck"])
def test_a_name_that_looks_reserved_and_is_not_is_told(magic: Magic, name: str) -> None:
    """The list of reserved names comes with the refusal; v2 says that the model does not exist."""
    message = magic.post(model_name=name).json()["message"]
    assert "request.model_name" in message
    assert ", ".join(MODELS) in message
    assert magic.server.call("POST", TXT2IMG_V2, json=txt2img_v2(model_name=name)).json()["code"] == 2


def test_reserved_names_take_any_time_and_any_ordinal(magic: Magic) -> None:
    """`mock-slow-5m`, `mock-flaky-every-2nd`: patterns, not only the names of the table."""
    takes(0, 300)(magic, {"model_name": "mock-slow-5m.safetensors"})
    fields = {"model_name": "mock-flaky-every-2nd.safetensors"}
    assert [magic.post(**fields).status_code for _ in range(4)] == [200, 503, 200, 503]


def test_no_magic_switches_everything_off(document: Document) -> None:
    """Prompts, seeds and keys are ordinary text then, reserved models unknown, Prefer is not looked at."""
    plain = Magic(document, magic=False)
    server = plain.server
    assert plain.end(plain.accepted(prompt="a fox [[mock:nothing]]", seed=4000000002))["task"]["reason"] == ""
    assert "is not in the model list" in plain.post(model_name="mock-stuck.safetensors").json()["message"]
    assert server.call("GET", "/v3/model", headers={"prefer": "code=503"}).status_code == 200
    assert server.call("GET", "/v3/model", key="sk-mock-a--nothing").status_code == 200
    assert server.call("GET", "/__mock/scenario", key="sk-mock-a--nsfw").json()["name"] is None
    server.close()


def test_magic_works_in_the_strict_reading(document: Document) -> None:
    """Directives are text, reserved seeds are seeds: nothing of it is undocumented."""
    strict = Magic(document, strict=True)
    assert (
        strict.end(strict.accepted(prompt="[[mock:fail]]", seed=4000000060))["task"]["status"] == "TASK_STATUS_FAILED"
    )
    assert strict.post(model_name="mock-stuck.safetensors").status_code == 200
    strict.server.close()


# Counting


def test_counts_belong_to_one_request(magic: Magic) -> None:
    """Another prompt, another world, another operation count for themselves."""
    fields: dict[str, Any] = {"prompt": "a fox [[mock:429x2]]"}
    assert [magic.post(**fields).status_code for _ in range(2)] == [429, 429]
    assert magic.post(prompt="a bear [[mock:429x2]]").status_code == 429
    other = magic.server.call("POST", TXT2IMG, json=txt2img(**fields), key="sk-mock-other")
    assert other.status_code == 429
    assert magic.post(**fields).status_code == 200


def test_counted_refusals_are_not_held_back_by_the_bound_and_others_are(magic: Magic) -> None:
    """`503x5` is five times whatever the bound says; `submit.before=503` has no end, so the bound ends it."""
    assert [magic.post(prompt="[[mock:503x5]]").status_code for _ in range(6)] == [503] * 5 + [200]
    endless = {"prompt": "[[mock:submit.before=503]]"}
    assert [magic.post(**endless).status_code for _ in range(8)] == [503, 503, 503, 200] * 2


def test_a_world_is_idle_again_once_a_directive_has_done_its_work(magic: Magic) -> None:
    """What concerns only the submission and the plan of the task leaves nothing behind that calls would have to ask."""
    plan = magic.server.mock.world(magic.server.key).faults
    for _ in range(3):
        magic.post(prompt="a fox [[mock:429x2, fail, slow=3s, nsfw, url-ttl=1s]]")
    assert not plan.active
    assert [magic.post(prompt="a fox [[mock:submit.before=503]]").status_code for _ in range(4)] == [503, 503, 503, 200]
    assert not plan.active, "the faults in a row are counted from 0 again"
    magic.accepted(prompt="a fox [[mock:result=503]]")
    assert plan.active


def test_requests_with_rules_of_their_own_are_remembered_within_a_bound() -> None:
    """A client that never repeats a refused request does not fill the memory; the oldest goes first."""
    plan = FaultPlan(1)
    rule = read_rule({"point": "submit.before", "effect": {"status": 429}, "times": 1}, ())
    first = plan.own_rules(b"0", [rule], 0)
    for number in range(1, MAX_REQUESTS):
        plan.own_rules(b"%d" % number, [rule], 0)
    assert plan.own_rules(b"0", [rule], 0) is first
    plan.own_rules(b"one more", [rule], 0)
    assert plan.own_rules(b"0", [rule], 0) is not first
    assert plan.disarm_all() == MAX_REQUESTS
    assert not plan.active


def test_disarming_everything_takes_what_prompts_asked_for_too(magic: Magic) -> None:
    """DELETE /faults ends the rules of single tasks and of refused requests."""
    task_id = magic.accepted(prompt="a fox [[mock:result=503]]")
    assert magic.post(prompt="a fox [[mock:429x9]]").status_code == 429
    assert magic.server.control("DELETE", "/faults")["disarmed"] == 2
    assert magic.poll(task_id).status_code == 200


def test_what_a_prompt_asked_for_is_told_with_its_rule(magic: Magic) -> None:
    """GET /faults lists what happened; rule 0 is the request's own."""
    magic.post(prompt="a fox [[mock:429]]")
    [fired] = magic.server.control("GET", "/faults")["fired"]
    assert (fired["rule"], fired["effect"], fired["at"]) == (0, {"status": {"code": 429}}, "submit.before#1")


# Keys


def test_a_key_puts_its_world_into_a_scenario(magic: Magic) -> None:
    """From the first call, in every form that a key is sent in; other keys are in none."""
    task_id = magic.server.call("POST", TXT2IMG, json=txt2img(), key="sk-mock-mine--failed-task").json()["task_id"]
    magic.server.call("POST", "/__mock/clock/run-until-idle", key="sk-mock-mine--failed-task")
    found = magic.server.call(
        "GET",
        "/v3/async/task-result",
        params={"task_id": task_id},
        headers={"authorization": "sk-mock-mine--failed-task"},
    )
    assert found.json()["task"]["status"] == "TASK_STATUS_FAILED"
    assert magic.end(magic.accepted())["task"]["status"] == "TASK_STATUS_SUCCEED"


def test_a_key_that_asks_for_no_scenario_that_there_is_is_refused(magic: Magic) -> None:
    """403 INVALID_API_KEY with the list; only keys of ours are read so."""
    for path in ("/v3/model", "/__mock/clock"):
        answer = magic.server.call("GET", path, key="sk-mock-mine--slow-quue")
        assert answer.status_code == 403
        assert ", ".join(names()) in answer.text
    assert magic.server.call("GET", "/v3/model", key="sk-live--slow-quue").status_code == 200
    assert [world.label for world in magic.server.mock.worlds] == ["sk-l...ue"]


# Over a socket


@pytest.fixture(scope="module")
def running() -> Iterator[ServerThread]:
    """A mock behind a socket."""
    with ServerThread(Settings(clock=ClockMode.parse("manual"))) as server:
        yield server


def test_magic_goes_through_the_short_way(running: ServerThread) -> None:
    """Answers in trouble leave the short way: refusals, a connection that is reset, a cut body, plain ones after."""
    headers = {"authorization": "Bearer sk-mock-socket"}
    with httpx.Client(base_url=running.url, headers=headers, timeout=10) as client:

        def post(prompt: str) -> httpx.Response:
            return client.post(TXT2IMG, json=txt2img(prompt=prompt))

        assert [post("[[mock:429x2]]").status_code for _ in range(3)] == [429, 429, 200]
        with pytest.raises(httpx.ReadError):
            post("[[mock:lost-ack]]")
        assert post("[[mock:lost-ack]]").status_code == 200
        task_id = post("[[mock:result=truncatex1]]").json()["task_id"]
        with pytest.raises(httpx.RemoteProtocolError):
            client.get("/v3/async/task-result", params={"task_id": task_id})
        assert client.get("/v3/async/task-result", params={"task_id": task_id}).status_code == 200
        ledger = client.get("/__mock/ledger").json()
    assert ledger["spent"]["tasks"] == 4
    assert [verdict["kind"] for verdict in ledger["verdicts"] if verdict["kind"] == "double-spend"] == ["double-spend"]


def test_the_documentation_says_how_each_is_written() -> None:
    """Every example of the page is one that is read."""
    page = (ROOT / "docs" / "magic.md").read_text(encoding="utf-8")
    written = set(re.findall(r"\[\[mock:([^\]]+)\]\]", page)) - {"..."}
    assert {one.example for one in DIRECTIVES.values()} | {CODE_EXAMPLE} <= written
