"""PNG files written by hand: true colour, 8 bits per channel, without any picture library.

A row that equals the one above becomes zeros, and a run of such rows is compressed once and then repeated as a
finished piece: deflate pieces that end on a byte boundary may simply be put one after the other (RFC 1951, 3.2.4), and
the Adler-32 sum of the whole follows from the sums of the parts. So a picture of large tiles costs little more than
its few different rows, and depends on nothing but zlib.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable

from .raster import Raster

SIGNATURE = b"\x89PNG\r\n\x1a\n"

_ADLER_BASE = 65521
_NONE, _UP = b"\0", b"\2"
_LEVEL = 1
_WORTH_A_PIECE = 8192  # bytes; below this, compressing again is as cheap as flushing


def chunk(kind: bytes, content: bytes) -> bytes:
    """One PNG chunk: length, kind, content, CRC."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(content, zlib.crc32(kind)))


def text_chunk(keyword: str, text: str) -> bytes:
    """A tEXt chunk where Latin-1 suffices, else an iTXt chunk; a NUL, which neither may hold, becomes U+FFFD."""
    text = text.replace("\0", "\ufffd")
    try:
        return chunk(b"tEXt", keyword.encode("ascii") + b"\0" + text.encode("latin-1"))
    except UnicodeEncodeError:
        return chunk(b"iTXt", keyword.encode("ascii") + b"\0\0\0\0\0" + text.encode("utf-8", "replace"))


def text_chunks(data: bytes) -> dict[str, str]:
    """The texts of a PNG by keyword (the first of each). What cannot be read is left out; nothing is inflated."""
    found: dict[str, str] = {}
    at = len(SIGNATURE)
    while at + 12 <= len(data):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        content = data[at + 8 : at + 8 + length]
        if kind == b"tEXt" and len(content) == length:
            keyword, _, text = content.partition(b"\0")
            found.setdefault(keyword.decode("latin-1"), text.decode("latin-1"))
        elif kind == b"iTXt" and len(content) == length:
            keyword, _, rest = content.partition(b"\0")
            if rest[:1] == b"\0":
                text = rest[2:].split(b"\0", 2)[-1]
                found.setdefault(keyword.decode("latin-1"), text.decode("utf-8", "replace"))
        at += 12 + length
    return found


def encode(raster: Raster, texts: Iterable[tuple[str, str]] = ()) -> bytes:
    """A raster as a PNG file with the given (keyword, text) pairs."""
    blank = _UP + bytes(raster.width * raster.channels)
    pieces: list[bytes] = []
    zeros: dict[int, bytes] = {}
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, -15)
    adler = 1
    for row, count in raster.runs:
        filtered = _NONE + row
        adler = zlib.adler32(filtered, adler)
        pieces.append(packer.compress(filtered))
        repeats = count - 1
        if repeats * len(blank) < _WORTH_A_PIECE:
            again = blank * repeats
            adler = zlib.adler32(again, adler)
            pieces.append(packer.compress(again))
            continue
        if repeats not in zeros:
            zeros[repeats] = _piece(blank * repeats)
        # a full flush: nothing after the piece may refer to what came before it
        pieces += [packer.flush(zlib.Z_FULL_FLUSH), zeros[repeats]]
        adler = _adler_of_blank_rows(adler, len(blank), repeats)
    pieces.append(packer.flush())
    stream = b"".join((b"\x78\x01", *pieces, struct.pack(">I", adler)))
    return _file(raster.width, raster.height, raster.channels, stream, texts)


def encode_pixels(pixels: bytes, width: int, height: int, channels: int, texts: Iterable[tuple[str, str]]) -> bytes:
    """Any pixels (row by row, width x height x channels bytes) as a PNG file: each row filtered with Sub or Up.

    Slower than `encode` and good for pictures that hold a photograph.
    """
    size = width * channels
    rows = [pixels[at : at + size] for at in range(0, height * size, size)]
    packer = zlib.compressobj(_LEVEL)
    above = 0
    pieces: list[bytes] = []
    high = int.from_bytes(b"\x80" * size, "big")
    low = high ^ ((1 << 8 * size) - 1)
    for row in rows:
        # byte-wise subtraction of the row above on two long numbers: no borrow may cross a byte
        here = int.from_bytes(row, "big")
        difference = ((here | high) - (above & low)) ^ ((here ^ above ^ high) & high)
        pieces.append(packer.compress(_UP + difference.to_bytes(size, "big")))
        above = here
    pieces.append(packer.flush())
    return _file(width, height, channels, b"".join(pieces), texts)


def _file(width: int, height: int, channels: int, stream: bytes, texts: Iterable[tuple[str, str]]) -> bytes:
    colour_type = 6 if channels == 4 else 2
    return b"".join(
        (
            SIGNATURE,
            chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, 0)),
            *(text_chunk(keyword, text) for keyword, text in texts),
            chunk(b"IDAT", stream),
            chunk(b"IEND", b""),
        )
    )


def _piece(content: bytes) -> bytes:
    """A finished run of deflate blocks that refers to nothing outside itself and ends on a byte boundary."""
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, -15)
    return packer.compress(content) + packer.flush(zlib.Z_FULL_FLUSH)


def _adler_of_blank_rows(adler: int, row_bytes: int, rows: int) -> int:
    """The Adler-32 sum after `rows` more rows of `row_bytes` bytes, each a 2 (the filter Up) followed by zeros.

    RFC 1950, 8.2: the low half adds up the bytes, the high half adds up the low halves.
    """
    low, high = adler & 0xFFFF, adler >> 16
    high += row_bytes * (rows * low + 2 * rows * (rows + 1) // 2)
    low += 2 * rows
    return (high % _ADLER_BASE) << 16 | low % _ADLER_BASE
