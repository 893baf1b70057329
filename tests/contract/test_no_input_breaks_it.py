"""No input gives a 5xx, a traceback, or an answer of the wrong form: bodies, queries, paths, headers, in process.

What only a socket can carry (wrong lengths, broken chunks, half a request) is in test_no_bytes_break_it.py.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject

from mockserver.app import MockApp, create_app
from mockserver.control.resource import Resource
from mockserver.control.table import RESOURCES
from mockserver.core.clock import ClockMode
from mockserver.mock import Parts
from mockserver.outbound.sender import FakeSender
from mockserver.parts.wall import FakeWall
from mockserver.settings import Limits, Settings
from openapi.document import Document
from tests.bodies import IMG2IMG, IMG2IMG_V2, TXT2IMG, TXT2IMG_V2, png, txt2img, txt2img_v2
from tests.contract import asgi, hostile
from tests.contract.asgi import Answer, Headers
from tests.contract.shapes import assert_right_shape, assert_usable_link, links

SUBMITS = {
    "createTxt2imgTask": TXT2IMG,
    "createImg2imgTask": IMG2IMG,
    "createTxt2imgTaskV2": TXT2IMG_V2,
    "createImg2imgTaskV2": IMG2IMG_V2,
}
KEYED: Headers = ((b"authorization", b"Bearer sk-stranger"), (b"content-type", b"application/json"))
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get")
PATTERN = {
    "operation_id": "createTxt2imgTask",
    "status": {"any-of": [200, {">=": 400}]},
    "headers": {"user-agent": {"present": False}},
    "body": {"request": {"steps": {"<": 100}, "prompt": {"contains": "boat"}, "model_name": {"matches": "[a-z]+.*"}}},
}
RULE = {
    "point": "submit.before",
    "effect": {"status": {"code": 429, "retry_after": "2s", "reason": "RATE_LIMIT_EXCEEDED", "message": "m"}},
    "match": {"operation": "x", "version": "v3", "prompt": "x", "seed": 1, "task": 9, "body": {"request.steps": 20}},
    "every": 2,
    "times": 3,
    "probability": 0.5,
    "after": "1s",
    "until": 90,
    "bounded": False,
}
SCENARIO = {
    "name": "mine",
    "description": "What happens.",
    "extends": "happy",
    "faults": [{"point": "result", "effect": {"delay": {"uniform": ["1ms", "2ms"]}}, "nth": 1000}],
    "max_in_a_row": 2,
    "clock": "manual",
    "fleet": {"workers": 2, "speed": 2, "task_duration": "1s"},
    "nsfw_confidences": [1, 99.5],
    "link_ttl": "1h",
    "webhooks": {"retries": 1, "timeout": "1s", "spacing": ["1s", 2]},
    "account": {"retry_after": True, "balance": 5, "concurrency": 9, "rate_limits": {"createTxt2imgTask": 100}},
    "v2": {"brown_outs": [{"after": "1d", "until": "2d"}], "off_after": "3d"},
}
OPT_IN = ("getCoverage", "getMetrics")
"""Answered with 409 by a server that was not told to count."""
CONTROL_BODIES: dict[str, Sequence[dict[str, Any]]] = {
    "changeClock": [{"mode": "x10"}],
    "advanceClock": [{"seconds": 1}, {"duration": "1s"}],
    "setClock": [{"at": "2099-01-01T00:00:00Z"}, {"at_ms": 4070908800000}],
    "changeWorld": [
        {
            "clock": "manual",
            "fleet": {"workers": 2, "speed": 2.5, "task_duration": "1s"},
            "nsfw_confidences": [1, 99.5],
            "link_ttl": "90s",
            "account": {
                "rate_limits": {"createTxt2imgTask": 10},
                "retry_after": True,
                "balance": "5.00",
                "concurrency": 9,
                "problem": None,
            },
            "webhooks": {"retries": 2, "spacing": ["1s", 2.5], "timeout": "1s", "secret": None},
        }
    ],
    "endTask": [{"status": "TASK_STATUS_FAILED", "reason": "x"}],
    "armFaults": [
        RULE,
        {"faults": [{"point": "webhook.attempt", "effect": "hold"}], "max_in_a_row": 2},
        {"point": "download", "effect": {"dribble": {"time": {"lognormal": {"median": "1ms", "sigma": 0.5}}}}},
        {"point": "result", "effect": {"break": {"kind": "null", "field": "task.status"}}},
        {"point": "progress", "effect": {"regress": {"at": 0.5, "wait": "1s"}}, "match": {"picture": 1, "attempt": 1}},
    ],
    "putScenario": [{"name": "happy"}, {"scenario": SCENARIO}],
    "duplicateDelivery": [{"times": 2, "at_once": True}],
    "delayDelivery": [{"duration": "1s"}],
    "releaseWebhooks": [{"order": "reversed"}],
    "changeInbox": [{"answers": [{"status": 503, "delay": "1s"}, {}]}],
    "receiveEvent": [{"event_type": "ASYNC_TASK_RESULT", "task": {"task_id": "x"}}],
    "checkBudget": [{"budget_usd": "0.05"}],
    "topUpBalance": [{"usd": 1.5}],
    "findRequests": [PATTERN],
    "countMatchingRequests": [PATTERN],
    "verifyRequests": [{"pattern": PATTERN, "count": 1}, {"pattern": PATTERN, "at_least": 1, "at_most": 2}],
    "nearMisses": [{"pattern": PATTERN, "limit": 5}],
}
"""Bodies that are done, so that hostile values reach what reads their inside."""
DEEP = ("[" * 900 + "]" * 900, '{"a":' * 1000 + "1" + "}" * 1000)
"""Deeper than a program's stack allows to quote, and not too deep for the reader of JSON."""
efforts = pytest.mark.parametrize("examples", [150, pytest.param(2000, marks=pytest.mark.slow)])
"""How many generated cases: some in every run, many in a long one."""


