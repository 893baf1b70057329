"""Ways to reach a mutant: without a network of its own, and on a port of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any

from conformance import doors
from conformance.connections import Connections, Content, NoAnswer, RawAnswer, connected
from conformance.mutants.proxy import Proxy

if TYPE_CHECKING:
    from socket import socket

    from conformance.mutants.values import Mutant
    from openapi.document import Document


class InProcess:
    """Hands requests for one origin to a mutant, and all others to the network; what it has no eye for passes by it.

    Connections for `conformance.runner.run`.
    """

    def __init__(self, proxy: Proxy, upstream: str, network: Connections, origin: str) -> None:
        self._origin = origin
        self._upstream = upstream
        self._proxy = proxy
        self._network = network

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], content: Content, timeout_s: float
    ) -> RawAnswer:
        """See `Connections.send`."""
        if not url.startswith(f"{self._origin}/"):
            return await self._network.send(method, url, headers, content, timeout_s)
        rest = url.removeprefix(self._origin)
        path, _, query = rest.partition("#")[0].partition("?")
        if not self._proxy.looks_at(method, path):
            return await self._network.send(method, self._upstream + rest, headers, content, timeout_s)
        try:
            async with asyncio.timeout(timeout_s):
                answer = await self._proxy.respond(method, path, query, headers.items(), content, self._origin)
        except TimeoutError:
            raise NoAnswer(f"none within {timeout_s:g} s") from None
        if answer.cut:
            raise NoAnswer("the connection was closed in the middle of an answer")
        return RawAnswer(
            status=answer.status, headers=dict(answer.headers), body=b"" if method == "HEAD" else answer.body
        )


@asynccontextmanager
async def listening(app: Any, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serves an application beside what the block does; gives its URL."""
    import uvicorn

    class Server(uvicorn.Server):
        def capture_signals(self) -> Any:
            return nullcontext()

    server = Server(uvicorn.Config(app, host=host, port=port, log_level="critical", lifespan="off"))
    config = server.config
    config.load()
    sock = config.bind_socket()
    serving = asyncio.create_task(server.serve(sockets=[sock]))
    try:
        yield f"http://{host}:{sock.getsockname()[1]}"
    finally:
        await doors.shut([sock])
        server.should_exit = server.force_exit = True
        with suppress(asyncio.CancelledError):
            await serving
        for connection in list(server.server_state.connections):
            connection.transport.abort()
        sock.close()


@asynccontextmanager
async def in_process(mutant: Mutant, upstream: str, document: Document, origin: str) -> AsyncIterator[InProcess]:
    """A transport that reaches a mutant under a made-up origin; a mutant that sees webhooks listens for them."""
    async with connected() as network:
        proxy = Proxy(mutant, upstream, document, network)
        transport = InProcess(proxy, upstream.rstrip("/"), network, origin)
        if not mutant.sees_webhooks:
            yield transport
            return
        async with listening(proxy) as url:
            proxy.hooks_at = url
            yield transport


def serve(mutant: Mutant, upstream: str, document: Document, door: socket) -> None:
    """Serves a mutant until it is interrupted.

    Args:
        door: listens already, so that nobody who was told of it comes too early.
    """
    import uvicorn

    async def run() -> None:
        async with connected() as network:
            proxy: Any = Proxy(mutant, upstream, document, network)  # uvicorn has names of its own for the same types
            config = uvicorn.Config(proxy, log_level="warning", lifespan="off")
            await uvicorn.Server(config).serve(sockets=[door])

    asyncio.run(run())
