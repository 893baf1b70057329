"""Runs the suite in this process against the mock, with a defect between them where a test wants one.

    red = judge(["V3-SUBMIT"], transport=defect(answer=lambda asked, answered: replace(answered, status=202))).outcomes

`transport` wraps the way to the mock; whatever it does to requests and answers is what the suite sees.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, TypeAlias

import httpx

from conformance.budget import Limits
from conformance.registry import Registry, load_checks
from conformance.runner import Plan, Result, run
from conformance.target import Target
from conformance.verdict import Verdict
from mockserver.app import create_app
from mockserver.core.clock import ClockMode
from mockserver.mock import Mock, Parts
from mockserver.outbound.sender import FakeSender, Sender
from mockserver.parts.wall import FakeWall
from mockserver.settings import Settings
from openapi.document import Document, load
from openapi.requirements import Requirements, load_requirements

URL = "http://mock.test"
KEY, SECOND_KEY = "sk-mock-test", "sk-mock-other"

Wrapper: TypeAlias = Callable[[httpx.AsyncBaseTransport], httpx.AsyncBaseTransport]


@cache
def _contract() -> tuple[Document, Requirements, Registry]:
    return load(), load_requirements(), load_checks()


def mock_transport(settings: Settings | None = None, sender: Sender | None = None) -> httpx.ASGITransport:
    """A mock in this process."""
    parts = Parts(wall=FakeWall(), sender=sender or FakeSender())
    app = create_app(load(), settings or Settings(clock=ClockMode.parse("manual")), parts)
    return httpx.ASGITransport(app)


def judge(
    ids: Iterable[str],
    *,
    strict: bool = False,
    transport: Wrapper | None = None,
    settings: Settings | None = None,
    sends: bool | Sender = False,
    limits: Limits | None = None,
    **target: Any,
) -> Result:
    """What the suite says of some requirements.

    Args:
        ids: requirements, or beginnings of their ids such as "V3-AUTH"; those without a check are left out.
        strict: of the judge and of the mock.
        transport: puts something between the suite and the mock, see `defect`.
        settings: of the mock, in place of a manual clock and `strict`.
        sends: whether the mock's events go over the network, to the suite's receiver, or what brings them there; else
            nobody hears of them.
        limits: hard stops.
        target: further fields of `Target`.
    """
    document, rows, registry = _contract()
    wanted = tuple(ids)
    chosen = tuple(row for row in rows if row.id in registry and row.id.startswith(wanted))
    assert chosen, f"no check is bound to any of {wanted}"
    mock = settings or Settings(clock=ClockMode.parse("manual"), strict=strict)
    parts = Parts(wall=FakeWall(), sender=_sender(sends))
    app = create_app(document, mock, parts)
    inner: httpx.AsyncBaseTransport = httpx.ASGITransport(app)
    told: dict[str, Any] = {
        "key": KEY,
        "second_key": SECOND_KEY,
        "control": "/__mock",
        "strict": strict,
        "webhook_host": "127.0.0.1",  # the mock is no server with an address, but it runs here
        **target,
    }

    async def judged() -> Result:
        found = await run(
            Target(url=URL, **told),
            Plan(requirements=chosen, limits=limits or Limits()),
            registry,
            document,
            rows,
            transport=transport(inner) if transport else inner,
        )
        behind: Mock = app.state.mock
        for key in (KEY, SECOND_KEY):
            await behind.errands.settle(behind.world(key))  # nothing is cut off half-way with the event loop
        return found

    return asyncio.run(judged())


def _sender(sends: bool | Sender) -> Sender | None:
    if isinstance(sends, bool):
        return None if sends else FakeSender()
    return sends


def not_green(result: Result) -> dict[str, str]:
    """Verdict and words of everything that does not speak for the target, by requirement."""
    return {
        name: f"{outcome.verdict}: {outcome.message} | expected {outcome.expected} | got {outcome.actual}"
        for name, outcome in result.outcomes.items()
        if not outcome.verdict.green
    }


def of_verdict(result: Result, *verdicts: Verdict) -> set[str]:
    """Ids with one of some verdicts."""
    return {name for name, outcome in result.outcomes.items() if outcome.verdict in verdicts}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request on its way to the mock; a defect gives another one with `replace`.

    Attributes:
        path: as sent, percent-encoded.
    """

    method: str
    path: str
    query: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    """Names in lower case."""
    body: bytes = b""

    @property
    def json(self) -> Any:
        """The body; None when there is none or it is no JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    def saying(self, value: object) -> Asked:
        """The same with another JSON body."""
        return replace(self, body=json.dumps(value).encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """An answer on its way back."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    """Names in lower case."""
    body: bytes = b""

    @property
    def json(self) -> Any:
        """The body; None when it is no JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    def saying(self, value: object, status: int | None = None) -> Answered:
        """The same with another JSON body, and another status where one is given."""
        headers = {**self.headers, "content-type": "application/json"}
        return Answered(status=status or self.status, headers=headers, body=json.dumps(value).encode())


def defect(
    *,
    request: Callable[[Asked], Asked] | None = None,
    answer: Callable[[Asked, Answered], Answered] | None = None,
) -> Wrapper:
    """A server with one defect: the mock behind something that changes what goes in or what comes out.

    Args:
        request: gives the request that the mock gets in place of the one that was sent.
        answer: gives the answer that the suite gets; it is told the request as it was sent.
    """
    return lambda inner: _Defective(inner, request or (lambda asked: asked), answer or (lambda _, answered: answered))


class _Defective(httpx.AsyncBaseTransport):
    def __init__(
        self,
        inner: httpx.AsyncBaseTransport,
        change: Callable[[Asked], Asked],
        spoil: Callable[[Asked, Answered], Answered],
    ) -> None:
        self._inner, self._change, self._spoil = inner, change, spoil

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        asked = Asked(
            method=request.method,
            path=request.url.raw_path.partition(b"?")[0].decode("ascii"),
            query=request.url.query,
            headers={name.lower(): value for name, value in request.headers.items()},
            body=await request.aread(),
        )
        response = await self._inner.handle_async_request(self._sent(request, self._change(asked)))
        answered = Answered(
            status=response.status_code,
            headers={name.lower(): value for name, value in response.headers.items()},
            body=await response.aread(),
        )
        await response.aclose()
        seen = self._spoil(asked, answered)
        headers = {name: value for name, value in seen.headers.items() if name not in _OF_THE_TRANSFER}
        return httpx.Response(seen.status, headers=headers, content=seen.body, request=request)

    def _sent(self, request: httpx.Request, asked: Asked) -> httpx.Request:
        url = request.url.copy_with(raw_path=asked.path.encode() + (b"?" + asked.query if asked.query else b""))
        headers = {name: value for name, value in asked.headers.items() if name != "content-length"}
        return httpx.Request(asked.method, url, headers=headers, content=asked.body or None)


_OF_THE_TRANSFER = ("content-length", "content-encoding", "transfer-encoding")
