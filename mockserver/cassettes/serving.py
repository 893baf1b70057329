"""Runs the recorder on a socket, in a thread of this process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from types import TracebackType

import httpx
import uvicorn

from mockserver.cassettes.recorder import Recorder
from mockserver.running import START_TIMEOUT_S, CannotStart, address_of, listen


class RecorderThread:
    """A recorder in a thread, on a loopback port; use it as a context manager.

    Args:
        make: makes the recorder, with what calls the service and its own address.
        port: 0 picks one.

    Raises:
        CannotStart: the port is taken.
    """

    def __init__(self, make: Callable[[httpx.AsyncClient, str], Recorder], port: int = 0) -> None:
        self._listening = listen("127.0.0.1", port)
        self.url = address_of(self._listening)
        self._make = make
        self._ready = threading.Event()
        self._server: uvicorn.Server | None = None
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve()), name="novita-mock-record", daemon=True
        )
        self.recorder: Recorder | None = None

    def __enter__(self) -> Recorder:
        self._thread.start()
        if not self._ready.wait(START_TIMEOUT_S) or self.recorder is None:
            raise CannotStart(f"the recorder did not start within {START_TIMEOUT_S:g} s")
        return self.recorder

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.should_exit = True
        self._thread.join(START_TIMEOUT_S)
        self._listening.close()

    async def _serve(self) -> None:
        async with httpx.AsyncClient(follow_redirects=False) as client:
            self.recorder = self._make(client, self.url)
            config = uvicorn.Config(
                self.recorder, lifespan="off", access_log=False, log_config=None, log_level="warning", ws="none",
                server_header=False, proxy_headers=False,
            )  # fmt: skip
            self._server = _Telling(config, self._ready.set)
            try:
                await self._server.serve(sockets=[self._listening])
            finally:
                await self.recorder.close()
                self._ready.set()


class _Telling(uvicorn.Server):
    """uvicorn, telling when it listens."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        await super().startup(sockets)  # type: ignore[arg-type]
        self._on_ready()
