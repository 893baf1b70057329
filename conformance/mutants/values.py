"""What a mutant is made of: requests, answers, links and events as it may change them, and what it remembers."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final, TypeAlias

from conformance import timing
from conformance.wire import MISSING

HOP_HEADERS: Final = frozenset(
    ("connection", "content-length", "host", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding")
)
"""Headers of one hop; everything else is handed on."""


@dataclass(frozen=True, kw_only=True)
class _Message:
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case; those of one hop are left out."""
    body: bytes = b""

    @cached_property
    def json(self) -> Any:
        """The body as JSON, to be read only; MISSING when it is none, which it is in UTF-8 alone."""
        try:
            return json.loads(self.body.decode(), parse_constant=_no_number)
        except (ValueError, RecursionError):
            return MISSING

    def fresh(self) -> Any:
        """The body as JSON of the caller's own, to be changed and given to `with_json`; MISSING when it is none."""
        return MISSING if self.json is MISSING else json.loads(self.body)


@dataclass(frozen=True, kw_only=True)
class Request(_Message):
    """What a client sent.

    Attributes:
        operation: the operation's id; "" for a route that no operation has.
        query: everything after `?`, as sent.
        length: bytes of the body, also where it is too large to be held.
        large: the body is handed on piece by piece; `body` is empty, and what a mutant puts there goes in its place.
    """

    method: str
    path: str
    query: str = ""
    operation: str = ""
    length: int = 0
    large: bool = False

    def with_json(self, value: object) -> Request:
        """With another body."""
        return self.with_body(_written(value))

    def with_body(self, body: bytes) -> Request:
        """With another body, byte by byte."""
        return replace(self, body=body, length=len(body), large=False)

    def with_header(self, name: str, value: str | None) -> Request:
        """With a header set, or taken away."""
        return replace(self, headers=_headers(self.headers, name, value))

    def param(self, name: str) -> str | None:
        """The first value of a query parameter."""
        from urllib.parse import parse_qs

        return parse_qs(self.query, keep_blank_values=True).get(name, [None])[0]


@dataclass(frozen=True, kw_only=True)
class Answer(_Message):
    """What a server answers.

    Attributes:
        cut: the connection is closed after half of the body.
    """

    status: int
    cut: bool = False

    def with_json(self, value: object) -> Answer:
        """With another body."""
        return replace(self, body=_written(value))

    def with_body(self, body: bytes) -> Answer:
        """With another body, byte by byte."""
        return replace(self, body=body)

    def with_status(self, status: int) -> Answer:
        """With another status."""
        return replace(self, status=status)

    def with_header(self, name: str, value: str | None) -> Answer:
        """With a header set, or taken away."""
        return replace(self, headers=_headers(self.headers, name, value))

    @property
    def task_id(self) -> str | None:
        """Of an accepted submit, v3 or v2."""
        from conformance.predicates import task_id_v3

        return task_id_v3(None if self.json is MISSING else self.json) if self.status == 200 else None

    @property
    def status_word(self) -> Any:
        """`task.status` of a v3 result, `data.status` of v2; MISSING where there is none."""
        for holder in ("task", "data"):
            found = self.json.get(holder) if isinstance(self.json, dict) else None
            if isinstance(found, dict) and "status" in found:
                return found["status"]
        return MISSING


def _no_number(word: str) -> None:
    """NaN and Infinity, which Python reads and JSON has not."""
    raise ValueError(word)


def _written(value: object) -> bytes:
    """JSON in UTF-8; half surrogate pairs, which have no form there, stay escapes."""
    try:
        return json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return json.dumps(value).encode()


def _headers(old: Mapping[str, str], name: str, value: str | None) -> dict[str, str]:
    kept = {key: text for key, text in old.items() if key != name.lower()}
    return kept if value is None else kept | {name.lower(): value}


def json_answer(status: int, value: object) -> Answer:
    """An answer with JSON."""
    return Answer(status=status, headers={"content-type": "application/json"}, body=json.dumps(value).encode())


def refusal(operation: str, reason: str = "INVALID_REQUEST_BODY", status: int = 400) -> Answer:
    """How a correct server refuses a submit, v3 or v2."""
    if operation.endswith("V2"):
        return json_answer(200, {"code": 6, "msg": "invalid request", "data": None})
    return json_answer(status, {"code": status, "reason": reason, "message": "invalid request", "metadata": {}})


