"""A forward proxy that answers for a few hosts by one server of ours, and refuses every other.

Both ways in which clients use a proxy lead there: CONNECT, with TLS inside unless the port is 80 (RFC 9110, section
9.3.6), and the absolute form (RFC 9112, section 3.2.2), in which old clients ask for https URLs too. Nothing is ever
sent to the outside.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections import Counter
from collections.abc import Callable, Collection
from typing import cast

from mockserver.intercept.pipe import End, join

MAX_HEAD_BYTES = 64 * 1024
HANDSHAKE_S = 20.0
HTTP_PORT = 80
CONNECTED = b"HTTP/1.1 200 Connection established\r\n\r\n"

_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) (\S+) HTTP/1\.([01])")
_ABSOLUTE = re.compile(rb"(https?)://([^/?#@\s]+)([/?]\S*)?", re.IGNORECASE)
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(?::([0-9]{1,5}))?")
_OF_THE_CONNECTION = (b"proxy-connection:", b"proxy-authorization:", b"connection:", b"keep-alive:")


class Proxy:
    """The proxy of one run.

    Args:
        server: host and port of the server that answers.
        hosts: whom it answers for.
        context: gives what TLS needs to be taken for a host.

    Attributes:
        refused: how often each host was asked for in vain.
        untrusted: how often a client gave up the handshake, by host: it does not trust our authority.
    """

    def __init__(
        self, server: tuple[str, int], hosts: Collection[str], context: Callable[[str], ssl.SSLContext]
    ) -> None:
        self.server = server
        self.hosts = frozenset(host.lower() for host in hosts)
        self.refused: Counter[str] = Counter()
        self.untrusted: Counter[str] = Counter()
        self._contexts = {host: context(host) for host in self.hosts}
        self._listening: asyncio.Server | None = None
        self._clients: set[_Client] = set()
        self.url = ""

    async def start(self) -> None:
        """Listens on a free loopback port."""
        loop = asyncio.get_running_loop()
        self._listening = await loop.create_server(lambda: _Client(self), "127.0.0.1", 0)
        port = self._listening.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"

    async def aclose(self) -> None:
        """Stops listening, and cuts what is open."""
        if self._listening is not None:
            self._listening.close()
            for client in list(self._clients):
                client.cut()
            await self._listening.wait_closed()

    def answers_for(self, host: str, port: int) -> bool:
        """Whether calls of a host are ours: it is one of those, or the server itself under its own address."""
        return host in self.hosts or (host, port) == self.server

    def context(self, host: str, port: int) -> ssl.SSLContext | None:
        """What TLS needs for a host; None where there is none on that port."""
        return None if port == HTTP_PORT or (host, port) == self.server else self._contexts[host]

    def refusal(self, host: str, port: int) -> bytes:
        """The answer to a call of any other host; counts it."""
        self.refused[f"{host}:{port}"] += 1
        known = ", ".join(sorted(self.hosts))
        return _answer(
            b"403 novita-mock answers for no other host",
            f"novita-mock: {host}:{port} was asked for, and with --intercept only {known} is answered: nothing goes "
            "outside. If it is the API under another name, add --answer-for HOST.\n",
        )

    def opened(self, client: _Client) -> None:
        """A client came."""
        self._clients.add(client)

    def closed(self, client: _Client) -> None:
        """A client is gone, or its connection is now a pipe's."""
        self._clients.discard(client)


