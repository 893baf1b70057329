"""Pictures that guide: the outlines that a ControlNet follows and the pictures that an IP-Adapter looks at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from reference_impl.tiny.drawing import distance
from reference_impl.tiny.scenes import Scene, Shape

LINE: Final = 0.8  # half the width of a drawn edge, in pixels: what an edge detector leaves


def outline(scenes: Sequence[Scene], height: int, width: int, device: str | torch.device = "cpu") -> Tensor:
    """The scenes' edges, white on black, as an edge detector finds them in their pictures.

    Returns:
        float32, (scenes, 3, height, width), in [0, 1].
    """
    short = min(height, width)
    ys = ((torch.arange(height, device=device) + 0.5 - height / 2) / short)[None, :, None]
    xs = ((torch.arange(width, device=device) + 0.5 - width / 2) / short)[None, None, :]
    out = torch.zeros(len(scenes), height, width, device=device)
    for turn in range(max(len(scene.things) for scene in scenes)):
        for shape in Shape:
            at = [i for i, one in enumerate(scenes) if turn < len(one.things) and one.things[turn].shape is shape]
            if not at:
                continue
            things = [scenes[i].things[turn] for i in at]
            facts = torch.tensor(
                [(thing.x * width / short, thing.y * height / short, thing.radius) for thing in things]
            )
            x, y, radius = facts.to(device)[:, :, None, None].unbind(1)
            far = distance(shape, xs - x, ys - y, radius) * short
            out[at] = torch.where(far < -LINE, 0.0, out[at])  # what a thing covers has no edge there
            out[at] = torch.where(far.abs() <= LINE, 1.0, out[at])
    return out[:, None].expand(-1, 3, -1, -1).contiguous()
