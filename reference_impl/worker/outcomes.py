"""What became of each job of a batch: between an engine, which raises, and a worker, which gives back."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence

from reference_impl.engine.protocol import Engine
from reference_impl.jobs import Cancelled, CannotDraw, Job
from reference_impl.worker.protocol import OnStep, Outcome

POISONED = "AcceleratorError"
"""Torch's word for a device that refuses everything from now on; only a new process gets it back."""

Batch = Sequence[tuple[str, Job]]

log = logging.getLogger("reference_impl")


def outcomes_of(engine: Engine, batch: Batch, told: Callable[[Batch], OnStep]) -> list[Outcome]:
    """Draw a batch; one that fails as a whole is drawn job by job, so that one job's fault stays its own.

    Where the device is lost this process ends at once.

    Args:
        engine: used by no other thread meanwhile.
        batch: ids of tasks and their jobs.
        told: who is told of the steps of a batch, the whole one or one of a single job.
    """
    together = _drawn(engine, batch, told(batch))
    if len(batch) == 1 or not any(isinstance(outcome, CannotDraw) for outcome in together):
        return together
    return [_drawn(engine, [one], told([one]))[0] for one in batch]


def _drawn(engine: Engine, batch: Batch, on_step: OnStep) -> list[Outcome]:
    try:
        return list(engine.run(batch[0][1].model, [job for _, job in batch], on_step))
    except (CannotDraw, Cancelled) as error:
        return [error for _ in batch]
    except Exception as error:
        log.exception("engine.failed")
        if type(error).__name__ == POISONED:
            os._exit(1)
        reason = f"the engine failed with {type(error).__name__}: {error}; the server's log says where"
        return [CannotDraw(reason, "INTERNAL") for _ in batch]
