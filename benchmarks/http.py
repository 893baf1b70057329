"""One HTTP call at a time, for preparing servers and finding out when they answer."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

KEY = "sk-mock-bench"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request as the load generator repeats it.

    Attributes:
        path: with its query string.
        headers: besides those that every client sends.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def with_key(self, key: str) -> Request:
        """The same with another API key."""
        return replace(self, headers={**self.headers, "Authorization": f"Bearer {key}"})


def json_request(method: str, path: str, body: object = None, **headers: str) -> Request:
    """A request with the benchmark's key, and with a JSON body unless `body` is None."""
    sent = {"Authorization": f"Bearer {KEY}", **{name.replace("_", "-"): value for name, value in headers.items()}}
    if body is None:
        return Request(method=method, path=path, headers=sent)
    sent["Content-Type"] = "application/json"
    return Request(method=method, path=path, headers=sent, body=json.dumps(body, separators=(",", ":")).encode())


def call(url: str, request: Request) -> tuple[int, bytes]:
    """Status and body of the answer.

    Raises:
        OSError: nobody answers.
    """
    host = urlsplit(url)
    connection = http.client.HTTPConnection(host.hostname or "", host.port, timeout=30)
    try:
        connection.request(request.method, request.path, request.body or None, dict(request.headers))
        answer = connection.getresponse()
        return answer.status, answer.read()
    except http.client.HTTPException as error:
        raise OSError(f"broken answer: {error}") from error
    finally:
        connection.close()


def call_json(url: str, request: Request) -> Any:
    """The body of an answer that must be a success.

    Raises:
        RuntimeError: it is none.
    """
    status, body = call(url, request)
    if not 200 <= status < 300:
        raise RuntimeError(f"{request.method} {request.path} answered {status}: {body[:300]!r}")
    return json.loads(body)


def wait_for(url: str, request: Request, *, deadline_s: float = 60.0) -> float:
    """Asks every 2 ms until the request succeeds; gives the seconds that took.

    Raises:
        TimeoutError: it did not in time; carries the last answer.
    """
    begun = time.perf_counter()
    last: object = "nothing"
    while (waited := time.perf_counter() - begun) < deadline_s:
        try:
            last = status, _ = call(url, request)
            if 200 <= status < 300:
                return time.perf_counter() - begun
        except OSError as error:
            last = error
        time.sleep(0.002)
    raise TimeoutError(f"{url} did not answer {request.method} {request.path} within {waited:.0f} s; last: {last!r}")


def free_port() -> int:
    """A loopback port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