def for_any(examples: int, check: Callable[[DataObject], None]) -> None:
    """Runs a check with generated data."""

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    def run(data: DataObject) -> None:
        check(data)

    run()


@dataclass(slots=True)
class Stranger:
    """Sends anything to a mock and holds every answer to its form."""

    app: MockApp
    document: Document
    loop: asyncio.AbstractEventLoop

    def send(
        self, method: str, target: str, body: bytes | Sequence[bytes] = b"", *, headers: Headers = KEYED
    ) -> Answer:
        """Calls the mock; the answer has the form that its path asks for."""
        chunks = [body] if isinstance(body, bytes) else body
        answer = asgi.call(self.loop, self.app, method, target, headers=headers, chunks=chunks)
        if not (method == "OPTIONS" and dict(headers).keys() >= {b"origin", b"access-control-request-method"}):
            assert_right_shape(
                self.document, method, target, plain(answer)
            )  # a CORS preflight is the browser's business
        return answer

    def submit(self, path: str, body: bytes) -> bool:
        """Submits; an accepted task can be polled to its end, and its first picture be fetched."""
        found = self.send("POST", path, body).json()
        task_id = (found.get("data") or found).get("task_id")
        if task_id is None:
            return False
        self.send("POST", "/__mock/clock/run-until-idle")
        poll = "/v2/progress" if path.startswith("/v2/") else "/v3/async/task-result"
        done = self.send("GET", f"{poll}?task_id={task_id}").json()
        link = links(done)[0]
        assert_usable_link(link)
        picture = self.send("GET", "/" + link.split("/", 3)[3], headers=())
        assert (picture.status, picture.headers["content-type"]) == (200, "image/png")
        return True

    def look(self) -> None:
        """Everything that was stored can be shown."""
        for resource in RESOURCES:
            if resource.method == "GET" and "{" not in resource.path and resource.operation_id not in OPT_IN:
                assert self.send("GET", f"/__mock{resource.path}").status == 200
        assert self.send("GET", "/__mock/requests?limit=1000").status == 200
        assert self.send("GET", "/__mock/requests", headers=()).status == 200


async def no_pause(seconds: float) -> None:
    """Waits for nothing."""


