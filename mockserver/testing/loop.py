"""A mock in a thread of this process without any socket: its calls come through `mockserver.testing.transport`."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from mockserver.app import create_app

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from mockserver.mock import Mock, Parts
    from mockserver.settings import Settings

T = TypeVar("T")

URL = "http://novita-mock.test"
"""Leads nowhere; the transport answers for it, and links of pictures begin with it."""
_LONG_S = 30.0


class LoopThread:
    """A mock that listens nowhere. Use it as a context manager; it offers what `mockserver.running.ServerThread` does.

    Args:
        settings: of the mock.
        parts: what it is made of, where a test passes its own.

    Attributes:
        app: the application.
        url: what its clients take for its address.
    """

    def __init__(self, settings: Settings | None = None, parts: Parts | None = None) -> None:
        self.app: Starlette = create_app(settings=settings, parts=parts)
        self.url = URL
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="novita-mock", daemon=True)

    @property
    def mock(self) -> Mock:
        """The mock behind the application."""
        mock: Mock = self.app.state.mock
        return mock

    def begin(self, function: Callable[[], Coroutine[Any, Any, T]]) -> Future[T]:
        """Starts a coroutine function in the mock's thread, and gives what can be waited for from any other."""
        return asyncio.run_coroutine_threadsafe(function(), self._loop)

    def call(self, function: Callable[[], Any]) -> Any:
        """Runs a function in the mock's thread, between two calls, and gives its result."""

        async def run() -> Any:
            return function()

        return self.begin(run).result(_LONG_S)

    def call_async(self, function: Callable[[], Awaitable[Any]], timeout_s: float = _LONG_S) -> Any:
        """Runs a coroutine function in the mock's thread and gives its result.

        Raises:
            TimeoutError: it took longer than `timeout_s` seconds of the wall.
        """

        async def run() -> Any:
            return await function()

        return self.begin(run).result(timeout_s)

    def __enter__(self) -> LoopThread:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.mock.begin_end()
        self.call_async(self.mock.aclose)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_LONG_S)
        self._loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        left = asyncio.all_tasks(self._loop)  # calls that their clients no longer wait for
        for task in left:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
