"""Runs the application on a socket: for the command line, and in a thread of a test process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import uvicorn

from mockserver.app import create_app
from mockserver.logs import log
from mockserver.settings import Settings
from mockserver.short_way import OpenConnection, ShortWay

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from mockserver.mock import Mock, Parts

T = TypeVar("T")

START_TIMEOUT_S = 30.0
SHORT_WAY_FITS = ("0.54.",)
"""Versions of uvicorn whose inside the short way was tested with; others serve all calls their own, slower way."""
KEEP_ALIVE_S = 75
SHUTDOWN_S = 2.0
"""How long calls in progress may take once the server is told to end; a client that never finishes its upload waits
no longer than this."""


class CannotStart(Exception):
    """The server cannot do its work; the message says why and what to try."""


class CannotListen(CannotStart):
    """The address cannot be listened on."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 lets the system choose.

    Raises:
        CannotListen: the port is taken, or the host is not one of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio switches Nagle's algorithm off only for sockets that name their protocol; with it every answer would wait
    # 40 ms for the client's acknowledgement of its headers.
    found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
        found.listen(2048)
    except (OSError, UnicodeError) as error:  # a name that no host can have is no OSError
        found.close()
        reason = error.strerror or error if isinstance(error, OSError) else error
        raise CannotListen(
            f"cannot listen on {host}:{port}: {reason}; --port chooses another, --port 0 a free one"
        ) from None
    return found


def address_of(listening: socket.socket) -> str:
    """The URL of a listening socket."""
    host, port = listening.getsockname()[:2]
    host = _reachable(host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_loopback(listening: socket.socket) -> bool:
    """Whether only this machine can reach a listening socket."""
    host: str = listening.getsockname()[0]
    return host.startswith("127.") or host == "::1"


def _reachable(host: str) -> str:
    """The address to call a bound one by: all addresses of the machine are no address."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)


class Server(uvicorn.Server):
    """uvicorn, telling when the application really answers, and ending soon when told to.

    Args:
        app: the application.
        on_ready: called once, after a first request of our own was answered.

    Attributes:
        failure: why the first request was not answered as the contract says; the server ends then.
    """

    def __init__(self, app: Starlette, on_ready: Callable[[], None], *, log_level: str = "warning") -> None:
        config = uvicorn.Config(
            app,
            http=ShortWay if uvicorn.__version__.startswith(SHORT_WAY_FITS) else OpenConnection,
            loop="auto",
            lifespan="off",
            access_log=False,
            log_config=None,
            log_level=log_level,
            server_header=False,
            proxy_headers=False,  # nobody stands in front; --public-base-url names another address
            timeout_keep_alive=KEEP_ALIVE_S,
            ws="none",
        )
        super().__init__(config)
        self._app = app
        self._on_ready = on_ready
        self._first_request: asyncio.Task[None] | None = None
        self.failure: CannotStart | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts, and asks an operation of the contract once before saying so."""
        await super().startup(sockets)
        assert sockets, "the caller binds the socket, so that a taken port is known before"
        self._first_request = asyncio.create_task(self._ask_itself(sockets[0]))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Ends; calls in progress get a moment, then their connections are cut."""
        cut = asyncio.get_running_loop().call_later(SHUTDOWN_S, self._hang_up)
        mock: Mock | None = getattr(self._app.state, "mock", None)  # nothing is under way outside before it is built
        if mock is not None:
            mock.begin_end()
        try:
            await super().shutdown(sockets)
        finally:
            cut.cancel()
        if mock is not None:
            await mock.aclose()

    def _hang_up(self) -> None:
        for connection in list(self.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()

    async def _ask_itself(self, listening: socket.socket) -> None:
        level = log.level
        log.setLevel(max(level, logging.WARNING))  # as in the journal: calls are those of clients
        try:
            answer = await _first_answer(*listening.getsockname()[:2])
        except OSError as error:
            answer = str(error).encode()
        finally:
            log.setLevel(level)
        if answer.startswith(b"HTTP/1.1 403"):  # no key: the contract's own answer
            self._app.state.mock.first_call_was_ours()
            self._on_ready()
        else:
            self.failure = CannotStart(f"the server does not answer its own first request: {answer[:200]!r}")
            self.should_exit = True


async def _first_answer(host: str, port: int) -> bytes:
    reader, writer = await asyncio.open_connection(_reachable(host), port)
    try:
        writer.write(b"GET /v3/model HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()


class ServerThread:
    """A mock in a thread of this process, on a free port of the loopback address.

    Use it as a context manager; `url` is where it answers, `mock` is the object behind it. Anything done to `mock`
    goes through `call`, which runs in the server's own thread.

    Args:
        settings: of the mock.
        parts: what it is made of, where a test passes its own.
    """

    def __init__(self, settings: Settings | None = None, parts: Parts | None = None) -> None:
        self._app = create_app(settings=settings, parts=parts)
        self._listening = listen("127.0.0.1", 0)
        self._ready = threading.Event()
        self._server = Server(self._app, self._ready.set)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="novita-mock", daemon=True)
        self.url = address_of(self._listening)

    @property
    def app(self) -> Starlette:
        """The application; to be called in the server's own loop only."""
        return self._app

    @property
    def mock(self) -> Mock:
        """The mock behind the application."""
        mock: Mock = self._app.state.mock
        return mock

    def begin(self, function: Callable[[], Coroutine[Any, Any, T]]) -> Future[T]:
        """Starts a coroutine function in the server's thread, and gives what can be waited for from any other."""
        assert self._loop is not None, "the server has not been started"
        return asyncio.run_coroutine_threadsafe(function(), self._loop)

    def call(self, function: Callable[[], Any]) -> Any:
        """Runs a function in the server's thread, between two requests, and gives its result."""

        async def run() -> Any:
            return function()

        return self.begin(run).result(START_TIMEOUT_S)

    def call_async(self, function: Callable[[], Awaitable[Any]], timeout_s: float = START_TIMEOUT_S) -> Any:
        """Runs a coroutine function in the server's thread, between requests, and gives its result.

        Raises:
            TimeoutError: it took longer than `timeout_s` seconds of the wall.
        """

        async def run() -> Any:
            return await function()

        return self.begin(run).result(timeout_s)

    def __enter__(self) -> ServerThread:
        self._thread.start()
        answered = self._ready.wait(START_TIMEOUT_S)
        if not answered or self._server.failure or not self._thread.is_alive():
            self._end()
            raise self._server.failure or CannotStart(f"the mock did not answer within {START_TIMEOUT_S:g} s")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        self._server.should_exit = True
        self._thread.join(START_TIMEOUT_S)
        self._listening.close()

    def _run(self) -> None:
        async def serve() -> None:
            self._loop = asyncio.get_running_loop()
            await self._server.serve(sockets=[self._listening])

        try:
            asyncio.run(serve())
        finally:
            self._ready.set()  # whoever waits for the start learns of the end as well


def serve(app: Starlette, listening: socket.socket, on_ready: Callable[[], None], *, log_level: str) -> None:
    """Serves until interrupted or told to terminate; both are an ordinary end.

    Raises:
        CannotStart: the application does not answer.
    """
    server = Server(app, on_ready, log_level=log_level)
    # uvicorn raises the signal that ended it once more; SIGTERM's own default would make that a failure.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[listening])
    finally:
        signal.signal(signal.SIGTERM, before)
    if server.failure is not None:
        raise server.failure
