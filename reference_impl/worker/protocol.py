"""What the service asks of a worker; one is a child process (`crew.py`), tests have one that lives in their process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from reference_impl.jobs import Cancelled, CannotDraw, Finished, Job, Step

Outcome = list[Finished] | CannotDraw | Cancelled
"""What became of one job of a batch; errors are given back, so that one job's does not take the others along."""

OnStep = Callable[[Step], None]


class WorkerLost(Exception):
    """The worker died or hung; what it had in hand can be drawn again, and it starts anew by itself.

    Args:
        reason: why it is gone.
        begun: whether it may have begun to draw; otherwise the batch has nothing to do with its end.
    """

    def __init__(self, reason: str, *, begun: bool) -> None:
        super().__init__(reason)
        self.begun = begun


class Condition(StrEnum):
    """Whether pictures can be drawn."""

    LOADING = "loading"
    READY = "ready"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerState:
    """How a worker is.

    Attributes:
        reason: what is wrong and what helps; empty when nothing is.
    """

    condition: Condition
    reason: str = ""


class Worker(Protocol):
    """Draws one batch at a time."""

    @property
    def name(self) -> str:
        """Its device, such as `cpu` or `cuda:1`."""

    @property
    def state(self) -> WorkerState:
        """How it is now."""

    async def start(self) -> None:
        """Begin to load; returns at once."""

    async def wait_ready(self) -> None:
        """Return when it can draw; never, while it cannot."""

    async def draw(self, batch: Sequence[tuple[str, Job]], on_step: OnStep) -> list[Outcome]:
        """The outcome of each job, in the order of the batch.

        Args:
            batch: ids of tasks and their jobs, all of one model; several only where `batch_key` calls them compatible.
            on_step: told on the caller's loop how far the batch has come.

        Raises:
            WorkerLost: see there.
        """

    def cancel(self, task_id: str) -> None:
        """Nobody wants this task any more: its job ends before the next call of the network."""

    async def stop(self) -> None:
        """Give up what is being drawn and end."""
