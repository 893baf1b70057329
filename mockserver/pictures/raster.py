"""A picture of the mock as rows of pixels: tiles for the receipt's cells, and the caption. Standard library only.

Each pixel row is first a row of colour numbers (one byte per pixel) and then turned into RGB by table look-up, so the
work is done by `bytes` operations on whole rows. Rows that repeat are held once with their number: `png` encodes a
repeated row for next to nothing.

What a reader can see of the recipe in the tiles: `clip_skip` rounds their corners, a refiner gives those after
`switch_at` an inner line, hires puts an ornament into each (its shape from the upscaler, its size from the strength).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b

from mockserver.core.recipe import Recipe

from . import caption
from .digest import recipe_digest, stream
from .glyphs import FULL
from .palette import ACCENT, INK, PANEL_DARK, PANEL_LIGHT, Palette, Rgb, palette_of, ramp
from .receipt import CELLS, SIDE, cell_bits
from .tiles import Tile, TileStyle

# colour numbers of tiles: step * 16 + bit * 8 + level; of the caption: column * 16 + level
_ROWS_PER_SUM = 255 // FULL  # rows of levels that can be added in bytes without a carry
_ACCENT_ONLY = bytes(caption.ACCENT) + bytes(range(8)) + bytes(240)
_INK_ONLY = bytes(range(8)) + bytes(248)
_ORNAMENTS = b"up36"  # a salt that tells the upscalers of the contract apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Raster:
    """Pixels row by row: `runs` holds (row, how often it repeats); a row has width x channels bytes, RGB or RGBA."""

    width: int
    height: int
    channels: int
    runs: tuple[tuple[bytes, int], ...]

    def tobytes(self) -> bytes:
        """All pixels, width x height x channels bytes."""
        return b"".join(row * count for row, count in self.runs)


def paint(recipe: Recipe, index: int, size: tuple[int, int] | None = None, *, digest: bytes | None = None) -> Raster:
    """The picture without any picture that the recipe holds: what text-to-image shows.

    Args:
        recipe: what to show.
        index: which picture of the task, 0 to 255.
        size: width and height in pixels; the recipe's own size when absent.
        digest: the recipe's digest where the caller knows it.

    Returns:
        RGB rows, or RGBA rows for a transparent recipe: dark tiles and joints have alpha 0 there (their colour stays
        below, so a reader that drops alpha sees the whole receipt).
    """
    digest = digest or recipe_digest(recipe)
    width, height = size or recipe.size
    palette = palette_of(recipe, digest, index, min(width, height))
    bits = f"{cell_bits(digest, index, recipe.seed):0{CELLS}b}"
    steps = _steps(stream(digest + bytes([index]), b"steps", 1)[0])
    strip = caption.strip(recipe, index, width, height)
    columns = [(column + 1) * width // SIDE - column * width // SIDE for column in range(SIDE)]
    tiled_rows = strip.first if strip else SIDE
    runs: list[tuple[bytes, int]] = []
    colours = _tile_colours(palette, transparent=recipe.transparent)
    style = _style(recipe)
    masks: dict[tuple[int, bool], _Mask] = {}
    for row in range(tiled_rows):
        cell_height = (row + 1) * height // SIDE - row * height // SIDE
        refined = _refined(recipe, row)
        if (mask := masks.get((cell_height, refined))) is None:
            mask = masks[cell_height, refined] = _mask(columns, cell_height, style, refined=refined)
        numbers = [steps[row][column] * 16 + (bits[row * SIDE + column] == "1") * 8 for column in range(SIDE)]
        base = int.from_bytes(b"".join(bytes([n]) * w for n, w in zip(numbers, columns, strict=True)), "big")
        rows = [colours.row((base + levels).to_bytes(width, "big")) for levels in mask.levels]
        runs += [(rows[number], count) for number, count in mask.runs]
    if strip:
        for row in range(strip.first, SIDE):
            top, bottom = row * height // SIDE, (row + 1) * height // SIDE
            offset = strip.first * height // SIDE
            line = bits[row * SIDE : (row + 1) * SIDE]
            runs += _caption_runs(
                strip.rows[top - offset : bottom - offset], line, columns, palette, recipe.transparent
            )
    return Raster(width=width, height=height, channels=colours.channels, runs=tuple(runs))


class _Colours:
    """Up to 256 colours; turns a row of colour numbers into RGB or RGBA."""

    __slots__ = ("_tables", "channels")

    def __init__(self, colours: list[Rgb], alpha: bytes | None = None) -> None:
        self._tables = [bytes(parts).ljust(256, b"\0") for parts in zip(*colours, strict=True)]
        if alpha is not None:
            self._tables.append(alpha.ljust(256, b"\xff"))
        self.channels = len(self._tables)

    def row(self, numbers: bytes) -> bytes:
        interleaved = bytearray(len(numbers) * self.channels)
        for channel, table in enumerate(self._tables):
            interleaved[channel :: self.channels] = numbers.translate(table)
        return bytes(interleaved)


def _tile_colours(palette: Palette, *, transparent: bool) -> _Colours:
    """Levels 0 to 5 lead from the joint to the tile, 6 and 7 to the tile's ornament."""
    colours: list[Rgb] = []
    for light, dark, bright, deep in zip(
        palette.light, palette.dark, palette.light_ornament, palette.dark_ornament, strict=True
    ):
        for tile, ornament in ((dark, deep), (light, bright)):
            colours += ramp(palette.grout, tile, 6)
            colours += ramp(tile, ornament, 3)[1:]
    alpha = bytes([*bytes(8), 0, 51, 102, 153, 204, 255, 255, 255] * 16) if transparent else None
    return _Colours(colours, alpha)


