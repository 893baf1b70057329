"""Pictures at links that look and act like pre-signed S3 links.

No key is needed. HEAD, Range (one range), ETag and If-None-Match are answered; errors are S3's XML with S3's status:
403 AccessDenied once the world's clock has passed the link's end, 403 SignatureDoesNotMatch, 404 NoSuchKey.

A fault plan is asked (point `download`) for a picture that would be given: a link that is no good stays no good.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from hashlib import md5
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from mockserver.answers import picture_path_v2, picture_path_v3
from mockserver.aside import draw_aside
from mockserver.core.chance import mix
from mockserver.core.findings import Code, Finding
from mockserver.core.journal import KEPT_HEADERS
from mockserver.core.links import BadLink, LinkFault
from mockserver.core.recipe import ImageType
from mockserver.core.task import Status, Task
from mockserver.coverage.item import LinkOutcome
from mockserver.faults.effects import EFFECTS, Effect
from mockserver.faults.facts import Facts
from mockserver.faults.kinds import LOSING, Kind, WrongFile
from mockserver.faults.points import Point
from mockserver.logs import log_call
from mockserver.samples import SAMPLE, sample_of
from mockserver.store_answers import corrupted, no_such_key, s3_error, told_error
from mockserver.submitting import recipe_of
from mockserver.trouble import Troubled, play

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from mockserver.mock import Mock
    from mockserver.world import World

_PATH = re.compile(r"/prod/(?P<task_v3>[0-9a-f-]{36})/[^/]+|/v2_prod/(?P<task_v2>[0-9a-f-]{36})-[^/]+")
_RANGE = re.compile(r"bytes=([0-9]*)-([0-9]*)")
_MOST_DIGITS = 18
"""A position with more digits lies behind the end of every file."""
_WEB_PAGE = (
    "<!doctype html><html><head><title>Welcome</title></head><body><h1>Sign in to use this network</h1></body></html>\n"
)
_OTHER_MEDIA_TYPE = "application/octet-stream"
_PLACE = "picture link"
"""What findings call an answer that is of no operation."""

_KEY_SENT = Finding(
    Code.KEY_SENT_TO_IMAGE_HOST,
    "header Authorization",
    "the API key was sent with a picture download; links need no key, and the host is another party's",
)
_EXPIRED = Finding(Code.EXPIRED_LINK, _PLACE, "a picture was asked for after its link had ended; ask the result again")


class Pictures:
    """The picture links of both versions as an ASGI application.

    Args:
        mock: the worlds whose tasks made the pictures.
    """

    __slots__ = ("_mock", "_samples")

    def __init__(self, mock: Mock) -> None:
        self._mock = mock
        self._samples: dict[tuple[int, ImageType], bytes] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a call of a link."""
        request = Request(scope, receive)
        outcome = await self._respond(request)
        if isinstance(outcome, Troubled):
            await play(outcome, scope, receive, send, self._mock.pause)
        else:
            await outcome(scope, receive, send)

    async def _respond(self, request: Request) -> Response | Troubled:
        path: str = request.scope["path"]
        match = _PATH.fullmatch(path)
        if request.method not in ("GET", "HEAD"):
            response = s3_error(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
            response.headers["allow"] = "GET, HEAD"
        elif sample := sample_of(path):
            response = self._sample(request, *sample)
        elif match is None:
            response = no_such_key(path)
        else:
            return await _serve(request, self._mock, match["task_v3"] or match["task_v2"])
        _write(self._mock, None, request, response.status_code, ())
        return response

    def _sample(self, request: Request, index: int, image_type: ImageType) -> Response:
        """A picture of test mode; it belongs to no world, so its link ends by the wall."""
        now_ms = self._mock.wall()
        try:
            self._mock.signer.check(request.scope["path"], request.query_params, now_ms=now_ms)
        except BadLink as bad:
            return _refused_link(bad, now_ms)
        data = self._samples.get((index, image_type))
        if data is None:
            data = self._samples[index, image_type] = self._mock.renderer.render(SAMPLE, index, image_type)
        return _file(request, data, 0, image_type.media_type)


async def _serve(request: Request, mock: Mock, task_id: str) -> Response | Troubled:
    world = mock.owner(task_id)
    task = world.tasks.get(task_id) if world else None
    if world is None or task is None:
        response = no_such_key(request.scope["path"])
        _write(mock, None, request, response.status_code, ())
        return response
    world.calls += 1
    findings = [_KEY_SENT] if "authorization" in request.headers else []
    struck: list[Effect] = []
    outcome = await _picture(request, mock, world, task, findings, struck)
    _remember(request, mock, world, task, outcome, struck, expired=_EXPIRED in findings)
    told = world.findings.add(findings)
    _write(mock, world, request, _status_of(outcome), findings)
    world.journal.explain(told)
    if struck:
        world.journal.mark(str(struck[0]))
    return outcome


def _remember(
    request: Request,
    mock: Mock,
    world: World,
    task: Task,
    outcome: Response | Troubled,
    struck: Sequence[Effect],
    *,
    expired: bool,
) -> None:
    """What a download says of its client, and of the contract."""
    status, coverage = _status_of(outcome), mock.coverage
    version, index = "v2" if task.is_v2 else "v3", _index_of(request.scope["path"], task, mock)
    if coverage is not None and expired:
        coverage.saw_download(version, LinkOutcome.EXPIRED, world=world.id)
    if index is None or request.method != "GET":
        return
    if status == 304 or (status in (200, 206) and not any(_spoils(effect) for effect in struck)):
        task.fetched += 1
        world.memory.refused.pop((task.id, index), None)
        if coverage is not None:
            kind = task.delivery.image_type.value
            coverage.saw_download(version, LinkOutcome.OPENED, image_type=kind, world=world.id)
    else:
        how = str(struck[0]) if status in (0, 200, 206) else f"status {status}"
        world.memory.download_failed(task.id, index, how)


def _spoils(effect: Effect) -> bool:
    """Whether an effect keeps the picture from the client, be it by another file in its place."""
    return effect.kind in LOSING or (
        effect.kind is Kind.WRONG_FILE and effect.text("kind") != WrongFile.CONTENT_TYPE.value
    )


def _status_of(outcome: Response | Troubled) -> int:
    """The status for the journal; 0 says that no answer was sent."""
    if isinstance(outcome, Response):
        return outcome.status_code
    return 0 if outcome.sent is None else outcome.sent[0]


async def _picture(
    request: Request, mock: Mock, world: World, task: Task, findings: list[Finding], struck: list[Effect]
) -> Response | Troubled:
    """The answer of a link; what is found goes to `findings`, what happens to it to `struck`."""
    now_ms, number = world.clock.now_ms(), world.calls
    path: str = request.scope["path"]
    try:
        mock.signer.check(path, request.query_params, now_ms=now_ms)
    except BadLink as bad:
        if bad.fault is LinkFault.EXPIRED:
            findings.append(_EXPIRED)
        return _refused_link(bad, now_ms)
    index = _index_of(path, task, mock)
    kept = task.delivery.ttl_s is None or now_ms < task.finished_ms + task.delivery.ttl_s * 1000
    if index is None or task.status_at(now_ms) is not Status.SUCCEED or not kept or task.vanished_at(now_ms):
        return no_such_key(path)
    effect = None
    if world.faults.active:
        facts = Facts(operation_id=task.operation_id, body=task.body, task=task.number, picture=index)
        effect = world.faults.decide(Point.DOWNLOAD, str(number), facts, now_ms)
        if effect is None:
            world.faults.passed(Point.DOWNLOAD, facts)
        else:
            struck.append(effect)
    held = partial(world.memory.waited_long, _PLACE)
    if effect is not None and effect.kind is Kind.STATUS:
        return told_error(effect, path)
    seed = mix(world.seed, number)
    if effect is not None and not EFFECTS[effect.kind].needs_answer:
        return Troubled(None, effect, seed=seed, on_held=held)
    data = mock.cached_picture(task, index)
    if data is None:
        recipe = recipe_of(task, mock)
        slow = task.delivery.image_type is not ImageType.PNG  # the others take several times as long to pack
        data = await draw_aside(recipe, partial(mock.draw, task, index, recipe), slow=slow)
    media_type = task.delivery.image_type.media_type
    if effect is None:
        return _file(request, data, task.finished_ms, media_type)
    if effect.kind is Kind.WRONG_FILE:
        return _wrong_file(request, data, task, effect, mix(mix(world.seed, task.number), index))
    response = _file(request, data, task.finished_ms, media_type)
    return Troubled((response.status_code, response.raw_headers, bytes(response.body)), effect, seed=seed, on_held=held)


def _wrong_file(request: Request, data: bytes, task: Task, effect: Effect, seed: int) -> Response:
    """Status 200, and something else than the picture."""
    media_type = task.delivery.image_type.media_type
    match WrongFile(effect.text("kind") or WrongFile.XML):
        case WrongFile.XML:
            error = s3_error(200, "AccessDenied", "Request has expired")
            return _body(request, bytes(error.body), 200, {"Server": "AmazonS3"}, "application/xml")
        case WrongFile.HTML:
            return _body(request, _WEB_PAGE.encode(), 200, {}, "text/html")
        case WrongFile.EMPTY:
            return _body(request, b"", 200, {"Server": "AmazonS3"}, media_type)
        case WrongFile.CONTENT_TYPE:
            return _file(request, data, task.finished_ms, _OTHER_MEDIA_TYPE)
        case WrongFile.CORRUPT:
            return _file(request, corrupted(data, seed), task.finished_ms, media_type, of=data)


def _file(request: Request, data: bytes, finished_ms: int, media_type: str, *, of: bytes | None = None) -> Response:
    """A file, whole or in part. Its ETag is that of the file it should be (`of`), as a store would say it."""
    from email.utils import format_datetime  # a slow import that only downloads need

    etag = f'"{md5(data if of is None else of, usedforsecurity=False).hexdigest()}"'
    headers = {
        "ETag": etag,
        "Accept-Ranges": "bytes",
        "Last-Modified": format_datetime(datetime.fromtimestamp(finished_ms // 1000, UTC), usegmt=True),
        "Server": "AmazonS3",
    }
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    part = _part(request.headers.get("range", ""), len(data))
    if part is None:
        return _body(request, data, 200, headers, media_type)
    if not part:
        error = s3_error(416, "InvalidRange", "The requested range is not satisfiable", ActualObjectSize=str(len(data)))
        error.headers["Content-Range"] = f"bytes */{len(data)}"
        return error
    headers["Content-Range"] = f"bytes {part[0]}-{part[-1]}/{len(data)}"
    return _body(request, data[part.start : part.stop], 206, headers, media_type)


def _part(header: str, length: int) -> range | None:
    """The positions that a Range header asks for; empty when the file has none of them.

    None for the whole file: no header, several ranges, or one that RFC 9110 calls invalid and S3 ignores.
    """
    match = _RANGE.fullmatch(header.strip())
    if match is None or match[1] == match[2] == "":
        return None
    first, last = (int(digits or "0") if len(digits) <= _MOST_DIGITS else 10**_MOST_DIGITS for digits in match.groups())
    if not match[1]:
        return range(max(0, length - last), length)
    if not match[2]:
        return range(first, length)
    return None if last < first else range(first, min(last + 1, length))


def _body(request: Request, data: bytes, status: int, headers: dict[str, str], media_type: str) -> Response:
    if request.method != "HEAD":
        return Response(data, status, headers, media_type)
    return Response(b"", status, {**headers, "Content-Length": str(len(data))}, media_type)


def _index_of(path: str, task: Task, mock: Mock) -> int | None:
    """Which of the task's pictures a path names."""
    if task.is_v2:
        return next((index for index in range(task.count) if picture_path_v2(task, index) == path), None)
    return next((index for index in range(task.count) if picture_path_v3(task, index, mock.ids) == path), None)


def _refused_link(bad: BadLink, now_ms: int) -> Response:
    match bad.fault:
        case LinkFault.EXPIRED:
            times = {"X-Amz-Expires": str(bad.ttl_s), "Expires": _iso(bad.expires_ms), "ServerTime": _iso(now_ms)}
            return s3_error(403, "AccessDenied", "Request has expired", **times)
        case LinkFault.FORGED:
            message = "The request signature we calculated does not match the signature you provided."
            return s3_error(403, "SignatureDoesNotMatch", message)
        case LinkFault.UNSIGNED:
            return s3_error(403, "AccessDenied", "Access Denied")


def _iso(instant_ms: int) -> str:
    return datetime.fromtimestamp(instant_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _write(mock: Mock, world: World | None, request: Request, status: int, findings: Sequence[Finding]) -> None:
    (world.journal if world else mock.outside).write(
        at_ms=world.clock.now_ms() if world else mock.wall(),
        method=request.method,
        path=request.scope["path"],
        query=b"",  # a signature is a secret while it lives
        operation_id="",
        status=status,
        headers=tuple(pair for pair in request.scope["headers"] if pair[0] in KEPT_HEADERS),
        request=b"",
        answer=b"",
        findings=len(findings),
    )
    log_call(
        request.method,
        request.scope["path"],
        status,
        world,
        findings=[finding.code.value for finding in findings],
    )
