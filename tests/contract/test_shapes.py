"""What holds answers to their form: each wrong one is seen."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from openapi.document import Document
from tests.contract import asgi
from tests.contract.asgi import Answer
from tests.contract.shapes import assert_right_shape, assert_usable_link, links
from tests.contract.wire import replies

V3, V2 = "/v3/async/task-result", "/v2/progress"
PROBLEM = "application/problem+json"
FAILED = {"code": 400, "reason": "INVALID_REQUEST_BODY", "message": "m", "metadata": {}}


def answer(status: int, body: object, media_type: str = "application/json") -> Answer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status=status, headers={"content-type": media_type}, body=raw)


@pytest.mark.parametrize(
    ("target", "good"),
    [
        (V3, answer(200, {"task": {}})),
        (V3, answer(400, FAILED)),
        (V2, answer(200, {"code": 3, "msg": "no task", "data": None})),
        ("/v3/models", answer(404, {**FAILED, "code": 404, "reason": "API_NOT_FOUND"})),
        ("/__mock/tasks", answer(200, {"tasks": []})),
        ("/__mock/faults/1", answer(404, {"type": "u", "title": "t", "status": 404, "detail": "d"}, PROBLEM)),
        ("/__mock/coverage", answer(200, b"<html></html>", "text/html; charset=utf-8")),
        ("/__mock/inbox/w", answer(503, b"", "text/plain")),
        ("/prod/a/b.png", answer(404, b"<Error><Code>NoSuchKey</Code></Error>", "application/xml")),
        ("/prod/a/b.png", answer(206, b"\x89PNG", "image/png")),
    ],
)
def test_right_answers_pass(document: Document, target: str, good: Answer) -> None:
    """Each part of the server has its own form."""
    assert_right_shape(document, "GET", target, good)


@pytest.mark.parametrize(
    ("target", "wrong"),
    [
        (V3, answer(500, {**FAILED, "code": 500})),
        (V3, answer(400, {**FAILED, "code": 403})),
        (V3, answer(400, {**FAILED, "reason": "MADE_UP"})),
        (V3, answer(400, {"detail": "no"})),
        (V3, answer(400, b"no", "text/plain")),
        (V3, answer(200, {"trace": 'File "/app/x.py", line 1'})),
        (V2, answer(400, {"code": 1, "msg": "m", "data": None})),
        (V2, answer(200, {"code": -1, "msg": "m", "data": None})),
        (V2, answer(200, {"code": 1, "msg": "m", "data": {}})),
        ("/v3/models", answer(200, {})),
        ("/__mock/tasks", answer(404, {"status": 404})),
        ("/__mock/tasks", answer(200, b"<html></html>", "text/html")),
        ("/__mock/clock", answer(200, {"now_ms": "soon"})),
        ("/__mock/inbox/w", answer(503, b"no", "text/plain")),
        ("/__mock/tasks", answer(404, FAILED, "application/problem+json")),
        ("/prod/a/b.png", answer(404, FAILED)),
        ("/prod/a/b.png", answer(404, b"<Error><Key>\x00</Key></Error>", "application/xml")),
        ("/prod/a/b.png", answer(200, {})),
    ],
)
def test_wrong_answers_fail(document: Document, target: str, wrong: Answer) -> None:
    """A 5xx, a reason that does not belong to its status, another part's form, broken XML, a trace of code."""
    with pytest.raises((AssertionError, KeyError, SyntaxError)):
        assert_right_shape(document, "GET", target, wrong)


@pytest.mark.parametrize(
    "link",
    [
        "http:///prod/a",
        "//host/prod/a",
        "http://a b/prod/a",
        "http://user@host/prod/a",
        "http://host:port/prod/a",
        "http://host/x?/prod/a",
        'http://host"/prod/a',
        "http://höst/prod/a",
        "javascript://host/prod/a",
        "http://host/prod/a#b",
    ],
)
def test_bad_links_fail(link: str) -> None:
    """No host, a user, markup, another scheme, a fragment."""
    assert links({"images": [{"image_url": link}]}) == [link]
    with pytest.raises(AssertionError):
        assert_usable_link(link)


@pytest.mark.parametrize("header", [(b"x-a", b"b\r\nc: d"), (b"x a", b"b"), (b"x-a", b"\x00")])
def test_an_answer_that_no_server_could_send_fails(header: tuple[bytes, bytes]) -> None:
    """Control characters in a header: a real server drops the connection, so the direct call must not pass it."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        await send({"type": "http.response.start", "status": 200, "headers": [header]})
        await send({"type": "http.response.body", "body": b""})

    loop = asyncio.new_event_loop()
    try:
        with pytest.raises(AssertionError, match="header"):
            asgi.call(loop, app, "GET", "/")
    finally:
        loop.close()


def test_an_app_that_does_not_answer_fails() -> None:
    """No start, or a body that does not end."""

    def app(*messages: dict[str, Any]) -> Any:
        async def answering(scope: Scope, receive: Receive, send: Send) -> None:
            del scope, receive
            for message in messages:
                await send(message)

        return answering

    start = {"type": "http.response.start", "status": 200, "headers": []}
    loop = asyncio.new_event_loop()
    try:
        for silent in (app(), app(start), app(start, {"type": "http.response.body", "body": b"", "more_body": True})):
            with pytest.raises(AssertionError, match="answer"):
                asgi.call(loop, silent, "GET", "/")
    finally:
        loop.close()


@pytest.mark.parametrize(
    "raw",
    [b"hello", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", b"HTTP/1.1 200 OK\r\n\r\n"],
)
def test_half_an_answer_on_the_wire_is_none(raw: bytes) -> None:
    """No status line, no end of headers, fewer bytes than promised, no length."""
    with pytest.raises(ValueError, match=r"answer|promised"):
        replies(raw)
