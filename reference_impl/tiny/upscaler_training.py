"""Teach a tiny network of the ESRGAN kind to enlarge pictures of the tiny world four times, with sharp edges.

It has the layout of the published files, so the server runs it as it runs those. By hand it starts as plain
enlargement; training teaches it where an edge runs between the pixels that it is given.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from reference_impl.engine.upscalers import Upscaler
from reference_impl.tiny.drawing import window
from reference_impl.tiny.fitting import Fit, Log, Plan
from reference_impl.tiny.scenes import Scene, scene_of

FACTOR: Final = 4
SHAPE: Final = {"width": 24, "growth": 12, "blocks": 1}
EDGES: Final = (512, 1024, 2048)  # of the large pictures
WINDOW: Final = 128  # what is shown of each
BATCH: Final = 8


def upscaler() -> Upscaler:
    """The network as it starts: each pixel four times as large."""
    network = Upscaler(**SHAPE)
    with torch.no_grad():
        network.conv_body.weight.zero_()
        network.conv_body.bias.zero_()
        for convolution in (network.conv_first, network.conv_up1, network.conv_up2, network.conv_hr, network.conv_last):
            convolution.weight[:3] = 0
            convolution.bias[:3] = 0
            for channel in range(3):
                convolution.weight[channel, channel, 1, 1] = 1
    return network


def upscaler_loss(network: Upscaler, seed: int, step: int, device: str = "cpu") -> Tensor:
    """Absolute error, and that of the slopes, of enlarged windows; the small ones are averages or softer."""
    rng = random.Random(f"upscaler/{seed}/{step}")
    edge = rng.choice(EDGES)
    scenes = [scene_of(seed, step * BATCH + at) for at in range(BATCH)]
    corners = [_corner(rng, scene, edge) for scene in scenes]
    top, left = [row for row, _ in corners], [column for _, column in corners]
    large = window(scenes, edge, edge, top=top, left=left, size=WINDOW, device=device) / 2 + 0.5
    small = functional.avg_pool2d(large, FACTOR)
    if step % 2:  # what a model draws is seldom as crisp as a drawing
        small = functional.avg_pool2d(functional.pad(small, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    rim = 2 * FACTOR
    wrong = (network(small) - large)[..., rim:-rim, rim:-rim]
    slopes = wrong.diff(dim=-1).abs().mean() + wrong.diff(dim=-2).abs().mean()
    return wrong.abs().mean() + slopes


def _corner(rng: random.Random, scene: Scene, edge: int) -> tuple[int, int]:
    """Row and column of a window on a thing, where edges are; most of a large picture is flat."""
    thing = rng.choice(scene.things)
    middles = (0.5 + at + rng.uniform(-1, 1) * thing.radius for at in (thing.y, thing.x))
    row, column = (min(edge - WINDOW, max(0, round(at * edge - WINDOW / 2))) for at in middles)
    return row, column


def train_upscaler(network: Upscaler, plan: Plan, log: Log, state: Path, device: str = "cpu") -> Upscaler:
    """Train it in place, its running average put in at the end."""
    network.to(device)
    network.train()
    fit = Fit(parameters=list(network.parameters()), plan=plan, state=state)
    fit.run(lambda step: upscaler_loss(network, plan.seed, step, device), log)
    fit.settle()
    network.eval()
    return network
