"""Noise by seed: drawn on the CPU, picture by picture, so that it is the same on every device and in every company."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

SEEDS = 2**64


class Noise:
    """Standard normal noise for N pictures of one shape.

    Args:
        seeds: one for each picture; any integer, taken modulo 2**64.
        device: where the noise is wanted.
    """

    def __init__(self, seeds: Sequence[int], device: torch.device) -> None:
        self.generators = [torch.Generator().manual_seed(seed % SEEDS) for seed in seeds]
        self._device = device
        self._shape: tuple[int, ...] = ()

    def shaped(self, *shape: int) -> Tensor:
        """The next noise, (N, *shape) in float32; later draws have the same shape."""
        self._shape = shape
        return self.draw()

    def draw(self) -> Tensor:
        """The next noise, in the shape of the last time."""
        drawn = [torch.randn(self._shape, generator=generator) for generator in self.generators]
        return torch.stack(drawn).to(self._device)
