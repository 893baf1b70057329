"""A receiver of webhooks: takes an event, answers at once, and does the work afterwards.

A sender waits for five seconds and then tries again, so nothing is downloaded before the answer.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from threading import Thread
from types import TracebackType
from typing import Self

from .errors import PicturesError

EVENT = "ASYNC_TASK_RESULT"
MAX_BYTES = 1024 * 1024
READ_TIMEOUT_S = 5.0
log = logging.getLogger("pictures_app")


def task_id_of(body: bytes) -> str | None:
    """The task that an event speaks of; None when it is of another kind, or none at all."""
    try:
        event = json.loads(body)
        if event["event_type"] != EVENT:
            return None
        return str(event["payload"]["task"]["task_id"])
    except (ValueError, KeyError, TypeError):
        return None


class Receiver:
    """Listens for events and hands the ids of tasks on, one after the other, in a thread of its own.

    Args:
        hear: what to do for a task.
        host: where to listen.
        port: 0 chooses a free one.
    """

    def __init__(self, hear: Callable[[str], object], host: str = "127.0.0.1", port: int = 0) -> None:
        self._hear = hear
        self._heard: Queue[str | None] = Queue()
        heard = self._heard

        class Handler(BaseHTTPRequestHandler):
            timeout = READ_TIMEOUT_S

            def do_POST(self) -> None:
                length = self.headers.get("content-length", "")
                if not length.isdecimal() or int(length) > MAX_BYTES:
                    self.send_error(413)
                    return
                task_id = task_id_of(self.rfile.read(int(length)))
                if task_id is not None:
                    heard.put(task_id)
                self.send_response(204)  # an event of an unknown kind as well: sending it again would not help
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                log.debug(format, *args)

        self._server = ThreadingHTTPServer((host, port), Handler)
        self._threads = [
            Thread(target=self._server.serve_forever, args=(0.05,), name="webhooks", daemon=True),
            Thread(target=self._work, name="webhook-work", daemon=True),
        ]
        self.url = f"http://{host}:{self._server.server_port}/novita"

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._heard.put(None)
        for thread in self._threads:
            thread.join()

    def settle(self) -> None:
        """Waits until everything that was heard so far is done."""
        self._heard.join()

    def _work(self) -> None:
        while (task_id := self._heard.get()) is not None:
            try:
                self._hear(task_id)
            except PicturesError as error:  # the task stays open, or has failed: the next one is not to blame
                log.warning("task %s: %s", task_id, error)
            finally:
                self._heard.task_done()
