"""A receiver of webhooks on this machine, for one event."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MOST_BYTES = 1024 * 1024


class Receiver:
    """Takes events on a free port of the loopback address; a context manager.

    Attributes:
        url: where it takes them.
    """

    def __init__(self) -> None:
        self._came = threading.Event()
        self._body = b""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            """Takes one event and says so."""

            timeout = 10

            def do_POST(self) -> None:
                """An event."""
                length = self.headers.get("content-length", "")
                body = self.rfile.read(min(int(length), MOST_BYTES)) if length.isdigit() else b""
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()
                receiver.take(body)

            def log_message(self, format: str, *args: object) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/event"

    def take(self, body: bytes) -> None:
        """Keeps an event."""
        self._body = body
        self._came.set()

    def event(self, timeout_s: float) -> bytes | None:
        """The event's body; None when none came in time."""
        return self._body if self._came.wait(timeout_s) else None

    def __enter__(self) -> Receiver:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
