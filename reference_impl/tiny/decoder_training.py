"""Teach the autoencoder's decoder to draw sharp edges from the fixed encoder's cells."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn import functional

from reference_impl.tiny.drawing import window
from reference_impl.tiny.fitting import Fit, Log, Plan
from reference_impl.tiny.models import CELL
from reference_impl.tiny.scenes import scene_of

EDGES: Final = (256, 512, 512, 512, 1024)  # pictures' sizes; 512 most
WINDOW: Final = 5 * CELL  # what is decoded of each, at its own size
RIM: Final = CELL // 2  # of a window is not judged: its decoder does not see what lies beyond
WHOLE: Final = 256  # every third step shows whole pictures of this size, for what the picture's own edge does
WOBBLE: Final = 0.06  # noise on the latents, for a UNet's are never exact


def decoder_loss(model: Any, seed: int, step: int, batch: int, device: str = "cpu") -> Tensor:
    """Absolute, square and edge error of decoded windows of scenes; the encoder stays as it is."""
    rng = random.Random(f"decoder/{seed}/{step}")
    whole = step % 3 == 0
    edge = WHOLE if whole else rng.choice(EDGES)
    size, rim = (WHOLE, 0) if whole else (WINDOW, RIM)
    batch = max(1, batch // 2) if whole else batch
    room = max(0, (edge - size) // CELL)
    corners = [[CELL * _near_middle(rng, room) for _ in range(batch)] for _ in range(2)]
    scenes = [scene_of(seed, step * batch + at) for at in range(batch)]
    pictures = window(scenes, edge, edge, top=corners[0], left=corners[1], size=size, device=device)
    pictures = pictures.contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        latents = model.encode(pictures).latents
        latents = latents + WOBBLE * torch.rand(batch, 1, 1, 1, device=device) * torch.randn_like(latents)
    judged = slice(rim, size - rim)
    found = model.decode(latents).sample[..., judged, judged]
    wanted = pictures[..., judged, judged]
    wrong = found - wanted
    edges = wrong.diff(dim=-1).abs().mean() + wrong.diff(dim=-2).abs().mean()
    return wrong.abs().mean() + functional.mse_loss(found, wanted) + edges


def _near_middle(rng: random.Random, room: int) -> int:
    return int(min(room, max(0, round(rng.gauss(room / 2, room / 4)))))


def train_decoder(model: Any, plan: Plan, log: Log, state: Path, device: str = "cpu", batch: int = 8) -> Fit:
    """Train the decoder in place, its running average put in at the end."""
    model.to(device=device, memory_format=torch.channels_last).train()
    fit = Fit(parameters=[one for one in model.parameters() if one.requires_grad], plan=plan, state=state)
    fit.run(lambda step: decoder_loss(model, plan.seed, step, batch, device), log)
    fit.settle()
    model.eval()
    return fit
