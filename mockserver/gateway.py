"""The contract's routes as one ASGI middleware: the hot path.

Routes, methods and validation come from the document. A call goes: find the operation, accept the key, read the body
within bounds, let the operation's handler answer, write the journal. Everything else is passed on to the application
behind it (control interface, pictures); what that does not know is answered as the contract answers unknown routes.

This is plain ASGI rather than Starlette endpoints because request and response objects cost as much as the whole
answer.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Awaitable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING

import orjson

from mockserver.bodies import CallerGone, read_body
from mockserver.calls import Call
from mockserver.core.chance import mix
from mockserver.core.errors import Reason, Refusal
from mockserver.core.findings import Code, Finding
from mockserver.core.journal import KEPT_HEADERS, without_secrets
from mockserver.faults.breaks import DEFAULT_FIELDS, broken
from mockserver.faults.facts import Facts
from mockserver.faults.kinds import Kind
from mockserver.faults.points import Point
from mockserver.heads import Heads
from mockserver.logs import log, log_call
from mockserver.operations import HANDLERS, Answer, Handler, check_handlers
from mockserver.trouble import Disturbed, Outcome, Sent, Troubled, send_outcome, status_answer
from mockserver.watch.memory import Wait

if TYPE_CHECKING:
    from typing import TypeAlias

    from starlette.types import ASGIApp, Receive, Scope, Send

    from mockserver.mock import Mock
    from mockserver.world import World
    from openapi.document import Operation

    Address: TypeAlias = tuple[str, int | None]
    Route: TypeAlias = tuple[Operation, Handler]
    Told: TypeAlias = Answer | Exception
    """What a handler gave or raised."""

OTHER_PREFIXES = ("/__mock/", "/prod/", "/v2_prod/", "/test_data/")
"""Paths of the application behind; no operation lies under them."""
GZIP_BYTES = 1400
"""Shorter answers fit one packet, compressed or not."""
_GZIP_FORMAT = 31
"""What zlib calls gzip with its header."""

TOLD = "novita_mock.told"
"""The scope's extension by which the short way passes on an answer that it cannot send itself."""
NO_HEADERS: tuple[tuple[bytes, bytes], ...] = ()
KEEPING = frozenset({Kind.DELAY, Kind.DRIBBLE, Kind.TRUNCATE, Kind.EARLY})
"""Effects that send the answer, or a part of it."""

_PRINTABLE = bytes(code if 32 <= code < 127 else 32 for code in range(256))
"""Control characters become spaces."""

_DELIVERY = b"novita-mock-delivery"
"""What our own webhooks carry (`mockserver.outbound.sender.LOOP_HEADER`)."""
_NO_RECEIVER = (
    "this call is a webhook of a mock: an operation is no receiver, and would answer webhooks with webhooks for ever; "
    "name a receiver, or the inbox that GET /__mock/webhooks/inbox tells"
)

_APPLIED = b"preference-applied"

_JSON = (b"content-type", b"application/json")
_GZIPPED = ((b"content-encoding", b"gzip"), (b"vary", b"Accept-Encoding"))
_DEPRECATED = Finding(
    Code.DEPRECATED_VERSION, "v2", "the v2 operations are deprecated and to be removed; v3 is their successor", ("C50",)
)


