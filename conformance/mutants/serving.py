"""Ways to reach a mutant: through httpx without a network, and on a port of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any

import httpx

from conformance.mutants.proxy import CutOff, Proxy

if TYPE_CHECKING:
    from conformance.mutants.values import Mutant
    from openapi.document import Document

TIMEOUT_S = 60.0
"""How long the upstream may take; a client's own patience ends sooner."""


class InProcess(httpx.AsyncBaseTransport):
    """Hands requests for one origin to an application, and all others to the network."""

    def __init__(self, app: Proxy, origin: str) -> None:
        self._origin = httpx.URL(origin)
        self._app = httpx.ASGITransport(app)
        self._network = httpx.AsyncHTTPTransport(trust_env=False)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Httpx."""
        url = request.url
        if (url.scheme, url.netloc) != (self._origin.scheme, self._origin.netloc):
            return await self._network.handle_async_request(request)
        try:
            return await self._app.handle_async_request(request)
        except CutOff as error:
            raise httpx.RemoteProtocolError("the connection was closed in the middle of an answer") from error

    async def aclose(self) -> None:
        """Httpx."""
        await self._network.aclose()


def connections() -> httpx.AsyncClient:
    """Connections of a proxy to its upstream."""
    limits = httpx.Limits(max_connections=128, max_keepalive_connections=32)
    return httpx.AsyncClient(limits=limits, timeout=TIMEOUT_S, trust_env=False, follow_redirects=False)


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
        server.should_exit = server.force_exit = True
        with suppress(asyncio.CancelledError):
            await serving
        sock.close()


@asynccontextmanager
async def in_process(mutant: Mutant, upstream: str, document: Document, origin: str) -> AsyncIterator[InProcess]:
    """A transport that reaches a mutant under a made-up origin; a mutant that sees webhooks listens for them."""
    async with connections() as http:
        proxy = Proxy(mutant, upstream, document, http)
        transport = InProcess(proxy, origin)
        if not mutant.sees_webhooks:
            yield transport
            return
        async with listening(proxy) as url:
            proxy.hooks_at = url
            yield transport


def serve(mutant: Mutant, upstream: str, document: Document, host: str, port: int) -> None:
    """Serves a mutant until it is interrupted."""
    import uvicorn

    async def run() -> None:
        async with connections() as http:
            proxy: Any = Proxy(mutant, upstream, document, http)  # uvicorn has names of its own for the same types
            await uvicorn.Server(
                uvicorn.Config(proxy, host=host, port=port, log_level="warning", lifespan="off")
            ).serve()

    asyncio.run(run())