@dataclass(frozen=True, kw_only=True)
class Link:
    """A link in a result that leads through the proxy.

    Attributes:
        origin: where the upstream keeps the file.
        url: what the client sees in its place.
        task_id: whose picture; "" in an answer that tells none.
        index: its place among the pictures of the task, from 0.
        seen_s: `State.now_s` when an answer first held it.
    """

    origin: str
    url: str
    task_id: str
    index: int
    seen_s: float


@dataclass(frozen=True, kw_only=True)
class Hook:
    """A webhook that leads through the proxy.

    Attributes:
        origin: the client's own URL.
        url: what the upstream calls in its place.
        body: of the submit that named it, as the client sent it.
    """

    origin: str
    url: str
    body: Any


@dataclass(kw_only=True)
class Submitted:
    """An accepted submit.

    Attributes:
        sent: what the client sent, before the mutant saw it.
        number: 1 for the first one.
    """

    sent: Request
    answer: Answer
    number: int
    at_s: float


class State:
    """What one running mutant remembers.

    Attributes:
        tasks: accepted submits by task id; a mutant that swaps ids sees those of the upstream.
        links: by the URL that the client sees.
        memory: for the mutant itself.
        moved_s: how far a virtual clock was moved by requests that came through the proxy.
    """

    def __init__(
        self,
        upstream: Callable[[Request], Awaitable[Answer]],
        fetch: Callable[[str, Request | None], Awaitable[Answer]],
        deliver: Callable[[Hook, Request], Awaitable[Answer]],
    ) -> None:
        self.upstream = upstream
        """Asks the correct server; a large body cannot be sent twice."""
        self.fetch = fetch
        """GET of a URL as it is, or with method and headers of a request."""
        self.deliver = deliver
        """Sends an event to the client's own URL; status 599 when nobody answers there."""
        self.tasks: dict[str, Submitted] = {}
        self.links: dict[str, Link] = {}
        self.memory: dict[Any, Any] = {}
        self.moved_s = 0.0

    def now_s(self) -> float:
        """Seconds, virtual ones added; only differences mean something."""
        return timing.now() + self.moved_s

    def count(self, name: str) -> int:
        """How often this was called with the name, this time included."""
        self.memory[name] = self.memory.get(name, 0) + 1
        return int(self.memory[name])

    def task_of(self, request: Request) -> Submitted | None:
        """The submit whose task a result or progress call asks for."""
        return self.tasks.get(request.param("task_id") or "")


OnRequest: TypeAlias = "Callable[[State, Request], Request | Answer | Awaitable[Request | Answer]]"
OnAnswer: TypeAlias = "Callable[[State, Request, Answer], Answer | Awaitable[Answer]]"
OnPicture: TypeAlias = "Callable[[State, Link, Request, Answer], Answer | Awaitable[Answer]]"
OnEvent: TypeAlias = "Callable[[State, Hook, Request], Answer | Awaitable[Answer]]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A correct server with one defect.

    Attributes:
        name: kebab-case, unique.
        breaks: the requirement that no longer holds.
        text: one sentence that says what the server does wrong.
        request: changes what came, or answers it; not called for the control interface and for links.
        answer: changes what the upstream answered, links rewritten already; `request` is the one that the client sent.
        picture: changes the answer of a link; needs `sees_links`.
        other: changes what the upstream answered where the contract has no operation: another path, another method.
        event: takes what the upstream sends to a webhook, and gives what the upstream gets as the answer; without it
            events are delivered faithfully. Needs `sees_webhooks`.
        also: requirements that the very same defect cannot help breaking.
        ops: operations whose messages `request` and `answer` get to see; when empty all of the version whose
            requirement is broken, or all there are.
        sees_links: links of pictures lead through the proxy.
        sees_webhooks: webhooks lead through the proxy, which then must be reachable for the upstream.
        needs_bucket: its defect shows in a bucket that the upstream writes to and the judge reads.
        strict: a lenient judge tolerates it; only a strict one is asked.
    """

    name: str
    breaks: str
    text: str
    request: OnRequest | None = None
    answer: OnAnswer | None = None
    picture: OnPicture | None = None
    other: OnAnswer | None = None
    event: OnEvent | None = None
    also: tuple[str, ...] = ()
    ops: tuple[str, ...] = ()
    sees_links: bool = False
    sees_webhooks: bool = False
    needs_bucket: bool = False
    strict: bool = False


FAITHFUL = Mutant(name="none", breaks="", text="No defect: the upstream as it is.", sees_links=True, sees_webhooks=True)
"""What must be green wherever the upstream is."""
