"""A judge without learning: what stands in a picture of the tiny world, read off its pixels.

It knows the world's colours and outlines and nothing of any model: the frame's colour is the background, what differs
from it falls into connected pieces, a piece's colour is the nearest named one, its shape the outline that fits best.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reference_impl.tiny.scenes import COLOURS, Place, Scene, Shape

GRID: Final = 128  # pixels of the shorter side that is looked at
LEAST_AREA: Final = 0.006  # of the picture: smaller pieces are specks
LEAST_FIT: Final = 0.6  # overlap with the best outline under which a piece has no shape
APART: Final = 55.0  # in steps of 255: what is nearer to the background's colour belongs to it
OFF_CENTRE: Final = 0.12  # of width or height: nearer to the middle is at no side

Pixels = NDArray[np.float64]
Mask = NDArray[np.bool_]
_NAMES: Final = tuple(COLOURS)
_PALETTE: Final = np.array([COLOURS[name] for name in _NAMES], dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One thing seen.

    Attributes:
        shape: the outline that fits best; None if none does.
        colour: the nearest named colour.
        x: its middle, -0.5 to 0.5 of the width.
        y: its middle, -0.5 to 0.5 of the height.
        radius: half the longer side of its box, in units of the shorter side.
        fit: overlap with the outline, 0 to 1.
    """

    shape: Shape | None
    colour: str
    x: float
    y: float
    radius: float
    fit: float

    @property
    def place(self) -> Place:
        """The side it is at, if at one."""
        if max(abs(self.x), abs(self.y)) < OFF_CENTRE:
            return Place.UNSAID
        if abs(self.x) >= abs(self.y):
            return Place.LEFT if self.x < 0 else Place.RIGHT
        return Place.TOP if self.y < 0 else Place.BOTTOM


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A picture as judged: things from left to right."""

    background: str
    things: tuple[Piece, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """Which parts of a scene a picture shows as its caption says them."""

    background: bool
    count: bool
    colour: bool
    shape: bool
    place: bool

    @property
    def all(self) -> bool:
        """Everything right."""
        return self.background and self.count and self.colour and self.shape and self.place


def look(picture: Image.Image) -> Seen:
    """What stands in a picture."""
    short = min(picture.size)
    size = (round(picture.width * GRID / short), round(picture.height * GRID / short))
    pixels = np.asarray(picture.convert("RGB").resize(size, Image.Resampling.BOX), dtype=np.float64)
    frame = np.concatenate([pixels[:2].reshape(-1, 3), pixels[-2:].reshape(-1, 3)])
    frame = np.concatenate([frame, pixels[:, :2].reshape(-1, 3), pixels[:, -2:].reshape(-1, 3)])
    ground = _commonest(frame)
    far = np.linalg.norm(pixels - ground, axis=-1)
    least = LEAST_AREA * pixels.shape[0] * pixels.shape[1]
    pieces = [_piece(pixels, mask, ground) for mask in connected(far > APART) if mask.sum() >= least]
    return Seen(background=name_of(ground), things=tuple(sorted(pieces, key=lambda piece: piece.x)))


def name_of(colour: Pixels) -> str:
    """The nearest named colour."""
    return _NAMES[int(np.linalg.norm(_PALETTE - colour, axis=-1).argmin())]


def _commonest(colours: Pixels) -> Pixels:
    """The median of those colours that bear the commonest name."""
    names = np.linalg.norm(colours[:, None] - _PALETTE, axis=-1).argmin(-1)
    found: Pixels = np.median(colours[names == np.bincount(names).argmax()], axis=0)
    return found


def connected(mask: Mask) -> list[Mask]:
    """The pieces of a mask whose pixels touch, corners too."""
    height, width = mask.shape
    left = mask.copy()
    pieces: list[Mask] = []
    for start in np.flatnonzero(mask):
        row, column = divmod(int(start), width)
        if not left[row, column]:
            continue
        piece = np.zeros_like(mask)
        left[row, column] = False
        edge = [(row, column)]
        while edge:
            row, column = edge.pop()
            piece[row, column] = True
            for y in range(max(0, row - 1), min(height, row + 2)):
                for x in range(max(0, column - 1), min(width, column + 2)):
                    if left[y, x]:
                        left[y, x] = False
                        edge.append((y, x))
        pieces.append(piece)
    return pieces


def _piece(pixels: Pixels, mask: Mask, ground: Pixels) -> Piece:
    colour = np.median(pixels[mask], axis=0)
    nearer = np.linalg.norm(pixels - colour, axis=-1) < np.linalg.norm(pixels - ground, axis=-1)
    firm = mask & nearer
    if firm.sum() < mask.sum() / 3:
        firm = mask
    rows, columns = np.flatnonzero(firm.any(1)), np.flatnonzero(firm.any(0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    box = firm[top:bottom, left:right]
    fits = {shape: _overlap(box, shape) for shape in Shape}
    best = max(fits, key=lambda shape: fits[shape])
    height, width = mask.shape
    return Piece(
        shape=best if fits[best] >= LEAST_FIT else None,
        colour=name_of(colour),
        x=float((left + right) / 2 / width - 0.5),
        y=float((top + bottom) / 2 / height - 0.5),
        radius=float(max(bottom - top, right - left) / 2 / min(height, width)),
        fit=fits[best],
    )


def _overlap(box: Mask, shape: Shape) -> float:
    """Intersection over union with an outline stretched to the piece's box."""
    grid = outlines()[shape]
    rows = ((np.arange(box.shape[0]) + 0.5) / box.shape[0] * grid.shape[0]).astype(int)
    columns = ((np.arange(box.shape[1]) + 0.5) / box.shape[1] * grid.shape[1]).astype(int)
    outline = grid[rows][:, columns]
    return float((box & outline).sum() / (box | outline).sum())


