"""Making the receipt readable again after other pictures were laid over it.

Only the mean brightness of a cell matters to a reader, so a cell that lost its side is moved back by just as much as
is missing. Texture, colours and everything within a cell stay as they are.
"""

from __future__ import annotations

from PIL import Image, ImageChops

from .receipt import CELLS, SIDE

MARGIN = 24.0
"""How far, in luma, a cell's mean stands at least from the middle of its row."""
_FULL_FROM = 0.45  # of strength: below, the margin shrinks, for there the source is what a user wants to see
_PASSES = 3
_STILL = 128  # the value that stands for no move where moves of both signs share a byte
_MOST_LOST = 4  # cells that lie mostly in a protected part; with more of them no reader could repair the receipt


def stamped(image: Image.Image, bits: int, strength: float, allowed: Image.Image | None = None) -> Image.Image:
    """The picture with every cell on its side of its row's middle.

    Args:
        image: RGB.
        bits: the 256 cells, as `receipt.cell_bits` gives them.
        strength: 0 to 1; at 0 nothing is changed, and what may be moved at all grows with it.
        allowed: a grey picture of the same size, white where pixels may change; everywhere when absent. Where it
            protects more than a few cells the receipt is lost anyway, and nothing is changed.
    """
    if strength <= 0 or min(image.size) < SIDE:
        return image
    margin = MARGIN * min(1.0, strength / _FULL_FROM)
    loosest = margin + 24 + 200 * (1 - strength)
    most = min(127.0, 320 * strength)
    light = [bits >> (CELLS - 1 - cell) & 1 for cell in range(CELLS)]
    if allowed and sum(share < 128 for share in _cell_means(allowed)) > _MOST_LOST:
        return image
    result, total = image, [0.0] * CELLS
    for _ in range(_PASSES):
        moves = _moves(_cell_means(result.convert("L")), light, margin, loosest)
        if max(map(abs, moves)) < 1:
            break
        reached = [min(most, max(-most, now + move)) for now, move in zip(total, moves, strict=True)]
        if reached == total:
            break
        total = reached
        result = _moved(image, total, allowed)
    return result


def _cell_means(grey: Image.Image) -> bytes:
    return grey.resize((SIDE, SIDE), Image.Resampling.BOX).tobytes()


def _moves(means: bytes, light: list[int], margin: float, loosest: float) -> list[float]:
    """Per cell the change of brightness that brings it between the margin and the loosest distance from the middle."""
    moves = []
    for start in range(0, CELLS, SIDE):
        middle = sum(means[start : start + SIDE]) / SIDE
        middle = min(255 - margin - 24, max(margin + 24, middle))
        for cell in range(start, start + SIDE):
            side = 1 if light[cell] else -1
            distance = (means[cell] - middle) * side
            moves.append((min(loosest, max(margin, distance)) - distance) * side)
    return moves


def _moved(image: Image.Image, moves: list[float], allowed: Image.Image | None) -> Image.Image:
    """The picture with each cell lighter or darker by its move, at most 127 either way."""
    amounts = bytes(_STILL + round(move) for move in moves)
    by_pixel = Image.frombytes("L", (SIDE, SIDE), amounts).resize(image.size, Image.Resampling.NEAREST)
    if allowed:
        by_pixel = Image.composite(by_pixel, Image.new("L", image.size, _STILL), allowed)
    return ImageChops.add(image, Image.merge("RGB", (by_pixel, by_pixel, by_pixel)), offset=-_STILL)
