"""The parent's side of a worker: starts its child process, hears it, and starts it again when it dies or hangs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import multiprocessing
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

from reference_impl.clock import pause
from reference_impl.jobs import Job
from reference_impl.worker import process
from reference_impl.worker.messages import Alive, Cancel, Draw, Drawn, FromChild, Ready, Stepped, ToChild, Unable
from reference_impl.worker.process import EngineOptions
from reference_impl.worker.protocol import Condition, OnStep, Outcome, WorkerLost, WorkerState

REAP_S = 10.0

log = logging.getLogger("reference_impl")


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a child may say nothing before it is taken for hung and killed. All in seconds.

    Attributes:
        silent_s: without a sign of life; importing torch from a slow disk holds the others' breath for a while too.
        stalled_s: while it draws, without a step: loading a large checkpoint, or one call of a large network.
        first_s: until the first new start after it died; each later one, while it does not get ready, waits twice as
            long, up to `longest_s`.
    """

    silent_s: float = 120.0
    stalled_s: float = 900.0
    first_s: float = 0.5
    longest_s: float = 60.0


@dataclass(slots=True, kw_only=True)
class _Batch:
    """What the child draws at this moment."""

    number: int
    on_step: OnStep
    outcomes: asyncio.Future[list[Outcome]]


@dataclass(slots=True, kw_only=True)
class _Child:
    """One life of the child process. Its fields change on the loop only.

    Attributes:
        ended: set when nothing more will be heard of it.
        is_lost: it was given up; what is still heard of it does not count.
        heard_s: when it was heard last, on the loop's clock.
        moved_s: when its batch last came further.
    """

    process: SpawnProcess
    connection: Connection
    ended: asyncio.Event
    heard_s: float
    moved_s: float
    batch: _Batch | None = None
    is_lost: bool = False
    why: str = ""
    sending: threading.Lock = field(default_factory=threading.Lock)

    def send(self, message: ToChild) -> None:
        """Blocks while the pipe is full, so not on the loop for what is large.

        Raises:
            OSError: the child is gone.
        """
        with self.sending:
            self.connection.send(message)