def fakes() -> Parts:
    """Parts that ask no resolver, call nobody and never wait."""
    return Parts(wall=FakeWall(), sender=FakeSender(), pause=no_pause)


def plain(answer: Answer) -> Answer:
    """The answer as a client sees it once it has undone the compression."""
    if answer.headers.get("content-encoding") == "gzip":
        return Answer(status=answer.status, headers=answer.headers, body=gzip.decompress(answer.body))
    return answer


@pytest.fixture
def strangers(document: Document, caplog: pytest.LogCaptureFixture) -> Iterator[dict[bool, Stranger]]:
    """A lenient and a strict mock on a manual clock; nothing they log is an error."""
    loop = asyncio.new_event_loop()
    made = {}
    for strict in (False, True):
        chosen = Settings(clock=ClockMode.parse("manual"), strict=strict, limits=Limits(wait_s=0))
        made[strict] = Stranger(create_app(document, chosen, fakes()), document, loop)
    try:
        yield made
        for stranger in made.values():
            stranger.look()
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.fixture
def stranger(strangers: dict[bool, Stranger]) -> Stranger:
    """A lenient mock."""
    return strangers[False]


@pytest.mark.parametrize("operation_id", SUBMITS)
@pytest.mark.parametrize("strict", [False, True])
def test_every_place_of_a_body_takes_every_token(
    strangers: dict[bool, Stranger], document: Document, operation_id: str, strict: bool
) -> None:
    """Huge and odd numbers, surrogates, NUL, deep and wide structures, no JSON at all: at each place of a full body."""
    stranger, path = strangers[strict], SUBMITS[operation_id]
    body = hostile.full_body(document, operation_id)
    assert strict or stranger.submit(path, json.dumps(body).encode()), "the full body itself is accepted"

    accepted = [
        stranger.submit(path, hostile.with_token(body, place, token))
        for place in hostile.places(body)
        for token in hostile.TOKENS
    ]

    assert accepted.count(False) > 500
    assert strict or accepted.count(True) > 200


@pytest.mark.parametrize("operation_id", SUBMITS)
def test_further_fields_of_any_name_are_refused_or_noted(
    strangers: dict[bool, Stranger], document: Document, operation_id: str
) -> None:
    """A field name may hold anything, control characters included: findings and messages quote it."""
    body = hostile.full_body(document, operation_id)
    for place in hostile.places(body):
        at: Any = body
        for step in place:
            at = at[step]
        if isinstance(at, dict):
            for key in hostile.KEYS:
                text = json.dumps(hostile.with_value(body, place, {**at, key: {"x": [1]}})).encode()
                assert strangers[False].submit(SUBMITS[operation_id], text)
                assert not strangers[True].submit(SUBMITS[operation_id], text)


@efforts
def test_any_change_of_a_good_body_is_answered_in_form(
    strangers: dict[bool, Stranger], document: Document, examples: int
) -> None:
    """Several places at once hold any JSON: accepted and drawn, or refused."""

    def check(data: DataObject) -> None:
        operation_id = data.draw(st.sampled_from(sorted(SUBMITS)))
        body = hostile.full_body(document, operation_id)
        text = data.draw(hostile.changed_bodies(body))

        strangers[data.draw(st.booleans())].submit(SUBMITS[operation_id], text)

    for_any(examples, check)


NO_OBJECTS = {
    "nothing": b"",
    "one byte": b"\xff",
    "NUL": b"\x00",
    "byte order mark": b"\xef\xbb\xbf{}",
    "half an object": b"{",
    "array": b"[]",
    "null": b"null",
    "text": b'"text"',
    "number": b"1",
    "broken UTF-8": b'{"request": {"prompt": "\xc3\x28"}}',
    "UTF-8 of a surrogate": b'{"request": {"prompt": "\xed\xa0\x80"}}',
    "UTF-16": json.dumps(txt2img()).encode("utf-16"),
    "something after it": json.dumps(txt2img()).encode() + b"\x00",
    "two objects": json.dumps(txt2img()).encode() + b"{}",
    "compressed": gzip.compress(json.dumps(txt2img()).encode()),
    "picture": png(),
    "form": b"a=1&b=2",
    "very deep": b"[" * 200_000,
}


