"""The ASGI application that carries a mutant out: a reverse proxy in front of a correct server."""

from __future__ import annotations

import inspect
import posixpath
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias, TypeVar
from urllib.parse import urlsplit

import httpx

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
LINKS, HOOKS = "/~links/", "/~hooks/"
"""Routes of the proxy's own; no contract has them."""


class CutOff(Exception):
    """The connection is to be closed in the middle of an answer."""


class Proxy:
    """A mutant at work.

    Args:
        mutant: the defect.
        upstream: URL of a correct server.
        http: connections to it, to links and to webhooks; the caller closes it.
        hooks_at: URL at which the upstream reaches this application, for mutants that see webhooks; the address that
            clients use when "".
    """

    def __init__(
        self, mutant: Mutant, upstream: str, document: Document, http: httpx.AsyncClient, *, hooks_at: str = ""
    ) -> None:
        self.mutant = mutant
        self._upstream = upstream.rstrip("/")
        self._operations = {(found.method, found.path): name for name, found in document.operations.items()}
        self._http = http
        self.hooks_at = hooks_at.rstrip("/")
        self._hooks: dict[str, Hook] = {}
        self._by_origin: dict[str, Link] = {}
        self.state = State(self._ask, self._fetch, self._deliver)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            return
        request = self._request(scope)
        if request.large:
            answer = await self._answer(request, scope, _chunks(receive))
        else:
            body = b"".join([chunk async for chunk in _chunks(receive)])
            answer = await self._answer(request.with_body(body) if body else request, scope, None)
        await _send(answer, send, head=request.method == "HEAD")

    def _request(self, scope: Scope) -> Request:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        length = headers.get("content-length", "")
        size = int(length) if length.isdigit() else LARGE + 1 if "transfer-encoding" in headers else 0
        path = scope.get("raw_path", b"").partition(b"?")[0].decode("latin-1") or scope["path"]
        return Request(
            method=scope["method"],
            path=path,
            query=scope["query_string"].decode("latin-1"),
            operation=self._operations.get((scope["method"], path), ""),
            headers={name: value for name, value in headers.items() if name not in HOP_HEADERS},
            length=size,
            large=size > LARGE,
        )

    async def _answer(self, request: Request, scope: Scope, chunks: AsyncIterator[bytes] | None) -> Answer:
        if request.path.startswith(LINKS) and self.mutant.sees_links:
            return await self._picture(request, scope)
        if request.path.startswith(HOOKS) and self.mutant.sees_webhooks:
            return await self._event(request)
        if not request.operation:
            return await self._other(request, chunks)
        here = _here(scope)
        sent: Request | Answer = self._with_hook(request, here) if self.mutant.sees_webhooks else request
        if self.mutant.request and isinstance(sent, Request):
            sent = await _value(self.mutant.request(self.state, sent))
        answer = sent if isinstance(sent, Answer) else self._without_hooks(await self._ask(sent, chunks))
        self._remember(request, answer)
        if self.mutant.sees_links:
            answer = self._with_links(request, answer, here)
        return await _value(self.mutant.answer(self.state, request, answer)) if self.mutant.answer else answer

    async def _other(self, request: Request, chunks: AsyncIterator[bytes] | None) -> Answer:
        """A route that no operation has: a link that leads nowhere else, or the control interface."""
        answer = await self._ask(request, chunks)
        if request.path.endswith("/clock/advance") and answer.status == 200 and isinstance(request.json, dict):
            seconds = request.json.get("seconds", 0)
            self.state.moved_s += seconds if isinstance(seconds, int | float) else 0
        return answer

    async def _ask(self, request: Request, chunks: AsyncIterator[bytes] | None = None) -> Answer:
        url = self._upstream + request.path + (f"?{request.query}" if request.query else "")
        headers = dict(request.headers)
        content: bytes | AsyncIterator[bytes] | None = request.body or None
        if request.large and chunks is not None:
            content = chunks
            headers["content-length"] = str(request.length)
        return await self._send(request.method, url, headers, content)

    async def _send(
        self, method: str, url: str, headers: dict[str, str], content: bytes | AsyncIterator[bytes] | None
    ) -> Answer:
        built = self._http.build_request(method, url, content=content)
        kept = {name: value for name, value in built.headers.items() if name in ("host", "content-length")}
        built.headers = httpx.Headers({**kept, **headers, "accept-encoding": "identity"})
        found = await self._http.send(built)
        return Answer(
            status=found.status_code,
            headers={name.lower(): value for name, value in found.headers.items() if name.lower() not in HOP_HEADERS},
            body=found.content,
        )

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

    async def _picture(self, request: Request, scope: Scope) -> Answer:
        link = self.state.links.get(_here(scope) + request.path)
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
        if not isinstance(holder, dict) or not str(holder.get("url", "")).startswith("http"):
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
        for hook in sorted(self._hooks.values(), key=lambda one: -len(one.url)):
            body = body.replace(hook.url.encode(), hook.origin.encode())
        return body

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
        except httpx.HTTPError:
            return Answer(status=599)


async def _value(found: Value | Awaitable[Value]) -> Value:
    if inspect.isawaitable(found):
        return await found
    return found


def _here(scope: Scope) -> str:
    """The address that the client used."""
    host = next((value.decode("latin-1") for name, value in scope["headers"] if name.lower() == b"host"), "")
    return f"{scope.get('scheme', 'http')}://{host}"


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