class Contract:
    """Answers the operations of the document.

    Args:
        app: what answers everything else.
        mock: the worlds behind the operations.
        plain_only: pass on calls whose answer needs CORS headers.

    Raises:
        ValueError: document and handlers differ.
    """

    def __init__(self, app: ASGIApp, mock: Mock, *, plain_only: bool = False) -> None:
        check_handlers(mock.document.operations, HANDLERS)
        self._app = app
        self._mock = mock
        self._plain_only = plain_only
        self._heads = Heads(mock.settings)
        self._routes: dict[tuple[str, str], Route] = {
            (operation.method, operation.path): (operation, HANDLERS[operation_id])
            for operation_id, operation in mock.document.operations.items()
        }
        self._plain_routes = {(method.encode(), path.encode()): route for (method, path), route in self._routes.items()}
        self._methods: dict[str, list[str]] = {}
        for method, path in self._routes:
            self._methods.setdefault(path, []).append(method)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a call of an operation, or passes it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        route = self._routes.get((scope["method"], scope["path"]))
        if route is not None:
            headers: dict[bytes, bytes] = dict(scope["headers"])
            if self._plain_only and b"origin" in headers:
                await self._app(scope, receive, send)
            else:
                await self._answer(scope, headers, receive, send, route)
        elif self._plain_only or scope["path"].startswith(OTHER_PREFIXES) or scope["path"] == "/__mock":
            await self._app(scope, receive, send)
        else:
            await self._unknown(scope, send)

    def route(self, method: bytes, path: bytes) -> Route | None:
        """The operation of a method and path as they stand in a request."""
        return self._plain_routes.get((method, path))

    def answer_now(
        self,
        route: Route,
        headers: Mapping[bytes, bytes],
        query: bytes,
        body: bytes,
        scheme: str,
        server: Address | None,
    ) -> Outcome:
        """Answers a call that was read whole; to be awaited when its handler has something to wait for.

        Args:
            route: the operation and its handler.
            headers: values by lower-case name.
            query: the query string as sent.
            body: the body as sent.
            scheme: of the links, unless the settings name one.
            server: host and port that the call came in at.
        """
        operation, handler = route
        world: World | None = None
        call: Call | None = None
        findings: list[Finding] = []
        try:
            world = self._mock.world(self._heads.key(headers, operation, findings))
            world.calls += 1
            if world.memory.waits:
                world.memory.called(operation.operation_id, world.clock.now_ms(), self._mock.wall())
            call = self._call(world, operation, headers, query, body, findings, scheme, server)
            if Point.AUTH in world.faults.points:
                call.trouble(Point.AUTH, Facts(operation_id=operation.operation_id))
            if b"prefer" in headers and self._mock.settings.magic:
                self._prefer(headers[b"prefer"])
            told = handler(call)
        except Exception as error:  # each kind has its answer
            return self._finish(operation, world, headers, query, body, findings, error, call)
        if isinstance(told, dict):
            return self._finish(operation, world, headers, query, body, findings, told, call)
        return self._answer_later(told, operation, world, headers, query, body, findings, call)

    @staticmethod
    def _prefer(header: bytes) -> None:
        from mockserver.prefer import preferred

        effect = preferred(header)
        if effect is not None:
            raise Disturbed(effect, Point.RESULT, preferred=True)

    async def _answer_later(
        self,
        told: Awaitable[Answer],
        operation: Operation,
        world: World,
        headers: Mapping[bytes, bytes],
        query: bytes,
        body: bytes,
        findings: list[Finding],
        call: Call,
    ) -> Sent | Troubled:
        try:
            found: Told = await told
        except Exception as error:  # each kind has its answer
            found = error
        return self._finish(operation, world, headers, query, body, findings, found, call)

    async def _answer(
        self, scope: Scope, headers: dict[bytes, bytes], receive: Receive, send: Send, route: Route
    ) -> None:
        operation = route[0]
        query, server = scope["query_string"], scope.get("server")
        body = b""
        sent: Outcome
        asked = scope.get("extensions", {}).get(TOLD)
        if asked is not None:  # the short way has asked already
            await send_outcome(asked["told"], scope, receive, send, self._mock.pause)
            return
        try:
            if operation.method == "POST":
                self._heads.key(headers, operation, [])  # a refused key is told before the body is read
                most_bytes = self._mock.settings.limits.body_bytes
                body = await read_body(receive, headers.get(b"content-length"), operation, most_bytes)
            sent = self.answer_now(route, headers, query, body, scope["scheme"], server)
        except CallerGone:
            return
        except Refusal as refusal:
            findings: list[Finding] = []
            world = None
            if refusal.reason is not Reason.INVALID_API_KEY:
                world = self._mock.world(self._heads.key(headers, operation, findings))
                self._note_version(operation, findings)
            sent = self._finish(operation, world, headers, query, b"", findings, refusal)
        await send_outcome(sent, scope, receive, send, self._mock.pause)

    def _call(
        self,
        world: World,
        operation: Operation,
        headers: Mapping[bytes, bytes],
        query: bytes,
        body: bytes,
        findings: list[Finding],
        scheme: str,
        server: Address | None,
    ) -> Call:
        self._note_version(operation, findings)
        if _DELIVERY in headers:
            raise Refusal(Reason.INVALID_REQUEST_BODY, _NO_RECEIVER)
        if operation.method == "POST" and headers.get(b"content-type") != b"application/json":
            self._check_content_type(headers.get(b"content-type"), operation, findings)
        host = headers.get(b"host", b"")
        base_url = self._heads.base_url(scheme, host, server)
        return Call(self._mock, world, operation, query, body, base_url, findings, world.calls)

    def _finish(
        self,
        operation: Operation,
        world: World | None,
        headers: Mapping[bytes, bytes],
        query: bytes,
        body: bytes,
        findings: list[Finding],
        told: Told,
        call: Call | None = None,
    ) -> Sent | Troubled:
        """Writes the call down, and gives status, headers and body of the answer, or the trouble that it is in."""
        if call is not None and (call.effect is not None or isinstance(told, Disturbed)):
            return self._finish_troubled(call, headers, told)
        status, further = 200, NO_HEADERS
        if isinstance(told, Exception):
            refusal = told
            if not isinstance(refusal, Refusal):  # our fault, never a traceback at a client
                log.error("operation.failed", exc_info=told, extra={"operation_id": operation.operation_id})
                refusal = Refusal(
                    Reason.INTERNAL, "the mock failed; its log tells why. Please report it with the request"
                )
            v2 = operation.version == "v2"
            status = 200 if v2 else refusal.status
            further = tuple((name.lower().encode(), value.encode()) for name, value in refusal.headers.items())
            if further and world is not None:
                self._note_wait(operation, world, further)
            told = refusal.v2_body() if v2 else refusal.v3_body()
        if call is not None and world is not None and world.faults.streaks and not call.settled:
            world.faults.passed(Point.RESULT, Facts(operation_id=operation.operation_id))
        answer = orjson.dumps(told)
        sent, wire = [_JSON, *further], answer
        if len(answer) >= GZIP_BYTES and b"gzip" in headers.get(b"accept-encoding", b""):
            wire = zlib.compress(answer, 1, _GZIP_FORMAT)
            sent += _GZIPPED
        sent.append((b"content-length", b"%d" % len(wire)))
        self._write_down(operation, world, headers, query, body, findings, status, answer, sent)
        return status, sent, wire

    def _finish_troubled(self, call: Call, headers: Mapping[bytes, bytes], told: Told) -> Sent | Troubled:
        """The same for a call that something happens to."""
        effect, call.effect = call.effect, None
        operation, world = call.operation, call.world
        if isinstance(told, Disturbed):
            effect = told.effect
            if effect.kind is Kind.DELAY:
                return self._hold_back(call, headers, told)
        elif isinstance(told, Exception) or effect is None:  # it was refused before the effect could strike
            return self._finish(operation, world, headers, call.query, call.body, call.findings, told, call)
        if effect.kind is Kind.BREAK and isinstance(told, dict):
            told = broken(told, effect, DEFAULT_FIELDS[operation.operation_id])
            found = self._finish(operation, world, headers, call.query, call.body, call.findings, told)
            world.journal.mark(str(effect))
            return self._told_before(call, found)
        if effect.kind is Kind.STATUS:
            status, given, wire = status_answer(effect, version=operation.version)
            self._note_wait(operation, world, given)
            given.append((b"content-length", b"%d" % len(wire)))
            if isinstance(told, Disturbed) and told.preferred:
                given.append((_APPLIED, b"code=%d" % status))
            self._write_down(operation, world, headers, call.query, call.body, call.findings, status, wire, given)
            world.journal.mark(str(effect))
            return self._told_before(call, (status, given, wire))
        sent: Sent | None = None
        if isinstance(told, dict) and effect.kind in KEEPING:
            found = self._finish(operation, world, headers, call.query, call.body, call.findings, told)
            assert isinstance(found, tuple), "without a call nothing else happens to an answer"
            sent = found
        else:
            self._write_down(operation, world, headers, call.query, call.body, call.findings, 0, b"", [])
        world.journal.mark(str(effect))
        return Troubled(
            sent,
            effect,
            seed=mix(world.seed, call.number),
            on_gone=call.on_gone,
            on_held=partial(world.memory.waited_long, operation.operation_id),
            before=call.before_answer,
        )

    @staticmethod
    def _told_before(call: Call, sent: Sent | Troubled) -> Sent | Troubled:
        """An answer that nothing more happens to; the webhook that is to come before it is waited for all the same."""
        if call.before_answer is None or isinstance(sent, Troubled):
            return sent
        from mockserver.faults.effects import Effect  # there is an effect: the module is loaded already

        return Troubled(sent, Effect(kind=Kind.EARLY), seed=0, before=call.before_answer)

    def _hold_back(self, call: Call, headers: Mapping[bytes, bytes], waiting: Disturbed) -> Troubled:
        """A call that is carried out after a wait; never, when its client leaves meanwhile."""
        operation, on_gone = call.operation, call.on_gone
        call.settled = (*call.settled, waiting.point)
        call.on_gone = None

        def carry_out() -> Outcome:
            call.world = world = self._mock.world(self._heads.key(headers, operation, []))  # it may have been forgotten
            told: Told | Awaitable[Answer]
            try:
                if b"prefer" in headers and self._mock.settings.magic:
                    self._prefer(headers[b"prefer"])
                told = HANDLERS[operation.operation_id](call)
            except Exception as error:  # each kind has its answer
                told = error
            call.findings[:] = dict.fromkeys(call.findings)  # what came before the wait was found a second time
            if isinstance(told, dict | Exception):
                found = self._finish(operation, world, headers, call.query, call.body, call.findings, told, call)
                if isinstance(found, tuple):
                    world.journal.mark(str(waiting.effect))
                return found
            return self._answer_later(told, operation, world, headers, call.query, call.body, call.findings, call)

        life = call.world.tasks

        def left() -> None:
            if call.world.tasks is not life:  # it was reset meanwhile, and its journal begins anew
                return
            self._write_down(operation, call.world, headers, call.query, call.body, call.findings, 0, b"", [])
            call.world.journal.mark(str(waiting.effect))
            if on_gone is not None:
                on_gone()

        held = partial(call.world.memory.waited_long, operation.operation_id)
        return Troubled(None, waiting.effect, seed=0, on_gone=left, on_held=held, then=carry_out)

    def _note_wait(self, operation: Operation, world: World, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """An answer may carry Retry-After: whether its client waits is looked at when it calls again."""
        for name, value in headers:
            if name == b"retry-after":
                wait = Wait(world.clock.now_ms(), self._mock.wall(), int(value) * 1000)
                world.memory.asked_to_wait(operation.operation_id, wait)

    def _write_down(
        self,
        operation: Operation,
        world: World | None,
        headers: Mapping[bytes, bytes],
        query: bytes,
        body: bytes,
        findings: list[Finding],
        status: int,
        answer: bytes,
        sent: list[tuple[bytes, bytes]],
    ) -> None:
        """Findings, journal and log of a call; `status` 0 says that no answer was sent."""
        mock = self._mock
        told: tuple[Finding, ...] = ()
        if findings and world is not None:
            told = world.findings.add(findings)
            sent.append((b"novita-mock-findings", _findings_header(findings)))
        (world.journal if world is not None else mock.outside).write(
            at_ms=world.clock.now_ms() if world is not None else mock.wall(),
            method=operation.method,
            path=operation.path,
            query=_kept_query(query),
            operation_id=operation.operation_id,
            status=status,
            headers=self._heads.kept(headers),
            request=body if world is not None else b"",
            answer=bytes(memoryview(answer)),  # a copy: the JSON writer's own buffer is 4 kB however short the answer
            findings=len(findings),
        )
        if told and world is not None:
            world.journal.explain(told)
        if mock.coverage is not None:
            name = world.id if world is not None else ""
            mock.coverage.saw_call(
                operation=operation, query=query, body=body, answer=bytes(answer), status=status, world=name
            )
            for finding in findings:
                mock.coverage.saw_finding(finding.code.value)
        if log.isEnabledFor(logging.INFO):
            about = {"operation_id": operation.operation_id, "findings": [finding.code.value for finding in findings]}
            log_call(operation.method, operation.path, status, world, **about)

    @staticmethod
    def _note_version(operation: Operation, findings: list[Finding]) -> None:
        if operation.version == "v2":
            findings.append(_DEPRECATED)

    def _check_content_type(self, value: bytes | None, operation: Operation, findings: list[Finding]) -> None:
        """Only JSON is documented for v3 submits (C40); v2 does not ask for the header."""
        if value is not None and value.split(b";", 1)[0].strip().lower() == b"application/json":
            return
        if operation.version == "v2" and value is None:
            return
        came = value.decode("latin-1") if value is not None else "no such header"
        if self._mock.settings.strict and operation.version != "v2":
            raise Refusal(
                Reason.INVALID_REQUEST_BODY, f"header Content-Type: expected application/json, came {came[:80]!r}"
            )
        findings.append(
            Finding(
                Code.UNEXPECTED_CONTENT_TYPE,
                f"{operation.operation_id}: header Content-Type",
                f"expected application/json, came {came[:80]!r}; read as JSON all the same",
                ("C40",),
            )
        )

    async def _unknown(self, scope: Scope, send: Send) -> None:
        """A path or method that no operation has: 404 API_NOT_FOUND; `Allow` tells what the path would take."""
        path, method = scope["path"], scope["method"]
        methods = self._methods.get(path)
        hint = f"this path takes {' and '.join(methods)}" if methods else "GET /__mock/contract.json lists all"
        refusal = Refusal(Reason.API_NOT_FOUND, f"no operation {method} {path[:200]}; {hint}")
        answer = orjson.dumps(refusal.v3_body())
        headers = [_JSON, (b"content-length", b"%d" % len(answer))]
        if methods:
            headers.append((b"allow", ", ".join(methods).encode()))
        await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if method == "HEAD" else answer})
        self._mock.outside.write(
            at_ms=self._mock.wall(),
            method=method,
            path=path,
            query=without_secrets(scope["query_string"]),
            operation_id="",
            status=refusal.status,
            headers=tuple(pair for pair in scope["headers"] if pair[0] in KEPT_HEADERS),
            request=b"",
            answer=answer,
            findings=0,
        )
        log_call(method, path, refusal.status, None)


def _kept_query(query: bytes) -> bytes:
    """What the journal keeps of a query; that of a poll needs no search."""
    return query if query.startswith(b"task_id=") and b"&" not in query else without_secrets(query)


def _findings_header(findings: list[Finding]) -> bytes:
    """Codes and places, short: `NV401 createTxt2imgTask: request.negative_prompt (C13); ...`."""
    shown = [
        f"{finding.code.value} {finding.where}{' (' + ', '.join(finding.because) + ')' if finding.because else ''}"
        for finding in findings[:8]
    ]
    if len(findings) > 8:
        shown.append(f"and {len(findings) - 8} more")
    # A place may hold a field name of the client's with anything in it; control characters break a header.
    return "; ".join(shown).encode("ascii", "backslashreplace").translate(_PRINTABLE)[:2000].strip()
