"""Scenes turned into pixels by signed distance: any size, anti-aliased, no files, the same everywhere."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from reference_impl.tiny.scenes import Scene, Shape, Thing

CHANNEL_STEP = 127.5
GRADIENT_GAIN = 3.0  # the difference of a cell's halves is small; this brings it near the colours' spread


def distance(shape: Shape, x: Tensor, y: Tensor, radius: Tensor) -> Tensor:
    """Signed distance to a shape's outline, or a bound of it: below zero inside.

    Args:
        shape: which shape.
        x: right of its centre, same unit as the radius.
        y: below its centre.
        radius: half its size; broadcasts with x and y.
    """
    match shape:
        case Shape.CIRCLE:
            return torch.hypot(x, y) - radius
        case Shape.SQUARE:
            return torch.maximum(x.abs(), y.abs()) - radius * 0.88
        case Shape.RING:
            return (torch.hypot(x, y) - radius * 0.76).abs() - radius * 0.24
        case Shape.CROSS:
            flat = torch.maximum(x.abs() - radius, y.abs() - radius * 0.3)
            tall = torch.maximum(y.abs() - radius, x.abs() - radius * 0.3)
            return torch.minimum(flat, tall)
        case Shape.TRIANGLE:
            down = y - radius * 0.25  # the centre of its box, not of its mass, is the centre meant
            slope = math.sqrt(3) / 2
            sides = torch.maximum(x * slope - down * 0.5, -x * slope - down * 0.5)
            return torch.maximum(sides, down) - radius * 0.62
        case Shape.STAR:
            return _star(x, y, radius)


def _star(x: Tensor, y: Tensor, radius: Tensor) -> Tensor:
    """Five points: fold the plane to one tenth, then measure to the one edge that is left."""
    tenth = math.pi / 5
    angle = torch.remainder(torch.atan2(x, -y) + tenth, 2 * tenth) - tenth
    far = torch.hypot(x, y)
    along, across = far * angle.cos(), far * angle.abs().sin()
    inner = 0.42
    edge_x, edge_y = inner * math.cos(tenth) - 1, inner * math.sin(tenth)
    length = math.hypot(edge_x, edge_y)
    return ((along - radius) * edge_y - across * edge_x) / length


def draw(scenes: Sequence[Scene], height: int, width: int, device: str | torch.device = "cpu") -> Tensor:
    """The scenes as pictures.

    Returns:
        float32, (scenes, 3, height, width), in [-1, 1].
    """
    return window(scenes, height, width, top=[0] * len(scenes), left=[0] * len(scenes), size=None, device=device)


def window(
    scenes: Sequence[Scene],
    height: int,
    width: int,
    *,
    top: Sequence[int],
    left: Sequence[int],
    size: int | None,
    device: str | torch.device = "cpu",
) -> Tensor:
    """A square window of each picture, without drawing the rest of it.

    Args:
        scenes: what to draw.
        height: of the whole picture, in pixels.
        width: of the whole picture, in pixels.
        top: first row of each scene's window.
        left: first column of each scene's window.
        size: edge of the windows; None for the whole pictures.
        device: where to.
    """
    short = min(height, width)
    rows = torch.arange(size or height, device=device)[None, :, None]
    columns = torch.arange(size or width, device=device)[None, None, :]
    ys = (rows + torch.tensor(top, device=device)[:, None, None] + 0.5 - height / 2) / short
    xs = (columns + torch.tensor(left, device=device)[:, None, None] + 0.5 - width / 2) / short
    tints = torch.tensor([scene.tint for scene in scenes], device=device) / CHANNEL_STEP - 1
    out = tints[:, :, None, None].repeat(1, 1, ys.shape[1], xs.shape[2])
    for turn in range(max(len(scene.things) for scene in scenes)):
        for shape in Shape:
            at = [i for i, scene in enumerate(scenes) if turn < len(scene.things) and scene.things[turn].shape is shape]
            if at:
                _paint(out, at, [scenes[i].things[turn] for i in at], xs, ys, height, width)
    return out


def _paint(out: Tensor, at: list[int], things: list[Thing], xs: Tensor, ys: Tensor, height: int, width: int) -> None:
    """Lay things of one shape over the pictures that hold them."""
    short = min(height, width)
    facts = torch.tensor([(thing.x * width / short, thing.y * height / short, thing.radius) for thing in things])
    x, y, radius = facts.to(out.device)[:, :, None, None].unbind(1)
    tint = torch.tensor([thing.tint for thing in things], device=out.device) / CHANNEL_STEP - 1
    far = distance(things[0].shape, xs[at] - x, ys[at] - y, radius)
    cover = (0.5 - far * short).clamp(0, 1)[:, None]
    out[at] = out[at] * (1 - cover) + tint[:, :, None, None] * cover


def cells(pictures: Tensor, edge: int) -> Tensor:
    """What the fixed encoder makes of pictures, computed the cheap way (see `autoencoder`).

    Args:
        pictures: (n, 3, height, width) in [-1, 1].
        edge: pixels of a cell's side, even; a latent pixel is one cell.

    Returns:
        (n, 4, height / edge, width / edge): mean red, green and blue, and the right half's grey minus the left's,
        times GRADIENT_GAIN.
    """
    means = torch.nn.functional.avg_pool2d(pictures, edge)
    halves = torch.nn.functional.avg_pool2d(pictures.mean(1, keepdim=True), (edge, edge // 2))
    return torch.cat([means, (halves[..., 1::2] - halves[..., ::2]) * GRADIENT_GAIN], 1)
