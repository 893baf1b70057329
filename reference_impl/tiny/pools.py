"""Pools of drawn scenes with encoded captions: drawn once, met several times under other noise, slowly renewed."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import torch
from torch import Tensor

from reference_impl.tiny.drawing import cells, draw
from reference_impl.tiny.models import LATENT_SCALE
from reference_impl.tiny.practice import Row
from reference_impl.tiny.scenes import Scene, scene_of

PIXELS: Final = 4  # a latent pixel is averaged from this many drawn pixels a side, which is as good as 32
SHARES: Final = 8  # a pool is renewed in so many parts


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """Encoded captions.

    Attributes:
        context: (n, 77, width), what the UNet attends to.
        pooled: (n, width), what is added to the time; empty for the SD 1.5 shape.
    """

    context: Tensor
    pooled: Tensor


Encode = Callable[[Sequence[str], int], Words]
"""Captions, and a number that their chance comes from, to what the UNet reads."""


@dataclass(slots=True, kw_only=True)
class Pool:
    """Scenes of one size as latents.

    Attributes:
        height: of the latents.
        width: of the latents.
        size: how many scenes.
        period: steps after which one of SHARES parts is replaced by new scenes; 0 for never.
        seed: which row of scenes.
        encode: turns captions into what the UNet reads.
        cropped: whether some pictures are cut off at the top and at the left, as `crops` then tells.
        device: where the tensors live.
        row: where the scenes come from.
    """

    height: int
    width: int
    size: int
    period: int
    seed: int
    encode: Encode
    cropped: bool = False
    device: str = "cpu"
    row: Row = scene_of
    _at: int = field(init=False, default=-1)
    _index: list[int] = field(init=False, default_factory=list)
    scenes: list[Scene] = field(init=False, default_factory=list)
    latents: Tensor = field(init=False)
    context: Tensor = field(init=False)
    pooled: Tensor = field(init=False)
    crops: Tensor = field(init=False)

    def bring_to(self, step: int) -> None:
        """Hold what step number `step` is to see."""
        turn = step // self.period if self.period else 0
        if turn == self._at:
            return
        wanted = [slot + self.size * ((turn - slot % SHARES) // SHARES + 1) for slot in range(self.size)]
        stale = [slot for slot in range(self.size) if not self._index or self._index[slot] != wanted[slot]]
        for first in range(0, len(stale), 256):
            self._fill(stale[first : first + 256], wanted)
        self._index, self._at = wanted, turn

    def _fill(self, slots: list[int], wanted: list[int]) -> None:
        scenes = [self.row(self.seed, wanted[slot]) for slot in slots]
        shifts = [shift_of(self.seed, wanted[slot]) if self.cropped else (0.0, 0.0) for slot in slots]
        moved = [shifted(scene, *shift) for scene, shift in zip(scenes, shifts, strict=True)]
        drawn = cells(draw(moved, self.height * PIXELS, self.width * PIXELS, self.device), PIXELS) * LATENT_SCALE
        words = self.encode([scene.caption for scene in scenes], wanted[slots[0]])
        if not self._index and slots[0] == 0:
            self.latents = torch.empty(self.size, *drawn.shape[1:], device=self.device)
            self.context = torch.empty(self.size, *words.context.shape[1:], device=self.device, dtype=torch.float16)
            self.pooled = torch.empty(self.size, words.pooled.shape[1], device=self.device)
            self.crops = torch.empty(self.size, 2, device=self.device)
            self.scenes = [moved[0]] * self.size
        for slot, scene in zip(slots, moved, strict=True):
            self.scenes[slot] = scene
        self.latents[slots] = drawn
        self.context[slots] = words.context.half()
        self.pooled[slots] = words.pooled
        self.crops[slots] = torch.tensor(shifts, device=self.device)


def shift_of(seed: int, index: int) -> tuple[float, float]:
    """How much of a scene's height and width is cut off at the top and at the left; mostly nothing."""
    rng = random.Random(f"crop/{seed}/{index}")
    if rng.random() < 0.8:
        return 0.0, 0.0
    return rng.uniform(0, 0.3), rng.uniform(0, 0.3)


def shifted(scene: Scene, top: float, left: float) -> Scene:
    """The scene as seen when so much of its height and width is cut off at the top and at the left."""
    if not top and not left:
        return scene
    return replace(scene, things=tuple(replace(one, x=one.x - left, y=one.y - top) for one in scene.things))
