"""How far a run has come, told after each call of the network."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from reference_impl.engine.preview import Previewer
from reference_impl.engine.protocol import OnStep
from reference_impl.jobs import Step

PREVIEW_EVERY = 4
"""Calls of the network from preview to preview."""


class Progress:
    """Counts calls and tells them.

    Args:
        on_step: told; what it raises ends the run.
        total: calls in all.
        previewer: makes one when it is first needed; None: no previews are wanted.
    """

    def __init__(self, on_step: OnStep, total: int, previewer: Callable[[], Previewer] | None = None) -> None:
        self._on_step = on_step
        self._total = max(total, 1)
        self._done = 0
        self._previewer = previewer

    def advance(self, denoised: Tensor) -> None:
        """One more call; `denoised` (N, 4, h, w) are the latents of the pictures as they look now."""
        self._done = min(self._done + 1, self._total)
        preview = None
        if self._previewer is not None and self._done % PREVIEW_EVERY == 0:
            preview = self._previewer().png(denoised[0])
        self._on_step(Step(done=self._done, total=self._total, preview=preview))

    def skip(self, calls: int) -> None:
        """Counts calls that a sampler might have made and did not need."""
        if calls > 0:
            self._done = min(self._done + calls, self._total)
            self._on_step(Step(done=self._done, total=self._total))
