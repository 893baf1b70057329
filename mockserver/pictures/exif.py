"""The EXIF block of JPEG and WebP results, and the two texts found again in it (EXIF 2.32; TIFF 6.0).

Three entries: ImageDescription holds the machine-readable text, Software names the mock, and UserComment holds the
`parameters` text as Stable Diffusion tools write it: the prefix UNICODE and big-endian UTF-16.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

PREFIX = b"Exif\0\0"
_DESCRIPTION, _SOFTWARE, _SUB_DIRECTORY, _USER_COMMENT = 0x010E, 0x0131, 0x8769, 0x9286
_ASCII, _LONG, _UNDEFINED = 2, 4, 7
_HEADER_BYTES, _ENTRY_BYTES = 8, 12
_MOST_COMMENT_BYTES = 56_000  # a JPEG segment holds 65,533 bytes, and the other entries want room
_MOST_ENTRIES = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """What an EXIF block says: the UserComment, and the ImageDescription; None where one is absent."""

    comment: str | None = None
    description: str | None = None


def build(*, comment: str, description: str, software: str) -> bytes:
    """An EXIF block with its prefix; a comment too long for a JPEG segment is cut.

    Args:
        comment: any text.
        description: ASCII.
        software: ASCII.
    """
    encoded = comment.encode("utf-16-be", "replace")[:_MOST_COMMENT_BYTES]
    encoded = encoded.decode("utf-16-be", "ignore").encode("utf-16-be")
    first = [
        (_DESCRIPTION, _ASCII, description.encode("ascii") + b"\0"),
        (_SOFTWARE, _ASCII, software.encode("ascii") + b"\0"),
    ]
    pointer_at = _HEADER_BYTES + _directory_bytes(3) + sum(_padded(len(content)) for _, _, content in first)
    first.append((_SUB_DIRECTORY, _LONG, struct.pack(">I", pointer_at)))
    second = [(_USER_COMMENT, _UNDEFINED, b"UNICODE\0" + encoded)]
    return (
        PREFIX
        + b"MM\0\x2a"
        + struct.pack(">I", _HEADER_BYTES)
        + _directory(first, _HEADER_BYTES)
        + _directory(second, pointer_at)
    )


def read(block: bytes) -> Texts:
    """The texts of an EXIF block, with or without its prefix; whatever cannot be read is None."""
    tiff = block.removeprefix(PREFIX)
    order = {b"MM": ">", b"II": "<"}.get(tiff[:2])
    if order is None or len(tiff) < _HEADER_BYTES:
        return Texts()
    first = dict(_entries(tiff, _long(tiff[4:8], order), order))
    second = dict(_entries(tiff, _long(first[_SUB_DIRECTORY], order), order)) if _SUB_DIRECTORY in first else {}
    description = first.get(_DESCRIPTION)
    comment = second.get(_USER_COMMENT)
    return Texts(
        comment=_comment(comment) if comment else None,
        description=description.rstrip(b"\0").decode("ascii", "replace") if description else None,
    )


def block_of(data: bytes) -> bytes:
    """The EXIF block of a JPEG or WebP file; empty where there is none."""
    if data.startswith(b"\xff\xd8"):
        return next((body for marker, body in _segments(data) if marker == 0xE1 and body.startswith(PREFIX)), b"")
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        at = 12
        while at + 8 <= len(data):
            length = int.from_bytes(data[at + 4 : at + 8], "little")
            if data[at : at + 4] == b"EXIF":
                return data[at + 8 : at + 8 + length]
            at += 8 + length + length % 2
    return b""


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The segments of a JPEG before its picture data."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] not in (0xD9, 0xDA):
        length = max(2, int.from_bytes(data[at + 2 : at + 4], "big"))
        yield data[at + 1], data[at + 4 : at + 2 + length]
        at += 2 + length


def _directory(entries: list[tuple[int, int, bytes]], at: int) -> bytes:
    """One directory placed at offset `at`, with the values that do not fit into its entries behind it."""
    head = struct.pack(">H", len(entries))
    values = b""
    values_at = at + _directory_bytes(len(entries))
    for tag, kind, content in entries:
        count = len(content) // 4 if kind == _LONG else len(content)
        if len(content) <= 4:
            field = content.ljust(4, b"\0")
        else:
            field = struct.pack(">I", values_at + len(values))
            values += content.ljust(_padded(len(content)), b"\0")
        head += struct.pack(">HHI", tag, kind, count) + field
    return head + struct.pack(">I", 0) + values


def _directory_bytes(entries: int) -> int:
    return 2 + entries * _ENTRY_BYTES + 4


def _padded(length: int) -> int:
    return length + length % 2 if length > 4 else 0


def _entries(tiff: bytes, at: int, order: str) -> Iterator[tuple[int, bytes]]:
    """Tag and raw content of each entry of the three kinds that we write; those that point outside are left out."""
    count = min(_MOST_ENTRIES, _short(tiff[at : at + 2], order))
    for number in range(count):
        entry = tiff[at + 2 + number * _ENTRY_BYTES : at + 2 + (number + 1) * _ENTRY_BYTES]
        if len(entry) < _ENTRY_BYTES:
            return
        tag, kind, length = _short(entry[:2], order), _short(entry[2:4], order), _long(entry[4:8], order)
        size = length * 4 if kind == _LONG else length
        if kind not in (_ASCII, _LONG, _UNDEFINED) or size == 0:
            continue
        start = _long(entry[8:12], order)
        content = entry[8 : 8 + size] if size <= 4 else tiff[start : start + size]
        if len(content) == size:
            yield tag, content


def _comment(content: bytes) -> str | None:
    kind, text = content[:8], content[8:]
    if kind == b"UNICODE\0":
        if text[:2] == b"\xff\xfe":
            return text[2:].decode("utf-16-le", "replace")
        return text.removeprefix(b"\xfe\xff").decode("utf-16-be", "replace")
    if kind == b"ASCII\0\0\0":
        return text.decode("ascii", "replace")
    return None


def _short(content: bytes, order: str) -> int:
    return int.from_bytes(content, "big" if order == ">" else "little")


def _long(content: bytes, order: str) -> int:
    return int.from_bytes(content[:4], "big" if order == ">" else "little")
