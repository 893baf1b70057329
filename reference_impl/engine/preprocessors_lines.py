"""Preprocessors that leave lines: NumPy and Pillow only, no weights. Colour and resolution are someone else's.

Pictures are uint8 arrays of shape (height, width, 3), maps come back in the same shape. What follows an algorithm to
the pixel says so; what stands in for a trained network says that too: its numbers are other than the network's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Picture = NDArray[np.uint8]
Plane = NDArray[np.float32]

_ANGLES = np.arange(180) * np.pi / 180
_TAN_22 = 13573  # tan(22.5 degrees) in 15 bits, as the usual integer implementation has it
_EIGHT = tuple((y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if y or x)


def coloured(plane: NDArray[np.generic]) -> Picture:
    """A map of one channel, 0 to 255, as a picture of three."""
    return np.repeat(np.clip(plane, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def blurred(picture: NDArray[np.generic], sigma: float) -> Plane:
    """Gaussian blur of the two first axes in float32; the border is mirrored, its own pixel left out.

    The kernel reaches four sigmas to each side, as OpenCV's does for floats.
    """
    reach = int(round(sigma * 8 + 1) | 1) // 2
    places = np.arange(-reach, reach + 1, dtype=np.float64)
    kernel = np.exp(-(places**2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).astype(np.float32)
    result = picture.astype(np.float32)
    for axis in (0, 1):
        length = result.shape[axis]
        sides = [(0, 0)] * result.ndim
        sides[axis] = (reach, reach)
        padded = np.pad(result, sides, mode="reflect" if length > 1 else "edge")
        moving = np.moveaxis(padded, axis, 0)
        total = sum((weight * moving[i : i + length] for i, weight in enumerate(kernel)), np.float32(0))
        result = np.moveaxis(np.asarray(total, np.float32), 0, axis)
    return result


def grown(seeds: NDArray[np.bool_], allowed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """All allowed pixels that a chain of allowed neighbours (of eight) joins to a seed; seeds are part of it."""
    height, width = seeds.shape
    reached = np.zeros((height + 2, width + 2), bool)
    reached[1:-1, 1:-1] = seeds
    open_ = np.zeros_like(reached)
    open_[1:-1, 1:-1] = allowed & ~seeds
    flat, free = reached.reshape(-1), open_.reshape(-1)
    offsets = np.array([y * (width + 2) + x for y, x in _EIGHT])
    front = np.flatnonzero(flat)
    while front.size:
        near = np.unique((front[:, None] + offsets).reshape(-1))
        near = near[(near >= 0) & (near < flat.size)]
        front = near[free[near]]
        flat[front] = True
        free[front] = False
    return reached[1:-1, 1:-1]


def slopes(picture: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Derivatives (Sobel, 3 x 3, the border repeated) to the right and downwards, (height, width) each.

    Of the channels each pixel takes the one that changes most there, so that two colours of equal brightness have an
    edge between them.
    """
    p = np.pad(picture, ((1, 1), (1, 1), (0, 0)), mode="edge")
    right = (p[:-2, 2:] - p[:-2, :-2]) + 2 * (p[1:-1, 2:] - p[1:-1, :-2]) + (p[2:, 2:] - p[2:, :-2])
    down = (p[2:, :-2] - p[:-2, :-2]) + 2 * (p[2:, 1:-1] - p[:-2, 1:-1]) + (p[2:, 2:] - p[:-2, 2:])
    most = np.argmax(np.abs(right) + np.abs(down), axis=2)[..., None]
    return np.take_along_axis(right, most, 2)[..., 0], np.take_along_axis(down, most, 2)[..., 0]


def edges(picture: Picture, low: float, high: float) -> NDArray[np.bool_]:
    """Canny's edges (1986): gradient, thinning across it, two thresholds joined by neighbourhood.

    Equal to OpenCV's Canny of the same colour picture with a 3 x 3 aperture and the L1 norm, pixel by pixel.
    """
    low, high = min(low, high), max(low, high)
    right, down = slopes(picture.astype(np.int64))
    strength = np.abs(right) + np.abs(down)
    m = np.pad(strength, 1)
    at = {(y, x): m[1 + y : m.shape[0] - 1 + y, 1 + x : m.shape[1] - 1 + x] for y, x in _EIGHT}
    steep, flat_limit = np.abs(down) << 15, np.abs(right) * _TAN_22
    flat = steep < flat_limit
    upright = ~flat & (steep > flat_limit + (np.abs(right) << 16))
    same_sign = (right < 0) == (down < 0)
    # Of two equal neighbours along an axis one wins; along a diagonal both must be weaker.
    sideways = (strength > at[0, -1]) & (strength >= at[0, 1])
    updown = (strength > at[-1, 0]) & (strength >= at[1, 0])
    falling = (strength > at[-1, -1]) & (strength > at[1, 1])
    rising = (strength > at[-1, 1]) & (strength > at[1, -1])
    ridge = np.where(flat, sideways, np.where(upright, updown, np.where(same_sign, falling, rising)))
    weak = ridge & (strength > low)
    return grown(weak & (strength > high), weak)


