"""The mock as an object: worlds by key, the parts, and the bounds of what is held. Knows nothing of HTTP."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from threading import Lock
from typing import TYPE_CHECKING, ParamSpec

from mockserver.core.clock import Wall
from mockserver.core.course import Course
from mockserver.core.errors import Reason, Refusal
from mockserver.core.journal import Journal, JournalBudget
from mockserver.core.links import LinkSigner
from mockserver.core.recipe import Recipe
from mockserver.core.task import Status, Task
from mockserver.errands import Errands
from mockserver.faults.lives import Lives
from mockserver.faults.marks import scenario_of_key
from mockserver.faults.plan import Armed, Fired
from mockserver.money.prices import PriceTable, shipped_prices
from mockserver.parts.ids import Ids, SeededIds
from mockserver.parts.inputs import InputStore, MemoryInputs
from mockserver.parts.renderer import ReceiptRenderer, Renderer
from mockserver.parts.store import MemoryTasks, TaskStore
from mockserver.parts.wall import SystemWall, wait
from mockserver.settings import Settings
from mockserver.submissions.submission import Submission
from mockserver.world import Ending, World, WorldSettings, world_id
from openapi.catalogue import Catalogue, Kind
from openapi.document import Document

if TYPE_CHECKING:
    from mockserver.core.rehearsal import Rehearsal
    from mockserver.coverage.collector import Coverage
    from mockserver.faults.directives import Spell
    from mockserver.metrics.figures import Figures
    from mockserver.outbound.sender import Sender
    from mockserver.storage.s3 import S3Uploader
    from mockserver.storage.uploader import Uploader
    from mockserver.webhooks.courier import Courier
    from mockserver.webhooks.delivery import Attempt, Delivery
    from mockserver.world import Errand

P = ParamSpec("P")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a mock is built from; each has a real and a fake version.

    Attributes:
        wall: the time source.
        ids: gives ids.
        renderer: draws pictures.
        inputs: keeps source pictures.
        new_tasks: makes an empty task store.
        pause: waits for seconds of the wall, while an answer is held back.
        sender: sends webhooks; None: over HTTP, to whom the settings allow.
        uploader: puts pictures into buckets; None: with boto3, where the settings say.
        rehearse: finds the recorded task that a submission of an operation is to follow, or refuses it; None: tasks
            are planned by the fleet.
    """

    wall: Wall = field(default_factory=SystemWall)
    ids: Ids = field(default_factory=SeededIds)
    renderer: Renderer = field(default_factory=ReceiptRenderer)
    inputs: InputStore | None = None
    new_tasks: Callable[[], TaskStore] = MemoryTasks
    pause: Callable[[float], Awaitable[None]] = wait
    sender: Sender | None = None
    uploader: Uploader | None = None
    rehearse: Callable[[str, Submission], Rehearsal | None] | None = None


