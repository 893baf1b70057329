"""The shape of one tile, row by row, as levels: 0 joint, 1 to 5 towards the tile, 6 and 7 its ornament.

A tile is drawn as spans with soft ends, a handful of operations per row, so that even a large tile costs little.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

_TILE = 5
_ORNAMENT = 7
_SMALLEST_JOINED = 14  # pixels; in smaller tiles joints and corners would cost too much of the contrast


@dataclass(frozen=True, slots=True, kw_only=True)
class TileStyle:
    """Corner radius (0 to 0.5) and reach of an ornament as shares of a tile's shorter side; `ornament` is its kind."""

    corner: float
    ornament: int | None = None
    reach: float = 0.0


class Tile:
    """A tile of `width` x `height` pixels, joint included."""

    __slots__ = ("_corner", "_gap", "_height", "_refined", "_style", "_width")

    def __init__(self, *, width: int, height: int, style: TileStyle, refined: bool) -> None:
        self._width = width
        self._height = height
        self._style = style
        self._refined = refined
        side = min(width, height)
        self._gap = 0.0 if side < _SMALLEST_JOINED else max(1, round(side / 18)) / 2
        self._corner = style.corner * side if side >= _SMALLEST_JOINED else 0.0

    def row(self, y: int) -> bytes:
        """The levels of pixel row `y`, `width` bytes."""
        levels = bytearray(self._width)
        middle = y + 0.5
        self._fill(levels, self._inset(middle, self._gap, self._corner), _TILE, 0)
        side = min(self._width, self._height)
        if self._refined and side >= 16:
            line, inner = side / 8, max(1.0, side / 24)
            self._fill(levels, self._inset(middle, self._gap + line, self._corner - line), _ORNAMENT, _TILE)
            self._fill(levels, self._inset(middle, self._gap + line + inner, self._corner - line - inner), _TILE, _TILE)
        if self._style.ornament is not None and side >= 8:
            half = self._ornament(middle - self._height / 2, max(1.0, self._style.reach * side), self._style.ornament)
            if half is not None:
                self._fill(levels, self._width / 2 - half, _ORNAMENT, _TILE)
        return bytes(levels)

    def _inset(self, y: float, gap: float, corner: float) -> float | None:
        """How far from the left edge a rounded rectangle begins at height y; None above and below it."""
        depth = min(y, self._height - y) - gap
        if depth <= 0:
            return None
        if depth >= corner:
            return gap
        return gap + corner - sqrt(corner * corner - (corner - depth) ** 2)

    def _ornament(self, y: float, reach: float, kind: int) -> float | None:
        """Half the width of an ornament at height y from its middle: a dot, a diamond, a square or a bar."""
        away = abs(y)
        match kind % 4:
            case 0:
                return sqrt(reach * reach - y * y) if away < reach else None
            case 1:
                return reach * 1.25 - away if away < reach * 1.25 else None
            case 2:
                return reach * 0.88 if away < reach * 0.88 else None
            case _:
                return reach * 1.7 if away < reach * 0.5 else None

    def _fill(self, levels: bytearray, inset: float | None, level: int, below: int) -> None:
        """Fill the row between two mirrored ends; a pixel that is partly covered gets a level between."""
        if inset is None:
            return
        first = int(inset)
        last = self._width - first
        if last <= first:
            return
        levels[first:last] = bytes([level]) * (last - first)
        covered = 1 - (inset - first)
        if covered < 0.95:
            levels[first] = levels[last - 1] = round(below + (level - below) * covered)
