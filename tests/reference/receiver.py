"""A receiver of webhooks on a port of its own: answers as told and remembers what came."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(slots=True, kw_only=True)
class Receiver:
    """What came, in order."""

    url: str = ""
    events: list[Any] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def of(self, task_id: str) -> list[Any]:
        """The events of one task."""
        return [event for event in self.events if event["payload"]["task"]["task_id"] == task_id]


@contextmanager
def receiving(status: Callable[[int], int] = lambda number: 200) -> Iterator[Receiver]:
    """A receiver that answers its nth event (from 1) with `status(n)`, and a redirect with a `Location` of its own."""
    receiver = Receiver()
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            with lock:
                receiver.events.append(json.loads(content))
                receiver.headers.append({name.lower(): value for name, value in self.headers.items()})
                answer = status(len(receiver.events))
            self.send_response(answer)
            if 300 <= answer < 400:
                self.send_header("Location", f"{receiver.url}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
