"""An hour of an application's life, over real sockets and by the world's clock: what takes an hour takes a moment."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson
import pytest

from mockserver.core.clock import ClockMode
from mockserver.core.fleet import FleetSettings
from mockserver.running import ServerThread
from mockserver.settings import Settings
from tests.bodies import TXT2IMG, txt2img

log = logging.getLogger(__name__)

KEY = "sk-mock-an-hour"
TASK_S = 60
REFUSALS = 5
LINK_S = 3600
PATIENCE_S = 1800
"""How long the application waits for a task before it gives it up."""
BOUND_S = 20.0
"""Of wall time, for the slowest machine; it is well under one second on an ordinary one."""


@dataclass(slots=True)
class Inbox:
    """The application's own server: it fails five times and takes the sixth event."""

    url: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)

    def take(self, body: bytes) -> int:
        """An event comes; gives the status of the answer."""
        self.events.append(orjson.loads(body))
        return 503 if len(self.events) <= REFUSALS else 204


@contextmanager
def receiving() -> Iterator[Inbox]:
    """The application's server on a free port."""
    inbox = Inbox()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            status = inbox.take(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    inbox.url = f"http://127.0.0.1:{server.server_port}/hook"
    try:
        yield inbox
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Application:
    """A client of the mock, and its test.

    Attributes:
        began_ms: the world's instant of its first call.
        diary: what it noticed: seconds since then, and what.
    """

    def __init__(self, http: httpx.Client, anybody: httpx.Client) -> None:
        self._http = http
        self._anybody = anybody
        self.began_ms: int = self.control("GET", "/clock")["now_ms"]
        self.diary: list[tuple[float, str]] = []

    def control(self, method: str, path: str, body: object = None) -> Any:
        """A control call."""
        answer = self._http.request(method, f"/__mock{path}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def go_to(self, second: float) -> None:
        """The clock goes to a second of the hour."""
        self.control("POST", "/clock/set", {"at_ms": self.began_ms + round(second * 1000)})

    def second(self, at_ms: int) -> float:
        """Which second of the hour an instant is."""
        return float(at_ms - self.began_ms) / 1000

    def note(self, what: str, at_ms: int | None = None) -> None:
        """Something is noticed, now or at an instant."""
        self.diary.append((self.second(at_ms or self.control("GET", "/clock")["now_ms"]), what))

    def submit(self, **fields: Any) -> httpx.Response:
        """Asks for a picture."""
        return self._http.post(TXT2IMG, json=txt2img(fields.pop("extra", None), **fields))

    def result(self, task_id: str) -> dict[str, Any]:
        """Asks for a task."""
        found: dict[str, Any] = self._http.get("/v3/async/task-result", params={"task_id": task_id}).json()
        return found

    def end_ms(self, task_id: str) -> int:
        """When a task ends."""
        found: int = self.control("GET", f"/tasks/{task_id}")["finished_ms"]
        return found

    def fetch(self, link: str) -> httpx.Response:
        """Fetches a picture, as anybody may."""
        parts = urlsplit(link)
        return self._anybody.get(f"{self._http.base_url.join(parts.path)}?{parts.query}")


def test_an_hour_of_trouble_passes_in_a_moment() -> None:
    """Tasks of a minute, a webhook that is taken the sixth time, a link of an hour, a task paid twice, one that never
    ends, and a limit that refills: each at its own instant.
    """
    settings = Settings(clock=ClockMode.parse("manual"), fleet=FleetSettings(task_ms=TASK_S * 1000))
    with receiving() as inbox, ServerThread(settings) as server:
        began_s = time.perf_counter()
        headers = {"authorization": f"Bearer {KEY}"}
        with (
            httpx.Client(base_url=server.url, headers=headers, verify=False) as http,  # no TLS here
            httpx.Client(verify=False) as anybody,
        ):
            application = Application(http, anybody)
            the_hour(application, inbox)
        took_s = time.perf_counter() - began_s
    log.info("an hour took %.3f s", took_s)
    assert took_s < BOUND_S


def the_hour(application: Application, inbox: Inbox) -> None:
    """What happens, and when."""
    told = application.submit(extra={"webhook": {"url": inbox.url}}).json()["task_id"]
    stuck = application.submit(prompt="a tree [[mock:stuck]]").json()["task_id"]
    end_ms = application.end_ms(told)
    assert TASK_S < application.second(end_ms) < TASK_S + 0.1

    paid_twice(application)

    application.go_to(TASK_S + 10)
    assert application.result(told)["task"]["status"] == "TASK_STATUS_SUCCEED"
    link = application.result(told)["images"][0]["image_url"]
    signed_ms = application.began_ms + (TASK_S + 10) * 1000
    assert application.fetch(link).status_code == 200

    limited(application, 900)
    given_up(application, stuck, 1000)

    last_ms = signed_ms // 1000 * 1000 + LINK_S * 1000 - 1
    application.go_to(application.second(last_ms))
    assert application.fetch(link).status_code == 200
    application.go_to(application.second(last_ms + 1))
    expired = application.fetch(link)
    assert (expired.status_code, b"Request has expired" in expired.content) == (403, True)
    application.note("the link has expired", last_ms + 1)
    assert application.fetch(application.result(told)["images"][0]["image_url"]).status_code == 200

    brought(application, inbox, told, end_ms)
    assert application.diary == [
        (0.0, "the answer is lost"),
        (0.0, "paid twice"),
        (900.0, "refused, again in 60 s"),
        (959.999, "refused, again in 1 s"),
        (960.0, "accepted"),
        (2800.0, "given up"),
        (application.second(last_ms + 1), "the link has expired"),
        *((application.second(end_ms) + s, "refused: 503") for s in (0, 1, 6, 36, 156)),
        (application.second(end_ms) + 756, "taken"),
    ]
    assert application.second(last_ms + 1) > 3600


def paid_twice(application: Application) -> None:
    """The connection breaks after the task was made; a client that asks again pays again."""
    fault = {"point": "submit.after_commit", "effect": "CONNECTION_RESET_BY_PEER", "times": 1}
    application.control("POST", "/faults", fault)
    with pytest.raises(httpx.TransportError):
        application.submit(prompt="a boat")
    application.note("the answer is lost")
    again = application.submit(prompt="a boat").json()["task_id"]
    ledger = application.control("GET", "/ledger")
    (verdict,) = (one for one in ledger["verdicts"] if one["kind"] == "double-spend")
    assert verdict["task_id"] == again
    assert verdict["first_task_id"] in {entry["task_id"] for entry in ledger["entries"]} - {again}
    assert ledger["wasted_micro_usd"] == verdict["wasted_micro_usd"] > 0
    application.note("paid twice", verdict["at_ms"])


def limited(application: Application, second: int) -> None:
    """Two pictures a minute: the third is refused until a whole minute has passed."""
    application.go_to(second)
    account = {"rate_limits": {"createTxt2imgTask": 2}, "retry_after": True}
    application.control("PATCH", "/worlds/current", {"account": account})
    assert [application.submit().status_code for _ in range(2)] == [200, 200]
    for later in (second, second + 59.999, second + 60):
        application.go_to(later)
        answer = application.submit()
        if answer.status_code == 429:
            assert answer.json()["reason"] == "RATE_LIMIT_EXCEEDED"
            application.note(f"refused, again in {answer.headers['retry-after']} s")
        else:
            assert answer.status_code == 200
            application.note("accepted")


def given_up(application: Application, task_id: str, since: int) -> None:
    """A task that is half done for ever: the application waits half an hour and goes on without it."""
    for second in range(since, since + PATIENCE_S + 1, 60):
        application.go_to(second)
        task = application.result(task_id)["task"]
        assert (task["status"], task["progress_percent"]) == ("TASK_STATUS_PROCESSING", 50)
        assert task["eta"] > 0, "it says that it will end"
    application.note("given up")


def brought(application: Application, inbox: Inbox, task_id: str, end_ms: int) -> None:
    """The event of the first task: each attempt at its instant, however far the clock was moved at once."""
    (listed,) = application.control("GET", "/webhooks/deliveries")["deliveries"]
    assert (listed["state"], listed["task_id"], listed["owed_since_ms"]) == ("delivered", task_id, end_ms)
    history = application.control("GET", f"/webhooks/deliveries/{listed['id']}")["history"]
    for attempt in history:
        application.note("taken" if attempt["ok"] else attempt["verdict"], attempt["at_ms"])
    assert [event["payload"]["task"]["task_id"] for event in inbox.events] == [task_id] * (REFUSALS + 1)
    assert len({orjson.dumps(event) for event in inbox.events}) == 1, "it is the same event every time"
