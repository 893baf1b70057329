"""The ASGI application that carries a mutant out: a reverse proxy in front of a correct server."""

from __future__ import annotations

import inspect
import posixpath
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import replace
from typing import Any, TypeAlias, TypeVar
from urllib.parse import urlsplit

from conformance.connections import Connections, Content, NoAnswer
from conformance.mutants.values import (
    HOP_HEADERS,
    Answer,
    Hook,
    Link,
    Mutant,
    Request,
    State,
    Submitted,
)
from openapi.document import Document

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Value = TypeVar("Value")

LARGE = 4 * 1024 * 1024
"""Bodies above this are handed on without being held."""
UPSTREAM_S = 60.0
"""How long the upstream may take; a client's own patience ends sooner."""
LINKS, HOOKS = "/~links/", "/~hooks/"
"""Routes of the proxy's own; no contract has them."""
_HOOKED = re.compile(r"https?://[^/\s?#]")
_OUR_HOOK = re.compile(rb"https?://[^/\s\"]+(/~hooks/\d+)")


class CutOff(Exception):
    """The connection is to be closed in the middle of an answer."""


class Proxy:
    """A mutant at work.

    Args:
        mutant: the defect.
        upstream: URL of a correct server.
        network: connections to it, to links and to webhooks; the caller closes it.
        hooks_at: URL at which the upstream reaches this application, for mutants that see webhooks; the address that
            clients use when "".
    """

    def __init__(
        self,
        mutant: Mutant,
        upstream: str,
        document: Document,
        network: Connections,
        *,
        hooks_at: str = "",
    ) -> None:
        self.mutant = mutant
        self._upstream = upstream.rstrip("/")
        self._operations = {(found.method, found.path): name for name, found in document.operations.items()}
        self._network = network
        self.hooks_at = hooks_at.rstrip("/")
        self._hooks: dict[str, Hook] = {}
        self._by_origin: dict[str, Link] = {}
        self.state = State(self._ask, self._fetch, self._deliver)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            return
        path = scope.get("raw_path", b"").partition(b"?")[0].decode("latin-1") or scope["path"]
        query = scope["query_string"].decode("latin-1")
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        host = next((value for name, value in headers if name.lower() == "host"), "")
        answer = await self.respond(
            scope["method"], path, query, headers, lambda: _chunks(receive), f"{scope.get('scheme', 'http')}://{host}"
        )
        await _send(answer, send, head=scope["method"] == "HEAD")

    def looks_at(self, method: str, path: str) -> bool:
        """Whether the mutant changes or needs to know a request; any other may go straight to the upstream."""
        operation = self._operations.get((method, path))
        mutant = self.mutant
        if operation is None:
            seen = mutant.sees_links or mutant.sees_webhooks or (mutant.other is not None and _versioned(path))
            return seen or path.endswith("/clock/advance")
        if self._in_scope(operation) or mutant.sees_links or mutant.sees_webhooks:
            return True
        return method == "POST" and bool(mutant.answer or mutant.picture)

    def _in_scope(self, operation: str) -> bool:
        mutant = self.mutant
        if mutant.ops:
            return operation in mutant.ops
        version = mutant.breaks[:3]
        return version not in ("V2-", "V3-") or (version == "V2-") == operation.endswith("V2")

    async def respond(
        self,
        method: str,
        path: str,
        query: str,
        headers: Iterable[tuple[str, str]],
        content: Content,
        here: str,
    ) -> Answer:
        """The mutant's answer to a request.

        Args:
            content: the body.
            here: the address that the client used.
        """
        request = self._request(method, path, query, headers)
        if callable(content) and not request.large:
            content = b"".join([chunk async for chunk in content()])
        if callable(content):
            return await self._answer(request, here, content)
        return await self._answer(request.with_body(content) if content else replace(request, large=False), here, None)

    def _request(self, method: str, path: str, query: str, headers: Iterable[tuple[str, str]]) -> Request:
        found = {name.lower(): value for name, value in headers}
        length = found.get("content-length", "")
        size = int(length) if length.isdigit() else LARGE + 1 if "transfer-encoding" in found else 0
        return Request(
            method=method,
            path=path,
            query=query,
            operation=self._operations.get((method, path), ""),
            headers={name: value for name, value in found.items() if name not in HOP_HEADERS},
            length=size,
            large=size > LARGE,
        )

    async def _answer(self, request: Request, here: str, content: Content) -> Answer:
        mutant = self.mutant
        if request.path.startswith(LINKS) and mutant.sees_links:
            return await self._picture(request, here)
        if request.path.startswith(HOOKS) and mutant.sees_webhooks:
            return await self._event(request)
        if not request.operation:
            return await self._other(request, content)
        in_scope = self._in_scope(request.operation)
        sent: Request | Answer = self._with_hook(request, here) if mutant.sees_webhooks else request
        if mutant.request and in_scope and isinstance(sent, Request):
            sent = await _value(mutant.request(self.state, sent))
        answer = sent if isinstance(sent, Answer) else self._without_hooks(await self._ask(sent, content))
        self._remember(request, answer)
        if mutant.sees_links:
            answer = self._with_links(request, answer, here)
        return await _value(mutant.answer(self.state, request, answer)) if mutant.answer and in_scope else answer

    async def _other(self, request: Request, content: Content) -> Answer:
        """A route that no operation has: a link that leads nowhere else, or the control interface."""
        answer = await self._ask(request, content)
        if request.path.endswith("/clock/advance") and answer.status == 200 and isinstance(request.json, dict):
            seconds = request.json.get("seconds", 0)
            self.state.moved_s += seconds if isinstance(seconds, int | float) else 0
        if self.mutant.other and _versioned(request.path):
            return await _value(self.mutant.other(self.state, request, answer))
        return answer

    async def _ask(self, request: Request, stream: Content = None) -> Answer:
        url = self._upstream + request.path + (f"?{request.query}" if request.query else "")
        if request.large and stream is not None:
            return await self._send(
                request.method, url, {**request.headers, "content-length": str(request.length)}, stream
            )
        return await self._send(request.method, url, request.headers, request.body or None)

    async def _send(self, method: str, url: str, headers: Mapping[str, str], content: Content) -> Answer:
        kept = {**headers, "accept-encoding": "identity"}
        found = await self._network.send(method, url, kept, content, UPSTREAM_S)
        names = [name for name in found.headers if name not in HOP_HEADERS]
        return Answer(status=found.status, headers={name: found.headers[name] for name in names}, body=found.body)

    async def _fetch(self, url: str, request: Request | None) -> Answer:
        headers = dict(request.headers) if request else {}
        return await self._send(request.method if request else "GET", url, headers, None)

    def _remember(self, request: Request, answer: Answer) -> None:
        if request.method == "POST" and answer.task_id is not None:
            number = len(self.state.tasks) + 1
            self.state.tasks[answer.task_id] = Submitted(
                sent=request, answer=answer, number=number, at_s=self.state.now_s()
            )

    # Links ------------------------------------------------------------------------------------------------------------

    def _with_links(self, request: Request, answer: Answer, here: str) -> Answer:
        found = answer.fresh()
        task_id = request.param("task_id") or ""
        if not isinstance(found, dict) or not _rewrite(found, lambda url, at: self._link(url, task_id, at, here)):
            return answer
        return answer.with_json(found)

    def _link(self, origin: str, task_id: str, index: int, here: str) -> str:
        link = self._by_origin.get(origin)
        if link is None:
            name = posixpath.basename(urlsplit(origin).path) or "picture"
            url = f"{here}{LINKS}{len(self._by_origin)}/{name}"
            link = Link(origin=origin, url=url, task_id=task_id, index=index, seen_s=self.state.now_s())
            self._by_origin[origin] = self.state.links[url] = link
        return link.url

    async def _picture(self, request: Request, here: str) -> Answer:
        link = self.state.links.get(here + request.path)
        if link is None:
            return Answer(status=404)
        answer = await self._fetch(link.origin, request)
        return await _value(self.mutant.picture(self.state, link, request, answer)) if self.mutant.picture else answer

    # Webhooks ---------------------------------------------------------------------------------------------------------

    def _with_hook(self, request: Request, here: str) -> Request:
        found = request.fresh()
        holder = found
        for step in ("extra", "webhook"):
            holder = holder.get(step) if isinstance(holder, dict) else None
        # What is no URL must stay none, so that the upstream refuses it.
        if not isinstance(holder, dict) or not _HOOKED.match(str(holder.get("url", ""))):
            return request
        url = f"{self.hooks_at or here}{HOOKS}{len(self._hooks)}"
        self._hooks[urlsplit(url).path] = Hook(origin=holder["url"], url=url, body=request.json)
        holder["url"] = url
        return request.with_json(found)

    def _without_hooks(self, answer: Answer) -> Answer:
        """With the client's own URLs where the upstream repeats ours."""
        if HOOKS.encode() not in answer.body:
            return answer
        return answer.with_body(self._restored(answer.body))

    def _restored(self, body: bytes) -> bytes:
        def origin(found: re.Match[bytes]) -> bytes:
            hook = self._hooks.get(found[1].decode())
            return hook.origin.encode() if hook else found[0]

        return _OUR_HOOK.sub(origin, body)

    async def _event(self, request: Request) -> Answer:
        hook = self._hooks.get(request.path)
        if hook is None:
            return Answer(status=404)
        if HOOKS.encode() in request.body:
            request = request.with_body(self._restored(request.body))
        event = self.mutant.event
        return await (_value(event(self.state, hook, request)) if event else self._deliver(hook, request))

    async def _deliver(self, hook: Hook, request: Request) -> Answer:
        try:
            return await self._send(request.method, hook.origin, dict(request.headers), request.body or None)
        except NoAnswer:
            return Answer(status=599)


