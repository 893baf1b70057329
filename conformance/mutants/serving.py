"""Ways to reach a mutant: through httpx without a network, and on a port of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any, cast

import httpx

from conformance.mutants.proxy import Proxy

if TYPE_CHECKING:
    from conformance.mutants.values import Mutant
    from openapi.document import Document


class InProcess(httpx.AsyncBaseTransport):
    """Hands requests for one origin to a mutant, and all others to the network; what it has no eye for passes by it."""

    def __init__(self, proxy: Proxy, upstream: str, network: httpx.AsyncBaseTransport, origin: str) -> None:
        self._origin = httpx.URL(origin)
        self._upstream = httpx.URL(upstream)
        self._proxy = proxy
        self._network = network

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Httpx."""
        url = request.url
        if url.netloc != self._origin.netloc:
            return await self._network.handle_async_request(request)
        path, _, query = url.raw_path.decode("ascii").partition("?")
        if not self._proxy.looks_at(request.method, path):
            up = self._upstream
            request.url = url.copy_with(scheme=up.scheme, netloc=up.netloc)
            request.headers["Host"] = up.netloc.decode("ascii")
            return await self._network.handle_async_request(request)
        headers = request.headers.items()
        stream = cast("AsyncIterator[bytes]", request.stream)
        answer = await self._proxy.respond(request.method, path, query, headers, stream, str(self._origin).rstrip("/"))
        if answer.cut:
            raise httpx.RemoteProtocolError("the connection was closed in the middle of an answer")
        body = b"" if request.method == "HEAD" else answer.body
        return httpx.Response(answer.status, headers=dict(answer.headers), content=body, request=request)


def connections() -> httpx.AsyncHTTPTransport:
    """Connections of a proxy to its upstream."""
    limits = httpx.Limits(max_connections=128, max_keepalive_connections=32)
    return httpx.AsyncHTTPTransport(limits=limits, trust_env=False)


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
    async with connections() as network:
        proxy = Proxy(mutant, upstream, document, network)
        transport = InProcess(proxy, upstream, network, origin)
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
        async with connections() as network:
            proxy: Any = Proxy(mutant, upstream, document, network)  # uvicorn has names of its own for the same types
            await uvicorn.Server(
                uvicorn.Config(proxy, host=host, port=port, log_level="warning", lifespan="off")
            ).serve()

    asyncio.run(run())
