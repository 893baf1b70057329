"""A mock with everything around it made of paper, driven by steps that can be written down and played again.

No socket, no sleeping: calls go into the application, webhooks come to receivers and pictures into buckets that are
objects here. After every step all that it led to has been carried out, so the next one finds the world at rest.
"""

from __future__ import annotations

import asyncio
import selectors
import types
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import orjson

from mockserver.app import Behind, MockApp, OnDemand, control_app, pictures_app
from mockserver.core.clock import ClockMode
from mockserver.core.fleet import FleetSettings
from mockserver.core.recipe import ImageType, Recipe
from mockserver.core.storage import StorageFault
from mockserver.faults.tape import Decisions
from mockserver.mock import Mock, Parts
from mockserver.outbound.sender import ErrorKind, Outcome, Outgoing
from mockserver.parts.wall import FakeWall
from mockserver.settings import Settings
from mockserver.storage.uploader import Put, Uploader, UploadFailed
from mockserver.webhooks.delivery import Attempt, Delivery
from mockserver.webhooks.settings import WebhookSettings
from mockserver.world import World, world_id
from openapi.catalogue import Catalogue, load_catalogue
from openapi.document import Document, load

KEYS = ("sk-mock-amber", "sk-mock-birch", "sk-mock-cedar")
HOST = "127.0.0.1:4280"
RECEIVERS = "http://127.0.0.1:9/"
FULL_BUCKET = "full-bucket"
"""The bucket that takes nothing."""
HANGING_S = 2.0
"""Nothing here takes so long; what does, never ends."""
PATIENCE_TICKS = 8
"""Turns of the event loop after which a client that gets no answer leaves; waits of the mock end in one."""


