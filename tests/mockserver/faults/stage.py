"""A mock behind a real socket, a client that looks at bytes, and the calls at which a fault can strike."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import orjson

from mockserver.core.clock import ClockMode
from mockserver.core.fleet import FleetSettings
from mockserver.faults.points import Point
from mockserver.running import ServerThread
from mockserver.settings import Settings
from tests.bodies import TXT2IMG, TXT2IMG_V2, txt2img, txt2img_v2

TASK_S = 10
"""Seconds that every task works; it waits less than one before."""
PATIENCE_S = 0.3
"""How long a client of these tests waits for what never comes."""
TIMEOUT_S = 10.0
"""How long it waits for what must come."""
RESULT = "/v3/async/task-result?task_id="
PROGRESS = "/v2/progress?task_id="
MODELS = "/v3/model?pagination.limit=5"


def settings() -> Settings:
    """A manual clock, and tasks of a known length."""
    return Settings(clock=ClockMode.parse("manual"), fleet=FleetSettings(task_ms=TASK_S * 1000))


@contextmanager
def running() -> Iterator[ServerThread]:
    """A mock behind a socket."""
    with ServerThread(settings()) as server:
        yield server


@dataclass(slots=True, kw_only=True)
class Seen:
    """What came over the wire after a call.

    Attributes:
        pieces: seconds since the call was sent, and bytes.
        ending: `whole` (an answer with all that its Content-Length announced), `closed`, `reset` or `silent`.
    """

    pieces: list[tuple[float, bytes]] = field(default_factory=list)
    ending: str = ""

    @property
    def raw(self) -> bytes:
        """All bytes."""
        return b"".join(piece for _, piece in self.pieces)

    @property
    def status(self) -> int:
        """The status of the answer."""
        return int(self.raw.split(b" ", 2)[1])

    @property
    def headers(self) -> dict[str, str]:
        """Values by lower-case name."""
        head = self.raw.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
        return {name.lower(): value for name, _, value in (line.partition(": ") for line in head)}

    @property
    def body(self) -> bytes:
        """What stands behind the head."""
        return self.raw.partition(b"\r\n\r\n")[2]

    @property
    def announced(self) -> int:
        """The Content-Length."""
        return int(self.headers["content-length"])

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return orjson.loads(self.body)

    @property
    def took_s(self) -> float:
        """Seconds until the last byte."""
        return self.pieces[-1][0]


class Wire:
    """One connection, seen from the client.

    Args:
        url: of the server.
        key: of the calls.
    """

    def __init__(self, url: str, key: str) -> None:
        where = urlsplit(url)
        self._key = key
        self.socket = socket.create_connection((where.hostname or "", where.port or 0), timeout=TIMEOUT_S)

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def request(self, method: str, path: str, body: bytes | None = None, **headers: str) -> bytes:
        """A call's bytes."""
        lines = [f"{method} {path} HTTP/1.1", "Host: mock.test", f"Authorization: Bearer {self._key}"]
        if body is not None:
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode() + (body or b"")

    def ask(self, ask: Ask, *, patience_s: float = TIMEOUT_S, **headers: str) -> Seen:
        """Makes a call, and looks at what comes."""
        self.socket.sendall(self.request(ask.method, ask.path, ask.body, **headers))
        return self.look(patience_s=patience_s, has_body=ask.method != "HEAD")

    def look(self, *, patience_s: float = TIMEOUT_S, has_body: bool = True) -> Seen:
        """What comes until an answer is whole, the connection ends, or patience does."""
        seen, since_s = Seen(), time.monotonic()
        self.socket.settimeout(patience_s)
        while not seen.ending:
            try:
                piece = self.socket.recv(65536)
            except TimeoutError:
                seen.ending = "silent"
            except ConnectionResetError:
                seen.ending = "reset"
            else:
                seen.pieces.append((time.monotonic() - since_s, piece))
                if not piece:
                    seen.pieces.pop()
                    seen.ending = "closed"
                elif _is_whole(seen, has_body=has_body):
                    seen.ending = "whole"
        return seen


