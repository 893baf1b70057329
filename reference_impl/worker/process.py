"""The child process of a worker: makes the engine, then draws what it is told to. The only place that imports one.

The main thread draws. A second one listens, so that a cancellation arrives between two calls of the network and the
end of the parent, however sudden, ends the child. A third says every second that the process lives.
"""

from __future__ import annotations

import importlib
import logging
import os
import queue
import signal
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Protocol

from reference_impl.engine.protocol import Engine
from reference_impl.jobs import Cancelled, CannotDraw, Step
from reference_impl.shelf import Shelf
from reference_impl.worker.messages import Alive, Cancel, Draw, Drawn, FromChild, Ready, Stepped, ToChild, Unable
from reference_impl.worker.outcomes import Batch, outcomes_of
from reference_impl.worker.protocol import OnStep

BEAT_S = 1.0
NICENESS = 5
"""The HTTP process comes first when cores are short: polls are answered in time and pictures lose nothing by it."""
CUBLAS_WORKSPACE = ":4096:8"
EXTRA = "the engine needs torch and diffusers: pip install 'novita-mock[reference]'"

log = logging.getLogger("reference_impl")


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """What an engine is made from; the names are those of `Settings`."""

    models: Path
    aliases: Mapping[str, str]
    device: str
    dtype: str
    threads: int | None
    cache_bytes: int
    batch: int = 1
    nsfw: str | None = None


class EngineMaker(Protocol):
    """Makes the engine of a worker, in its child process."""

    def __call__(self, shelf: Shelf, options: EngineOptions) -> Engine:
        """An engine on `options.device`.

        Raises:
            ImportError: a library is missing.
            ValueError: there is no such device.
            CannotDraw: memory is short.
        """


def local_engine(shelf: Shelf, options: EngineOptions) -> Engine:
    """The real one, on torch and diffusers."""
    # Before torch is imported, and read by cuBLAS when it is first used: without a workspace of this size its sums
    # come in another order now and then, and equal requests would not give equal bytes.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", CUBLAS_WORKSPACE)  # noqa: TID251  # this process's own
    # Held back until here: it takes ten seconds and half a gigabyte that the HTTP process must not pay.
    from reference_impl.engine.engine import LocalEngine

    return LocalEngine(
        shelf,
        device=options.device,
        dtype=options.dtype,
        cache_bytes=options.cache_bytes,
        threads=options.threads,
        pictures_at_once=options.batch,
        nsfw=options.nsfw,
    )


def found_maker(name: str) -> EngineMaker:
    """What `module:function` names.

    Raises:
        ImportError: no such module.
        AttributeError: nothing of this name in it.
    """
    module, _, function = name.partition(":")
    maker: EngineMaker = getattr(importlib.import_module(module), function)
    return maker


def main(connection: Connection, maker: str, options: EngineOptions, log_level: int) -> None:
    """The child's life: load, then draw until the parent ends.

    Args:
        connection: to the parent; who closes it, or dies, ends this process.
        maker: `module:function` of an `EngineMaker`.
        options: for it.
        log_level: of this process's log, which goes to standard error.
    """
    # Ctrl-C reaches the whole group of processes; whether to stop is the parent's to say.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(level=log_level, format="%(levelname)s worker %(process)d: %(message)s")
    if sys.platform != "win32":
        os.nice(NICENESS)
    child = _Child(connection)
    child.listen()
    try:
        engine = found_maker(maker)(Shelf(options.models, dict(options.aliases)), options)
    except (ImportError, AttributeError, ValueError, CannotDraw) as error:
        child.say(Unable(reason=_reason(error)))
        return
    child.say(Ready())
    child.work(engine)


def _reason(error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError):
        return f"{error}; {EXTRA}"
    return str(error)


class _Child:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sending = threading.Lock()
        self._orders: queue.SimpleQueue[Draw] = queue.SimpleQueue()
        self._cancelled: set[str] = set()

    def say(self, message: FromChild) -> None:
        """Tell the parent; without one there is nothing left to do."""
        try:
            with self._sending:
                self._connection.send(message)
        except OSError:
            os._exit(0)

    def listen(self) -> None:
        """Start the two threads beside the drawing one."""
        threading.Thread(target=self._hear, name="hear", daemon=True).start()
        threading.Thread(target=self._beat, name="beat", daemon=True).start()

    def work(self, engine: Engine) -> None:
        """Draw batch after batch, for ever."""
        while True:
            order = self._orders.get()
            outcomes = outcomes_of(engine, order.batch, partial(self._told, order.number))
            self._cancelled.difference_update(task_id for task_id, _ in order.batch)
            self.say(Drawn(number=order.number, outcomes=outcomes))

    def _told(self, number: int, batch: Batch) -> OnStep:
        def on_step(step: Step) -> None:
            if all(task_id in self._cancelled for task_id, _ in batch):
                raise Cancelled
            self.say(Stepped(number=number, step=step))

        return on_step

    def _hear(self) -> None:
        while True:
            try:
                message: ToChild = self._connection.recv()
            except (EOFError, OSError):
                os._exit(0)
            match message:
                case Draw():
                    self._orders.put(message)
                case Cancel():
                    self._cancelled.add(message.task_id)

    def _beat(self) -> None:
        never = threading.Event()
        while not never.wait(BEAT_S):
            self.say(Alive())
