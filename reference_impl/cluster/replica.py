"""One replica: an engine that draws in a thread of its own, and tells of every step as it goes. No Ray here."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from reference_impl.engine.protocol import Engine
from reference_impl.jobs import Cancelled, Step
from reference_impl.worker.outcomes import Batch, outcomes_of
from reference_impl.worker.protocol import OnStep, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A batch is in hand from now on: whatever becomes of this process becomes of the batch.

    Attributes:
        pid: of this process, on whatever machine it is.
    """

    pid: int


Said = Begun | Step | list[Outcome]
"""What a replica tells of a batch, in this order: that it begins, each step, and what became of each job."""


class Replica:
    """Draws one batch after the other.

    Args:
        engine: used by one thread only, which is this one's own.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._thread = ThreadPoolExecutor(1, "draw")

    async def draw(self, batch: Batch) -> AsyncIterator[Said]:
        """Tell how a batch comes along; who stops listening ends it before the next call of the network."""
        loop = asyncio.get_running_loop()
        said: asyncio.Queue[Said] = asyncio.Queue()
        unheard = threading.Event()

        def tell(one: Said) -> None:
            loop.call_soon_threadsafe(said.put_nowait, one)

        def told(part: Batch) -> OnStep:
            def on_step(step: Step) -> None:
                if unheard.is_set():
                    raise Cancelled
                tell(step)

            return on_step

        def work() -> None:
            if not unheard.is_set():
                tell(Begun(pid=os.getpid()))
                tell(outcomes_of(self._engine, batch, told))

        working = loop.run_in_executor(self._thread, work)
        try:
            while True:
                one = await said.get()
                yield one
                if isinstance(one, list):
                    return
        finally:
            unheard.set()
            working.cancel()  # only what has not begun; the rest sees the mark
