"""Sends one request and tells what came of it, without ever raising. The only user of an HTTP client in the package.

It works below httpx's client, on its transport: a client's habits (proxies from the environment, .netrc, cookies,
redirects, default headers) do not exist there. Each request has a connection of its own, to an address that the guard
has judged. How many are sent at a time is `mockserver.outbound.lanes`.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from mockserver import __version__
from mockserver.outbound.guard import BadTarget, Pinned, Resolver, SystemResolver, TargetRefused, Targets, Unresolvable
from mockserver.parts.wall import SystemWall

if TYPE_CHECKING:
    import httpx

LOOP_HEADER = "Novita-Mock-Delivery"
"""Header of every request that is sent: the id of what it delivers. A mock that receives it knows what it is."""

KEPT_BYTES = 8 * 1024
"""Of an answer's body, from its beginning."""
READ_BYTES = 64 * 1024
"""After so much of an answer's body no more is read; the status was told long before."""

KEPT_HEADERS = ("content-type", "content-length", "location", "retry-after", "allow")
OWN_HEADERS = frozenset({"host", "content-length", "transfer-encoding", "connection", LOOP_HEADER.lower()})
"""Headers that the sender writes itself; a caller's are left out."""

_CLOSED = ("Server disconnected", "peer closed connection")
"""How the client's messages begin when a receiver hung up; only they tell it from a malformed answer."""
_LOOP_NAME = LOOP_HEADER.lower().encode()


class ErrorKind(StrEnum):
    """Why there is no whole answer; the words are stable."""

    REFUSED_TARGET = "refused-target"
    BAD_URL = "bad-url"
    BAD_REQUEST = "bad-request"
    RESOLVE = "resolve"
    CONNECT = "connect"
    TLS = "tls"
    TIMEOUT = "timeout"
    RESET = "reset"
    CLOSED = "closed"
    PROTOCOL = "protocol"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A request to send.

    Attributes:
        url: where to; may hold secrets, and so may `headers`: neither is in the `repr`.
        headers: by name; those of `OWN_HEADERS` are left out.
        id: of what it delivers, the value of the loop header.
    """

    url: str = field(repr=False)
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    id: str = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a request.

    Attributes:
        status: of the answer; None when none came. It is there beside an error when the answer broke off.
        answer_headers: those of `KEPT_HEADERS`, by lower-case name.
        answer: the beginning of the body.
        error: what went wrong; None when an answer came whole, whatever its status, or was cut by us.
        message: the error for people.
        started_ms: wall milliseconds since the epoch.
        elapsed_ms: from then to the end of the answer, or to the error.
    """

    status: int | None = None
    answer_headers: Mapping[str, str] = field(default_factory=dict)
    answer: bytes = b""
    error: ErrorKind | None = None
    message: str = ""
    started_ms: int = 0
    elapsed_ms: int = 0

    @property
    def ok(self) -> bool:
        """Whether a 2xx answer came in time."""
        return self.error is None and self.status is not None and 200 <= self.status < 300


class Sender(Protocol):
    """Sends requests."""

    async def send(self, outgoing: Outgoing, *, timeout_s: float) -> Outcome:
        """Sends one and waits for the whole answer, `timeout_s` wall seconds for everything. Raises nothing."""

    async def aclose(self) -> None:
        """Ends it: what is sent afterwards is an internal error."""