class Manner(StrEnum):
    """How the receiver of a world takes events."""

    TAKES = "takes"
    FAILS = "fails"
    SLOW = "slow"
    BROKEN = "broken"
    REDIRECTS = "redirects"
    EVERY_THIRD = "every third"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Something that happens to one world.

    Attributes:
        wall_ms: what the wall said then.
        key: whose world.
        method: of a call; "" for a step that is none.
        target, body: of the call. signed: sent without the key, as links are.
        manner: how the world's receiver takes events from now on.
    """

    wall_ms: int
    key: str
    method: str = ""
    target: str = ""
    body: bytes = b""
    signed: bool = False
    manner: Manner | None = None

    @property
    def is_control(self) -> bool:
        """Whether it talks to the mock about itself."""
        return self.target.startswith("/__mock")

    @property
    def arms(self) -> bool:
        """Whether it changes the rules of the fault plan, which a tape replaces."""
        return self.target.startswith("/__mock/faults") and self.method in ("POST", "DELETE")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client got; status 0: nothing. `broken` says what happened to the connection."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""
    broken: str = ""

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return orjson.loads(self.body)

    @property
    def whole(self) -> bool:
        """Whether an answer came."""
        return self.status > 0 and not self.broken


@dataclass(frozen=True, slots=True)
class Came:
    """One request at a receiver."""

    delivery_id: str
    body: bytes
    manner: Manner


@dataclass(slots=True)
class Receivers:
    """One receiver for each world, told apart by the path of the webhook's URL; a `Sender`.

    Attributes:
        manners: how each takes events; by key.
        came: what each received; by key.
    """

    wall: FakeWall
    manners: dict[str, Manner] = field(default_factory=lambda: dict.fromkeys(KEYS, Manner.TAKES))
    came: dict[str, list[Came]] = field(default_factory=lambda: {key: [] for key in KEYS})

    async def send(self, outgoing: Outgoing, *, timeout_s: float) -> Outcome:
        """Answers as the receiver does."""
        key = urlsplit(outgoing.url).path.lstrip("/")
        manner = self.manners[key]
        self.came[key].append(Came(outgoing.id, outgoing.body, manner))
        started_ms = self.wall()
        match manner:
            case Manner.FAILS:
                return Outcome(status=500, answer=b"no", started_ms=started_ms)
            case Manner.SLOW:
                elapsed_ms = round(timeout_s * 1000)
                return Outcome(error=ErrorKind.TIMEOUT, message="late", started_ms=started_ms, elapsed_ms=elapsed_ms)
            case Manner.BROKEN:
                return Outcome(error=ErrorKind.RESET, message="reset", started_ms=started_ms)
            case Manner.REDIRECTS:
                return Outcome(status=302, started_ms=started_ms)
            case Manner.EVERY_THIRD if len(self.came[key]) % 3:
                return Outcome(status=503, started_ms=started_ms)
        return Outcome(status=204, started_ms=started_ms)

    async def aclose(self) -> None:
        """Nothing to end."""


class Buckets:
    """Buckets that take everything, and one that takes nothing; an `Uploader`."""

    async def put(self, put: Put) -> str:
        """Takes a file."""
        if put.bucket == FULL_BUCKET:
            raise UploadFailed(StorageFault.OTHER, bucket=put.bucket, key=put.key)
        return f"https://{put.bucket}.s3.test/{put.key}"


class Sketches:
    """A renderer that says what it was to draw."""

    def render(self, recipe: Recipe, index: int, image_type: ImageType) -> bytes:
        """A file that tells the recipe."""
        return f"{image_type.value} {index} of {recipe}".encode()

    def preview(self, recipe: Recipe, index: int, progress: float) -> bytes:
        """The same of a picture in progress."""
        return f"preview {index} at {progress:.3f} of {recipe}".encode()


@types.coroutine
def _turn() -> Generator[None, None, None]:
    """One turn of the event loop."""
    yield


async def _at_once(seconds: float) -> None:
    """Every wait is over before anybody loses patience."""
    del seconds


@cache
def _contract() -> tuple[Document, Catalogue]:
    return load(), load_catalogue()


class _Stillness(selectors.DefaultSelector):
    """A selector that notices when everybody waits and nothing can come any more."""

    def select(self, timeout: float | None = None) -> Any:
        """Waits for threads, and for nothing else."""
        found = super().select(HANGING_S if timeout is None else min(timeout, HANGING_S))
        if not found and (timeout is None or timeout >= HANGING_S):
            raise AssertionError("the mock waits for something that never comes")
        return found


class _StillLoop(asyncio.SelectorEventLoop):
    """An event loop without time: the alarms of clocks that run are rung by steps, not by the machine."""

    def __init__(self) -> None:
        super().__init__(_Stillness())

    def time(self) -> float:
        """Always the same."""
        return 0.0


class Site:
    """A mock and its surroundings.

    Args:
        seed: the server's.
        in_a_row: faults in a row that are allowed.
        webhooks: how events are delivered.
        clock: how the worlds' clocks move at first.
        wall_ms: what the wall says at first.
        replay: what a tape says.
        uploader: takes pictures, if not `Buckets`.

    Attributes:
        attempts: every attempt at a delivery that the mock wrote down, by key.
    """

    def __init__(
        self,
        *,
        seed: int,
        in_a_row: int | None,
        webhooks: WebhookSettings,
        clock: str = "manual",
        wall_ms: int | None = None,
        replay: Decisions | None = None,
        uploader: Uploader | None = None,
    ) -> None:
        self.wall = FakeWall() if wall_ms is None else FakeWall(wall_ms)
        self.receivers = Receivers(self.wall)
        self.attempts: dict[str, list[tuple[Delivery, Attempt]]] = {key: [] for key in KEYS}
        settings = Settings(
            clock=ClockMode.parse(clock),
            fleet=FleetSettings(workers=1),
            seed=seed,
            in_a_row=in_a_row,
            webhooks=webhooks,
            replay=replay,
        )
        parts = Parts(
            wall=self.wall, renderer=Sketches(), pause=_at_once, sender=self.receivers, uploader=uploader or Buckets()
        )
        self.mock = Mock(*_contract(), settings, parts)
        self.mock.on_attempt = self._note_attempt
        behind = Behind(OnDemand(lambda: control_app(self.mock)), OnDemand(lambda: pictures_app(self.mock)))
        self._app = MockApp(self.mock, behind)
        self._loop = _StillLoop()
        self._keys = {world_id(key): key for key in KEYS}

    def world(self, key: str) -> World:
        """The world of a key."""
        return self.mock.world(key)

    def has_alarm(self, key: str) -> bool:
        """Whether something will wake a world by itself."""
        return self.world(key) in self.mock.errands._alarms

    def play(self, step: Step) -> Answer | None:
        """Does a step, and all that it leads to; gives the answer of a call."""
        return self._loop.run_until_complete(self._play(step))

    def close(self) -> None:
        """Ends what is under way."""
        self._loop.run_until_complete(self.mock.aclose())
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    async def _play(self, step: Step) -> Answer | None:
        self.wall.now_ms = step.wall_ms
        answer = None
        if step.manner is not None:
            self.receivers.manners[step.key] = step.manner
        elif step.method:
            answer = await self._call(step)
        world = self.world(step.key)
        if not step.method and step.manner is None:
            self.mock.errands.wake(world)  # a clock that runs got there by itself
        await self.mock.errands.settle(world)
        return answer

    async def _call(self, step: Step) -> Answer:
        path, _, query = step.target.partition("?")
        headers = [(b"host", HOST.encode()), (b"content-length", b"%d" % len(step.body))]
        if not step.signed:
            headers.append((b"authorization", f"Bearer {step.key}".encode()))
        if step.body:
            headers.append((b"content-type", b"application/json"))
        scope = {
            "type": "http",
            "method": step.method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": headers,
            "server": ("127.0.0.1", 4280),
            "client": ("127.0.0.1", 1),
            "http_version": "1.1",
        }
        asked: list[dict[str, Any]] = [{"type": "http.request", "body": step.body, "more_body": False}]
        sent: list[Mapping[str, Any]] = []

        async def receive() -> dict[str, Any]:
            if asked:
                return asked.pop()
            for _ in range(PATIENCE_TICKS):
                await _turn()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        broken = ""
        try:
            await self._app(scope, receive, send)
        except ConnectionResetError as error:
            broken = str(error)
        if not sent:
            return Answer(0, broken=broken)
        body = b"".join(message.get("body", b"") for message in sent[1:])
        return Answer(sent[0]["status"], tuple(sent[0]["headers"]), body, broken)

    def _note_attempt(self, world: World, delivery: Delivery, attempt: Attempt) -> None:
        self.attempts[self._keys[world.id]].append((delivery, attempt))
