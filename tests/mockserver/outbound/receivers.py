"""Little receivers on loopback that speak just enough HTTP, each with the manners that a test gives it."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

CERTIFICATE = Path(__file__).parent / "receiver.test.pem"
"""For receiver.test and localhost, signed by itself, good for a hundred years."""


@dataclass(slots=True)
class Received:
    """One request."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Receiver:
    """A receiver that runs.

    Attributes:
        received: every request, in the order of their ends.
        connections: how many were opened.
        over: set when the test is done with it; who hangs waits for it.
    """

    port: int = 0
    received: list[Received] = field(default_factory=list)
    connections: int = 0
    over: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        """Its address by number."""
        return f"http://127.0.0.1:{self.port}/hook"


Manners = Callable[[Receiver, Received, asyncio.StreamWriter], Awaitable[None]]


def http(status: int = 200, body: bytes = b"ok", *headers: str) -> bytes:
    """A whole answer."""
    lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def says(wire: bytes) -> Manners:
    """Writes these bytes and hangs up."""

    async def answer(receiver: Receiver, request: Received, writer: asyncio.StreamWriter) -> None:
        del receiver, request
        writer.write(wire)

    return answer


async def hangs(receiver: Receiver, request: Received, writer: asyncio.StreamWriter) -> None:
    """Reads everything and says nothing."""
    del request, writer
    await receiver.over.wait()


def late(after_s: float, wire: bytes = b"") -> Manners:
    """Answers after a while."""

    async def answer(receiver: Receiver, request: Received, writer: asyncio.StreamWriter) -> None:
        del request
        try:
            async with asyncio.timeout(after_s):
                await receiver.over.wait()
        except TimeoutError:
            writer.write(wire or http())

    return answer


async def resets(receiver: Receiver, request: Received, writer: asyncio.StreamWriter) -> None:
    """Closes with RST instead of FIN."""
    del receiver, request
    link: socket.socket = writer.get_extra_info("socket")
    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def never_ends(head: bytes, part: bytes) -> Manners:
    """Writes a part again and again, as fast as it is read."""

    async def answer(receiver: Receiver, request: Received, writer: asyncio.StreamWriter) -> None:
        del request
        writer.write(head)
        while not receiver.over.is_set():
            writer.write(part)
            await writer.drain()

    return answer


@asynccontextmanager
async def receiver(manners: Manners, *, tls: bool = False, host: str = "127.0.0.1") -> AsyncIterator[Receiver]:
    """A receiver on a free port."""
    made = Receiver()
    open_now: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        open_now.add(task)
        made.connections += 1
        try:
            request = await _read(reader)
            made.received.append(request)
            await manners(made, request, writer)
            if not writer.is_closing():
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass  # the caller has gone, which is its right
        finally:
            writer.close()
            open_now.discard(task)

    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE)
    server = await asyncio.start_server(handle, host, 0, ssl=context, limit=2**22)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        made.over.set()
        server.close()
        if open_now:
            _, left = await asyncio.wait(open_now, timeout=5.0)
            assert not left, "a connection was left open"


async def _read(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *rest = head.removesuffix("\r\n\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
    return Received(method, target, headers, await reader.readexactly(int(headers.get("content-length", "0"))))