@cache
def outlines() -> Mapping[Shape, Mask]:
    """Each shape's mask in its own box, from its geometry: written a second time, for a judge of its own."""
    step = (np.arange(400) + 0.5) / 200 - 1
    x, y = np.meshgrid(step, step)
    far = np.hypot(x, y)
    masks = {
        Shape.CIRCLE: far < 1,
        Shape.SQUARE: np.ones_like(far, dtype=bool),
        Shape.TRIANGLE: np.abs(x) < (y + 1) / 2,
        Shape.RING: (far < 1) & (far > 0.52),
        Shape.CROSS: (np.abs(x) < 0.3) | (np.abs(y) < 0.3),
        Shape.STAR: _inside(_star_corners(), x, y),
    }
    return {shape: _boxed(mask) for shape, mask in masks.items()}


def _star_corners() -> list[tuple[float, float]]:
    radii = (1.0, 0.42)
    return [
        (radii[at % 2] * math.sin(at * math.pi / 5), -radii[at % 2] * math.cos(at * math.pi / 5)) for at in range(10)
    ]


def _inside(corners: list[tuple[float, float]], x: Pixels, y: Pixels) -> Mask:
    """Even-odd rule over a polygon's edges."""
    inside = np.zeros(x.shape, dtype=bool)
    for (x1, y1), (x2, y2) in zip(corners, [*corners[1:], corners[0]], strict=True):
        crosses = (y1 > y) != (y2 > y)
        inside ^= crosses & (x < (x2 - x1) * (y - y1) / (y2 - y1 + 1e-12) + x1)
    return inside


def _boxed(mask: Mask) -> Mask:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    boxed: Mask = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return boxed


def mark(scene: Scene, seen: Seen) -> Marks:
    """How far a picture shows what its scene's caption says; what the caption leaves open is right whatever it is."""
    count = len(seen.things) == scene.count
    told = list(scene.said) if scene.count <= 2 else [scene.said[0]] * scene.count
    pairs = list(zip(told, seen.things, strict=False))
    places = [said.place for said in told]
    return Marks(
        background=not scene.said_background or seen.background == scene.said_background,
        count=count,
        colour=bool(pairs) and all(not said.colour or said.colour == piece.colour for said, piece in pairs),
        shape=bool(pairs) and all(not said.shape or said.shape == piece.shape for said, piece in pairs),
        place=count and all(not place or piece.place is place for place, (_, piece) in zip(places, pairs, strict=True)),
    )
