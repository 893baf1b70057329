"""How bright each cell of a picture is: means over the cells of a large picture, unmixed pixels of a small one.

In a thumbnail of, say, 17 pixels for 16 cells every pixel mixes two cells. How it mixes them follows from the filter
that scaled the picture down, so the cells are the least-squares solution of a small linear system, one for each axis:
pixels = A cells B'. The filter is unknown; the three usual ones are tried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from operator import mul

from PIL import Image

from .receipt import SIDE

_SAMPLES = 4  # measured points per cell and direction in a large picture,
_WHOLE, _INNER = range(4), range(1, 3)  # all of them, as a caption needs; the inner ones only, as blur needs
_SMALL = 3 * SIDE  # pixels; sides up to this are unmixed
_RIDGE = 0.06  # keeps the solution calm where JPEG noise would make it swing

Matrix = list[list[float]]
Kernel = Callable[[float], float]


def cell_means(grey: Image.Image) -> Iterator[list[float]]:
    """Brightness of the 256 cells, row by row, in one or more readings.

    Args:
        grey: a picture of mode L, at least 16 pixels wide and high.
    """
    across, down = (side if side <= _SMALL else SIDE * _SAMPLES for side in grey.size)
    if grey.size != (across, down):
        grey = grey.resize((across, down), Image.Resampling.BOX)
    points = grey.tobytes()
    rows: Matrix = [[float(point) for point in points[y * across : (y + 1) * across]] for y in range(down)]
    for inner in (_WHOLE, _INNER) if max(across, down) > _SMALL else (_WHOLE,):
        for kernel in _KERNELS if min(across, down) <= _SMALL else (_point,):
            columns = _product(rows, _transposed(_operator(across, kernel, inner)))
            yield [value for row in _product(_operator(down, kernel, inner), columns) for value in row]


def _operator(side: int, kernel: Kernel, counted: range) -> Matrix:
    """The 16 x side matrix that turns a line of pixels into 16 cells."""
    if side > _SMALL:
        weight = 1 / len(counted)
        return [
            [weight * (point // _SAMPLES == cell and point % _SAMPLES in counted) for point in range(side)]
            for cell in range(SIDE)
        ]
    mixing = [_shares(pixel, side, kernel) for pixel in range(side)]
    transposed = _transposed(mixing)
    normal = _product(transposed, mixing)
    for cell in range(SIDE):
        normal[cell][cell] += _RIDGE
    return _solved(normal, transposed)


def _shares(pixel: int, side: int, kernel: Kernel) -> list[float]:
    """How much of each cell is in a pixel; the shares add up to 1."""
    edges = [kernel(cell * side / SIDE - pixel - 0.5) for cell in range(SIDE + 1)]
    shares = [after - before for before, after in pairwise(edges)]
    total = sum(shares)
    return [share / total for share in shares]


def _point(x: float) -> float:
    """Nearest neighbour: the integral from minus infinity to x of a kernel that is all at 0."""
    return float(x > 0)


def _box(x: float) -> float:
    """Area average: the integral of a kernel one pixel wide."""
    return min(1.0, max(0.0, x + 0.5))


def _triangle(x: float) -> float:
    """Bilinear reduction: the integral of a kernel that falls off over one pixel to either side."""
    x = min(1.0, max(-1.0, x))
    return (x + 1) ** 2 / 2 if x < 0 else 1 - (1 - x) ** 2 / 2


_KERNELS: tuple[Kernel, ...] = (_box, _triangle, _point)


def _transposed(matrix: Matrix) -> Matrix:
    return [list(column) for column in zip(*matrix, strict=True)]


def _product(left: Matrix, right: Matrix) -> Matrix:
    columns = _transposed(right)
    return [[sum(map(mul, row, column)) for column in columns] for row in left]


def _solved(matrix: Matrix, right: Matrix) -> Matrix:
    """X with matrix X = right, by elimination; the matrix is symmetric and positive definite, so no pivot is needed."""
    rows = [[*line, *values] for line, values in zip(matrix, right, strict=True)]
    size = len(rows)
    for pivot in range(size):
        scale = 1 / rows[pivot][pivot]
        rows[pivot] = [value * scale for value in rows[pivot]]
        for other in range(size):
            if other != pivot and (factor := rows[other][pivot]):
                rows[other] = [a - factor * b for a, b in zip(rows[other], rows[pivot], strict=True)]
    return [row[size:] for row in rows]
