"""Fixtures shared by all tests: a mock in this process, without a socket, on a clock that a test moves."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import HealthCheck, settings
from starlette.applications import Starlette

from mockserver.app import create_app
from mockserver.core.clock import ClockMode
from mockserver.mock import Mock, Parts
from mockserver.parts.wall import FakeWall
from mockserver.settings import Settings
from openapi.document import Document, load

settings.register_profile("dev", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
settings.load_profile("dev")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell has its background jobs ignore Control-C, and they hand that down: tests that interrupt would never end.
    signal.signal(signal.SIGINT, signal.default_int_handler)

KEY = "sk-mock-test"
BASE = "http://mock.test"


@dataclass(slots=True)
class Server:
    """A mock called in process, one call at a time.

    Attributes:
        app: the application.
        wall: the time source, moved by hand.
        key: the API key of the calls.
    """

    app: Starlette
    wall: FakeWall
    key: str = KEY
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    @property
    def mock(self) -> Mock:
        """The object behind the application."""
        mock: Mock = self.app.state.mock
        return mock

    def call(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        key: str | None = "",
        params: Mapping[str, Any] | None = None,
    ) -> httpx.Response:
        """Calls the application; `key=None` sends none, "" the server's own."""
        sent = dict(headers or {})
        if key is not None and "authorization" not in sent:
            sent["authorization"] = f"Bearer {key or self.key}"
        if json is not None:
            content = orjson.dumps(json)
            sent.setdefault("content-type", "application/json")

        async def run() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
                return await client.request(method, path, content=content, headers=sent, params=params)

        return self.loop.run_until_complete(run())

    def submit(self, path: str, body: object) -> str:
        """Submits a task that must be accepted; gives its id."""
        answer = self.call("POST", path, json=body)
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert found.get("code", 0) == 0, answer.text
        task_id: str = (found.get("data") or found)["task_id"]
        return task_id

    def result(self, task_id: str) -> dict[str, Any]:
        """The body of task-result."""
        answer = self.call("GET", "/v3/async/task-result", params={"task_id": task_id})
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def progress(self, task_id: str) -> dict[str, Any]:
        """The body of /v2/progress."""
        answer = self.call("GET", "/v2/progress", params={"task_id": task_id})
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def control(self, method: str, path: str, json: object = None, **params: Any) -> dict[str, Any]:
        """A control call that must succeed."""
        answer = self.call(method, f"/__mock{path}", json=json, params=params or None)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def finish_all(self) -> None:
        """Moves the world's clock to the end of the last task."""
        self.control("POST", "/clock/run-until-idle")

    def finished(self, path: str, body: object) -> dict[str, Any]:
        """Submits a v3 task, lets it end, and gives its result."""
        task_id = self.submit(path, body)
        self.finish_all()
        return self.result(task_id)

    def download(self, url: str, **headers: str) -> httpx.Response:
        """Fetches a picture by its link, without a key."""
        return self.call("GET", url, key=None, headers=headers)

    def findings(self) -> list[dict[str, Any]]:
        """The world's findings."""
        found: list[dict[str, Any]] = self.control("GET", "/findings")["findings"]
        return found

    def close(self) -> None:
        """Ends the event loop."""
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out the slow tests unless the command line speaks of them: `pytest -m slow`."""
    if "slow" in config.option.markexpr:
        return
    long = [item for item in items if item.get_closest_marker("slow")]
    if long:
        items[:] = [item for item in items if item not in long]
        config.hook.pytest_deselected(items=long)


@pytest.fixture(scope="session")
def document() -> Document:
    """The shipped contract."""
    return load()


@pytest.fixture
def make_server(document: Document) -> Iterator[Any]:
    """Makes servers with settings of a test's choice; the clock is manual unless told otherwise."""
    made: list[Server] = []

    def make(*, clock: str = "manual", **options: Any) -> Server:
        wall = FakeWall()
        server = Server(create_app(document, Settings(clock=ClockMode.parse(clock), **options), Parts(wall=wall)), wall)
        made.append(server)
        return server

    yield make
    for server in made:
        server.close()


@pytest.fixture
def server(make_server: Any) -> Server:
    """A lenient mock on a manual clock."""
    found: Server = make_server()
    return found


@pytest.fixture
def strict(make_server: Any) -> Server:
    """A strict mock on a manual clock."""
    found: Server = make_server(strict=True)
    return found