def _caption_runs(
    rows: tuple[bytes, ...], bits: str, columns: list[int], palette: Palette, transparent: bool
) -> Iterator[tuple[bytes, int]]:
    """One row of cells behind the caption: each cell's paper is darkened by as much light as its letters add.

    So the mean brightness of a cell still tells its bit, however small the picture becomes.
    """
    inks = _sums(rows, _INK_ONLY, columns)
    accents = _sums(rows, _ACCENT_ONLY, columns)
    colours: list[Rgb] = []
    for bit, ink, accent, width in zip(bits, inks, accents, columns, strict=True):
        area = width * len(rows) * FULL or 1
        wanted = PANEL_LIGHT if bit == "1" else PANEL_DARK
        paper = palette.panel((wanted - (INK * ink + ACCENT * accent) / area) / max(0.2, 1 - (ink + accent) / area))
        colours += ramp(paper, palette.ink, FULL + 1)
        colours += ramp(paper, palette.accent, FULL + 1)
    table = _Colours(colours, b"" if transparent else None)
    numbers = bytes(range(0, 256, 16))
    base = int.from_bytes(b"".join(numbers[n : n + 1] * w for n, w in enumerate(columns)), "big")
    size = sum(columns)
    return ((table.row((base + int.from_bytes(row, "big")).to_bytes(size, "big")), 1) for row in rows)


def _sums(rows: tuple[bytes, ...], kept: bytes, columns: list[int]) -> list[int]:
    """Per column of cells the sum of the levels that the table keeps."""
    sums = [0] * len(columns)
    for start in range(0, len(rows), _ROWS_PER_SUM):
        chunk = rows[start : start + _ROWS_PER_SUM]
        total = sum(int.from_bytes(row.translate(kept), "big") for row in chunk).to_bytes(sum(columns), "big")
        at = 0
        for column, width in enumerate(columns):
            sums[column] += sum(total[at : at + width])
            at += width
    return sums


def _steps(choice: int) -> list[list[int]]:
    """For each cell, how far it lies (0 to 15) on the way that the hue takes through the picture."""
    ways = (
        lambda x, y: (x + y) // 2,
        lambda x, y: (x + 15 - y) // 2,
        lambda x, y: (2 * x + y) // 3,
        lambda x, y: (x + 2 * (15 - y)) // 3,
        lambda x, y: y,
        lambda x, y: int(((x - 7.5) ** 2 + (y - 7.5) ** 2) ** 0.5 * 15 / 10.7),
        lambda x, y: int((x**2 + y**2) ** 0.5 * 15 / 21.3),
    )
    way = ways[choice % len(ways)]
    return [[way(x, y) for x in range(SIDE)] for y in range(SIDE)]


def _refined(recipe: Recipe, row: int) -> bool:
    """Whether this row of cells comes after the refiner's switch: the higher switch_at, the more rows do."""
    return recipe.refiner is not None and row >= SIDE - round(SIDE * min(1.0, max(0.0, recipe.refiner.switch_at)))


def _style(recipe: Recipe) -> TileStyle:
    ornament, reach = None, 0.0
    if recipe.hires:
        name = recipe.hires.upscaler.encode("utf-8", "replace")
        ornament = blake2b(name, digest_size=1, person=_ORNAMENTS).digest()[0]
        reach = 0.1 + 0.1 * min(1.0, max(0.0, recipe.hires.strength))
    skipped = min(12, max(0, recipe.clip_skip or 0))
    return TileStyle(corner=0.14 + 0.03 * skipped, ornament=ornament, reach=reach)


@dataclass(frozen=True, slots=True)
class _Mask:
    """A row of tiles: its different pixel rows, as numbers to add to a row of colour numbers, and their order."""

    levels: tuple[int, ...]
    runs: tuple[tuple[int, int], ...]


def _mask(columns: list[int], height: int, style: TileStyle, *, refined: bool) -> _Mask:
    tiles = {width: Tile(width=width, height=height, style=style, refined=refined) for width in set(columns)}
    numbers: dict[bytes, int] = {}
    runs: list[tuple[int, int]] = []
    for y in range(height):
        row = {width: tile.row(y) for width, tile in tiles.items()}
        number = numbers.setdefault(b"".join(row[width] for width in columns), len(numbers))
        if runs and runs[-1][0] == number:
            runs[-1] = (number, runs[-1][1] + 1)
        else:
            runs.append((number, 1))
    return _Mask(tuple(int.from_bytes(line, "big") for line in numbers), tuple(runs))
