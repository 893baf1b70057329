"""Correct servers that differ below requests and answers, in their files and in the links to them."""

from __future__ import annotations

import gzip
import io
import random
import re
from collections.abc import Callable
from typing import Any

from conformance import timing
from conformance.bodies import RESULT
from conformance.mutants.allowed import App, Receive, Scope, Send, Variation, answered, plain
from conformance.mutants.making import asked
from conformance.mutants.values import Answer, Link, Mutant, Request, State
from conformance.wire import MISSING

Headers = list[tuple[bytes, bytes]]
SLOW_S = 0.05


def _wired(name: str, text: str, change: Callable[[Headers, bytes], tuple[Headers, bytes]]) -> Variation:
    """Sends whole answers in another way.

    Args:
        change: gets headers and body of an answer.
    """

    def wrap(app: App) -> App:
        async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
            held: list[Any] = []

            async def kept(message: Any) -> None:
                if message["type"] == "http.response.start":
                    held.append(message)
                    return
                headers, body = change(list(held[0]["headers"]), message.get("body", b""))
                if scope["method"] == "HEAD" or held[0]["status"] in (204, 206, 304):
                    headers, body = held[0]["headers"], message.get("body", b"")
                await send({**held[0], "headers": headers})
                await send({**message, "body": body})

            await app(scope, receive, kept)

        return wrapped

    return Variation(name=name, text=text, make=lambda _: plain(), wire=wrap)


def _without(headers: Headers, name: bytes) -> Headers:
    return [(key, value) for key, value in headers if key.lower() != name]


def _zipped(headers: Headers, body: bytes) -> tuple[Headers, bytes]:
    packed = gzip.compress(body, 1)
    length = (b"content-length", str(len(packed)).encode())
    return [*_without(headers, b"content-length"), (b"content-encoding", b"gzip"), length], packed


def _titled(headers: Headers, body: bytes) -> tuple[Headers, bytes]:
    return [(key.title(), value) for key, value in headers], body


def _loud(headers: Headers, body: bytes) -> tuple[Headers, bytes]:
    return [(key.upper(), value) for key, value in headers], body


async def _slow(state: State, request: Request) -> Request:
    await timing.pause(SLOW_S)
    return request


# Links ----------------------------------------------------------------------------------------------------------------

_HERE = re.compile(rb"127\.0\.0\.1(:\d+)/~links/")
_THERE = "/assets/prod/2024-01-02/"


