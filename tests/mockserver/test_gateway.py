"""What surrounds an operation: paths that are none, links by the caller's address, compression, callers that go."""

from __future__ import annotations

import gzip
from contextlib import suppress
from typing import Any

import orjson
import pytest
from starlette.types import Message

from tests.bodies import TXT2IMG, txt2img
from tests.conftest import KEY, Server


@pytest.mark.parametrize("path", ["/", "/v3/models", "/__mockery", "/prod", "/v2_production/x", "/v3/model/"])
def test_a_path_of_nobody_is_answered_in_the_contracts_form(server: Server, path: str) -> None:
    """404 API_NOT_FOUND, and where to look; also for paths that only begin like one of ours."""
    answer = server.call("GET", path)

    assert answer.status_code == 404
    assert answer.json()["reason"] == "API_NOT_FOUND"
    assert "/__mock/contract.json" in answer.json()["message"]


@pytest.mark.parametrize(
    ("host", "base"),
    [
        (b"mock.test:4280", "http://mock.test:4280"),
        (b"[::1]:4280", "http://[::1]:4280"),
        (b"", "http://mock.invalid:4280"),
        (None, "http://mock.invalid:4280"),
        (b"evil.example/x?y=", "http://mock.invalid:4280"),
        (b'"<script>', "http://mock.invalid:4280"),
    ],
)
def test_links_begin_with_the_address_that_was_called(server: Server, host: bytes | None, base: str) -> None:
    """The `Host` header; without a usable one, the address of the connection."""
    task_id = server.submit(TXT2IMG, txt2img())
    server.finish_all()
    headers = [(b"authorization", f"Bearer {KEY}".encode()), *([(b"host", host)] if host is not None else [])]
    start, body = call(server, "GET", "/v3/async/task-result", f"task_id={task_id}".encode(), headers)

    assert start["status"] == 200
    assert orjson.loads(body["body"])["images"][0]["image_url"].startswith(f"{base}/prod/")


def test_long_answers_are_compressed_for_those_who_take_it(server: Server) -> None:
    """The journal keeps the answer itself; a short one is sent as it is."""
    headers = [(b"authorization", f"Bearer {KEY}".encode()), (b"accept-encoding", b"gzip, br")]
    start, body = call(server, "GET", "/v3/model", b"pagination.limit=100", headers)
    sent = dict(start["headers"])

    assert sent[b"content-encoding"] == b"gzip"
    assert sent[b"vary"] == b"Accept-Encoding"
    assert sent[b"content-length"] == b"%d" % len(body["body"])
    assert len(orjson.loads(gzip.decompress(body["body"]))["models"]) == 100
    assert server.control("GET", "/requests")["requests"][-1]["answer_bytes"] > len(body["body"])
    short, _ = call(server, "GET", "/v3/model", b"pagination.limit=1", headers)
    assert b"content-encoding" not in dict(short["headers"])


def test_browsers_get_compressed_answers_once(server: Server) -> None:
    """The way through the CORS layer compresses no second time."""
    headers = {"origin": "http://app.example", "accept-encoding": "gzip"}
    answer = server.call("GET", "/v3/model?pagination.limit=100", headers=headers)

    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert len(answer.json()["models"]) == 100


@pytest.mark.parametrize("sent", [[], [orjson.dumps(txt2img())]])
def test_a_caller_that_goes_before_its_body_ended_submits_nothing(server: Server, sent: list[bytes]) -> None:
    """Even when what came so far is a whole request; nothing is answered and nothing written."""
    messages: list[Message] = [{"type": "http.request", "body": part, "more_body": True} for part in sent]
    headers = [(b"authorization", f"Bearer {KEY}".encode()), (b"content-type", b"application/json")]

    assert call(server, "POST", TXT2IMG, b"", headers, [*messages, {"type": "http.disconnect"}]) == []
    world = server.mock.world(KEY)
    assert len(world.tasks) == 0
    assert len(world.journal) == 0


def test_an_announced_length_of_any_size_is_refused_early(server: Server) -> None:
    """No byte of the body is read."""
    headers = [(b"authorization", f"Bearer {KEY}".encode()), (b"content-length", b"9" * 5000)]
    start, _ = call(server, "POST", TXT2IMG, b"", headers, [])

    assert start["status"] == 400


def test_a_key_in_the_query_is_not_kept(server: Server) -> None:
    """A client that sends its key where none goes is refused, and the journal does not hold it."""
    server.call("GET", "/v3/model?api_key=sk-real-secret&filter.query=monkey", key=None)
    server.call("GET", "/nowhere?Token=sk-real-secret", key=None)
    server.call("GET", "/v3/async/task-result?task_id=x&key=sk-real-secret")
    outside = server.call("GET", "/__mock/requests", key=None).text
    inside = server.call("GET", "/__mock/requests").text

    assert "sk-real-secret" not in outside + inside
    assert "api_key=...&filter.query=monkey" in outside
    assert "task_id=x&key=..." in inside


def call(
    server: Server,
    method: str,
    path: str,
    query: bytes,
    headers: list[tuple[bytes, bytes]],
    messages: list[Message] | None = None,
) -> list[Any]:
    """A call below any HTTP library: headers as they are, and body messages of the test's choice."""
    waiting = [{"type": "http.request", "body": b"", "more_body": False}] if messages is None else messages
    answered: list[Message] = []

    async def receive() -> Message:
        return waiting.pop(0)

    async def send(message: Message) -> None:
        answered.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query,
        "headers": headers,
        "scheme": "http",
        "server": ("mock.invalid", 4280),
    }
    server.loop.run_until_complete(server.app(scope, receive, send))
    return answered


def test_the_journal_says_what_happened_to_a_call(server: Server) -> None:
    """The effect stands beside the call; an ordinary one has none."""
    task_id = server.submit(TXT2IMG, txt2img())
    for effect in ({"status": 503}, {"break": "null"}, "EMPTY_RESPONSE"):
        server.control("POST", "/faults", {"point": "result", "effect": effect, "times": 1})
        with suppress(ConnectionResetError):
            server.call("GET", "/v3/async/task-result", params={"task_id": task_id})
    found = server.control("GET", "/requests")["requests"]
    assert [entry["fault"] for entry in found] == [None, "status 503", "break null", "EMPTY_RESPONSE"]
