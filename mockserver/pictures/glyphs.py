"""Letters as rows of bytes, so that a caption needs neither Pillow nor FreeType and looks the same everywhere.

`glyphs.bin` holds the printable ASCII characters and a few signs in several sizes, drawn once by `bake_glyphs` from
the font Aileron (Sora Sagano, CC0 1.0). A pixel is a level from 0 (paper) to 7 (ink).
"""

from __future__ import annotations

import unicodedata
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FULL = 7
"""The level of full ink."""
FACE = "\ue000"
"""A private character: the sign for restored faces."""
ELLIPSIS = "\u2026"
SIZES = (10, 12, 14, 17, 20, 24, 28, 34, 42, 52)
CHARACTERS = "".join(map(chr, range(32, 127))) + "\u00b7\u2026\u2013\u2014\u2018\u2019\u201c\u201d\u00b0" + FACE
_PLAIN = str.maketrans(
    {"\u00d7": "x", "\u2212": "-", "\u2010": "-", "ß": "ss", "Æ": "AE", "æ": "ae", "Ø": "O", "ø": "o"}
)


@dataclass(frozen=True, slots=True)
class Glyph:
    """One character: `rows` from top to bottom, each of `advance` levels."""

    advance: int
    rows: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Face:
    """The glyphs of one size. `height` is the same for all of them; `unknown` stands for whatever has no glyph."""

    height: int
    glyphs: dict[str, Glyph]
    unknown: Glyph

    def glyph(self, character: str) -> Glyph:
        """The glyph of a character; a hollow box where there is none."""
        return self.glyphs.get(character, self.unknown)

    def width(self, text: str) -> int:
        """Width of the text in pixels."""
        return sum(self.glyph(character).advance for character in text)

    def cut(self, text: str, width: int) -> str:
        """As much of the text as fits into `width` pixels, with an ellipsis where something was left out."""
        room = width - self.glyph(ELLIPSIS).advance
        used = fitting = 0
        for number, character in enumerate(text):
            used += self.glyph(character).advance
            if used <= room:
                fitting = number + 1
            if used > width:
                return text[:fitting].rstrip() + ELLIPSIS if room >= 0 else ""
        return text

    def rows(self, text: str) -> list[bytes]:
        """The text as `height` rows of levels."""
        return [b"".join(parts) for parts in zip(*(self.glyph(character).rows for character in text), strict=True)]


def plain(text: str) -> str:
    """The text in characters that have glyphs where possible: one line, accents dropped, controls gone.

    A prompt may hold anything; what has no plain form stays and is drawn as a box.
    """
    unmarked = unicodedata.normalize("NFKD", text.translate(_PLAIN))
    kept = (" " if character.isspace() else character for character in unmarked if _is_drawn(character))
    return " ".join("".join(kept).split())


def _is_drawn(character: str) -> bool:
    if character.isascii():
        return character.isprintable() or character.isspace()
    return unicodedata.category(character) not in ("Mn", "Me", "Cc", "Cf") and character != FACE


@cache
def face(size: int) -> Face:
    """The largest face of at most `size` pixels (the smallest there is, when all are larger)."""
    return _load(max((known for known in SIZES if known <= size), default=SIZES[0]))


@cache
def _load(size: int) -> Face:
    packed = Path(__file__).with_name("glyphs.bin").read_bytes()
    at = 0
    for known in SIZES:
        length = int.from_bytes(packed[at : at + 4], "big")
        if known == size:
            return _unpacked(zlib.decompress(packed[at + 4 : at + 4 + length]))
        at += 4 + length
    raise AssertionError(f"glyphs.bin has no size {size}: run python -m mockserver.pictures.bake_glyphs")


def packed(faces: Sequence[Face]) -> bytes:
    """The content of `glyphs.bin`: per face its length and its compressed bytes (the inverse of reading it)."""
    blocks = []
    for face in faces:
        glyphs = [face.glyphs[character] for character in CHARACTERS]
        content = bytes([face.height, *(glyph.advance for glyph in glyphs)]) + b"".join(
            b"".join(g.rows) for g in glyphs
        )
        block = zlib.compress(content, 9)
        blocks.append(len(block).to_bytes(4, "big") + block)
    return b"".join(blocks)


def _unpacked(content: bytes) -> Face:
    height = content[0]
    at = 1 + len(CHARACTERS)
    glyphs = {}
    for character, advance in zip(CHARACTERS, content[1:at], strict=True):
        glyphs[character] = Glyph(
            advance, tuple(content[at + y * advance : at + (y + 1) * advance] for y in range(height))
        )
        at += height * advance
    return Face(height, glyphs, _box(height, glyphs["M"].advance))


def _box(height: int, advance: int) -> Glyph:
    """A hollow rectangle, as tall as a capital."""
    top, bottom, inside = height // 5, height - height // 4, max(0, advance - 4)
    edge, side, empty = (
        bytes([0]) + bytes([4]) * (inside + 2) + bytes([0]),
        bytes([0, 4]) + bytes(inside) + bytes([4, 0]),
        bytes(inside + 4),
    )
    rows = (empty if not top <= y < bottom else edge if y in (top, bottom - 1) else side for y in range(height))
    return Glyph(inside + 4, tuple(rows))