class Mock:
    """All worlds of one server.

    Args:
        document: the contract.
        catalogue: the models.
        settings: the server's settings.
        parts: what it is built from.

    Raises:
        ValueError: a target that is to be allowed is none.

    Attributes:
        outside: the journal of calls without an acceptable key.
        forgotten_worlds: how many worlds went at the bound.
        lives: what happened in worlds that were reset or forgotten, for the tape.
        on_attempt: called after every attempt to deliver a webhook.
        on_end: called once each when the server begins to end; whoever holds a connection open lets it go then.
        coverage: counts what of the contract is exercised; None: nobody asked for it.
        figures: counts for Prometheus; None: nobody asked for it.
        pictures: drawn a moment ago.
    """

    def __init__(self, document: Document, catalogue: Catalogue, settings: Settings, parts: Parts) -> None:
        self.document = document
        self.catalogue = catalogue
        self.settings = settings
        self.wall = parts.wall
        self.ids = parts.ids
        self.renderer = parts.renderer
        self.inputs: InputStore = parts.inputs or MemoryInputs(settings.limits.input_bytes)
        self.signer = LinkSigner(blake2b(b"links/%d" % settings.seed).digest())
        self.budget = JournalBudget(settings.limits.journal_bytes)
        self.outside = Journal(self.budget, settings.limits.journal_entries)
        self.pause = parts.pause
        self.errands = Errands(self._carry_out)
        self.on_attempt: Callable[[World, Delivery, Attempt], None] | None = None
        self.on_end: set[Callable[[], None]] = set()
        self._sender = parts.sender
        self._rehearse = parts.rehearse
        self._courier: Courier | None = None
        self._on_fault: Callable[[World, Fired], None] | None = None
        self.coverage: Coverage | None = None
        if settings.coverage:
            self._count_coverage()
        self.figures: Figures | None = None
        if settings.metrics:
            self._count_figures()
        self._s3: S3Uploader | None = None
        self._uploader = parts.uploader
        if settings.allow_targets:
            _check_targets(settings.allow_targets)
        self.lives = Lives(settings.replay)
        self.forgotten_worlds = 0
        self._prices: PriceTable | None = None
        self._new_tasks = parts.new_tasks
        self._worlds: OrderedDict[str, World] = OrderedDict()
        self._owners: dict[str, World] = {}
        self._task_bytes = 0
        self.pictures = PictureCache(settings.limits.picture_bytes)

    @property
    def courier(self) -> Courier:
        """Brings webhooks; made when the first is due, so that a run without them never loads it."""
        if self._courier is None:
            from mockserver.webhooks.courier import Courier

            self._courier = Courier(self)
        return self._courier

    @property
    def sender(self) -> Sender:
        """Sends requests to the outside."""
        if self._sender is None:
            from mockserver.outbound.guard import Targets
            from mockserver.outbound.sender import HttpSender

            self._sender = HttpSender(Targets(self.settings.allow_targets), wall=self.wall)
        return self._sender

    @property
    def uploader(self) -> Uploader | None:
        """Puts pictures into buckets; None when no storage is set up, or what it needs is not installed."""
        storage = self.settings.storage
        if self._uploader is None and storage is not None:
            from mockserver.outbound.guard import SystemResolver, Targets
            from mockserver.storage.s3 import S3Uploader, s3_available

            if s3_available():
                targets, resolver = Targets(self.settings.allow_targets), SystemResolver()
                self._uploader = self._s3 = S3Uploader(storage, lambda url: targets.resolve(url, resolver))
        return self._uploader

    def begin_end(self) -> None:
        """The server is told to end; calls in progress get their answers."""
        for told in list(self.on_end):
            told()

    async def aclose(self) -> None:
        """Ends what is under way outside; for the end of the server."""
        await self.errands.aclose()
        if self._s3 is not None:
            await self._s3.close()

    @property
    def worlds(self) -> list[World]:
        """The worlds there are, the one used longest ago first."""
        return list(self._worlds.values())

    def world(self, key: str) -> World:
        """The world of a key, made on first use."""
        world = self._worlds.get(key)
        if world is None:
            return self._make_world(key)
        self._worlds.move_to_end(key)
        return world

    def told_faults(self) -> list[tuple[str, Iterable[Fired]]]:
        """What happened in every life of every world, by its name on the tape; the lives that are over come first."""
        return [*self.lives.ended(), *((world.life, world.faults.fired) for world in self._worlds.values())]

    def owner(self, task_id: str) -> World | None:
        """The world of a task."""
        return self._owners.get(task_id)

    def submit(
        self,
        world: World,
        operation_id: str,
        submission: Submission,
        body: bytes,
        spell: Spell | None = None,
        own: Sequence[Armed] = (),
    ) -> Task:
        """Accepts a submission within the bounds.

        Args:
            world: whose it is.
            operation_id: what was called.
            submission: what it asks for.
            body: the request as it is kept.
            spell: what its magic inputs ask for.
            own: the rules of that, in force.

        Raises:
            Refusal: CREATE_TASK_FAILED, when the bound is reached by tasks that have not ended; or what the world's
                account says.
        """
        limits, recipe, delivery = self.settings.limits, submission.recipe, submission.delivery
        prices = self._prices or self.prices
        is_sdxl = prices.by_family and self._is_sdxl(recipe.model)
        price_micro_usd = prices.total_micro_usd(operation_id, recipe, delivery, is_sdxl=is_sdxl)
        if not world.account.idle:
            world.check_account(operation_id, recipe.count, price_micro_usd)
        rehearsal = None if self._rehearse is None else self._rehearse(operation_id, submission)
        while len(self._owners) >= limits.tasks or self._task_bytes + len(body) > limits.task_bytes:
            self._drop_a_task(world)
        task = world.submit(
            operation_id=operation_id,
            type=submission.type,
            recipe=recipe,
            delivery=delivery,
            body=body,
            price_micro_usd=price_micro_usd,
            spell=spell,
            own=own,
            rehearsal=rehearsal,
        )
        self._owners[task.id] = world
        self._task_bytes += len(body)
        if delivery.storage is not None and delivery.test_status is None and task.outcome is Status.SUCCEED:
            self._await_upload(world, task)
        return task

    def _count_coverage(self) -> None:
        from mockserver.coverage.collector import Coverage
        from mockserver.coverage.model import universe
        from mockserver.coverage.observing import Observer

        self.coverage = Coverage(universe(self.document, self.catalogue), self.catalogue)
        observer = Observer(self.coverage)
        self._on_fault, self.on_attempt = observer.fault, observer.attempt

    def _count_figures(self) -> None:
        from mockserver.metrics.figures import Figures

        self.figures = Figures(self)
        self._on_fault = _both(self._on_fault, self.figures.fault)
        self.on_attempt = _both(self.on_attempt, self.figures.attempt)

    def _await_upload(self, world: World, task: Task) -> None:
        """A task whose pictures go into a bucket has not ended before they lie there (`mockserver.endings`)."""
        if self.uploader is not None or world.faults.active:
            task.course = task.course or Course()
            task.course.held = True

    @property
    def prices(self) -> PriceTable:
        """What things cost; read at the first submit."""
        if self._prices is None:
            self._prices = shipped_prices()
        return self._prices

    def _is_sdxl(self, name: str) -> bool:
        found = self.catalogue.find(name, Kind.CHECKPOINT)
        return found is not None and found.model.is_sdxl

    def cached_picture(self, task: Task, index: int) -> bytes | None:
        """The file of a task's picture if it was drawn a moment ago."""
        return self.pictures.get(task, index)

    def draw(self, task: Task, index: int, recipe: Recipe) -> bytes:
        """Draws a task's picture and keeps the file for a moment; may run in a thread."""
        data = self.renderer.render(recipe, index, task.delivery.image_type)
        self.pictures.put(task, index, data)
        return data

    def reset(self, world: World) -> None:
        """Starts a world again, as if its key had not been used."""
        self._close(world)
        world.reset(self._new_tasks(), *self.lives.begin(world.id))

    def forget(self, world: World) -> None:
        """Drops a world."""
        self._end(world)
        for key, found in self._worlds.items():
            if found is world:
                del self._worlds[key]
                return

    def _end(self, world: World) -> None:
        """A world is to be forgotten: nothing of it is carried out or held any more."""
        self._close(world)
        world.journal.clear()

    def _close(self, world: World) -> None:
        """A world's life is over: what it has come to is kept, what it owes is not."""
        self.errands.drop(world)
        self._disown(world)
        self.lives.end(world.life, world.faults.fired)
        if self.figures is not None:
            self.figures.world_ends(world)

    def forget_findings(self, world: World) -> None:
        """Forgets what a world's client did wrong, and what is asked about it still."""
        if self.figures is not None:
            self.figures.findings_end(world)
        world.findings.clear()
        world.memory.clear()

    def first_call_was_ours(self) -> None:
        """A server asks itself once when it starts; what is kept begins with a client's first call."""
        self.outside.clear()
        if self.figures is not None:
            self.figures.calls.clear()

    def plain_settings(self) -> WorldSettings:
        """What a world starts with when no scenario is asked for."""
        settings = self.settings
        return WorldSettings(
            clock=settings.clock,
            fleet=settings.fleet,
            in_a_row=settings.in_a_row,
            webhooks=settings.webhooks,
            account=settings.account,
        )

    def _settings_of(self, key: str) -> WorldSettings:
        """What the world of a key starts with."""
        plain, scenario = self.plain_settings(), self.settings.scenario
        name = scenario_of_key(key) if self.settings.magic else None
        if name is None and scenario is None:
            return plain
        from mockserver.scenarios import shipped  # most servers have no scenario
        from mockserver.staging import staged

        if name is not None:
            scenario = shipped(name)
        assert scenario is not None, "one of the two is there"
        return staged(scenario, plain, self.document)

    def _make_world(self, key: str) -> World:
        if len(self._worlds) >= self.settings.limits.worlds:
            _, oldest = self._worlds.popitem(last=False)
            self._end(oldest)
            self.forgotten_worlds += 1
        life, replay = self.lives.begin(world_id(key))
        world = World(
            key=key,
            settings=self._settings_of(key),
            server_seed=self.settings.seed,
            wall=self.wall,
            tasks=self._new_tasks(),
            ids=self.ids,
            journal=Journal(self.budget, self.settings.limits.journal_entries, (key.encode(),)),
            wake=self.errands.wake,
            max_deliveries=self.settings.limits.deliveries,
            life=life,
            replay=replay,
            on_fault=self._on_fault,
        )
        self._worlds[key] = world
        return world

    async def _carry_out(self, world: World, errand: Errand) -> None:
        if isinstance(errand, Ending):
            from mockserver.endings import ending  # for tasks that somebody outside waits for

            await ending(self, world, errand.task)
        else:
            await self.courier.carry_out(world, errand)

    def _disown(self, world: World) -> None:
        world.forget_deliveries()
        if self.coverage is not None:
            self.coverage.world_ended(world.id)
        for task in world.tasks:
            if self._owners.pop(task.id, None) is not None:
                self._task_bytes -= len(task.body)

    def _drop_a_task(self, world: World) -> None:
        """Forgets the oldest finished task: of the submitting world, else of the world used longest ago."""
        for candidate in (world, *self._worlds.values()):
            dropped = candidate.tasks.drop_oldest_finished(candidate.clock.now_ms())
            if dropped is not None:
                candidate.dropped += 1
                del self._owners[dropped.id]
                self._task_bytes -= len(dropped.body)
                return
        raise Refusal(
            Reason.CREATE_TASK_FAILED,
            f"the mock holds {len(self._owners)} tasks and none of the oldest has ended; move the clock, reset a "
            "world, or raise the bound (--max-tasks)",
        )


