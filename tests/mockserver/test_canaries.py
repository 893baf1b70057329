"""No secret of a client is kept, printed or exported: canaries are put wherever a client may put one, and looked for.

The control interface is searched by its table, so that a new resource is searched as soon as it is there.
"""

from __future__ import annotations

import base64
import gc
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType, MethodType, ModuleType
from typing import Any
from urllib.parse import quote

import httpx
import orjson
import pytest

from mockserver.control.table import RESOURCES
from tests.bodies import TXT2IMG, TXT2IMG_V2, img2img, txt2img, txt2img_v2
from tests.conftest import Server
from tests.processes import start

KEY = "sk-canary-key-5f2a9c/7e+1b"
"""The key of most calls; its last characters are written otherwise in URLs and by some JSON writers."""
BARE_KEY = "sk-canary-bare-93be17a4"
OMNI_KEY = "sk-canary-omni-0c44d2f9"
REFUSED = "sk-canary refused 51aa"
CANARY = re.compile(rb"canary", re.IGNORECASE)
SECRET_BODY = {
    "api_key": "canary-body-a1",
    "settings": {"Auth": {"id": 17, "inner": ["canary-deep-b2"]}, "callback": "http://u:canary-user-c3@127.0.0.1:9/"},
    "aws_secret_access_key": "canary-aws-d4",
    "aws": "AKIACANARYCANARY0000",
    "link": "//127.0.0.1:9/?sig=canary-sig-e5#access_token=canary-fragment-f6",
}
HOOK = "http://canary-hook-user:canary-hook-pass@127.0.0.1:9/in?token=canary-hook-token&mode=canvas"
SENT_WITH = {
    "user-agent": f"client/1 ({KEY})",
    "cookie": "session=canary-cookie-g7",
    "x-api-key": "canary-header-h8",
    "accept": f"*/*, text/x;k={KEY}",
}

Send = Callable[..., httpx.Response]


def place_canaries(send: Send) -> None:
    """Makes every call that carries a secret in one more place; `send` takes httpx's arguments."""
    bearer = {"authorization": f"Bearer {KEY}", **SENT_WITH}
    made = send("POST", TXT2IMG, headers=bearer, json=txt2img(prompt=f"a boat named {KEY}"))
    assert made.status_code == 200, made.text
    task_id = made.json()["task_id"]
    hooked = send("POST", TXT2IMG, headers=bearer, json=txt2img({"webhook": {"url": HOOK}}))
    assert hooked.status_code == 200, hooked.text
    assert send("POST", TXT2IMG, headers=bearer, json={**txt2img(), **SECRET_BODY}).status_code == 200
    assert send("POST", TXT2IMG, headers=bearer, json={**txt2img(), KEY: 1}).status_code == 200
    assert send("POST", TXT2IMG, headers={**bearer, "content-type": KEY}, json=txt2img()).status_code == 200
    assert send("POST", TXT2IMG, headers=bearer, json=txt2img(sampler_name=KEY)).status_code == 400
    assert send("POST", TXT2IMG, headers=bearer, json={"request": SECRET_BODY, **SECRET_BODY}).status_code == 400
    assert send("POST", TXT2IMG, headers=bearer, json=img2img(steps="x", password="canary-i9")).status_code == 400
    long = {**txt2img(), "filling": ["x" * 7_000], **SECRET_BODY, "more": [KEY] * 200}
    send("POST", TXT2IMG, headers=bearer, content=orjson.dumps(long))
    for broken in (
        b'{"api_key": "canary-broken-j0',
        b"api_key=canary-form-k1&x=%s" % KEY.encode(),
        b"\xff" + KEY.encode(),
    ):
        assert send("POST", TXT2IMG, headers=bearer, content=broken).status_code == 400
    escaped = orjson.dumps(txt2img(prompt=KEY)).replace(b"sk-canary", b"\\u0073k-canary").replace(b"/7e", b"\\/7e")
    send("POST", TXT2IMG, headers=bearer, content=escaped)
    for query in (
        f"task_id={task_id}&api_key=canary-query-l2",
        f"task_id={task_id}&k={quote(KEY, safe='')}",
        f"task_id={quote(KEY)}",
        f"task_id={task_id}&url={quote(HOOK, safe='')}&api%5Fkey=canary-m3",
    ):
        send("GET", f"/v3/async/task-result?{query}", headers=bearer)
    send("POST", "/__mock/clock/run-until-idle", headers=bearer)
    done = send("GET", f"/v3/async/task-result?task_id={task_id}", headers=bearer).json()
    for image in done["images"]:
        send("GET", image["image_url"], headers=bearer)
    for path in (
        f"/v3/{KEY}",
        f"/v3/{quote(KEY, safe='')}?token=canary-n4",
        f"/prod/{KEY}/x.png",
        f"/v2/bird?key={KEY}",
    ):
        assert send("GET", path, headers=bearer).status_code == 404
    assert send("POST", TXT2IMG, headers={"authorization": BARE_KEY}, json=txt2img(prompt=BARE_KEY)).status_code == 200
    assert send("POST", TXT2IMG_V2, headers={"x-omni-key": OMNI_KEY}, json=txt2img_v2()).json()["code"] == 0
    send("GET", f"/v2/progress?task_id=1&key={OMNI_KEY}", headers={"x-omni-key": OMNI_KEY})
    basic = base64.b64encode(b"user:canary").decode()
    for refused in (f"Bearer {REFUSED}", f"Basic {basic} {REFUSED}"):
        answer = send("POST", TXT2IMG, headers={"authorization": refused, **SENT_WITH}, json=txt2img(prompt=KEY))
        assert answer.status_code == 403
    send("GET", f"/v3/model?auth=Bearer%20canary-{OMNI_KEY}", headers=SENT_WITH)
    send("GET", f"/__mock/tasks?api_key={KEY}", headers=bearer)


