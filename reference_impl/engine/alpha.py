"""A transparent background without weights made for it: the drawn background is found and taken out.

Models that draw transparency (LayerDiffuse) need a decoder of their own that no library here holds. Instead the picture
is asked for on a plain ground (`on_plain_ground`), the ground's colour is estimated from the picture's border, all of
that colour that the border reaches becomes transparent, and in the soft edge the ground is subtracted from the colour.

Known limits: holes that the border does not reach stay opaque, glass and smoke too; a thing in the ground's colour that
touches it is lost; where there is no plain ground only what resembles the border goes.
"""

from __future__ import annotations

import re

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from reference_impl.engine.plan import Tools
from reference_impl.engine.preprocessors_lines import Plane, grown
from reference_impl.jobs import Job

GROUND = ", on a white background"

TIGHT = 12.0
"""What differs from the ground's colour by no more than this, in 8-bit steps, is ground."""

RESTLESS = 40.0
"""The bound on a noisy ground."""

CLEAR = 1.6
"""So many times as far from the ground as the bound, a pixel is clearly something else."""

ALMOST = 0.95
"""Edges more opaque than this are opaque: the rest is noise of the picture."""

_SAYS_GROUND = re.compile(r"\bbackground\b|\bbackdrop\b", re.IGNORECASE)


def on_plain_ground(prompt: str) -> str:
    """The prompt, with a plain ground asked for unless it says something of its background itself."""
    return prompt if _SAYS_GROUND.search(prompt) else prompt + GROUND


def cut_out(picture: Image.Image, latents: torch.Tensor, job: Job, tools: Tools) -> Image.Image:
    """The picture without its background: see `plan.CutOut`. Only the pixels are looked at."""
    return without_ground(picture)


def without_ground(picture: Image.Image) -> Image.Image:
    """An RGB picture as RGBA with its ground transparent; at least part of its border always is.

    Returns:
        RGBA. Transparent pixels keep their colour, so that the picture can still be had whole.
    """
    pixels = np.asarray(picture.convert("RGB"), np.float32)
    ground = _ground(pixels)
    distance = np.linalg.norm(pixels - ground, axis=2).astype(np.float32)
    border = np.ones(distance.shape, bool)
    border[1:-1, 1:-1] = False
    # A restless ground needs a wider bound; half of the border counts as ground whatever it looks like.
    usual = float(np.median(distance[border]))
    tight = max(TIGHT, min(2.5 * usual, RESTLESS), usual)
    sure = distance <= tight
    gone = grown(border & sure, sure)
    # Spots of the ground that are only a little off it are ground too: nothing clearly else is joined to them.
    gone |= ~grown((distance > CLEAR * tight) & ~gone, ~gone)
    band = _near(gone, max(2, min(distance.shape) // 64)) & ~gone
    thing = _spread(pixels, ~gone & ~band, band)
    away = thing - ground
    share = np.sum((pixels - ground) * away, axis=2) / np.maximum(np.sum(away**2, axis=2), 1.0)
    alpha = np.where(gone, 0, np.where(band, np.clip(share, 0, 1), 1)).astype(np.float32)
    alpha[alpha > ALMOST] = 1
    colours = np.where((band & (alpha < 1))[..., None], thing, pixels)
    shown = np.dstack([np.rint(colours), np.rint(alpha * 255)]).astype(np.uint8)
    return Image.fromarray(shown, "RGBA")


def _ground(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """The ground's colour at each pixel, (height, width, 3): a plane through the border's usual colours.

    Grounds are often a shade darker towards one side, so one colour would not do.
    """
    height, width = pixels.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    x, y = x / max(width - 1, 1) - 0.5, y / max(height - 1, 1) - 0.5
    rim = np.ones((height, width), bool)
    thick = max(1, min(height, width) // 64)
    rim[thick:-thick, thick:-thick] = False
    places = np.stack([np.ones_like(x[rim]), x[rim], y[rim]], axis=1)
    seen = pixels[rim]
    middle = np.median(seen, axis=0)
    flat = np.zeros((3, 3), np.float32)
    flat[0] = middle
    plane = flat
    for _ in range(5):
        off = np.linalg.norm(seen - places @ plane, axis=1)
        near = off <= max(TIGHT, float(np.median(off)))
        if near.sum() < 16:
            break
        plane = np.linalg.lstsq(places[near], seen[near], rcond=None)[0].astype(np.float32)
    # A slope that leaves the range of the border's own colours is made up from too few pixels of ground.
    result = plane[0] + x[..., None] * plane[1] + y[..., None] * plane[2]
    if np.abs(result - middle).max() > 8 * TIGHT:
        return np.broadcast_to(middle.astype(np.float32), pixels.shape)
    return np.asarray(result, np.float32)


def _near(area: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    """Everything within so many pixels of an area, sideways and diagonally."""
    for _ in range(reach):
        padded = np.pad(area, 1)
        height, width = area.shape
        area = np.logical_or.reduce([padded[y : y + height, x : x + width] for y in range(3) for x in range(3)])
    return area


def _spread(pixels: Plane, known: NDArray[np.bool_], into: NDArray[np.bool_]) -> Plane:
    """The colours of known pixels, drawn out into their surroundings by the mean of the known neighbours.

    Where no known pixel is near, such as in a hair, a pixel's own colour counts.
    """
    width = known.shape[1] + 2
    colours = np.pad(np.where(known[..., None], pixels, 0), ((1, 1), (1, 1), (0, 0))).reshape(-1, 3)
    there = np.pad(known, 1).reshape(-1)
    left = np.flatnonzero(np.pad(into & ~known, 1).reshape(-1))
    steps = np.array([y * width + x for y in (-1, 0, 1) for x in (-1, 0, 1) if y or x])
    while left.size:
        around = left[:, None] + steps
        count = there[around].sum(axis=1)
        fresh = count > 0
        if not fresh.any():
            break
        # Only what is known has a colour yet, so the sum is that of the known neighbours.
        colours[left[fresh]] = colours[around[fresh]].sum(axis=1) / count[fresh, None]
        there[left[fresh]] = True
        left = left[~fresh]
    inside = np.s_[1:-1, 1:-1]
    found = there.reshape(-1, width)[inside]
    return np.asarray(np.where(found[..., None], colours.reshape(-1, width, 3)[inside], pixels), np.float32)
