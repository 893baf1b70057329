"""Runs the application on a socket: for the command line, and in a thread of a test process."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any

import uvicorn

from mockserver.app import create_app
from mockserver.settings import Settings

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from mockserver.mock import Mock

START_TIMEOUT_S = 30.0
KEEP_ALIVE_S = 75


class CannotListen(Exception):
    """The address cannot be listened on; the message says why and what to try."""


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
        found.set_inheritable(True)
    except OSError as error:
        found.close()
        raise CannotListen(
            f"cannot listen on {host}:{port}: {error.strerror or error}; --port chooses another, --port 0 a free one"
        ) from None
    return found


def address_of(listening: socket.socket) -> str:
    """The URL of a listening socket."""
    host, port = listening.getsockname()[:2]
    if host in ("0.0.0.0", "::"):  # shown, not bound: the address to call it by
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Server(uvicorn.Server):
    """uvicorn, telling when the application really answers.

    Args:
        app: the application.
        on_ready: called once, after a first request of our own was answered.
    """

    def __init__(self, app: Starlette, on_ready: Callable[[], None], *, log_level: str = "warning") -> None:
        config = uvicorn.Config(
            app,
            http="httptools",
            loop="auto",
            lifespan="off",
            access_log=False,
            log_config=None,
            log_level=log_level,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            ws="none",
        )
        super().__init__(config)
        self._app = app
        self._on_ready = on_ready
        self._first_request: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts, and asks an operation of the contract once before saying so."""
        await super().startup(sockets)
        assert sockets, "the caller binds the socket, so that a taken port is known before"
        self._first_request = asyncio.create_task(self._ask_itself(sockets[0]))

    async def _ask_itself(self, listening: socket.socket) -> None:
        host, port = listening.getsockname()[:2]
        reader, writer = await asyncio.open_connection({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port)
        try:
            writer.write(b"GET /v3/model HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            answer = await reader.read()
        finally:
            writer.close()
            await writer.wait_closed()
        if not answer.startswith(b"HTTP/1.1 403"):  # no key: the contract's own answer
            raise RuntimeError(f"the first request of our own failed: {answer[:200]!r}")
        self._app.state.mock.outside.clear()  # a journal begins with a client's first call
        self._on_ready()


class ServerThread:
    """A mock in a thread of this process, on a free port of the loopback address.

    Use it as a context manager; `url` is where it answers, `mock` is the object behind it. Anything done to `mock`
    goes through `call`, which runs in the server's own thread.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self._app = create_app(settings=settings)
        self._listening = listen("127.0.0.1", 0)
        self._ready = threading.Event()
        self._server = Server(self._app, self._ready.set)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="novita-mock", daemon=True)
        self.url = address_of(self._listening)

    @property
    def mock(self) -> Mock:
        """The mock behind the application."""
        mock: Mock = self._app.state.mock
        return mock

    def call(self, function: Callable[[], Any]) -> Any:
        """Runs a function in the server's thread, between two requests, and gives its result."""
        assert self._loop is not None, "the server has not been started"

        async def run() -> Any:
            return function()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(START_TIMEOUT_S)

    def __enter__(self) -> ServerThread:
        self._thread.start()
        if not self._ready.wait(START_TIMEOUT_S):
            raise RuntimeError(f"the mock did not answer within {START_TIMEOUT_S:g} s")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join(START_TIMEOUT_S)
        self._listening.close()

    def _run(self) -> None:
        async def serve() -> None:
            self._loop = asyncio.get_running_loop()
            await self._server.serve(sockets=[self._listening])

        asyncio.run(serve())


def serve(app: Starlette, listening: socket.socket, on_ready: Callable[[], None], *, log_level: str) -> None:
    """Serves until interrupted."""
    server = Server(app, on_ready, log_level=log_level)
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[listening])


@contextlib.contextmanager
def running(settings: Settings | None = None) -> Iterator[ServerThread]:
    """A mock in a thread, for the time of a `with` block."""
    with ServerThread(settings) as thread:
        yield thread