@pytest.mark.parametrize("path", SUBMITS.values())
@pytest.mark.parametrize("what", NO_OBJECTS)
def test_a_body_that_is_no_json_object_is_refused(strangers: dict[bool, Stranger], path: str, what: str) -> None:
    """Other encodings, compressed, cut, doubled or deep: refused in form (C21)."""
    for stranger in strangers.values():
        assert not stranger.submit(path, NO_OBJECTS[what])


@pytest.mark.parametrize("path", SUBMITS.values())
def test_a_body_may_arrive_in_any_pieces(stranger: Stranger, path: str) -> None:
    """Cut between any two bytes, empty pieces between them: read as one."""
    prompt = "a boat \U0001f6f6 é"
    body = txt2img_v2(prompt=prompt) if path in (TXT2IMG_V2, IMG2IMG_V2) else txt2img(prompt=prompt)
    raw = json.dumps(body, ensure_ascii=False).encode()
    whole = stranger.send("POST", path, raw).status
    for cut in range(0, len(raw), 7):
        assert stranger.send("POST", path, [raw[:cut], b"", raw[cut:]]).status == whole


def test_a_body_beyond_the_bound_is_refused_before_it_is_read(stranger: Stranger) -> None:
    """By its stated length, and by its pieces when no length was stated (C43)."""
    for path, reason in ((TXT2IMG, "INVALID_REQUEST_BODY"), (IMG2IMG, "IMAGE_FILE_EXCEEDS_MAX_SIZE")):
        stated = stranger.send("POST", path, b"{}", headers=(*KEYED, (b"content-length", b"9" * 12)))
        pieces = stranger.send("POST", path, (b" " * 1_000_000 for _ in range(70)))  # type: ignore[arg-type]  # lazy
        assert stated.json()["reason"] == pieces.json()["reason"] == reason


@efforts
def test_any_call_is_answered_in_form(strangers: dict[bool, Stranger], document: Document, examples: int) -> None:
    """Any method, path, query, headers and bytes: contract, pictures, control interface and what no route knows."""

    def check(data: DataObject) -> None:
        known = [operation.path for operation in document.operations.values()]
        known += ["/prod/x/y.png", "/v2_prod/x-0.png", "/prod", "/__mock", "/__mock/", "/", "/v3/models", "/v2"]
        known += [f"/__mock{resource.path}" for resource in RESOURCES]
        keys = st.sampled_from([(), KEYED[:1], KEYED, ((b"authorization", b"\xff\xfe"),), ((b"authorization", b""),)])
        body = st.lists(st.binary(max_size=30) | hostile.json_values().map(lambda value: json.dumps(value).encode()))

        strangers[data.draw(st.booleans())].send(
            data.draw(st.sampled_from(METHODS)),
            data.draw(hostile.targets(known)),
            data.draw(body),
            headers=(*data.draw(keys), *data.draw(hostile.headers())),
        )

    for_any(examples, check)


@efforts
def test_any_query_of_a_read_is_answered_in_form(
    strangers: dict[bool, Stranger], document: Document, examples: int
) -> None:
    """Task ids, cursors, limits and filters of any text."""

    def check(data: DataObject) -> None:
        path = data.draw(st.sampled_from([one.path for one in document.operations.values() if one.method == "GET"]))

        strangers[data.draw(st.booleans())].send("GET", f"{path}?{data.draw(hostile.queries())}")

    for_any(examples, check)