def _check_targets(allowed: frozenset[str]) -> None:
    from mockserver.outbound.guard import Targets  # most runs allow none

    Targets(allowed)


def _both(first: Callable[P, None] | None, second: Callable[P, None]) -> Callable[P, None]:
    """One that calls the two."""
    if first is None:
        return second

    def call(*args: P.args, **kwargs: P.kwargs) -> None:
        first(*args, **kwargs)
        second(*args, **kwargs)

    return call


class PictureCache:
    """Drawn pictures, the ones used last, within a bound of bytes; pictures are drawn in threads.

    They belong to the task itself, not to its id: a world that starts again gives the same ids again.

    Attributes:
        total_bytes: kept now.
        drawn: how many pictures there were. found: how often one was asked for that was kept.
    """

    __slots__ = ("_files", "_lock", "_max_bytes", "drawn", "found", "total_bytes")

    def __init__(self, max_bytes: int) -> None:
        self._files: OrderedDict[tuple[Task, int], bytes] = OrderedDict()
        self._lock = Lock()
        self._max_bytes = max_bytes
        self.total_bytes = self.drawn = self.found = 0

    def get(self, task: Task, index: int) -> bytes | None:
        """The file, if it is kept."""
        key = task, index
        with self._lock:
            data = self._files.get(key)
            if data is not None:
                self._files.move_to_end(key)
                self.found += 1
            return data

    def put(self, task: Task, index: int, data: bytes) -> None:
        """Keeps a file that fits."""
        key = task, index
        with self._lock:
            self.drawn += 1
            if len(data) > self._max_bytes or key in self._files:
                return
            self._files[key] = data
            self.total_bytes += len(data)
            while self.total_bytes > self._max_bytes:
                _, oldest = self._files.popitem(last=False)
                self.total_bytes -= len(oldest)

    def __len__(self) -> int:
        return len(self._files)
