"""Trouble with an answer: what a fault plan decided for a call, carried out on the way to the client.

Inside a handler an effect is raised (`Disturbed`) when the call is not carried out, or noted on the call when its
answer is what gets into trouble. Then `Troubled` stands for the answer, and `play` sends what is left of it.

A delay before anything is done (points `auth` and `submit.before`) holds the whole call back: a client that leaves
meanwhile has made no task. Any later one holds back the answer of what was done.
"""

from __future__ import annotations

import asyncio
import math
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

import orjson

from mockserver.core.chance import mix
from mockserver.core.errors import Reason, Refusal
from mockserver.faults.kinds import Kind
from mockserver.faults.points import Point

if TYPE_CHECKING:
    from asyncio import Transport

    from starlette.types import Receive, Scope, Send

    from mockserver.faults.effects import Effect

CONNECTION = "novita_mock.connection"
"""The scope's extension by which the server gives its connection away; without it the ASGI server cannot be made to
misbehave, and the application raises `ConnectionResetError` instead."""
GARBAGE_BYTES = 400
PATIENCE_S = 130.0
"""Who waits for an answer longer than this, by the wall, seems to have no time-out; the longest known one is 120 s."""

Headers = list[tuple[bytes, bytes]]
Sent = tuple[int, Headers, bytes]
"""Status, headers, body."""
Pause = Callable[[float], Awaitable[None]]
"""Waits for seconds of the wall."""

_JSON = (b"content-type", b"application/json")
_HTML = b"<html><head><title>%d</title></head><body><center><h1>%d %s</h1></center></body></html>\n"
_REASONS = {
    400: Reason.INVALID_REQUEST_BODY.value,
    401: "FAILED_TO_AUTH",
    403: Reason.API_NOT_ALLOWED.value,
    404: Reason.API_NOT_FOUND.value,
    429: Reason.RATE_LIMIT_EXCEEDED.value,
    503: "SERVICE_NOT_AVAILABLE",
}
"""The reason that goes with a status when none was named; any other is INTERNAL."""
_PHRASES = {
    400: b"Bad Request",
    403: b"Forbidden",
    404: b"Not Found",
    429: b"Too Many Requests",
    500: b"Internal Server Error",
    502: b"Bad Gateway",
    503: b"Service Unavailable",
    504: b"Gateway Time-out",
}


class Disturbed(Exception):
    """A call is not carried out: an effect stands in for its answer.

    Attributes:
        preferred: the call itself asked for it, by a header.
    """

    def __init__(self, effect: Effect, point: Point, *, preferred: bool = False) -> None:
        super().__init__(str(effect))
        self.effect = effect
        self.point = point
        self.preferred = preferred


class Troubled:
    """An answer that does not reach the client as it is.

    Attributes:
        sent: the answer; None when the call was not carried out.
        effect: what happens to it.
        seed: decides random bytes.
        on_gone: called when the client left before the answer was sent whole, or never got one.
        on_held: called when the client has waited for `PATIENCE_S` without getting a byte.
        before: to be awaited before the answer is sent.
        then: of a delay without an answer: carries the call out once the wait is over, and gives the answer.
    """

    __slots__ = ("before", "effect", "on_gone", "on_held", "seed", "sent", "then")

    def __init__(
        self,
        sent: Sent | None,
        effect: Effect,
        *,
        seed: int,
        on_gone: Callable[[], None] | None = None,
        on_held: Callable[[], None] | None = None,
        before: Callable[[], Awaitable[None]] | None = None,
        then: Callable[[], Outcome] | None = None,
    ) -> None:
        self.sent = sent
        self.effect = effect
        self.seed = seed
        self.on_gone = on_gone
        self.on_held = on_held
        self.before = before
        self.then = then


Outcome = Sent | Troubled | Awaitable[Sent | Troubled]
"""What answering a call gives; to be awaited where it takes time."""


class Connection(Protocol):
    """What the server's side of a connection can be asked for."""

    transport: Transport

    def stop_listening(self) -> None:
        """Reads no further call; that the client leaves is still noticed."""


def status_answer(effect: Effect, *, version: str) -> Sent:
    """The answer of a `status` effect on an operation.

    An effect that names a reason answers as the contract does, in v2 with status 200 and a code. One that names only a
    status answers as whatever stands in front of the service would, in both versions.
    """
    reason, code, message = effect.text("reason"), effect.integer("code"), effect.text("message")
    headers = retry_after(effect)
    if reason is not None:
        refusal = Refusal(Reason(reason), message or "the mock was told to answer this")
        if version == "v2" and code is None:
            return 200, [_JSON, *headers], orjson.dumps(refusal.v2_body())
        status = code or refusal.status
        return status, [_JSON, *headers], orjson.dumps({**refusal.v3_body(), "code": status})
    assert code is not None, "a status effect has a code or a reason"
    body, media_type = gateway_body(effect, code)
    return code, [(b"content-type", media_type), *headers], body


def gateway_body(effect: Effect, code: int) -> tuple[bytes, bytes]:
    """The body of an error that is known by its status only, and its media type."""
    phrase = _PHRASES.get(code, b"Error")
    match effect.text("body"):
        case "html":
            return _HTML % (code, code, phrase), b"text/html"
        case "text":
            return phrase + b"\n", b"text/plain; charset=utf-8"
        case "empty":
            return b"", b"text/plain; charset=utf-8"
    message = effect.text("message") or "the mock was told to answer this"
    reason = _REASONS.get(code, Reason.INTERNAL.value)
    return orjson.dumps({"code": code, "reason": reason, "message": message, "metadata": {}}), b"application/json"