def resources_shown(send: Send) -> Iterator[tuple[str, bytes]]:
    """What every GET of the control table answers, with each key and without one, in each of its forms."""
    headers = {"no key": {}, **{key: {"authorization": f"Bearer {key}"} for key in (KEY, BARE_KEY, OMNI_KEY)}}
    for resource in RESOURCES:
        if resource.method != "GET" or resource.operation_id == "listenToEvents":  # which never ends, and holds counts
            continue
        waits = "&".join(f"{name}=0" for name in resource.query if name.startswith("timeout"))
        forms = [f"?{waits}"] + [
            f"?{name}={value}&{waits}" for name, schema in resource.query.items() for value in schema.get("enum", ())
        ]
        for who, sent in headers.items():
            for path in _paths(resource.path, send, sent):
                for form in forms:
                    yield f"GET {path}{form} ({who[:12]})", send("GET", f"/__mock{path}{form}", headers=sent).content
    for path, body in (
        ("find", {}),
        ("near-misses", {"pattern": {"status": 999}, "limit": 100}),
        ("verify", {"pattern": {"body": {"request": {"prompt": "none"}}}}),
    ):
        for who, sent in headers.items():
            shown = send("POST", f"/__mock/requests/{path}", headers=sent, json=body)
            assert shown.status_code == 200
            yield f"POST {path} ({who[:12]})", shown.content


def _paths(path: str, send: Send, headers: Mapping[str, str]) -> list[str]:
    """A path with ids put in: those that the list above it names."""
    above, brace, rest = path.partition("/{")
    if not brace:
        return [path]
    name, _, tail = rest.partition("}")
    listed = send("GET", f"/__mock{above}", headers=headers)
    if listed.status_code != 200:
        return []
    ids = dict.fromkeys(_named(listed.json(), {name, "id"}))
    return [full for one in ids for full in _paths(f"{above}/{one}{tail}", send, headers)]


def _named(value: object, names: set[str]) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (str(inner) for name, inner in value.items() if name in names and isinstance(inner, str | int))
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _named(inner, names)


def caught(shown: bytes) -> list[bytes]:
    """The canaries in a text, each with what stands around it."""
    return [shown[max(0, at.start() - 60) : at.end() + 30] for at in CANARY.finditer(shown)]