class HttpSender:
    """Sends over HTTP/1.1, to targets that are allowed.

    Args:
        targets: who may be called.
        resolver: gives the addresses of names.
        wall: tells when something was sent.
        tls: what certificates are judged by; by default the machine's authorities.
    """

    __slots__ = ("_closed", "_no_tls", "_resolver", "_targets", "_tls", "_wall")

    def __init__(
        self,
        targets: Targets,
        resolver: Resolver | None = None,
        *,
        wall: Callable[[], int] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._targets = targets
        self._resolver = resolver or SystemResolver()
        self._wall = wall or SystemWall()
        self._tls = tls
        self._no_tls: ssl.SSLContext | None = None
        self._closed = False

    async def send(self, outgoing: Outgoing, *, timeout_s: float) -> Outcome:
        """See `Sender.send`."""
        import httpx  # noqa: F401  # before the time is taken: 60 ms that a run without webhooks never pays for

        loop = asyncio.get_running_loop()
        started_ms, began = self._wall(), loop.time()
        seen = _Seen()
        error: ErrorKind | None = None
        message = ""
        try:
            async with asyncio.timeout(timeout_s):
                await self._exchange(outgoing, began + timeout_s, seen)
        except TimeoutError:
            error, message = ErrorKind.TIMEOUT, f"no whole answer within {timeout_s:g} s"
        except Exception as problem:
            error, message = _judged(problem)
        return Outcome(
            status=seen.status,
            answer_headers=seen.headers,
            answer=bytes(seen.body[:KEPT_BYTES]),
            error=error,
            message=message,
            started_ms=started_ms,
            elapsed_ms=round((loop.time() - began) * 1000),
        )

    async def aclose(self) -> None:
        """See `Sender.aclose`. No connection outlives its request, so there is nothing else to close."""
        self._closed = True

    async def _exchange(self, outgoing: Outgoing, until: float, seen: _Seen) -> None:
        """One request, to the first of the target's addresses that takes the connection."""
        if self._closed:
            raise RuntimeError("the sender is closed")
        pinned = await self._targets.resolve(outgoing.url, self._resolver)
        import httpx

        for left in range(len(pinned.addresses), 0, -1):
            rest_s = max(0.0, until - asyncio.get_running_loop().time())
            # An address that is silent leaves time for the next; the last one has all that is left.
            connect_s = rest_s / left if left > 1 else None
            request = _request(outgoing, pinned, pinned.addresses[-left], connect_s)
            try:
                await self._one(request, pinned.scheme, seen)
            except (httpx.ConnectError, httpx.ConnectTimeout):  # TCP or TLS: nothing was sent yet
                if left == 1:
                    raise
            else:
                return

    async def _one(self, request: httpx.Request, scheme: str, seen: _Seen) -> None:
        import httpx

        # One transport per request: a pool would lend a connection that was verified for another name of the address.
        tls = self._judge_of(scheme)
        async with httpx.AsyncHTTPTransport(verify=tls, trust_env=False) as transport:
            link = _Link()
            request.extensions["trace"] = link.note
            try:
                response = await transport.handle_async_request(request)
            except BaseException:
                await link.aclose()
                raise
            try:
                seen.status = response.status_code
                seen.headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
                async for part in response.aiter_raw():
                    seen.body += part[: READ_BYTES - len(seen.body)]
                    if len(seen.body) >= READ_BYTES:
                        break
            finally:
                await response.aclose()

    def _judge_of(self, scheme: str) -> ssl.SSLContext:
        """What judges certificates; for http one that nobody asks, without authorities to load."""
        if scheme == "http":
            self._no_tls = self._no_tls or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            return self._no_tls
        self._tls = self._tls or ssl.create_default_context()
        return self._tls


class FakeSender:
    """Answers from a script.

    Attributes:
        sent: every request with its time-out in seconds, in order.
        script: outcomes to come, first one first; 200 at once when it is empty.
    """

    __slots__ = ("closed", "script", "sent")

    def __init__(self, script: Iterable[Outcome] = ()) -> None:
        self.script: list[Outcome] = list(script)
        self.sent: list[tuple[Outgoing, float]] = []
        self.closed = False

    async def send(self, outgoing: Outgoing, *, timeout_s: float) -> Outcome:
        """See `Sender.send`."""
        self.sent.append((outgoing, timeout_s))
        return self.script.pop(0) if self.script else Outcome(status=200)

    async def aclose(self) -> None:
        """See `Sender.aclose`."""
        self.closed = True


def delivery_of(headers: Mapping[bytes, bytes]) -> str | None:
    """The id in the loop header of a received request (values by lower-case name); None: no mock sent it."""
    found = headers.get(_LOOP_NAME)
    return None if found is None else found.decode("latin-1")


@dataclass(slots=True)
class _Seen:
    """What has come of an answer so far; kept when the rest does not come."""

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)


class _Closable(Protocol):
    async def aclose(self) -> None:
        """Closes it."""


class _Link:
    """The TCP connection of a request: the client loses it when it is cancelled in a TLS handshake."""

    __slots__ = ("_stream",)

    def __init__(self) -> None:
        self._stream: _Closable | None = None

    async def note(self, event: str, about: Mapping[str, Any]) -> None:
        """What the client does."""
        if event == "connection.connect_tcp.complete":
            self._stream = about["return_value"]

    async def aclose(self) -> None:
        """Closes it, if it was ever opened."""
        if self._stream is not None:
            await self._stream.aclose()


def _request(outgoing: Outgoing, pinned: Pinned, address: str, connect_s: float | None) -> httpx.Request:
    import httpx

    given = {name: value for name, value in outgoing.headers.items() if name.lower() not in OWN_HEADERS}
    names = {name.lower() for name in given}
    headers: list[tuple[str, str]] = [("Host", pinned.host_header)]
    if "user-agent" not in names:
        headers.append(("User-Agent", f"novita-mock/{__version__}"))
    if "accept-encoding" not in names:
        headers.append(("Accept-Encoding", "identity"))
    if pinned.authorization is not None and "authorization" not in names:
        headers.append(("Authorization", pinned.authorization))
    headers += [*given.items(), (LOOP_HEADER, outgoing.id), ("Connection", "close")]
    host = f"[{address}]" if ":" in address else address
    return httpx.Request(
        outgoing.method,
        f"{pinned.scheme}://{host}:{pinned.port}{pinned.target}",
        headers=headers,
        content=outgoing.body,
        extensions={"timeout": {"connect": connect_s}, "sni_hostname": pinned.host},
    )


def _judged(error: Exception) -> tuple[ErrorKind, str]:
    """Kind and message of what a send raised; no message holds the URL."""
    match error:
        case BadTarget():
            return ErrorKind.BAD_URL, str(error)
        case TargetRefused():
            return ErrorKind.REFUSED_TARGET, str(error)
        case Unresolvable():
            return ErrorKind.RESOLVE, str(error)
    import httpx

    said = str(error) or type(error).__name__
    match error:
        case httpx.TimeoutException():
            return ErrorKind.TIMEOUT, "the connection was not taken in time"
        case httpx.TransportError() if found := _caused_by(error, ssl.SSLError):
            return ErrorKind.TLS, str(found)
        case httpx.ConnectError():
            return ErrorKind.CONNECT, "nobody took the connection"
        case httpx.ReadError() | httpx.WriteError():
            return ErrorKind.RESET, "the receiver reset the connection"
        case httpx.RemoteProtocolError() if said.startswith(_CLOSED):
            return ErrorKind.CLOSED, said
        case httpx.RemoteProtocolError():
            return ErrorKind.PROTOCOL, said
        case httpx.LocalProtocolError() | UnicodeError():  # their texts would repeat a header's value
            return ErrorKind.BAD_REQUEST, "the method or a header holds characters that HTTP does not allow"
    return ErrorKind.INTERNAL, f"{type(error).__name__}: {said}"


def _caused_by(error: BaseException, kind: type[BaseException]) -> BaseException | None:
    """The first of a kind in what led to an error."""
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, kind):
        seen = seen.__cause__ or seen.__context__
    return seen
