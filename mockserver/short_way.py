"""A short way through uvicorn: plain calls of the contract are answered as soon as their last byte is read.

For every request uvicorn makes a task, an event, a scope and an object that checks the answer again; that costs more
than our whole answer. The operations of the contract await nothing, so none of it is needed: this protocol calls them
directly and writes head and body at once.

A call that is not plain goes the long way, which is uvicorn's own with everything that it guards: other paths, headers
that a middleware or the protocol has to look at, large bodies, other HTTP versions, a response still on its way, a
client that does not read. Both ways give the same bytes (tests/mockserver/test_short_way.py).
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from mockserver.gateway import TOLD
from mockserver.trouble import CONNECTION

if TYPE_CHECKING:
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

    from mockserver.gateway import Contract, Route
    from mockserver.metrics.counting import CountingContract

LONG_WAY = frozenset({b"connection", b"expect", b"origin", b"transfer-encoding", b"upgrade"})
"""Headers that CORS or the protocol itself has to look at."""
PLAIN_LENGTH_DIGITS = 5
"""Bodies of up to 99,999 bytes are plain: no picture fits, and nothing of that size needs to be refused early."""


class OpenConnection(HttpToolsProtocol):
    """uvicorn's protocol, giving the application its connection, so that a fault plan can break it.

    uvicorn tells only the newest call of a connection that the client has left. A call that is held back while others
    wait behind it has to be told too, or it waits for ever.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._cycles: deque[RequestResponseCycle] = deque()

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self.scope["extensions"] = {CONNECTION: {"protocol": self}}

    def on_headers_complete(self) -> None:
        """A call begins, or waits behind another of its connection."""
        super().on_headers_complete()
        while self._cycles and self._cycles[0].response_complete:
            self._cycles.popleft()
        self._cycles.append(self.cycle)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended: all its calls learn of it."""
        super().connection_lost(exc)
        self._unset_keepalive_if_required()  # uvicorn leaves the timer where the client reset the connection
        for cycle in self._cycles:
            if not cycle.response_complete:
                cycle.disconnected = True
            cycle.message_event.set()
        self._cycles.clear()
        self.pipeline.clear()

    def stop_listening(self) -> None:
        """Reads no further call; that the client leaves is still noticed."""
        self.transport.set_protocol(_Deaf(self))
        self.flow.resume_reading()  # a connection that is not read never tells its end


class _Deaf(asyncio.Protocol):
    """Ignores what a client sends, for a connection whose call is never answered."""

    def __init__(self, connection: OpenConnection) -> None:
        self._connection = connection

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has left."""
        self._connection.connection_lost(exc)

    def pause_writing(self) -> None:
        """Passed on."""
        self._connection.pause_writing()

    def resume_writing(self) -> None:
        """Passed on."""
        self._connection.resume_writing()


class ShortWay(OpenConnection):
    """uvicorn's protocol, with the short way in front, for an application that has a `contract`."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._contract: Contract | CountingContract | None = getattr(self.config.app, "contract", None)
        self._plain = True
        self._route: Route | None = None
        self._query = b""
        self._body = b""

    def on_message_begin(self) -> None:
        """A request begins; the scope of the long way is made when it is known to be needed."""
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._plain = True
        self._route = None

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keeps a header, and notices when it needs the long way."""
        name = name.lower()
        if name in LONG_WAY:
            self._plain = self._plain and name == b"connection" and value.lower() == b"keep-alive"
            if name == b"expect" and value.lower() == b"100-continue":
                self.expect_100_continue = True
        elif name == b"content-length" and len(value) > PLAIN_LENGTH_DIGITS:
            self._plain = False
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Chooses the way."""
        contract = self._contract
        if contract is not None and self._plain and self._is_free() and self.parser.get_http_version() == "1.1":
            path, _, query = self.url.partition(b"?")
            self._route = contract.route(self.parser.get_method(), path)
            if self._route is not None:
                self._query, self._body = query, b""
                return
        self._go_long()

    def on_body(self, body: bytes) -> None:
        """Keeps a part of the body."""
        if self._route is None:
            super().on_body(body)
        else:
            self._body = self._body + body if self._body else body

    def on_message_complete(self) -> None:
        """Answers a plain call."""
        if self._route is None or self._contract is None:
            super().on_message_complete()
            return
        route, self._route = self._route, None
        sent = self._contract.answer_now(
            route, dict(self.headers), self._query, self._body, self.scheme or "http", self.server
        )
        if type(sent) is not tuple:  # something happens to the answer, or it has to be waited for
            self._go_long(told=sent)
            super().on_message_complete()
            return
        status, headers, answer = sent
        parts = [STATUS_LINE[status]]
        for name, value in self.server_state.default_headers:
            parts += (name, b": ", value, b"\r\n")
        for name, value in headers:
            parts += (name, b": ", value, b"\r\n")
        parts += (b"\r\n", answer)
        self.transport.write(b"".join(parts))
        self.on_response_complete()

    def _go_long(self, told: object = None) -> None:
        """Does what uvicorn does when the headers are read; `told` is the answer, where it is known already."""
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers.extend(headers)
        if told is not None:
            self.scope["extensions"][TOLD] = {"told": told}
        super().on_headers_complete()

    def _is_free(self) -> bool:
        """Whether nothing is on its way to the client, and it reads what it is sent."""
        cycle: RequestResponseCycle | None = self.cycle  # None before the first call, whatever uvicorn's type says
        answered = cycle is None or cycle.response_complete
        return answered and not self.flow.write_paused and not self.transport.is_closing()
