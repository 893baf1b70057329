"""Requests that nobody should send: broken JSON, odd bytes, numbers and nestings beyond reason, strange addresses.

None of them orders pictures: the bodies either lack what a submit needs or carry what makes it free.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

from conformance.bodies import IMG2IMG_V2, MODELS, PROGRESS, RESULT, TXT2IMG, TXT2IMG_V2, Body
from conformance.client import Streamed

HOSTILE = "hostile: "
"""The purpose of such a request begins with this word."""
DEEP = 100_000
MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Strange:
    """A request.

    Attributes:
        what: a noun phrase.
        operation_id: "" for `method` and `path`.
        raw: the body.
        params: of the query.
    """

    what: str
    operation_id: str = ""
    raw: bytes | None = None
    params: tuple[tuple[str, str], ...] = ()
    headers: dict[str, str | None] = field(default_factory=dict)
    method: str = "GET"
    path: str = ""


def nested(levels: int = DEEP) -> dict[str, bytes]:
    """JSON of many levels, by what it is."""
    arrays = b"[" * levels + b"]" * levels
    objects = b'{"a":' * levels + b"1" + b"}" * levels
    return {
        "arrays in arrays": arrays,
        "objects in objects": objects,
        "arrays in arrays as the request": b'{"request":' + arrays + b"}",
        "objects in objects as the request": b'{"request":' + objects + b"}",
    }


def no_json() -> dict[str, bytes]:
    """Bytes that are no JSON text, or none that a submit could be, by what they are."""
    return {
        "no body": b"",
        "blanks": b" \r\n\t ",
        "an open brace": b"{",
        "a closed brace": b"}",
        "a comma too many": b'{"request": {},}',
        "single quotes": b"{'request': {}}",
        "a comment": b'{"request": {} /* nothing */}',
        "two documents": b"{}{}",
        "a string that does not end": b'{"request": "',
        "an unknown escape": b'{"request": "\\x"}',
        "half an escape": b'{"request": "\\u12"}',
        "null": b"null",
        "a list": b"[]",
        "a list of a body": b'[{"request": {}}]',
        "a string": b'"request"',
        "a number": b"0",
        "true": b"true",
        "a byte order mark": b'\xef\xbb\xbf{"request": {}}',
        "UTF-16": '{"request": {}}'.encode("utf-16"),
        "a NUL": b"\0",
        "a NUL in an object": b'{"request": {}\0}',
        "bytes at random": bytes(range(255, -1, -1)),
        "a form": b"request=1&prompt=2",
        "XML": b"<?xml version='1.0'?><request/>",
        "a number of five thousand digits": b'{"request": ' + b"9" * 5000 + b"}",
        "an exponent beyond reason": b'{"request": 1e999999999}',
        "a key of 100 kB": b'{"' + b"k" * 100_000 + b'": 1}',
        "ten thousand keys": json.dumps({f"key{number}": number for number in range(10_000)}).encode(),
        **nested(),
    }


def odd_values(free: Body) -> Iterator[tuple[str, bytes]]:
    """A submit that asks for no work with one odd value, and what it is."""
    text = json.dumps(free, ensure_ascii=True)
    prompt = json.dumps(free["request"]["prompt"])
    strings = {
        "a lone surrogate": '"\\ud800"',
        "surrogates the wrong way round": '"\\udc00\\ud800"',
        "a NUL escape": '"a\\u0000b"',
        "an escaped BEL and ESC": '"\\u0007\\u001b[31m"',
        "text from right to left": '"\\u202e\\u0645\\u0631\\u062d\\u0628\\u0627"',
        "a thousand combining marks": '"a' + "\\u0301" * 1000 + '"',
        "a noncharacter": '"\\uffff"',
        "a format string": '"%s%n{0}{{}}$(id)`id`"',
        "markup": '"<script>alert(1)</script>"',
        "a quote of SQL": '"\'; DROP TABLE tasks; --"',
    }
    for what, string in strings.items():
        yield f"{what} as prompt", text.replace(prompt, string, 1).encode()
    for what in ("a lone surrogate", "a NUL escape", "a format string"):
        yield f"{what} as checkpoint", _with(free, "model_name", strings[what])
    numbers = ("1e400", "-1e400", "9" * 400, "-0", "0.1e-400", "1" + "0" * 30, "-1" + "0" * 30, "9223372036854775808")
    fields = ("width", "steps", "guidance_scale", "seed", "image_num")
    for index, number in enumerate(numbers):
        for name in (fields[index % 4], fields[(index + 2) % 4 + 1]):
            yield f"{number[:24]} as {name}", _with(free, name, number)
    for name, token in {
        "loras": '[null, {"model_name": null, "strength": null}]',
        "embeddings": "[null, [], 1]",
        "hires_fix": '{"target_width": null, "target_height": {}, "strength": []}',
        "refiner": '{"switch_at": null}',
    }.items():
        yield f"{token} as {name}", _with(free, name, token)
    whole = text[:-1]
    yield "the key request twice", f'{whole}, "request": {json.dumps(free["request"])}}}'.encode()
    yield "the key request twice, empty at last", f'{whole}, "request": {{}}}}'.encode()
    yield "the key __proto__", f'{whole}, "__proto__": {{"width": 1}}}}'.encode()
    yield "a key of one surrogate", f'{whole}, "\\ud83d": 1}}'.encode()


def _with(body: Body, name: str, token: str) -> bytes:
    """A body whose field of the request is a JSON token as it stands."""
    marked = {**body, "request": {**body["request"], name: "@@"}}
    return json.dumps(marked).replace('"@@"', token, 1).encode()


def strange_requests(free: Body) -> list[Strange]:
    """All of them; `free` is a valid v3 submit that asks for no work."""
    texts = no_json()
    found = [Strange(what=what, operation_id=TXT2IMG, raw=raw) for what, raw in texts.items()]
    for_v2 = list(texts.items())[::3]  # one reader of JSON serves both versions as a rule; a sample is enough
    found += [Strange(what=what, operation_id=TXT2IMG_V2, raw=raw) for what, raw in for_v2]
    found += [Strange(what=what, operation_id=TXT2IMG, raw=raw) for what, raw in odd_values(free)]
    found += [Strange(what="an open brace", operation_id=IMG2IMG_V2, raw=b"{")]
    found += _content_types()
    found += _queries()
    found += _addresses()
    return found


def _content_types() -> Iterator[Strange]:
    forms = ("multipart/form-data", "application/x-www-form-urlencoded")
    for kind in ("text/plain", *forms, "image/png", "nonsense", "a/b; c"):
        yield Strange(
            what=f"the type {kind}", operation_id=TXT2IMG, raw=b'{"request": {}}', headers={"Content-Type": kind}
        )
    yield Strange(what="no type", operation_id=TXT2IMG, raw=b'{"request": {}}', headers={"Content-Type": None})
    charset: dict[str, str | None] = {"Content-Type": "application/json; charset=no-such-charset"}
    yield Strange(what="an unknown charset", operation_id=TXT2IMG, raw=b'{"request": {}}', headers=charset)
    for coding in ("gzip", "deflate", "br", "no-such-coding"):
        headers: dict[str, str | None] = {"Content-Encoding": coding}
        yield Strange(what=f"plain bytes as {coding}", operation_id=TXT2IMG, raw=b'{"request": {}}', headers=headers)


ODD_IDS = {
    "empty": "",
    "a word": "not-a-task",
    "a UUID in capitals": "5F0C11AA-0000-4000-8000-0000000000FF",
    "a UUID with a blank": " 5f0c11aa-0000-4000-8000-0000000000ff",
    "a number": "1",
    "a path": "../../etc/passwd",
    "letters beyond ASCII": "задача-🙂",
    "a NUL": "task\0id",
    "line ends": "task\r\nX-Injected: 1",
    "a quote": "' OR '1'='1",
    "very long": "a" * 4000,
}
"""Task ids that no task has."""


def _queries() -> Iterator[Strange]:
    for operation_id in (RESULT, PROGRESS):
        for what, text in ODD_IDS.items():
            yield Strange(what=f"a task id: {what}", operation_id=operation_id, params=(("task_id", text),))
        yield Strange(what="no task id", operation_id=operation_id)
        yield Strange(what="two task ids", operation_id=operation_id, params=(("task_id", "a"), ("task_id", "b")))
    for limit in ("0", "-1", "1e3", "NaN", "9" * 400, "", "ten", "\0", "🙂"):
        yield Strange(what=f"a limit {limit[:8]!r}", operation_id=MODELS, params=(("pagination.limit", limit),))
    for cursor in ("", "c_", "c_-1", "c_" + "9" * 400, "no cursor", "\0", "'", "%", "🙂", "=" * 2000):
        yield Strange(what=f"a cursor {cursor[:8]!r}", operation_id=MODELS, params=(("pagination.cursor", cursor),))
    for name in ("filter.types", "filter.query", "filter.visibility", "filter.is_inpainting", "filter.is_sdxl"):
        for value in ("", "\0", "(((%_🙂", "a" * 4000):
            yield Strange(what=f"{name} = {value[:8]!r}", operation_id=MODELS, params=((name, value),))
    many = tuple((f"name{number}", "x") for number in range(500))
    yield Strange(what="five hundred parameters", operation_id=MODELS, params=many)


def _addresses() -> Iterator[Strange]:
    for path in (
        "/v3/async/task-result?task_id=%zz",
        "/v3/async/task-result?task_id=%ff%fe",
        "/v3/async/task-result?%00=%00",
        "/v3/async/task-result?&&&===",
        "/v3/async/../async/task-result",
        "/v3//async//task-result",
        "/v3/async/%2e%2e/%2e%2e/etc/passwd",
        "/v3/async/txt2img/",
        "/v3/async/%00",
        "/v3/async/" + "x" * 8000,
        "/v3/model?" + "y" * 8000,
        "/%f0%9f%99%82",
    ):
        yield Strange(what=f"the address {path[:40]}", path=path)
    for method in ("PUT", "DELETE", "TRACE"):
        for path in ("/v3/async/txt2img", "/v2/progress"):
            yield Strange(what=f"{method} {path}", method=method, path=path)
    for name, value in (
        ("X-Long", "x" * 8000),
        ("Accept", "no/such; q=nonsense"),
        ("Accept-Encoding", "no-such-coding, *;q=0"),
        ("Range", "bytes=9-1,nonsense"),
        ("If-None-Match", '"' * 50),
        ("Expect", "no-such-expectation"),
        ("Cookie", "=;=;=;"),
        ("X-Forwarded-For", "999.999.999.999, ::::"),
        ("Authorization", "Bearer"),
        ("Authorization", "Basic !!!"),
        ("Authorization", "Bearer " + "k" * 4000),
    ):
        yield Strange(what=f"a header {name}: {value[:16]}", path="/v3/model", headers={name: value})
    yield Strange(what="ninety headers", path="/v3/model", headers={f"X-Name-{n}": "x" for n in range(90)})


def large_submit(mebibytes: int) -> Streamed:
    """A v3 submit whose prompt makes it so large, made while it is sent."""
    head, tail = b'{"request": {"prompt": "', b'"}}'

    async def chunks() -> AsyncIterator[bytes]:
        yield head
        for _ in range(mebibytes):
            yield b"a" * MEBIBYTE
        yield tail

    length = len(head) + mebibytes * MEBIBYTE + len(tail)
    return Streamed(length=length, chunks=chunks, words=f"<a submit with a prompt of {mebibytes} MiB>")
