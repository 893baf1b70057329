"""The HTTP front and the service behind it in this process, with a worker that draws with Pillow."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson
from starlette.applications import Starlette

from openapi.document import Document, Reading
from reference_impl.clock import ShiftedClock
from reference_impl.http.app import make_app
from reference_impl.http.results import Results
from reference_impl.links import Links
from reference_impl.settings import Settings
from reference_impl.shelf import Shelf
from reference_impl.submissions import Submissions
from tests.reference.fakes import PaintingWorker
from tests.reference.servers import until
from tests.reference.service.house import House, house

BASE = "http://reference.test"
KEY = "an-account"
SEPARATE = "another-account"


@dataclass(slots=True, kw_only=True)
class Front:
    """The application, called one request at a time; what is behind it works while a call is under way."""

    app: Starlette
    house: House
    worker: PaintingWorker
    loop: asyncio.AbstractEventLoop

    @property
    def clock(self) -> ShiftedClock:
        """The server's clock."""
        return self.house.clock

    def call(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        content: Any = None,
        headers: Mapping[str, str] | None = None,
        key: str | None = KEY,
        params: Any = None,
    ) -> httpx.Response:
        """One call; `key=None` sends none."""
        sent = dict(headers or {})
        if key is not None:
            sent.setdefault("authorization", f"Bearer {key}")
        if json is not None:
            content = orjson.dumps(json)
            sent.setdefault("content-type", "application/json")

        async def run() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)  # a server answers all the same
            async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
                return await client.request(method, path, content=content, headers=sent, params=params)

        return self.loop.run_until_complete(run())

    def submit(self, path: str, body: object, key: str = KEY) -> str:
        """The id of a task that has to be accepted."""
        answer = self.call("POST", path, json=body, key=key)
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert found.get("code", 0) == 0, answer.text
        task_id: str = (found.get("data") or found)["task_id"]
        return task_id

    def result(self, task_id: str) -> Any:
        """The body of a v3 result."""
        answer = self.call("GET", "/v3/async/task-result", params={"task_id": task_id})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def progress(self, task_id: str) -> Any:
        """`data` of a v2 progress answer."""
        answer = self.call("GET", "/v2/progress", params={"task_id": task_id})
        assert answer.json()["code"] == 0, answer.text
        return answer.json()["data"]

    def ended(self, body: object, path: str = "/v3/async/txt2img") -> Any:
        """The result of a v3 task once it has ended."""
        task_id = self.submit(path, body)
        final = ("TASK_STATUS_SUCCEED", "TASK_STATUS_FAILED")
        return until(lambda: found if (found := self.result(task_id))["task"]["status"] in final else None)

    def ended_v2(self, body: object, path: str = "/v2/txt2img") -> Any:
        """The progress of a v2 task once it has ended."""
        task_id = self.submit(path, body)
        return until(lambda: found if (found := self.progress(task_id))["status"] > 1 else None)

    def download(self, url: str, method: str = "GET", **headers: str) -> httpx.Response:
        """A picture by its link, without a key."""
        return self.call(method, url, key=None, headers=headers)


@contextmanager
def front(
    folder: Path, document: Document, shelf: Shelf, *, worker: PaintingWorker | None = None, **changes: Any
) -> Iterator[Front]:
    """A front on a folder; `room` is the queue's, all other changes are of the settings."""
    loop = asyncio.new_event_loop()
    worker = worker or PaintingWorker()
    service = {name: changes.pop(name) for name in ("room", "ids", "keep_s") if name in changes}
    settings = Settings(models=shelf.folder, data=folder, **changes)
    clock = ShiftedClock()
    links = Links(b"secret", BASE, clock)
    reading = Reading.DOCUMENTED if settings.strict else Reading.TOLERATED
    inside = house(
        folder,
        [worker],
        clock=clock,
        links=links,
        job_of=Submissions(document, shelf, reading).job,
        payload_of=Results(links, settings.link_ttl_s).event,
        **service,
    )
    entered = loop.run_until_complete(inside.__aenter__())
    entered.clock = clock
    try:
        app = make_app(entered.service, shelf, document, settings, clock)
        yield Front(app=app, house=entered, worker=worker, loop=loop)
    finally:
        loop.run_until_complete(inside.__aexit__(None, None, None))
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