def _is_whole(seen: Seen, *, has_body: bool) -> bool:
    if b"\r\n\r\n" not in seen.raw or not seen.raw.startswith(b"HTTP/1.1 "):
        return False
    return "content-length" in seen.headers and (not has_body or len(seen.body) >= seen.announced)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A call."""

    method: str = "GET"
    path: str
    body: bytes | None = None


class Stage:
    """One world of a server: arms faults, makes plain calls, moves the clock.

    Args:
        server: the mock.
        key: the world's.
    """

    def __init__(self, server: ServerThread, key: str) -> None:
        self.server = server
        self.key = key
        where = urlsplit(server.url)
        self._http = http.client.HTTPConnection(where.hostname or "", where.port, timeout=TIMEOUT_S)

    def close(self) -> None:
        """Ends its connection."""
        self._http.close()

    def wire(self) -> Wire:
        """A connection to look at."""
        return Wire(self.server.url, self.key)

    def plain(self, ask: Ask) -> tuple[int, bytes]:
        """An ordinary call: status and body."""
        headers = {"authorization": f"Bearer {self.key}"}
        if ask.body is not None:
            headers["content-type"] = "application/json"
        self._http.request(ask.method, ask.path, body=ask.body, headers=headers)
        answer = self._http.getresponse()
        return answer.status, answer.read()

    def json(self, ask: Ask) -> Any:
        """The JSON of a call that must succeed."""
        status, body = self.plain(ask)
        assert status == 200, body
        return orjson.loads(body)

    def control(self, method: str, path: str, body: object = None) -> Any:
        """A control call that must succeed."""
        raw = None if body is None else orjson.dumps(body)
        return self.json(Ask(method=method, path=f"/__mock{path}", body=raw))

    def arm(self, point: Point, effect: object, **trigger: object) -> dict[str, Any]:
        """Arms one rule; gives it as it was sent."""
        rule = {"point": point.value, "effect": effect, **trigger}
        self.control("POST", "/faults", rule)
        return rule

    def disarm(self) -> None:
        """Takes all rules out of force."""
        self.control("DELETE", "/faults")

    def advance(self, seconds: float) -> None:
        """Moves the clock."""
        self.control("POST", "/clock/advance", {"seconds": seconds})

    def finish_all(self) -> None:
        """Moves the clock to the end of the last task."""
        self.control("POST", "/clock/run-until-idle")

    def tasks(self) -> int:
        """How many tasks were made."""
        total: int = self.control("GET", "/tasks")["total"]
        return total

    def journal(self) -> list[dict[str, Any]]:
        """The world's calls, oldest first."""
        found: list[dict[str, Any]] = self.control("GET", "/requests")["requests"]
        return sorted(found, key=lambda entry: int(entry["number"]))

    def submit(self, version: str = "v3", **fields: Any) -> str:
        """Makes a task."""
        answer = self.json(submit_ask(version, **fields))
        task_id: str = (answer.get("data") or answer)["task_id"]
        return task_id

    def link(self, version: str = "v3", **fields: Any) -> str:
        """Path and query of a finished task's picture."""
        task_id = self.submit(version, **fields)
        self.finish_all()
        result = self.json(poll_ask(version, task_id))
        url = result["data"]["imgs"][0] if version == "v2" else result["images"][0]["image_url"]
        where = urlsplit(url)
        return f"{where.path}?{where.query}"

    def ask_at(self, point: Point, version: str) -> Ask:
        """The call that a fault at a point strikes; what it needs is made before."""
        match point:
            case Point.AUTH | Point.SUBMIT_BEFORE | Point.SUBMIT_AFTER_COMMIT:
                return submit_ask(version)
            case Point.RESULT:
                return poll_ask(version, self.submit(version))
            case Point.MODELS:
                return Ask(path=MODELS)
            case Point.DOWNLOAD:
                return Ask(path=self.link(version))
            case _:
                raise AssertionError(f"{point} is no point of a call")


def submit_ask(version: str = "v3", **fields: Any) -> Ask:
    """A submit."""
    path, body = (TXT2IMG_V2, txt2img_v2(**fields)) if version == "v2" else (TXT2IMG, txt2img(**fields))
    return Ask(method="POST", path=path, body=orjson.dumps(body))


def poll_ask(version: str, task_id: str) -> Ask:
    """A poll."""
    return Ask(path=(PROGRESS if version == "v2" else RESULT) + task_id)


def versions_at(point: Point) -> Sequence[str]:
    """The versions whose calls pass a point; v2 has neither models nor webhooks nor buckets."""
    only_v3 = (Point.MODELS, Point.WEBHOOK_BEFORE_REPLY, Point.WEBHOOK_ATTEMPT, Point.STORAGE_PUT)
    return ("v3",) if point in only_v3 else ("v3", "v2")
