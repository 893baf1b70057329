"""A mock on a manual clock beside a receiver on a real socket, both in one event loop."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson

from mockserver.outbound.sender import LOOP_HEADER
from tests.bodies import TXT2IMG, txt2img
from tests.conftest import BASE, Server
from tests.mockserver.outbound.receivers import Manners, Received, Receiver, http, receiver


def answers(*statuses: int) -> Manners:
    """Answers with these, one each, and with 200 afterwards."""
    left = deque(statuses)

    async def answer(receiver: Receiver, request: Received, writer: Any) -> None:
        del receiver, request
        writer.write(http(left.popleft() if left else 200, b""))

    return answer


@dataclass(slots=True)
class Lab:
    """A mock, and the receivers of a test."""

    server: Server
    opened: list[Any] = field(default_factory=list)

    def run(self, todo: Coroutine[Any, Any, Any]) -> Any:
        """Runs something in the event loop of both."""
        return self.server.loop.run_until_complete(todo)

    def receiver(self, *statuses: int, manners: Manners | None = None) -> Receiver:
        """A receiver on a free port."""
        context = receiver(manners or answers(*statuses))
        made: Receiver = self.run(context.__aenter__())
        self.opened.append(context)
        return made

    def submit(self, url: str, *, extra: Mapping[str, Any] | None = None, test_mode: str = "", **request: Any) -> str:
        """A task whose event goes to a URL."""
        webhook: dict[str, Any] = {"url": url}
        if test_mode:
            webhook["test_mode"] = {"enabled": True, "return_task_status": test_mode}
        return self.server.submit(TXT2IMG, txt2img({"webhook": webhook, **(extra or {})}, **request))

    async def ask(self, path: str, body: object) -> httpx.Response:
        """A POST of the key's client, while the event loop runs."""
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.server.app), base_url=BASE) as client:
            return await client.post(path, json=body, headers={"authorization": f"Bearer {self.server.key}"})

    def finish(self) -> None:
        """Moves the clock until nothing is owed."""
        self.server.finish_all()

    def end(self, task_id: str) -> None:
        """Ends one task now, and lets its event go."""
        self.server.control("POST", f"/tasks/{task_id}/end", {"status": "TASK_STATUS_SUCCEED"})
        self.settle()

    def settle(self) -> None:
        """Waits for what is under way."""
        mock = self.server.mock
        self.run(mock.errands.settle(mock.world(self.server.key)))

    def arm(self, effect: object, **more: Any) -> None:
        """Arms a fault at an attempt."""
        self.server.control("POST", "/faults", {"point": "webhook.attempt", "effect": effect, **more})

    def deliveries(self, **query: Any) -> list[dict[str, Any]]:
        """The world's deliveries."""
        found: list[dict[str, Any]] = self.server.control("GET", "/webhooks/deliveries", **query)["deliveries"]
        return found

    def delivery(self, id: str = "") -> dict[str, Any]:
        """One delivery with its attempts; the only one, unless another is named."""
        if not id:
            (only,) = self.deliveries()
            id = only["id"]
        return self.server.control("GET", f"/webhooks/deliveries/{id}")

    def do(self, verb: str, id: str = "", **body: Any) -> dict[str, Any]:
        """A verb of the laboratory on a delivery."""
        id = id or self.deliveries()[0]["id"]
        return self.server.control("POST", f"/webhooks/deliveries/{id}/{verb}", body or None)

    def close(self) -> None:
        """Ends receivers and what is under way."""
        self.run(self.server.mock.errands.aclose())
        for context in self.opened:
            self.run(context.__aexit__(None, None, None))


async def until(holds: Callable[[], object], tries: int = 20_000) -> None:
    """Lets the event loop go on until something holds."""
    for _ in range(tries):
        if holds():
            return
        await asyncio.to_thread(int)
    raise AssertionError("it never came true")


def events(receiver: Receiver) -> list[dict[str, Any]]:
    """What a receiver was sent, as JSON."""
    return [orjson.loads(one.body) for one in receiver.received]


def tasks_told(receiver: Receiver) -> list[tuple[str, str]]:
    """Task and status of each event."""
    found = [event["payload"]["task"] for event in events(receiver)]
    return [(task["task_id"], task["status"]) for task in found]


def ids(receiver: Receiver) -> Counter[str]:
    """How often each delivery came."""
    return Counter(one.headers[LOOP_HEADER.lower()] for one in receiver.received)
