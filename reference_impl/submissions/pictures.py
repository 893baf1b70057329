"""Pictures in a body: base64 becomes a file that is judged by its head alone.

Nothing is decoded here: a small file may unfold to gigabytes (C43), and the process that answers requests has better
things to do. What is wrong behind the head shows when the picture is drawn from, and fails the task with a reason.
"""

from __future__ import annotations

import binascii
import re
import struct
import zlib

from openapi.document import PictureLimits
from reference_impl.submissions.refusals import Fault, Refused

_DATA_URI = re.compile(r"data:[^,]{0,100};base64,")
_PIECE = 1 << 18
"""Characters; a multiple of four, the letters of three bytes."""
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of the segments that hold width and height (ITU T.81, table B.1)."""
_JPEG_LONE = frozenset({0x01, *range(0xD0, 0xD9)})
"""Markers without a segment behind them."""
_JPEG_SCAN, _JPEG_END = 0xDA, 0xD9


def read_picture(text: str, field: str, limits: PictureLimits) -> bytes:
    """The file behind a text in base64.

    Args:
        text: base64, perhaps as a data URI (the strict reading has refused those before, C48).
        field: where it stands in the body, for the message.
        limits: see `openapi.document.PictureLimits`.

    Raises:
        Refused: it is no picture in PNG, JPEG or WebP, or one beyond the limits.
    """
    if prefix := _DATA_URI.match(text):
        text = text[prefix.end() :]
    if len(text) // 4 * 3 > limits.max_bytes + 2:
        raise _too_large(field, len(text) // 4 * 3, limits)
    try:
        file = _decoded(text)
    except ValueError:
        raise Refused(Fault.PICTURE, field, "expected a picture file in base64; this text is no base64") from None
    if len(file) > limits.max_bytes:
        raise _too_large(field, len(file), limits)
    size = picture_size(file)
    if size is None:
        message = "expected a picture file in base64, PNG, JPEG or WebP; these bytes begin like none of them"
        raise Refused(Fault.PICTURE, field, message)
    width, height = size
    if width * height > limits.max_pixels:
        message = f"expected at most {limits.max_pixels} pixels, got {width} x {height}; send a smaller picture"
        raise Refused(Fault.PICTURE_PIXELS, field, message)
    return file


def _decoded(text: str) -> bytes:
    """The bytes of a text in base64, piece by piece: in one go, ten megabytes would hold up all other threads.

    Raises:
        ValueError: it is no base64.
    """
    if "=" in text[:-2]:
        raise ValueError("padding before the end")
    pieces = (text[start : start + _PIECE] for start in range(0, len(text), _PIECE))
    return b"".join(binascii.a2b_base64(piece, strict_mode=True) for piece in pieces)


def picture_size(file: bytes) -> tuple[int, int] | None:
    """Width and height in pixels as the head of a PNG, JPEG or WebP file says; None when it is no such file."""
    try:
        if file.startswith(_PNG):
            size = _png_size(file)
        elif file.startswith(b"\xff\xd8\xff"):
            size = _jpeg_size(file)
        elif file.startswith(b"RIFF") and file[8:12] == b"WEBP":
            size = _webp_size(file)
        else:
            return None
    except struct.error:  # it ends within its head
        return None
    return size if size and min(size) > 0 else None


def _too_large(field: str, size: int, limits: PictureLimits) -> Refused:
    message = f"expected a file of at most {limits.max_bytes} bytes, got {size}; send a smaller picture"
    return Refused(Fault.PICTURE_BYTES, field, message)


def _png_size(file: bytes) -> tuple[int, int] | None:
    """The first chunk is the header, and its checksum fits (PNG, third edition, 11.2.1)."""
    length, name = struct.unpack_from(">I4s", file, 8)
    width, height, checksum = *struct.unpack_from(">II", file, 16), struct.unpack_from(">I", file, 29)[0]
    if (length, name) != (13, b"IHDR") or zlib.crc32(file[12:29]) != checksum:
        return None
    return width, height


def _jpeg_size(file: bytes) -> tuple[int, int] | None:
    """From segment to segment up to the one that holds the size."""
    place = 2
    while True:
        lead, marker = struct.unpack_from(">BB", file, place)
        if lead != 0xFF or marker in (_JPEG_SCAN, _JPEG_END):
            return None
        if marker == 0xFF:  # fill
            place += 1
        elif marker in _JPEG_LONE:
            place += 2
        elif marker in _JPEG_SIZES:
            height, width = struct.unpack_from(">HH", file, place + 5)
            return width, height
        else:
            place += 2 + max(2, struct.unpack_from(">H", file, place + 2)[0])


def _webp_size(file: bytes) -> tuple[int, int] | None:
    """One of the three kinds of first chunk (RFC 9649, 2.5 to 2.7)."""
    match file[12:16]:
        case b"VP8X":
            low_width, high_width, low_height, high_height = struct.unpack_from("<HBHB", file, 24)
            return 1 + (high_width << 16 | low_width), 1 + (high_height << 16 | low_height)
        case b"VP8L" if file[20:21] == b"\x2f":
            (bits,) = struct.unpack_from("<I", file, 21)
            return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        case b"VP8 " if file[23:26] == b"\x9d\x01\x2a":
            width, height = struct.unpack_from("<HH", file, 26)
            return width & 0x3FFF, height & 0x3FFF
    return None