# In a process of its own: what it shows and what it prints


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_nothing_that_a_server_shows_or_prints_holds_a_canary(log_format: str, tmp_path: Path) -> None:
    """Every control resource, both exports and the whole log at level debug."""
    process, url = start(
        "--log-level", "debug", "--log-format", log_format, "--clock", "manual", "--seed", "1", cwd=tmp_path
    )
    try:
        with httpx.Client(base_url=url, timeout=20) as client:

            def send(method: str, path: str, **options: Any) -> httpx.Response:
                return client.request(method, path, **options)

            place_canaries(send)
            shown = dict(resources_shown(send))
    finally:
        process.terminate()
        printed, logged = process.communicate(timeout=60)
    shown.update({"stdout": printed.encode(), "stderr": logged.encode()})

    assert logged.count("call.answered") > 20
    assert shown[f"GET /requests.har? ({KEY[:12]})"].count(b"startedDateTime") > 15
    assert {name: caught(text) for name, text in shown.items() if caught(text)} == {}


# In this process: what it keeps

ALLOWED: Mapping[str, str] = {
    "Mock._worlds": "a world is found by its key",
    "PictureCache._files": "the pictures drawn last; a picture carries its prompt, as the vendor's do",
    "Heads._bearers": "the memo of Authorization values: reading one again costs more than the rest of the check",
    "Heads._kept_headers": "the memo of header values, from those that came to those that are kept",
    "Redactor._needles": "the key, to be cut wherever it stands",
    "Redactor.key": "the same",
    "Task.body": "the request, from which its pictures are drawn again: a prompt may hold anything",
    "Delivery.webhook_url": "the webhook that is still to be called, with what its receiver asks for",
    "Delivery.url": "the same, of a delivery that may be sent again",
    "Delivery.body": "the event as it is sent, again and again; it repeats the webhook's URL as the documents have it",
}
"""What may hold a secret, and why. None of it is shown by any resource."""


def edges(owner: object) -> Iterator[tuple[str, object]]:
    """What an object holds, by the name of the attribute; empty for members of containers."""
    match owner:
        case ModuleType() | type() | CodeType() | FrameType() | BuiltinFunctionType():
            return  # the program itself, not what it keeps
        case FunctionType():
            for cell in owner.__closure__ or ():
                yield "", cell
        case MethodType():
            yield "", owner.__self__
        case dict():
            for name, value in owner.items():
                yield "", name
                yield "", value
        case list() | tuple() | set() | frozenset() | deque():
            for value in owner:
                yield "", value
        case _:
            named = {name for kind in type(owner).__mro__ for name in getattr(kind, "__slots__", ())}
            named.update(getattr(owner, "__dict__", ()))
            known = [(name, getattr(owner, name)) for name in named if hasattr(owner, name)]
            yield from known
            seen = {id(value) for _, value in known} | {id(getattr(owner, "__dict__", None))}
            for value in gc.get_referents(owner):
                if id(value) not in seen:
                    yield "", value


def holders(root: object) -> dict[str, bytes]:
    """Class and attribute that hold a canary, directly or in containers, with an example; and all that hangs there."""
    found: dict[str, bytes] = {}
    ahead: list[tuple[str, object]] = [("root", root)]
    walked: dict[int, object] = {}
    while ahead:
        place, owner = ahead.pop()
        for name, value in edges(owner):
            kind = type(owner)
            where = f"{kind.__name__}.{name}" if name else place
            if isinstance(value, str | bytes | bytearray | memoryview):
                data = value.encode("utf-8", "replace") if isinstance(value, str) else bytes(value)
                if CANARY.search(data):
                    found.setdefault(where, data[:200])
            elif id(value) not in walked:
                walked[id(value)] = value
                ahead.append((where, value))
    assert len(walked) > 1000
    return found


def test_nothing_that_a_server_keeps_holds_a_canary_but_what_must(make_server: Callable[..., Server]) -> None:
    """Everything that the application reaches is looked at; what may hold a secret is listed with a reason."""
    server = make_server()

    def send(method: str, path: str, *, headers: Mapping[str, str], **options: Any) -> httpx.Response:
        return server.call(method, path, key=None, headers=headers, **options)

    place_canaries(send)
    found = holders(server.app)

    assert {where: data for where, data in found.items() if where not in ALLOWED} == {}
    assert found.keys() == ALLOWED.keys(), "nothing is allowed that is not needed"


def test_a_canary_that_is_kept_would_be_found(server: Server) -> None:
    """The search itself: a secret in a finding, a deep container or a closure is noticed."""
    server.call("GET", "/v3/model")
    assert holders(server.app) == {}
    server.mock.worlds[0].base_url = "canary"
    assert set(holders(server.app)) == {"World.base_url"}
