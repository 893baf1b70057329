"""What a worker's child process and its parent say to each other, pickled, over one pipe."""

from __future__ import annotations

from dataclasses import dataclass

from reference_impl.jobs import Job, Step
from reference_impl.worker.protocol import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """To the child: draw this batch; `number` comes back with all that is said of it."""

    number: int
    batch: tuple[tuple[str, Job], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """To the child: nobody wants this task any more."""

    task_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """From the child: the engine is loaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unable:
    """From the child, before it ends: the engine cannot be made, for this reason."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Alive:
    """From the child, every second, whatever else it does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stepped:
    """From the child: how far the batch has come."""

    number: int
    step: Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """From the child: the end of a batch."""

    number: int
    outcomes: list[Outcome]


FromChild = Ready | Unable | Alive | Stepped | Drawn
ToChild = Draw | Cancel
