"""S3 servers for tests: a real one in a process of its own, and a raw one that answers what a test says."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

START_TIMEOUT_S = 60.0
RUNNING = re.compile(r"Running on (https?://\S+)")


@contextmanager
def moto() -> Iterator[str]:
    """The address of an S3 server (moto) on a free port; it is ended with the block.

    Raises:
        RuntimeError: it said no address in time; with what it printed.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    too_late = threading.Timer(START_TIMEOUT_S, process.kill)
    too_late.start()
    printed = []
    try:
        for line in process.stderr:
            printed.append(line)
            if found := RUNNING.search(line):
                break
        else:
            raise RuntimeError(f"the S3 server did not start: {''.join(printed)}")
        too_late.cancel()
        reader = threading.Thread(target=process.stderr.read)  # it writes a line per call: a full pipe would stop it
        reader.start()
        yield found[1]
    finally:
        too_late.cancel()
        process.kill()
        process.wait()
        if printed and RUNNING.search(printed[-1]):
            reader.join()
        process.stderr.close()


class Handler(BaseHTTPRequestHandler):
    """Hands a call to the test; says nothing by itself."""

    protocol_version = "HTTP/1.1"
    answer: Callable[[Handler], None]

    def handle_one(self) -> None:
        """Counts the call and lets the test answer it."""
        assert isinstance(self.server, RawServer)
        self.server.calls.append((self.command, self.path))
        self.server.answer(self)

    do_PUT = do_HEAD = do_GET = handle_one  # names that the base class asks for

    def log_message(self, *args: Any) -> None:
        """Nothing is printed."""

    def send_xml(self, status: int, code: str, *, headers: dict[str, str] | None = None, more: str = "") -> None:
        """An error as S3 says it, once the file was read."""
        self.rfile.read(int(self.headers.get("content-length", "0")))
        text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>said the server</Message>{more}</Error>"
        body = b"" if self.command == "HEAD" else text.encode()
        self.send_response(status)
        for name, value in {"content-type": "application/xml", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class RawServer(ThreadingHTTPServer):
    """A server on a free port of loopback.

    Attributes:
        answer: answers each call.
        calls: method and path of every call.
        over: set when the server is to end; what an answer waits for.
    """

    def __init__(self, answer: Callable[[Handler], None]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer = answer
        self.calls: list[tuple[str, str]] = []
        self.over = threading.Event()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *args: Any) -> None:
        """A caller that hangs up is no error."""


@contextmanager
def raw(answer: Callable[[Handler], None]) -> Iterator[RawServer]:
    """A raw server, ended with the block."""
    server = RawServer(answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
