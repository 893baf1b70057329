"""httpx without a socket: calls go from the client's transport into the mock's own event loop.

httpx's ASGI transport would run the application in the loop of the test, where a fixture cannot reach it, and serves no
synchronous client. This one serves both, from any thread, and keeps a client's read time-out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from concurrent.futures import Future
from contextvars import Context
from typing import TYPE_CHECKING, Any, cast

import httpx

if TYPE_CHECKING:
    from mockserver.handles import Running

Answer = tuple[int, list[tuple[bytes, bytes]], bytes]
"""Status, headers, body as it would go over the wire."""


class MockTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Brings the calls of an httpx client, of either kind, to a mock of this process.

    Args:
        server: a running one.
    """

    def __init__(self, server: Running) -> None:
        self._server = server
        self._inside = httpx.ASGITransport(cast("Any", server.app))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answers a call of `httpx.Client`."""
        future = self._begin(request, request.read())
        try:
            return _response(future.result(_patience_s(request)))
        except TimeoutError:
            future.cancel()
            raise _too_late(request) from None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answers a call of `httpx.AsyncClient`."""
        future = self._begin(request, await request.aread())
        try:
            asyncio.get_running_loop()
        except RuntimeError:  # another kind of loop, such as trio's
            from starlette.concurrency import run_in_threadpool

            waiting: Awaitable[Answer] = run_in_threadpool(future.result, _patience_s(request))
        else:
            waiting = asyncio.wait_for(asyncio.wrap_future(future), _patience_s(request))
        try:
            return _response(await waiting)
        except TimeoutError:
            future.cancel()
            raise _too_late(request) from None

    def _begin(self, request: httpx.Request, body: bytes) -> Future[Answer]:
        inner = httpx.Request(request.method, request.url, headers=request.headers, content=body)

        async def answer() -> Answer:
            try:
                found = await self._inside.handle_async_request(inner)
            except ConnectionResetError as error:  # how the application says that a server would hang up
                raise httpx.ReadError(str(error) or "connection reset by peer", request=request) from None
            assert isinstance(found.stream, httpx.AsyncByteStream)
            return found.status_code, found.headers.raw, b"".join([part async for part in found.stream])

        # In a context of its own: the test's may say that it runs on trio, and httpx would believe that in there.
        return Context().run(self._server.begin, answer)


def _response(answer: Answer) -> httpx.Response:
    status, headers, body = answer
    return httpx.Response(status, headers=headers, stream=httpx.ByteStream(body))


def _patience_s(request: httpx.Request) -> float | None:
    timeouts: dict[str, float | None] = request.extensions.get("timeout", {})
    return timeouts.get("read")


def _too_late(request: httpx.Request) -> httpx.ReadTimeout:
    return httpx.ReadTimeout("the mock did not answer in time", request=request)
