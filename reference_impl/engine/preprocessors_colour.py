"""Preprocessors that keep or move colours: NumPy and Pillow only, no weights.

Pictures are uint8 arrays of shape (height, width, 3), as in `preprocessors_lines`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reference_impl.engine.preprocessors_lines import Picture, blurred, coloured

CELL = 64
"""Pixels along a cell of `color`, as the colour adapters were trained with."""

FOLD = 256
"""Pixels between two bends of `shuffle`."""


def invert(picture: Picture) -> Picture:
    """The negative."""
    return 255 - picture


def threshold(picture: Picture, limit: float) -> Picture:
    """White where every channel is above the limit, black elsewhere."""
    return coloured((picture.min(axis=2) > limit) * 255)


def color(picture: Picture) -> Picture:
    """Cells of 64 pixels, each in the mean colour of what it covers."""
    height, width = picture.shape[:2]
    cells = (max(1, width // CELL), max(1, height // CELL))
    small = Image.fromarray(picture).resize(cells, Image.Resampling.BOX)
    return np.array(small.resize((width, height), Image.Resampling.NEAREST), np.uint8)


def shuffle(picture: Picture, seed: int = 12345) -> Picture:
    """The picture bent along two smooth noises, so that its colours stay and its content does not.

    The random numbers are our own: the same picture gives the same map, but not the one of another program.
    """
    height, width = picture.shape[:2]
    numbers = np.random.default_rng(seed)
    x = _waves(numbers, height, width) * (width - 1)
    y = _waves(numbers, height, width) * (height - 1)
    left, top = x.astype(np.intp), y.astype(np.intp)
    right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    dx, dy = (x - left)[..., None], (y - top)[..., None]
    source = picture.astype(np.float32)
    upper = source[top, left] * (1 - dx) + source[top, right] * dx
    lower = source[bottom, left] * (1 - dx) + source[bottom, right] * dx
    return np.asarray(np.rint(upper * (1 - dy) + lower * dy), np.uint8)


def tile(picture: Picture, reduction: float) -> Picture:
    """The picture at 1 / reduction of its size, each pixel the mean of what it covers."""
    height, width = picture.shape[:2]
    size = (max(1, int(width / reduction)), max(1, int(height / reduction)))
    return np.array(Image.fromarray(picture).resize(size, Image.Resampling.BOX), np.uint8)


def recoloured(picture: Picture, control: Picture, variation: float, sharpness: float | None) -> Picture:
    """A finished picture with the broad colours of its control picture (`tile_colorfix`).

    Args:
        picture: as it was drawn.
        control: of the same size.
        variation: pixels over which colours may still differ; the smaller, the closer.
        sharpness: how much of the fine contrast is added once more; None: nothing (`tile_colorfix+sharp` asks for it).
    """
    drawn = picture.astype(np.float32)
    mended = drawn - blurred(drawn, variation) + blurred(control, variation)
    if sharpness is not None:
        mended += sharpness * (mended - blurred(mended, 1.0)) * 0.5
    return np.asarray(np.rint(np.clip(mended, 0, 255)), np.uint8)


def _waves(numbers: np.random.Generator, height: int, width: int) -> NDArray[np.float32]:
    """Smooth noise, (height, width), from exactly 0 to exactly 1."""
    coarse = numbers.random((height // FOLD + 2, width // FOLD + 2), np.float32)
    wide = Image.fromarray(coarse).resize((width + 2 * FOLD, height + 2 * FOLD), Image.Resampling.BICUBIC)
    plane = np.asarray(wide, np.float32)[FOLD : FOLD + height, FOLD : FOLD + width]
    low, high = float(plane.min()), float(plane.max())
    return np.asarray((plane - low) / max(high - low, 1e-6), np.float32)