@efforts
def test_any_link_is_answered_with_a_file_or_in_s3_form(stranger: Stranger, examples: int) -> None:
    """A good link with a changed path, query or header: the picture, or an error of S3 as well-formed XML."""

    def check(data: DataObject) -> None:
        version = data.draw(st.sampled_from(["v2", "v3"]))
        path, body = (TXT2IMG, txt2img(width=128, height=128)) if version == "v3" else (TXT2IMG_V2, txt2img_v2())
        found = stranger.send("POST", path, json.dumps(body).encode()).json()
        task_id = (found.get("data") or found)["task_id"]
        stranger.send("POST", "/__mock/clock/run-until-idle")
        poll = "/v2/progress" if version == "v2" else "/v3/async/task-result"
        link = "/" + links(stranger.send("GET", f"{poll}?task_id={task_id}").json())[0].split("/", 3)[3]
        where, _, query = link.partition("?")
        pairs = query.split("&")
        spot = data.draw(st.integers(0, len(pairs) - 1))
        changed = data.draw(
            st.sampled_from([pairs, pairs[:spot] + pairs[spot + 1 :], [*pairs, pairs[spot]], pairs[::-1]])
            | hostile.queries().map(lambda text: [*pairs[:spot], text, *pairs[spot + 1 :]])
        )
        bent = data.draw(st.sampled_from([where, where + "x", where.upper(), where + "/", where[:-4] + "%00.png"]))

        stranger.send(
            data.draw(st.sampled_from(METHODS)), f"{bent}?{'&'.join(changed)}", headers=data.draw(hostile.headers())
        )

    for_any(examples, check)


@pytest.mark.parametrize("part", ["%00", "%0d%0a", "%1b", "%ff", "%ef%bf%bf", "%3C%26%3E", "a" * 5000, "%F0%9F%98%80"])
def test_an_unknown_file_of_any_name_is_answered_in_well_formed_xml(stranger: Stranger, part: str) -> None:
    """S3's error names the key; characters that XML cannot hold do not break it."""
    for path in (f"/prod/{part}/{part}.png", f"/v2_prod/{part}-0.png", f"/prod/{part}"):
        assert stranger.send("GET", path, headers=()).status == 404


class Things:
    """Puts one of each into a stranger's world, for paths that name one.

    Args:
        stranger: who makes them.
    """

    def __init__(self, stranger: Stranger) -> None:
        self._stranger = stranger
        self.paths: dict[str, str] = {}

    def make(self) -> None:
        """A task that has ended, with a webhook that is held; one that has not; a fault, a balance, an inbox."""
        send = self._stranger.send
        send("POST", "/__mock/reset")
        send("POST", "/__mock/webhooks/hold")
        body = txt2img(width=128, height=128) | {"extra": {"webhook": {"url": "http://localhost/hook"}}}
        task_id = send("POST", TXT2IMG, json.dumps(body).encode()).json()["task_id"]
        send("POST", "/__mock/clock/run-until-idle")
        delivery = send("GET", "/__mock/webhooks/deliveries").json()["deliveries"][0]
        assert delivery["state"] == "held"
        waiting = send("POST", TXT2IMG, json.dumps(body).encode()).json()["task_id"]
        send("PATCH", "/__mock/worlds/current", b'{"account": {"balance": 5}}')
        rule = json.dumps({"point": "models", "effect": "no-answer", "nth": 1000}).encode()
        self.paths = {
            "/tasks/{task_id}/end": waiting,
            "/tasks/{task_id}": task_id,
            "/worlds/of/{task_id}": task_id,
            "/requests/{number}": "1",
            "/inspector/{file}": "main.js",
            "/webhooks/deliveries/{id}": delivery["id"],
            "/faults/{id}": str(send("POST", "/__mock/faults", rule).json()["armed"][0]["id"]),
            "/inbox/{world_id}": send("GET", "/__mock/worlds/current").json()["id"],
        }

    def target(self, path: str) -> str:
        """A path of the table with the thing in it that it names."""
        for known, value in self.paths.items():
            if path.startswith(known):
                return "/__mock" + re.sub(r"\{.*?\}", value, path.replace("{index}", "0"))
        assert "{" not in path, "a path that names something new: make one"
        return f"/__mock{path}"


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.operation_id)
def test_every_control_resource_takes_every_token(stranger: Stranger, resource: Resource) -> None:
    """The control interface refuses what it does not understand with problem+json, and never fails."""
    things = Things(stranger)
    things.make()
    target = things.target(resource.path)
    bodies = CONTROL_BODIES.get(resource.operation_id, ())
    assert (resource.body is None) == (not bodies) or resource.operation_id == "decodePicture"
    for body in bodies:
        things.make()
        done = stranger.send(resource.method, target := things.target(resource.path), json.dumps(body).encode())
        assert done.status == 200, done.body
        for place in hostile.places(body):
            for token in (*hostile.TOKENS, *DEEP):
                stranger.send(resource.method, target, hostile.with_token(body, place, token))
    for token in (*hostile.TOKENS, *DEEP):
        stranger.send(resource.method, target, token.encode("utf-8", "surrogatepass"), headers=())
        if not bodies:
            stranger.send(resource.method, target, token.encode("utf-8", "surrogatepass"))
    for name in resource.query:
        for value in ("", "-1", "0", "9" * 30, "%ff", "%00", "true", "%d9%a3", "1e9", "--1", "-"):
            stranger.send(resource.method, f"{target}?{name}={value}&{name}=2")
    if "{" in resource.path:
        for odd in ("%00", "%ff", "a" * 3000, "..", "%2F", "%d9%a3", "-1", "9" * 30):
            stranger.send(resource.method, "/__mock" + re.sub(r"\{.*?\}", odd, resource.path))
    stranger.look()
    stranger.send("POST", TXT2IMG, json.dumps(txt2img()).encode())  # whatever is in force by now, in form
    stranger.send("POST", "/__mock/reset")
    assert stranger.submit(TXT2IMG, json.dumps(txt2img()).encode())