def retry_after(effect: Effect) -> Headers:
    """The header Retry-After in whole seconds, where the effect has one; it is not documented."""
    wait_ms = effect.integer("retry_after")
    return [] if wait_ms is None else [(b"retry-after", b"%d" % math.ceil(wait_ms / 1000))]


async def play(troubled: Troubled, scope: Scope, receive: Receive, send: Send, pause: Pause) -> None:
    """Sends what the effect leaves of an answer.

    Raises:
        ConnectionResetError: the connection was to be broken, and the ASGI server gave none away.
    """
    effect, sent = troubled.effect, troubled.sent
    connection: Connection | None = scope.get("extensions", {}).get(CONNECTION, {}).get("protocol")
    gone = troubled.before is not None and await _told(troubled, _left_during(troubled.before(), receive))
    if gone:
        if troubled.on_gone is not None:
            troubled.on_gone()
        return
    match effect.kind:
        case Kind.DELAY:
            gone = await _told(troubled, _held(troubled, effect.time_ms() / 1000, receive, pause))
            if not gone:
                outcome = sent if troubled.then is None else troubled.then()
                assert outcome is not None, "a delay has an answer, or gets one"
                await send_outcome(outcome, scope, receive, send, pause)
        case Kind.DRIBBLE:
            assert sent is not None
            gone = await _told(troubled, _dribble(sent, effect, receive, send, pause))
        case Kind.NO_ANSWER:
            if connection is not None:
                connection.stop_listening()
            gone = await _held(troubled, math.inf, receive, pause)
        case Kind.EARLY:
            assert sent is not None
            await send_plain(sent, send)
        case _:
            gone = True
            if connection is None:
                if troubled.on_gone is not None:
                    troubled.on_gone()
                raise ConnectionResetError(f"the mock was told to break this connection: {effect}")
            await _break(connection.transport, effect, sent, troubled.seed, send)
            await _until_gone(receive)
    if gone and troubled.on_gone is not None:
        troubled.on_gone()


async def send_outcome(outcome: Outcome, scope: Scope, receive: Receive, send: Send, pause: Pause) -> None:
    """Sends what answering a call gave, in trouble or not.

    Raises:
        ConnectionResetError: as `play`.
    """
    if not isinstance(outcome, tuple | Troubled):
        outcome = await outcome
    if isinstance(outcome, Troubled):
        await play(outcome, scope, receive, send, pause)
    else:
        await send_plain(outcome, send)


async def send_plain(sent: Sent, send: Send) -> None:
    """Sends an answer as it is."""
    status, headers, body = sent
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _break(transport: Transport, effect: Effect, sent: Sent | None, seed: int, send: Send) -> None:
    """Ends a connection as an effect says."""
    match effect.kind:
        case Kind.CONNECTION_RESET:
            raw = transport.get_extra_info("socket")
            if raw is not None:  # with nothing to linger for, closing sends RST instead of FIN
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()
            return
        case Kind.MALFORMED_CHUNK:
            transport.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
                + b"zz\r\n" + _garbage(seed)
            )  # fmt: skip
        case Kind.RANDOM_DATA:
            transport.write(_garbage(seed))
        case Kind.TRUNCATE:
            assert sent is not None
            status, headers, body = sent
            await send({"type": "http.response.start", "status": status, "headers": headers})
            kept = body[: min(len(body) - 1, int(len(body) * effect.number("share")))] if body else b""
            await send({"type": "http.response.body", "body": kept, "more_body": True})
        case _:
            assert effect.kind is Kind.EMPTY_RESPONSE, effect
    transport.close()


async def _dribble(sent: Sent, effect: Effect, receive: Receive, send: Send, pause: Pause) -> bool:
    """Sends a body in pieces; whether the client left before the last."""
    status, headers, body = sent
    pieces = min(effect.integer("pieces") or 1, len(body))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    for n in range(pieces):
        if await _left_within(effect.time_ms() / 1000 / pieces, receive, pause):
            return True
        piece = body[len(body) * n // pieces : len(body) * (n + 1) // pieces]
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
    return False


async def _held(troubled: Troubled, wait_s: float, receive: Receive, pause: Pause) -> bool:
    """Sends nothing for a time, which may have no end; whether the client left meanwhile."""
    if await _left_within(min(wait_s, PATIENCE_S), receive, pause):
        return True
    if wait_s <= PATIENCE_S:
        return False
    if troubled.on_held is not None:
        troubled.on_held()
    if wait_s < math.inf:
        return await _left_within(wait_s - PATIENCE_S, receive, pause)
    await _until_gone(receive)
    return True


async def _told(troubled: Troubled, waiting: Awaitable[bool]) -> bool:
    """Whether the client left; one in this process leaves by cancelling its call."""
    try:
        return await waiting
    except asyncio.CancelledError:
        if troubled.on_gone is not None:
            troubled.on_gone()
        raise


async def _left_within(wait_s: float, receive: Receive, pause: Pause) -> bool:
    """Waits; whether the client left meanwhile."""
    return await _left_during(pause(wait_s), receive)


async def _left_during(what: Awaitable[None], receive: Receive) -> bool:
    """Waits for something; whether the client left meanwhile."""
    leaving = asyncio.ensure_future(_until_gone(receive))
    waiting = asyncio.ensure_future(what)
    try:
        await asyncio.wait({leaving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        return leaving.done() and not waiting.done()
    finally:
        for task in (leaving, waiting):
            if not task.done():
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _garbage(seed: int) -> bytes:
    """Bytes that are no HTTP, the same for the same seed."""
    return b"\x80" + b"".join(mix(seed, n).to_bytes(8, "big") for n in range(GARBAGE_BYTES // 8))
