"""Finding the receipt in a picture: the cells' brightness is measured, and the checksum says which reading is right.

A picture at the end of somebody's pipeline may be scaled down, blurred, recompressed, written on, or laid on another
ground. So several readings are tried (how much to sharpen, what to compare a cell with, which is light and which is
dark), from the plainest on. The first whose checksum fits wins; none is ever guessed.
"""

from __future__ import annotations

from collections.abc import Iterator

from PIL import Image

from .errors import NotAReceipt
from .inputs import opened
from .measuring import cell_means
from .probe import probe
from .receipt import CELLS, SIDE, Receipt, read_cells

MOST_PIXELS = 1 << 25
"""Pictures beyond 33 megapixels are not decoded."""
_SMALLEST_SIDE = SIDE
_SHARPENINGS = (0.0, 1.0, 2.5)
_CAPTION_STARTS = range(11, SIDE)  # on a light ground a transparent picture's tiles are inverted, its caption is not


def receipt_in_file(data: bytes) -> Receipt:
    """The receipt in a file's pixels.

    Raises:
        NotAPicture: not a picture file, or one that breaks off.
        NotAReceipt: a picture without a receipt, with a damaged one, or too large or too small to look at.
    """
    header = probe(data)
    if header.pixels > MOST_PIXELS:
        raise NotAReceipt(f"{header.width} x {header.height} pixels: not decoded, the limit is {MOST_PIXELS}")
    return receipt_in_image(opened(data, (1024, 1024), MOST_PIXELS))


def receipt_in_image(image: Image.Image) -> Receipt:
    """The receipt in a decoded picture.

    Raises:
        NotAReceipt: there is none, it is damaged, or the picture has fewer than 16 pixels on a side.
    """
    if min(image.size) < _SMALLEST_SIDE:
        raise NotAReceipt(f"{image.width} x {image.height} pixels cannot hold {SIDE} x {SIDE} cells")
    damaged: NotAReceipt | None = None
    for grey in _grounds(image):
        for cells in _readings(grey):
            try:
                if receipt := read_cells(cells):
                    return receipt
            except NotAReceipt as error:
                damaged = error
    raise damaged or NotAReceipt("no receipt pattern")


def _grounds(image: Image.Image) -> Iterator[Image.Image]:
    """The picture in grey; one with transparent parts as it looks on black, on white, and without its alpha."""
    if not image.has_transparency_data:
        yield image.convert("L")
        return
    layer = image.convert("RGBA")
    for ground in ("black", "white"):
        yield Image.alpha_composite(Image.new("RGBA", image.size, ground), layer).convert("L")
    yield layer.convert("RGB").convert("L")


def _readings(grey: Image.Image) -> Iterator[list[float]]:
    """Soft values of the 256 cells, above 0 for light, from the plainest reading to the boldest."""
    for means in cell_means(grey):
        for sharpening in _SHARPENINGS:
            sharp = _sharpened(means, sharpening) if sharpening else means
            for compared in (_by_row(sharp), _by_row(_levelled(sharp))):
                yield compared
                dark = [-value for value in compared]
                yield dark
                for row in _CAPTION_STARTS:
                    yield dark[: row * SIDE] + compared[row * SIDE :]


def _sharpened(means: list[float], amount: float) -> list[float]:
    """Each cell moved away from the mean of its four neighbours: undoes blur and coarse scaling."""
    sharp = []
    for cell, value in enumerate(means):
        row, column = divmod(cell, SIDE)
        around = [
            means[y * SIDE + x]
            for y, x in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1))
            if 0 <= y < SIDE and 0 <= x < SIDE
        ]
        sharp.append(value + amount * (value - sum(around) / len(around)))
    return sharp


def _by_row(means: list[float]) -> list[float]:
    """Compared with the middle between the light and the dark cells of the same row."""
    compared: list[float] = []
    for start in range(0, CELLS, SIDE):
        row = means[start : start + SIDE]
        middle = _middle(row)
        compared += [value - middle for value in row]
    return compared


def _levelled(means: list[float]) -> list[float]:
    """As if lit evenly: brightness that rises or falls from left to right is divided out (rows are compared alone)."""
    columns = [sum(means[column::SIDE]) / SIDE for column in range(SIDE)]
    places = [column - (SIDE - 1) / 2 for column in range(SIDE)]
    middle = sum(columns) / SIDE or 1.0
    slope = sum(place * value for place, value in zip(places, columns, strict=True)) / sum(place**2 for place in places)
    light = [max(0.2, 1 + slope * place / middle) for place in places]
    return [value / light[cell % SIDE] for cell, value in enumerate(means)]


def _middle(values: list[float]) -> float:
    """The value that parts light from dark best: both groups' means lie equally far from it (two-means in one line)."""
    middle = (min(values) + max(values)) / 2
    for _ in range(8):
        light = [value for value in values if value > middle]
        dark = [value for value in values if value <= middle]
        if not light or not dark:
            break
        moved = (sum(light) / len(light) + sum(dark) / len(dark)) / 2
        if abs(moved - middle) < 0.25:
            break
        middle = moved
    return middle