def canny(picture: Picture, low: float, high: float) -> Picture:
    """`edges`, white on black."""
    return coloured(edges(picture, low, high) * 255)


def scribble_xdog(picture: Picture, limit: float) -> Picture:
    """Where a pixel is darker than its surroundings: the difference of two Gaussians, .5 and 5 pixels wide."""
    darker = np.min(blurred(picture, 5.0) - blurred(picture, 0.5), axis=2)
    rounded = 255 - np.clip(255 - darker, 0, 255).astype(np.uint8).astype(np.int32)
    return coloured((2 * rounded > limit) * 255)


def lineart_standard(picture: Picture) -> Picture:
    """Dark lines on a brighter ground, white on black, their median brought to half of white."""
    darker = np.clip(np.min(blurred(picture, 6.0) - picture.astype(np.float32), axis=2), 0, 255)
    lines = darker[darker > 8.0]
    usual = max(16.0, float(np.median(lines)) if lines.size else 16.0)
    return coloured(darker / usual * 127)


def soft_edges(picture: Picture) -> Picture:
    """Stands in for HED and PiDiNet: the gradient's length after a slight blur, the strongest white."""
    length = np.hypot(*slopes(blurred(picture, 1.5)))
    return coloured(length / max(float(length.max()), 1.0) * 255)


def soft_edges_safe(picture: Picture) -> Picture:
    """`soft_edges` in three levels, so that no trace of the picture's shading passes."""
    return coloured(np.floor(soft_edges(picture)[..., 0] / 255 * 2.999) * 127.5)


def sketch(picture: Picture) -> Picture:
    """`soft_edges` as hard lines: what reaches a third of the strongest is white."""
    return coloured((soft_edges(picture)[..., 0] > 85) * 255)


def scribble(picture: Picture) -> Picture:
    """Thick hand-drawn looking lines: thinned edges, blurred and cut off low."""
    lines = edges(np.clip(blurred(picture, 2.0), 0, 255).astype(np.uint8), 40, 100)
    return coloured((blurred(lines * np.float32(255), 2.0) > 16) * 255)


def straight_lines(picture: Picture) -> Picture:
    """Stands in for M-LSD: Canny's edges vote for lines (Hough transform); unbroken runs are drawn, a pixel wide.

    Runs are at least 16 pixels and 6 % of the shorter side long; gaps of up to six pixels do not break one.
    """
    height, width = picture.shape[:2]
    shortest, places = max(16, round(0.06 * min(height, width))), np.argwhere(edges(picture, 60, 150))[:, ::-1]
    result = Image.new("L", (width, height))
    pen = ImageDraw.Draw(result)
    reach = height + width
    normals = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)])
    cells = np.rint(places @ normals).astype(np.int64) + reach
    cells += np.arange(len(_ANGLES)) * (2 * reach + 1)
    votes = np.bincount(cells.reshape(-1), minlength=len(_ANGLES) * (2 * reach + 1))
    while votes.size and votes.max() >= shortest:
        best = int(votes.argmax())
        angle = best // (2 * reach + 1)
        near = np.flatnonzero(np.abs(cells[:, angle] - best) <= 1)
        along = places[near] @ np.array([-normals[1, angle], normals[0, angle]])
        order = np.argsort(along)
        runs = np.split(order, np.flatnonzero(np.diff(along[order]) > 6) + 1)
        reaches = [np.abs(places[near[run[-1]]] - places[near[run[0]]]).max() for run in runs]
        # A run with few points in it is the chord of something round.
        long_ = [run for run, reach in zip(runs, reaches, strict=True) if shortest <= reach <= 1.1 * len(run)]
        for run in long_:
            first, last = places[near[run[0]]], places[near[run[-1]]]
            pen.line((int(first[0]), int(first[1]), int(last[0]), int(last[1])), fill=255)
        if long_:
            spent = near[np.concatenate(long_)]
            votes -= np.bincount(cells[spent].reshape(-1), minlength=votes.size)
            places, cells = np.delete(places, spent, 0), np.delete(cells, spent, 0)
        votes[best] = 0
    return coloured(np.asarray(result))