@efforts
def test_any_order_of_control_calls_leaves_a_server_that_answers(stranger: Stranger, examples: int) -> None:
    """Clocks at the end of time, worlds forgotten while tasks run: submits and polls are still answered in form."""
    things = Things(stranger)

    def check(data: DataObject) -> None:
        things.make()
        for _ in range(data.draw(st.integers(1, 6))):
            resource = data.draw(st.sampled_from(RESOURCES))
            body = data.draw(st.sampled_from(CONTROL_BODIES.get(resource.operation_id, [{}])))
            text = data.draw(hostile.changed_bodies(body) | st.just(json.dumps(body).encode()))
            stranger.send(resource.method, things.target(resource.path), text)
        stranger.send("DELETE", "/__mock/faults")  # what was armed may lose an answer, as it was asked to
        found = stranger.send("POST", TXT2IMG, json.dumps(txt2img()).encode()).json()
        if "task_id" in found:
            stranger.send("GET", f"/v3/async/task-result?task_id={found['task_id']}")

    for_any(examples, check)


HOSTS = (
    b"client.test",
    b"127.0.0.1:4280",
    b"[::1]:4280",
    b"",
    b" ",
    b"a b",
    b"evil.test/path?x=",
    b"evil.test#",
    b"user:pass@evil.test",
    b'"><script>alert(1)</script>',
    b"\xe9vil.test",
    b"\xf0\x9f\x98\x80",
    b"evil.test\\",
    b"evil.test:99999999",
    b"evil.test:port",
    b"evil.test\tx",
    b"%0d%0aSet-Cookie:x",
    b"x" * 5000,
    b"{}",
    b"a,b",
    b"::1",
    b"..",
)


@pytest.mark.parametrize("host", HOSTS, ids=repr)
@pytest.mark.parametrize("path", [TXT2IMG, TXT2IMG_V2])
def test_links_are_good_urls_whatever_the_host_header_says(stranger: Stranger, path: str, host: bytes) -> None:
    """A link is made from `Host`; what is no host never gets into one."""
    headers = (*KEYED, (b"host", host))
    body = txt2img() if path == TXT2IMG else txt2img_v2()
    found = stranger.send("POST", path, json.dumps(body).encode(), headers=headers).json()
    task_id = (found.get("data") or found)["task_id"]
    stranger.send("POST", "/__mock/clock/run-until-idle")
    poll = "/v3/async/task-result" if path == TXT2IMG else "/v2/progress"

    found_links = links(stranger.send("GET", f"{poll}?task_id={task_id}", headers=headers).json())

    assert found_links
    for link in found_links:
        assert_usable_link(link)
        if host in HOSTS[:3]:
            assert link.startswith(f"http://{host.decode()}/")
