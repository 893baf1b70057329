"""The receipt: 256 bits that say which task made a picture, laid out as 16 x 16 cells.

Layout of the 32 bytes, before whitening:

    0-1   magic       2   version     3   index of the picture
    4-19  digest of the recipe        20-27  seed (big-endian)      28-31  CRC-32 of bytes 0 to 27

The head (bytes 0 to 3) is whitened with a fixed mask, the body with a mask chosen by the index: whatever the values
are, light and dark cells come in about equal numbers, and the pictures of one task look different from each other.
Only bits live here; `raster` draws them, `reading` finds them again in pixels.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from itertools import combinations

from .errors import NotAReceipt

SIDE = 16
"""Cells in each direction."""
CELLS = SIDE * SIDE
MAGIC = b"\xa7\x4d"
VERSION = 1

_HEAD_MASK = bytes.fromhex("9c6a35d1")
_KNOWN = MAGIC + bytes([VERSION])
_KNOWN_BITS = len(_KNOWN) * 8
_HEAD = int.from_bytes(_KNOWN, "big") ^ int.from_bytes(_HEAD_MASK[: len(_KNOWN)], "big")
_TOLERATED_HEAD_ERRORS = 3
_SUSPECTS = 18  # the weakest cells that repair may turn over,
_TURNED = 3  # and how many of them at once: 988 tries, so a wrong hit has a chance of about 1 in 4 million


class Origin(StrEnum):
    """Where a receipt was read."""

    PIXELS = "pixels"
    TEXT = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """The receipt that the source picture carried."""

    digest: bytes
    index: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a picture says about its making.

    `exact` is false when weak cells had to be turned over until the checksum fitted. `parent` is known only while the
    file still has its text: the receipt of the picture that this one was made from.
    """

    digest: bytes
    index: int
    seed: int
    exact: bool = True
    origin: Origin = Origin.PIXELS
    parent: Parent | None = None


def cell_bits(digest: bytes, index: int, seed: int) -> int:
    """The 256 cells as one number: the highest bit is the cell at the top left, then row by row; 1 is a light cell.

    Args:
        digest: 16 bytes.
        index: 0 to 255.
        seed: taken modulo 2 ** 64.
    """
    plain = _KNOWN + bytes([index]) + digest + (seed % (1 << 64)).to_bytes(8, "big")
    return int.from_bytes(_whitened(plain + zlib.crc32(plain).to_bytes(4, "big"), index), "big")


def read_cells(cells: Sequence[float]) -> Receipt | None:
    """The receipt in 256 soft cell values, or None where there is none.

    Args:
        cells: row by row; above 0 is a light cell, and the further from 0 the surer.

    Raises:
        NotAReceipt: this is a receipt (`damaged`), but its checksum fits neither as read nor after a small repair.
    """
    wrong_head = _bits(cells[:_KNOWN_BITS]) ^ _HEAD
    if wrong_head.bit_count() > _TOLERATED_HEAD_ERRORS:
        return None
    bits = _bits(cells)
    if receipt := _checked(bits, exact=True):
        return receipt
    repaired = bits ^ wrong_head << (CELLS - _KNOWN_BITS)
    order = sorted(range(_KNOWN_BITS, CELLS), key=lambda cell: abs(cells[cell]))[:_SUSPECTS]
    suspects = [1 << (CELLS - 1 - cell) for cell in order]
    for count in range(_TURNED + 1):
        for turned in combinations(suspects, count):
            if receipt := _checked(repaired ^ sum(turned), exact=False):
                return receipt
    raise NotAReceipt("a receipt whose checksum fails: too many of its cells are covered or lost", damaged=True)


def _checked(bits: int, *, exact: bool) -> Receipt | None:
    masked = bits.to_bytes(CELLS // 8, "big")
    plain = _whitened(masked, masked[3] ^ _HEAD_MASK[3])
    if zlib.crc32(plain[:28]) != int.from_bytes(plain[28:], "big") or not plain.startswith(_KNOWN):
        return None
    return Receipt(digest=plain[4:20], index=plain[3], seed=int.from_bytes(plain[20:28], "big"), exact=exact)


def _whitened(content: bytes, index: int) -> bytes:
    """Mask or unmask 32 bytes: the same operation."""
    mask = _HEAD_MASK + blake2b(bytes([index]), digest_size=28, person=b"novita-mock wht1").digest()
    return (int.from_bytes(content, "big") ^ int.from_bytes(mask, "big")).to_bytes(len(content), "big")


def _bits(cells: Sequence[float]) -> int:
    bits = 0
    for value in cells:
        bits = bits << 1 | (value > 0)
    return bits