class ChildWorker:
    """A worker in a process of its own; see `reference_impl.worker.protocol.Worker`.

    Args:
        options: of the engine; its device names the worker.
        maker: `module:function` of what makes the engine.
        patience: see there.
    """

    def __init__(self, options: EngineOptions, maker: str, patience: Patience | None = None) -> None:
        self.name = options.device
        self.state = WorkerState(condition=Condition.LOADING)
        self._options = options
        self._maker = maker
        self._patience = patience or Patience()
        self._child: _Child | None = None
        self._ready = asyncio.Event()
        self._numbers = 0
        self._keeper: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Of the child process; None while there is none."""
        return self._child.process.pid if self._child else None

    async def start(self) -> None:
        """Begin to load; returns at once."""
        self._keeper = asyncio.create_task(self._keep(), name=f"keep {self.name}")

    async def wait_ready(self) -> None:
        """Return when the engine is loaded."""
        await self._ready.wait()

    async def draw(self, batch: Sequence[tuple[str, Job]], on_step: OnStep) -> list[Outcome]:
        """See the protocol."""
        child = self._child
        if child is None or not self._ready.is_set():
            raise WorkerLost(f"the worker on {self.name} is not there", begun=False)
        self._numbers += 1
        loop = asyncio.get_running_loop()
        outcomes: asyncio.Future[list[Outcome]] = loop.create_future()
        child.moved_s = loop.time()
        child.batch = _Batch(number=self._numbers, on_step=on_step, outcomes=outcomes)
        try:
            await asyncio.to_thread(child.send, Draw(number=self._numbers, batch=tuple(batch)))
            return await outcomes
        except OSError:
            raise WorkerLost(f"the worker on {self.name} has died", begun=False) from None
        finally:
            child.batch = None
            # Where its loss was noted meanwhile nobody asks any more.
            if outcomes.done() and not outcomes.cancelled():
                outcomes.exception()

    def cancel(self, task_id: str) -> None:
        """See the protocol; a child that is gone draws nothing."""
        if self._child is not None:
            # Not on the loop: the pipe may be full, of a child that hangs.
            asyncio.get_running_loop().run_in_executor(None, _tell, self._child, Cancel(task_id=task_id))

    async def stop(self) -> None:
        """End the child process, whatever it does."""
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper

    async def _keep(self) -> None:
        """Start child after child, for ever."""
        delay = self._patience.first_s
        while True:
            child = await self._begun()
            self._child = child
            try:
                await self._watch(child)
                was_ready = self._ready.is_set()
            finally:
                await self._lost(child)
            log.warning("worker.lost", extra={"device": self.name, "reason": child.why})
            delay = self._patience.first_s if was_ready else min(delay * 2, self._patience.longest_s)
            await pause(delay)

    async def _begun(self) -> _Child:
        """A new child process; a stop in the middle of its making leaves none behind."""
        beginning = asyncio.ensure_future(asyncio.to_thread(self._begin, asyncio.get_running_loop()))
        try:
            return await asyncio.shield(beginning)
        except asyncio.CancelledError:
            await self._lost(await beginning)
            raise

    def _begin(self, loop: asyncio.AbstractEventLoop) -> _Child:
        """A new child process, and a thread that hears it."""
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        started = context.Process(
            target=process.main,
            args=(theirs, self._maker, self._options, log.getEffectiveLevel()),
            name=f"novita-reference {self.name}",
            daemon=True,
        )
        started.start()
        # The parent's copy must go, or the end of the child would not end the pipe.
        theirs.close()
        now = loop.time()
        child = _Child(process=started, connection=ours, ended=asyncio.Event(), heard_s=now, moved_s=now)
        hear = self._listener(child, loop)
        threading.Thread(target=hear, name=f"hear {self.name}", daemon=True).start()
        return child

    def _listener(self, child: _Child, loop: asyncio.AbstractEventLoop) -> Callable[[], None]:
        def hear() -> None:
            # A loop that is closed wants to know nothing: the server has stopped meanwhile.
            with contextlib.suppress(RuntimeError):
                try:
                    while True:
                        loop.call_soon_threadsafe(self._heard, child, child.connection.recv())
                except (EOFError, OSError):
                    loop.call_soon_threadsafe(child.ended.set)
                finally:
                    with child.sending:  # a thread that is still writing must not lose what it writes to
                        child.connection.close()

        return hear

    def _heard(self, child: _Child, message: FromChild) -> None:
        if child.is_lost:
            return
        now = asyncio.get_running_loop().time()
        child.heard_s = now
        batch = child.batch
        match message:
            case Ready():
                self.state = WorkerState(condition=Condition.READY)
                self._ready.set()
                log.info("worker.ready", extra={"device": self.name})
            case Unable(reason=reason):
                self.state = WorkerState(condition=Condition.BROKEN, reason=reason)
                child.why = reason
            case Stepped(number=number, step=step) if batch is not None and batch.number == number:
                child.moved_s = now
                batch.on_step(step)
            case Drawn(number=number, outcomes=outcomes) if batch is not None and batch.number == number:
                if not batch.outcomes.done():
                    batch.outcomes.set_result(outcomes)
            case Alive() | Stepped() | Drawn():
                pass

    async def _watch(self, child: _Child) -> None:
        """Return when the child has ended, by itself or by our hand because it hung."""
        while not child.ended.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(1.0, self._patience.silent_s / 4, self._patience.stalled_s / 4)):
                    await child.ended.wait()
            now = asyncio.get_running_loop().time()
            if now - child.heard_s > self._patience.silent_s:
                child.why = f"no sign of life for {self._patience.silent_s:g} s"
            elif child.batch is not None and now - child.moved_s > self._patience.stalled_s:
                child.why = f"no step for {self._patience.stalled_s:g} s"
            else:
                continue
            return

    async def _lost(self, child: _Child) -> None:
        """Nothing more comes of this child: kill what is left of it, and say so to who waits."""
        child.is_lost = True
        self._child = None
        self._ready.clear()
        if self.state.condition is not Condition.BROKEN:
            self.state = WorkerState(condition=Condition.LOADING)
        child.process.kill()
        # A process that waits for its device may not even hear that.
        await asyncio.to_thread(child.process.join, REAP_S)
        why = child.why = child.why or f"it ended with {child.process.exitcode}"
        if child.batch is not None and not child.batch.outcomes.done():
            child.batch.outcomes.set_exception(WorkerLost(f"the worker on {self.name} was lost: {why}", begun=True))
        if child.process.exitcode is not None:
            child.process.close()


def _tell(child: _Child, message: ToChild) -> None:
    """Tell a child that may be gone."""
    with contextlib.suppress(OSError):
        child.send(message)