def _versioned(path: str) -> bool:
    """Whether a route is one of the contract's kind; a control interface is not."""
    return path.startswith(("/v2", "/v3"))


async def _value(found: Value | Awaitable[Value]) -> Value:
    if inspect.isawaitable(found):
        return await found
    return found


def _rewrite(found: dict[str, Any], change: Callable[[str, int], str]) -> bool:
    """Changes the links of a v3 result or a v2 progress in place; whether there were any."""
    seen = False
    images = found.get("images")
    for index, entry in enumerate(images if isinstance(images, list) else ()):
        if isinstance(entry, dict) and isinstance(entry.get("image_url"), str):
            entry["image_url"] = change(entry["image_url"], index)
            seen = True
    data = found.get("data")
    imgs = data.get("imgs") if isinstance(data, dict) else None
    if isinstance(imgs, list):
        seen |= any(isinstance(link, str) for link in imgs)
        imgs[:] = [change(link, index) if isinstance(link, str) else link for index, link in enumerate(imgs)]
    return seen


async def _chunks(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return
        yield message.get("body", b"")
        if not message.get("more_body"):
            return


async def _send(answer: Answer, send: Send, *, head: bool) -> None:
    bare = head or answer.status in (204, 304)
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.items()]
    if not bare:
        headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    if answer.cut:
        await send({"type": "http.response.body", "body": answer.body[: len(answer.body) // 2], "more_body": True})
        raise CutOff
    await send({"type": "http.response.body", "body": b"" if bare else answer.body})
