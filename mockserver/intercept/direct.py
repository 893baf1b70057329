"""TLS without a proxy's CONNECT before it: the name in the handshake says whom the client wants.

For clients that go by no variable and are led here all the same, as an older Node is by `node_direct.cjs`.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

from mockserver.intercept.pipe import End, join
from mockserver.intercept.proxy import Proxy

HTTPS_PORT = 443


class DirectDoor:
    """A second way in to what a proxy answers for.

    Args:
        proxy: knows the hosts, their certificates and the server; is told what was refused.

    Attributes:
        port: on the loopback address, once started.
    """

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._listening: asyncio.Server | None = None
        self._ends: set[_Caller] = set()
        self.port = 0

    async def start(self) -> None:
        """Listens on a free loopback port."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.sni_callback = self._named
        loop = asyncio.get_running_loop()
        self._listening = await loop.create_server(self._called, "127.0.0.1", 0, ssl=context)
        self.port = self._listening.sockets[0].getsockname()[1]

    async def aclose(self) -> None:
        """Stops listening, and cuts what is open."""
        if self._listening is not None:
            self._listening.close()
            for end in list(self._ends):
                end.cut()
            await self._listening.wait_closed()

    def _called(self) -> _Caller:
        end = _Caller(self._proxy.server, lambda: self._ends.discard(end))
        self._ends.add(end)
        return end

    def _named(self, connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> int | None:
        """Takes the certificate of the host that was asked for; any other host ends the handshake."""
        host = (name or "an address without a name").lower()
        context = self._proxy.context(host, HTTPS_PORT) if self._proxy.answers_for(host, HTTPS_PORT) else None
        if context is None:
            self._proxy.refusal(host, HTTPS_PORT)
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        connection.context = context
        return None


class _Caller(End):
    """A client after its handshake: the end of a pipe to the server."""

    def __init__(self, server: tuple[str, int], on_lost: Callable[[], None]) -> None:
        super().__init__(on_lost)
        self._server = server
        self._opening: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._opening = asyncio.ensure_future(self._open())

    def cut(self) -> None:
        """Ends the connection now."""
        if self._opening is not None:
            self._opening.cancel()
        if self.transport is not None:
            self.transport.abort()

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            _, upstream = await loop.create_connection(End, *self._server)
        except OSError:  # the run is over
            self.end(ConnectionResetError())
            return
        join(self, upstream)