def _elsewhere(app: App) -> App:
    """Links name another host and another path; both lead here."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        async def renamed(message: Any) -> None:
            if message["type"] == "http.response.start":
                held.append(message)
                return
            body = _HERE.sub(rb"localhost\1" + _THERE.encode(), message.get("body", b""))
            start = held[0]
            if scope["method"] != "HEAD":
                headers = _without(list(start["headers"]), b"content-length")
                start = {**start, "headers": [*headers, (b"content-length", str(len(body)).encode())]}
            await send(start)
            await send({**message, "body": body})

        held: list[Any] = []
        if scope["path"].startswith(_THERE):
            path = scope["path"].replace(_THERE, "/~links/", 1)
            hosts = [(key, value.replace(b"localhost", b"127.0.0.1")) for key, value in scope["headers"]]
            scope = {**scope, "path": path, "raw_path": path.encode(), "headers": hosts}
            await app(scope, receive, send)
            return
        await app(scope, receive, renamed)

    return wrapped


def _signed(rng: random.Random) -> Mutant:
    """Links carry a query, as signed ones do."""

    def answer(state: State, request: Request, answer: Answer) -> Answer:
        body = answer.fresh()
        for entry in body.get("images") or () if isinstance(body, dict) else ():
            if isinstance(entry, dict) and isinstance(entry.get("image_url"), str):
                # The same for each answer: whether links may change from poll to poll is another matter.
                digest = random.Random(entry["image_url"]).getrandbits(64)
                entry["image_url"] += f"?X-Amz-Expires=3600&X-Amz-Signature={digest:016x}&response-content-type=%2A"
        return answer if body is MISSING else answer.with_json(body)

    return plain(answer=answer, ops=(RESULT,), sees_links=True)


def _changing(rng: random.Random) -> Mutant:
    """Each result signs its links anew."""

    def answer(state: State, request: Request, answer: Answer) -> Answer:
        body = answer.fresh()
        for entry in body.get("images") or () if isinstance(body, dict) else ():
            if isinstance(entry, dict) and isinstance(entry.get("image_url"), str):
                entry["image_url"] += f"?sig={rng.getrandbits(64):016x}"
        return answer if body is MISSING else answer.with_json(body)

    return plain(answer=answer, ops=(RESULT,), sees_links=True)


# Files ----------------------------------------------------------------------------------------------------------------


def _files(name: str, text: str, kind: str, write: Callable[[Any], bytes]) -> Variation:
    """Files of one format, written in another way: the same one for every request."""

    async def picture(state: State, link: Link, request: Request, answer: Answer) -> Answer:
        # A range that the upstream's file does not have may lie inside this one.
        if answer.status not in (200, 206, 416):
            return answer
        kept = state.memory.setdefault("files", {})
        if link.url not in kept:
            whole = await state.fetch(link.origin, None)
            data = _rewritten(whole.body, kind, write)
            kept[link.url] = None if data is None else whole.with_body(data)
        return answer if kept[link.url] is None else _part(kept[link.url], request)

    return Variation(name=name, text=text, make=lambda _: plain(picture=picture, sees_links=True))


def _rewritten(data: bytes, kind: str, write: Callable[[Any], bytes]) -> bytes | None:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data)) as image:
            return write(image) if image.format == kind else None
    except (OSError, ValueError):
        return None


def _part(whole: Answer, request: Request) -> Answer:
    """The whole of a file, or the range that was asked for."""
    data = whole.body
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("range", ""))
    if found is None or not (found[1] or found[2]):
        return whole
    first, last = found[1], found[2]
    start = int(first) if first else max(0, len(data) - int(last))
    end = min(int(last), len(data) - 1) if first and last else len(data) - 1
    if start > end:
        return Answer(status=416, headers={"content-range": f"bytes */{len(data)}"})
    part = whole.with_status(206).with_body(data[start : end + 1])
    return part.with_header("content-range", f"bytes {start}-{end}/{len(data)}")


def _jpeg(image: Any) -> bytes:
    held = io.BytesIO()
    image.save(held, "JPEG", quality=82, progressive=True)
    return held.getvalue()


def _webp(image: Any) -> bytes:
    held = io.BytesIO()
    image.save(held, "WEBP", quality=84, lossless=False)
    return held.getvalue()


def _png(image: Any) -> bytes:
    from PIL.PngImagePlugin import PngInfo

    words, held = PngInfo(), io.BytesIO()
    words.add_text("parameters", "Steps: 4, Sampler: Euler a")
    words.add_itxt("Comment", "größer", "de", "Kommentar")
    image.save(held, "PNG", compress_level=1, pnginfo=words)
    return held.getvalue()


def _charset(state: State, request: Request, answer: Answer) -> Answer:
    fits = answer.headers.get("content-type", "").startswith("application/json")
    return answer.with_header("content-type", "application/json; charset=utf-8") if fits else answer


# Webhooks -------------------------------------------------------------------------------------------------------------


async def _late(state: State, hook: Any, request: Request) -> Answer:
    """The event comes when the result has long shown the end."""
    await timing.pause(0.3)
    return await state.deliver(hook, request)


def _shown_late(state: State, request: Request, answer: Answer) -> Answer:
    """The first poll that would show an end still shows work: the event may have come before it."""
    task_id = request.param("task_id")
    task = state.task_of(request)
    if task is None or asked(task, "extra.webhook") is None:
        return answer
    if answer.status_word not in ("TASK_STATUS_SUCCEED", "TASK_STATUS_FAILED"):
        return answer
    if state.count(f"ends of {task_id}") > 1:
        return answer
    body = answer.fresh()
    body["task"] |= {"status": "TASK_STATUS_PROCESSING", "reason": "", "progress_percent": 99}
    return answer.with_json(body | {"images": []})


async def _with_headers(state: State, hook: Any, request: Request) -> Answer:
    sent = request.with_header("user-agent", "events/2.1").with_header("x-event-attempt", "1")
    sent = sent.with_header("x-event-signature", "t=1,v1=4f1c").with_header(
        "content-type", "application/json;charset=UTF-8"
    )
    return await state.deliver(hook, sent)


async def _with_keys(state: State, hook: Any, request: Request) -> Answer:
    body = request.fresh()
    if isinstance(body, dict) and isinstance(body.get("payload"), dict):
        body |= {"event_id": "4f1c", "created_at": 1700000000, "attempt": 1}
        body["payload"] |= {"x_region": "eu"}
        if isinstance(body["payload"].get("task"), dict):
            body["payload"]["task"]["x_worker"] = 7
        request = request.with_json(body)
    return await state.deliver(hook, request)


def _hooked(name: str, text: str, event: Any) -> Variation:
    return Variation(name=name, text=text, make=lambda _: plain(event=event, sees_webhooks=True))


async def _spread(app: App, scope: Scope, receive: Receive, send: Send) -> None:
    """Sends a body in three pieces."""

    async def pieces(message: Any) -> None:
        body = message.get("body", b"")
        if message["type"] == "http.response.start":
            await send({**message, "headers": _without(list(message["headers"]), b"content-length")})
            return
        third = max(1, len(body) // 3)
        for start in range(0, len(body), third):
            await send({"type": "http.response.body", "body": body[start : start + third], "more_body": True})
            await timing.pause(0)
        await send({"type": "http.response.body", "body": b"", "more_body": bool(message.get("more_body"))})

    whole = scope["type"] != "http" or scope["method"] == "HEAD"
    await app(scope, receive, send if whole else pieces)


def _chunked(app: App) -> App:
    # A coroutine function, for servers tell kinds of applications apart by that.
    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        await _spread(app, scope, receive, send)

    return wrapped


VARIATIONS = (
    Variation(name="slow-answers", text="Each answer takes 50 ms.", make=lambda _: plain(request=_slow)),
    answered("json-with-charset", "JSON is sent with a charset.", _charset),
    Variation(
        name="chunked", text="Answers come in chunks, without Content-Length.", make=lambda _: plain(), wire=_chunked
    ),
    _wired("zipped", "Answers are packed with gzip.", _zipped),
    _wired(
        "connections-closed",
        "The connection is closed after each answer.",
        lambda headers, body: ([*headers, (b"connection", b"close")], body),
    ),
    _wired("headers-titled", "Names of headers have capitals.", _titled),
    _wired("headers-loud", "Names of headers are in capitals.", _loud),
    Variation(
        name="pictures-elsewhere",
        text="Pictures lie on another host, in directories of another style.",
        make=lambda _: plain(sees_links=True),
        wire=_elsewhere,
    ),
    Variation(name="links-signed", text="Links have a query.", make=_signed),
    Variation(name="links-signed-anew", text="Each result has other links to the same files.", make=_changing),
    _files("jpeg-smaller", "JPEG files are progressive and of lower quality.", "JPEG", _jpeg),
    _files("webp-lossy", "WebP files are lossy.", "WEBP", _webp),
    _files("png-with-text", "PNG files are packed otherwise and hold text.", "PNG", _png),
    _hooked("events-late", "An event comes after the result has shown the end.", _late),
    Variation(
        name="events-first",
        text="An event comes before the result shows the end.",
        make=lambda _: plain(answer=_shown_late, ops=(RESULT,)),
    ),
    _hooked("events-with-headers", "Events have further headers.", _with_headers),
    _hooked("events-with-keys", "Events have further keys.", _with_keys),
)
