"""Teach a ControlNet to follow outlines; the checkpoint that it leads stays as it is.

Most captions tell the colours alone (`practice.unshaped`), so that the shape must be seen. What the fixed first layers
make of an outline is kept for each scene, for it never changes: full-size hints would be most of the work.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from reference_impl.tiny import models
from reference_impl.tiny.fitting import Fit, Log, Plan
from reference_impl.tiny.hints import outline
from reference_impl.tiny.models import CELL
from reference_impl.tiny.scenes import Scene
from reference_impl.tiny.unet_training import Batch, Lessons, Noise, v_loss

KEPT: Final = 8192  # scenes whose outlines are kept as seen
FAINTEST: Final = 0.55  # of a line's strength: detectors leave thinner lines than `hints` draws


class Sight:
    """Outlines as the ControlNet's fixed layers see them."""

    def __init__(self, net: Any) -> None:
        self._net = net
        self._kept: dict[tuple[Scene, int, int], Tensor] = {}

    def of(self, scenes: Sequence[Scene], height: int, width: int) -> Tensor:
        """(scenes, 16, height, width) for latents of that size."""
        return torch.stack([self._one(scene, height, width) for scene in scenes])

    def _one(self, scene: Scene, height: int, width: int) -> Tensor:
        key = (scene, height, width)
        if key not in self._kept:
            if len(self._kept) >= KEPT:
                del self._kept[next(iter(self._kept))]
            hint = outline([scene], height * CELL, width * CELL)
            with torch.no_grad():
                self._kept[key] = models.sight_of(self._net, hint.to(self._net.device))[0]
        return self._kept[key]


@contextmanager
def _seen_before(net: Any) -> Iterator[None]:
    """For one call the net takes what its fixed layers have made of hints; their last one is left to it."""
    sight = net.controlnet_cond_embedding
    net.controlnet_cond_embedding = sight.conv_out
    try:
        yield
    finally:
        net.controlnet_cond_embedding = sight


def train_control(
    unet: Any, control: Any, lessons: Lessons, levels: Noise, plan: Plan, log: Log, state: Path | None = None
) -> Any:
    """Train a ControlNet in place, its running average put in at the end.

    Args:
        unet: what it leads; gets no gradients.
        control: as `models.control_net` makes it, or trained before.
        lessons: what it is shown.
        levels: and under how much noise.
        plan: how long and how fast.
        log: what is told of the progress.
        state: the checkpoint's file.
    """
    unet.requires_grad_(False)
    control.requires_grad_(True).train()
    for parameter in models.fixed_sight(control):
        parameter.requires_grad_(False)
    control.to(memory_format=torch.channels_last)
    sight = Sight(control)

    def call(noisy: Tensor, times: Tensor, batch: Batch) -> Tensor:
        seen = sight.of(batch.scenes, *noisy.shape[-2:])
        seen = seen * (FAINTEST + (1 - FAINTEST) * torch.rand(len(seen), 1, 1, 1, device=seen.device))
        noisy = noisy.contiguous(memory_format=torch.channels_last)
        with _seen_before(control):
            down, middle = control(noisy, times, batch.context, seen, return_dict=False)
        found: Tensor = unet(
            noisy,
            times,
            batch.context,
            down_block_additional_residuals=down,
            mid_block_additional_residual=middle,
            return_dict=False,
        )[0]
        return found

    fit = Fit(parameters=[one for one in control.parameters() if one.requires_grad], plan=plan, state=state)
    fit.run(lambda step: v_loss(call, lessons.at(step), levels), log)
    fit.settle()
    return control.eval()
