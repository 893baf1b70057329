"""Calls an ASGI application with exactly the bytes of a test: no client library tidies the path or the headers first.

The answer is held to what an HTTP server can send: one start, whole bodies, header names and values without control
characters. A real server drops the connection when an application breaks these.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from starlette.types import ASGIApp, Message

_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]+")
_VALUE = re.compile(rb"[^\x00-\x08\x0a-\x1f\x7f]*")

Headers = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an application answered; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            ValueError: it is none.
        """
        return json.loads(self.body)


def call(
    loop: asyncio.AbstractEventLoop,
    app: ASGIApp,
    method: str,
    target: str,
    *,
    headers: Headers = (),
    chunks: Iterable[bytes] = (b"",),
) -> Answer:
    """Calls an application as a server would.

    Args:
        loop: where to run it.
        app: the application.
        method: as sent.
        target: path and query as sent, percent-encoded, ASCII.
        headers: names in lower case, values as sent.
        chunks: the body in the pieces in which it arrives.

    Raises:
        AssertionError: the answer cannot be sent by an HTTP server.
    """
    sent = messages(loop, app, method, target, headers=headers, chunks=chunks)
    assert sent, "no answer"
    start, bodies = sent[0], sent[1:]
    assert start["type"] == "http.response.start"
    assert bodies, "an answer without its body"
    streams = any(
        (name.lower(), value[:17]) == (b"content-type", b"text/event-stream") for name, value in start["headers"]
    )
    assert streams or not bodies[-1].get("more_body", False), "an answer that does not end"
    for name, value in start["headers"]:
        assert _NAME.fullmatch(name.lower()), f"no header name: {name!r}"
        assert _VALUE.fullmatch(value), f"header {name!r} holds a control character: {value!r}"
    return Answer(
        status=start["status"],
        headers={name.decode("latin-1").lower(): value.decode("latin-1") for name, value in start["headers"]},
        body=b"".join(message.get("body", b"") for message in bodies),
    )


def messages(
    loop: asyncio.AbstractEventLoop,
    app: ASGIApp,
    method: str,
    target: str,
    *,
    headers: Headers = (),
    chunks: Iterable[bytes] = (b"",),
) -> list[Message]:
    """What an application sends when it is called, whole or not; the arguments are those of `call`.

    Nothing came when the application broke the connection: what Starlette says of the exception is not for a client.
    A client that waits for nothing leaves.
    """
    path, _, query = target.partition("?")
    pieces = list(chunks) or [b""]
    incoming: list[Message] = [
        {"type": "http.request", "body": piece, "more_body": index < len(pieces) - 1}
        for index, piece in enumerate(pieces)
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        return incoming.pop(0) if incoming else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),  # what is no UTF-8 becomes a replacement character, as in uvicorn
        "raw_path": path.encode("ascii"),
        "query_string": query.encode("ascii"),
        "root_path": "",
        "headers": list(headers),
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 4280),
        "state": {},
    }
    try:
        loop.run_until_complete(app(scope, receive, send))
    except ConnectionResetError:
        sent.clear()
    return sent
