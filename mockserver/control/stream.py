"""Server-sent events: which world has changed, and in what, so that a page need not ask again and again.

Nothing is told by the code that changes: while somebody listens, the listener's own loop looks at a few counters four
times a second and says what differs. So no call pays for it, a burst of calls is one event, nothing is queued for a
client that reads slowly, and a server without listeners does nothing at all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from mockserver.control.problem import ControlError
from mockserver.control.resource import Call, Resource
from mockserver.mock import Mock
from mockserver.world import World

LOOK_S = 0.25
"""Between two looks at the counters; by the wall, as all of this."""
BEAT_S = 15.0
"""After so long without an event a comment is sent: intermediaries close what is silent."""
MAX_LISTENERS = 32
RETRY_MS = 1_000
"""When a browser is to come back after the connection broke."""
SLACK_MS = 100
"""A clock that runs is taken to have been moved when it is further off than this, times its rate."""

_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class Watch:
    """What a listener has told of one world, to say what has changed since.

    Args:
        world: which.
    """

    __slots__ = ("_clock", "_counts", "_now_ms", "_wall_ms", "world")

    def __init__(self, world: World) -> None:
        self.world = world
        self._counts: Mapping[str, object] = {}
        self._clock: tuple[object, ...] = ()
        self._now_ms = 0
        self._wall_ms = 0

    def changes(self, wall_ms: int) -> list[str]:
        """The kinds of things that have changed since it was asked last; all of them the first time."""
        counts = counts_of(self.world)
        changed = [name for name, count in counts.items() if self._counts.get(name) != count]
        if self._clock_changed(wall_ms):
            changed.append("clock")
        self._counts = counts
        return changed

    def _clock_changed(self, wall_ms: int) -> bool:
        clock = self.world.clock
        now_ms, rate = clock.now_ms(), 0.0 if clock.frozen else clock.mode.rate
        expected_ms = self._now_ms + (wall_ms - self._wall_ms) * rate
        same = self._clock == (clock.mode, clock.frozen) and abs(now_ms - expected_ms) <= SLACK_MS * rate
        self._clock = clock.mode, clock.frozen
        self._now_ms, self._wall_ms = now_ms, wall_ms
        return not same


def counts_of(world: World) -> Mapping[str, object]:
    """What differs when something of a kind has changed. Cheap: it is asked for as long as somebody listens."""
    desk, findings, memory = world.desk, world.findings, world.memory
    return {
        "life": world.tasks,
        "tasks": (world.created, world.dropped),
        "requests": (world.journal.written, len(world.journal)),
        "findings": (
            sum(count for _, count in findings.counted()),
            findings.dropped,
            len(memory.refused),
            len(memory.unanswered),
        ),
        "webhooks": (desk.bell.rung, desk.inbox.bell.rung, desk.holding),
        "faults": (world.faults.total, tuple(armed.id for armed in world.faults.armed)),
        "settings": world.settings,
    }


def describe(world: World, changed: list[str]) -> dict[str, Any]:
    """The event `change`."""
    return {
        "world": world.id,
        "changed": changed,
        "now_ms": world.clock.now_ms(),
        "mode": str(world.clock.mode),
        "frozen": world.clock.frozen,
        "tasks": world.created,
        "requests": world.journal.written,
    }


def _worlds(mock: Mock) -> list[tuple[str, int, int]]:
    """What the list of worlds shows of each, and the calls that are of none."""
    outside = mock.outside
    listed = [(world.id, world.created, world.journal.written) for world in mock.worlds]
    return [*listed, ("", len(outside), outside.written)]


class EventStream(Response):
    """The answer that goes on until its client leaves, its world is forgotten, or the server ends.

    Args:
        mock: the server.
        world: whose changes are told; None: only which worlds there are.
    """

    media_type = "text/event-stream"

    def __init__(self, mock: Mock, world: World | None) -> None:
        super().__init__(headers=_HEADERS)
        del self.headers["content-length"]
        self._mock = mock
        self._watch = None if world is None else Watch(world)
        self._told: list[tuple[str, int, int]] = []
        self._id = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a call."""
        if scope["method"] == "HEAD":
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await send({"type": "http.response.body", "body": b""})
            return
        loop = asyncio.get_running_loop()
        ending: asyncio.Future[None] = loop.create_future()

        def end() -> None:
            if not ending.done():
                ending.set_result(None)

        gone = loop.create_task(_gone(receive))
        self._mock.on_end.add(end)
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await _write(send, f"retry: {RETRY_MS}\n\n")
            silent_since = loop.time()
            while not gone.done() and not ending.done():
                text = "".join(self._news())
                if not text and loop.time() - silent_since >= BEAT_S:
                    text = ": still here\n\n"
                if text:
                    await _write(send, text)
                    silent_since = loop.time()
                if self._over:
                    break
                await asyncio.wait({gone, ending}, timeout=LOOK_S, return_when=asyncio.FIRST_COMPLETED)
            if not gone.done():
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        except OSError:
            pass  # the client left while it was written to
        finally:
            self._mock.on_end.discard(end)
            gone.cancel()

    @property
    def _over(self) -> bool:
        return self._watch is not None and not _is_here(self._mock, self._watch.world)

    def _news(self) -> Iterator[str]:
        worlds = _worlds(self._mock)
        if worlds != self._told:
            self._told = worlds
            yield self._event("worlds", {"worlds": len(worlds) - 1})
        if self._watch is None:
            return
        if self._over:
            yield self._event("gone", {"world": self._watch.world.id})
            return
        changed = self._watch.changes(self._mock.wall())
        if changed:
            yield self._event("change", describe(self._watch.world, changed))

    def _event(self, name: str, data: dict[str, Any]) -> str:
        self._id += 1
        return f"id: {self._id}\nevent: {name}\ndata: {orjson.dumps(data).decode()}\n\n"


def _is_here(mock: Mock, world: World) -> bool:
    return any(one is world for one in mock.worlds)


async def _gone(receive: Receive) -> None:
    """Returns when the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _write(send: Send, text: str) -> None:
    await send({"type": "http.response.body", "body": text.encode(), "more_body": True})


def _listen(call: Call) -> Response:
    if len(call.mock.on_end) >= MAX_LISTENERS:
        raise ControlError(503, "too-many-listeners", f"{MAX_LISTENERS} listen already; close a page, or ask by GET")
    return EventStream(call.mock, call.world)


STREAM_RESOURCES: tuple[Resource, ...] = (
    Resource(
        method="GET",
        path="/events",
        operation_id="listenToEvents",
        summary="Server-sent events: `worlds` when there are others, or any call was made; with a world also `change` "
        "with what has changed, and `gone` when it is forgotten.",
        handler=_listen,
        key="optional",
        answer=None,
        also=("text/event-stream",),
    ),
)