class _Client(asyncio.Protocol):
    """A client until it has said whom it wants; then its connection becomes the end of a pipe."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._head = b""
        self._transport: asyncio.Transport | None = None
        self._opening: asyncio.Task[None] | None = None
        self._end: End | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._proxy.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._end is not None:
            self._end.connection_lost(exc)
        else:
            self._proxy.closed(self)

    def data_received(self, data: bytes) -> None:
        if self._end is not None:  # what follows a head while its server is being called
            self._end.data_received(data)
            return
        self._head += data
        head, gap, rest = self._head.partition(b"\r\n\r\n")
        if gap:
            self._asked(head, rest)
        elif len(self._head) > MAX_HEAD_BYTES:
            self._answer(_answer(b"431 Request Header Fields Too Large", "novita-mock: the headers do not end\n"))

    def pause_writing(self) -> None:
        if self._end is not None:
            self._end.pause_writing()

    def resume_writing(self) -> None:
        if self._end is not None:
            self._end.resume_writing()

    def cut(self) -> None:
        """Ends the connection now."""
        if self._opening is not None:
            self._opening.cancel()
        if self._transport is not None:
            self._transport.abort()
        if self._end is not None and self._end.transport is not None:
            self._end.transport.abort()

    def _asked(self, head: bytes, rest: bytes) -> None:
        line, _, fields = head.partition(b"\r\n")
        asked = _REQUEST_LINE.fullmatch(line)
        if asked is None:
            self._answer(_answer(b"400 Bad Request", "novita-mock: this is no HTTP/1.1 request\n"))
            return
        method, target = asked[1], asked[2]
        if method == b"CONNECT":
            self._tunnel(target, rest)
            return
        absolute = _ABSOLUTE.fullmatch(target)
        if absolute is None:
            text = "novita-mock: this is a proxy. Set it as HTTP_PROXY and HTTPS_PROXY; the mock has another port\n"
            self._answer(_answer(b"400 Bad Request", text))
            return
        default = HTTP_PORT if absolute[1].lower() == b"http" else 443
        found = _authority(absolute[2], default)
        if found is None:
            self._answer(_answer(b"400 Bad Request", "novita-mock: the URL names no host\n"))
            return
        path = absolute[3] or b"/"
        path = path if path.startswith(b"/") else b"/" + path
        kept = [one for one in fields.split(b"\r\n") if one and not one.lower().startswith(_OF_THE_CONNECTION)]
        first = b"\r\n".join([b"%s %s HTTP/1.1" % (method, path), *kept, b"Connection: close", b"", rest])
        self._begin(found, first, tunnelled=False)

    def _tunnel(self, target: bytes, rest: bytes) -> None:
        found = _authority(target, 443)
        if found is None or rest:  # a client has to wait for the answer before it goes on
            self._answer(_answer(b"400 Bad Request", "novita-mock: expected CONNECT host:port and nothing after it\n"))
        else:
            self._begin(found, b"", tunnelled=True)

    def _begin(self, asked: tuple[str, int], first: bytes, *, tunnelled: bool) -> None:
        if not self._proxy.answers_for(*asked):
            self._answer(self._proxy.refusal(*asked))
            return
        self._end = End(lambda: self._proxy.closed(self))
        self._end.attach(self._made)
        self._opening = asyncio.ensure_future(self._open(self._end, asked, first, tunnelled=tunnelled))

    async def _open(self, end: End, asked: tuple[str, int], first: bytes, *, tunnelled: bool) -> None:
        loop = asyncio.get_running_loop()
        if tunnelled:
            self._made.write(CONNECTED)
            context = self._proxy.context(*asked)
            if context is not None:
                try:
                    secured = await loop.start_tls(
                        self._made, end, context, server_side=True, ssl_handshake_timeout=HANDSHAKE_S
                    )
                except (ssl.SSLError, ConnectionError, TimeoutError):
                    self._proxy.untrusted[asked[0]] += 1
                    self._proxy.closed(self)
                    return
                if secured is None:  # asyncio: the connection went during the handshake
                    self._proxy.untrusted[asked[0]] += 1
                    return
                end.attach(secured)
        try:
            _, upstream = await loop.create_connection(End, *self._proxy.server)
        except OSError:  # the run is over
            end.end(ConnectionResetError())
            return
        if first and upstream.transport is not None:
            upstream.transport.write(first)
        join(end, upstream)

    @property
    def _made(self) -> asyncio.Transport:
        assert self._transport is not None, "data came before its connection"
        return self._transport

    def _answer(self, answer: bytes) -> None:
        self._made.write(answer)
        self._made.close()


def _authority(text: bytes, default: int) -> tuple[str, int] | None:
    """Host, in small letters, and port."""
    found = _AUTHORITY.fullmatch(text.decode("latin-1"))
    if found is None:
        return None
    return found[1].strip("[]").rstrip(".").lower(), int(found[2] or default)


def _answer(status: bytes, text: str) -> bytes:
    body = text.encode()
    head = b"HTTP/1.1 %s\r\ncontent-type: text/plain; charset=utf-8\r\nconnection: close\r\n" % status
    return head + b"content-length: %d\r\n\r\n" % len(body) + body
