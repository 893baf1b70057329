"""What everybody who wants pictures asks for. Imports no torch, so that queues and tests can name it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from reference_impl.jobs import Finished, Job, Step

OnStep = Callable[[Step], None]
"""Told after each call of the network; may raise `Cancelled`, which ends the run at once."""


class Engine(Protocol):
    """Draws; one per device, used by one thread at a time."""

    def run(self, model: str, batch: Sequence[Job], on_step: OnStep) -> list[list[Finished]]:
        """The pictures of each job, in the order of the batch.

        Args:
            model: the checkpoint that all jobs of the batch use, by its name on the shelf.
            batch: one job, or several that `batch_key` calls compatible.
            on_step: see `OnStep`.

        Raises:
            CannotDraw: the job needs something that this server has not, or memory is short. The engine lives on.
            Cancelled: `on_step` raised it.
        """


def batch_key(job: Job) -> object | None:
    """Jobs of equal key may be drawn as one batch; None: this one is drawn alone.

    Pictures of a batch of another size may differ by 1/255 from those drawn alone, so batching across requests is a
    choice of whoever runs the server.
    """
    if job.source or job.controls or job.picture_prompts or job.hires or job.refiner or job.sampler == "DPM adaptive":
        return None
    return (
        job.model,
        job.width,
        job.height,
        job.steps,
        job.guidance,
        job.sampler,
        job.vae,
        job.clip_skip,
        job.loras,
        job.embeddings,
        job.transparent,
    )
