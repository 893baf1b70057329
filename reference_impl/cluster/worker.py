"""The server's side of a cluster: workers that hand batches to replicas anywhere instead of to a child process.

`Cluster` is the one connection of this process; each `RayWorker` keeps one batch with it. How many replicas there are,
and where, is Ray's business. A replica that dies takes nothing along but time: its batch comes back as lost, and the
service has it drawn again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

from reference_impl.clock import pause
from reference_impl.cluster.connection import condition, connected, disconnect
from reference_impl.cluster.replica import Begun
from reference_impl.jobs import Cancelled, Job, Step
from reference_impl.worker.protocol import Condition, OnStep, Outcome, WorkerLost, WorkerState

if TYPE_CHECKING:
    from ray.serve.handle import DeploymentHandle

ANSWER_S = 10.0
"""After so long without an answer the cluster counts as not there, though the question still stands."""
LOOK_EVERY_S = 0.5
"""While the cluster is not ready; afterwards a tenth as often."""

T = TypeVar("T")

log = logging.getLogger("reference_impl")


class Cluster:
    """The connection of this process to a Ray cluster that runs `reference_impl.cluster.deployment`.

    Args:
        address: `host:port` of its head, or `auto` on one of its machines.
    """

    def __init__(self, address: str) -> None:
        self.state = WorkerState(condition=Condition.LOADING)
        self.handle: DeploymentHandle[Any] | None = None
        self._address = address
        self._ready = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._looking: asyncio.Future[WorkerState] | None = None

    async def start(self) -> None:
        """Begin to connect; returns at once, also the second time."""
        if self._keeper is None:
            self._keeper = asyncio.create_task(self._keep(), name="keep cluster")

    async def wait_ready(self) -> None:
        """Return when a replica can draw."""
        await self._ready.wait()

    async def stop(self) -> None:
        """Let go of the cluster; it lives on."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
            self._keeper = None
            # One after the other, and to the end: Ray must not be asked while it shuts down, nor shut down twice.
            if self._looking is not None:
                await asyncio.wait({self._looking}, timeout=ANSWER_S)
            await _in_thread(disconnect)

    async def _keep(self) -> None:
        """Connect, and see now and then how the deployment is: for ever."""
        while True:
            self._looking = looking = _in_thread(self._look)
            while not (await asyncio.wait({looking}, timeout=ANSWER_S))[0]:
                reason = f"the cluster at {self._address} has not answered for a while"
                self._note(WorkerState(condition=Condition.LOADING, reason=reason))
            _take_back_signals()
            error = looking.exception()
            if error is None:
                self._note(looking.result())
            else:  # whatever Ray says: it is said at /ready, and tried again
                self._note(WorkerState(condition=Condition.LOADING, reason=_one_line(error)))
            await pause(LOOK_EVERY_S * (10 if self._ready.is_set() else 1))

    def _look(self) -> WorkerState:
        if self.handle is None:
            self.handle = connected(self._address)
        return condition()

    def _note(self, state: WorkerState) -> None:
        if state != self.state:
            log.info("cluster.state", extra={"condition": state.condition, "reason": state.reason})
        self.state = state
        if state.condition is Condition.READY:
            self._ready.set()
        else:
            self._ready.clear()


class RayWorker:
    """One batch at a time, with the cluster; see `reference_impl.worker.protocol.Worker`.

    Args:
        cluster: shared by all workers of the process.
        number: that names this one.
    """

    def __init__(self, cluster: Cluster, number: int) -> None:
        self.name = f"ray-{number}"
        self._cluster = cluster
        self._batch: frozenset[str] = frozenset()
        self._unwanted: set[str] = set()
        self._stop: Callable[[], object] = _nothing

    @property
    def state(self) -> WorkerState:
        """The cluster's."""
        return self._cluster.state

    async def start(self) -> None:
        """See the protocol."""
        await self._cluster.start()

    async def wait_ready(self) -> None:
        """See the protocol."""
        await self._cluster.wait_ready()

    async def draw(self, batch: Sequence[tuple[str, Job]], on_step: OnStep) -> list[Outcome]:
        """See the protocol."""
        handle = self._cluster.handle
        if handle is None:
            raise WorkerLost("there is no connection to the cluster", begun=False)
        chosen = handle.options(stream=True, multiplexed_model_id=batch[0][1].model)
        answer: Any = chosen.draw.remote(list(batch))  # a stream of `Said`
        self._batch = frozenset(task_id for task_id, _ in batch)
        self._stop = answer.cancel
        begun = False
        try:
            async for said in answer:
                match said:
                    case Begun(pid=pid):
                        begun = True
                        log.info("batch.at", extra={"device": self.name, "pid": pid, "task_ids": sorted(self._batch)})
                    case Step():
                        on_step(said)
                    case outcomes:
                        drawn: list[Outcome] = outcomes
                        return drawn
        except asyncio.CancelledError:
            if not self._all_unwanted():
                answer.cancel()
                raise
        except Exception as error:
            if not self._all_unwanted():
                raise WorkerLost(f"the replica was lost: {_one_line(error)}", begun=begun) from error
        else:
            raise WorkerLost("the replica ended without an answer", begun=begun)
        finally:
            self._unwanted -= self._batch
            self._batch = frozenset()
            self._stop = _nothing  # to cancel what has ended is a question to the cluster again
        return [Cancelled() for _ in batch]

    def cancel(self, task_id: str) -> None:
        """See the protocol."""
        if task_id in self._batch:
            self._unwanted.add(task_id)
            if self._all_unwanted():
                self._stop()

    async def stop(self) -> None:
        """See the protocol."""
        self._stop()
        await self._cluster.stop()

    def _all_unwanted(self) -> bool:
        return bool(self._batch) and self._batch <= self._unwanted


def _nothing() -> None:
    """There is no batch that could be cancelled."""


def _take_back_signals() -> None:
    """Ray puts handlers of its own below Python's when it connects, which print the machine's state at every stop."""
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.getsignal(number))


def _in_thread(act: Callable[[], T]) -> asyncio.Future[T]:
    """Have it done in a thread that nobody waits for at the end: Ray asks a cluster that is gone for minutes."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(cast("T", result))

    def run() -> None:
        result, problem = None, None
        try:
            result = act()
        except Exception as error:
            problem = error
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle, result, problem)

    threading.Thread(target=run, name="ask the cluster", daemon=True).start()
    return done


def _one_line(error: BaseException) -> str:
    """What Ray says first; the rest is how it came there."""
    said = str(error).strip() or type(error).__name__
    return said.splitlines()[0]
