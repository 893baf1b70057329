"""What a picture file claims to be, read from its header alone: no pixel is decoded here.

PNG: the IHDR chunk. JPEG: the first start-of-frame segment. WebP: the first VP8, VP8L or VP8X chunk. A file of a few
bytes that claims 60000 x 60000 pixels is answered from those bytes, so the caller can refuse it.
"""

from __future__ import annotations

from dataclasses import dataclass

from mockserver.core.recipe import ImageType

from .errors import NotAPicture

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# SOF0 to SOF15 without DHT (C4), JPG (C8) and DAC (CC)
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})
_MOST_SEGMENTS = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """Format and size in pixels, as the file's header states them."""

    format: ImageType
    width: int
    height: int

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.width * self.height


def probe(data: bytes) -> Probe:
    """Format and size of a picture file.

    Raises:
        NotAPicture: the bytes are none of PNG, JPEG and WebP, or the header is cut short or has a side of 0 pixels.
    """
    if data.startswith(_PNG_SIGNATURE):
        found = _png(data)
    elif data.startswith(b"\xff\xd8\xff"):
        found = _jpeg(data)
    elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        found = _webp(data)
    elif not data:
        raise NotAPicture("an empty file")
    else:
        raise NotAPicture(f"neither PNG, JPEG nor WebP: it starts with {data[:8].hex(' ')}")
    if not (found.width and found.height):
        raise NotAPicture(f"a side of 0 pixels: {found.width} x {found.height}")
    return found


def _png(data: bytes) -> Probe:
    if len(data) < 33 or data[12:16] != b"IHDR":
        raise NotAPicture("a PNG without its IHDR chunk")
    return Probe(format=ImageType.PNG, width=_big(data[16:20]), height=_big(data[20:24]))


def _jpeg(data: bytes) -> Probe:
    at = 2
    for _ in range(_MOST_SEGMENTS):
        at = data.find(b"\xff", at)
        if at < 0 or at + 1 >= len(data):
            break
        marker = data[at + 1]
        if marker in (0xFF, 0x00):  # fill bytes before a marker, or a stuffed byte
            at += 1
        elif marker in _WITHOUT_LENGTH:
            at += 2
        elif marker in _START_OF_FRAME:
            if at + 9 > len(data):
                break
            return Probe(format=ImageType.JPEG, width=_big(data[at + 7 : at + 9]), height=_big(data[at + 5 : at + 7]))
        elif marker in (0xD9, 0xDA):  # the picture ends or its data begin: no frame was announced
            break
        else:
            at += 2 + max(2, _big(data[at + 2 : at + 4]))
    raise NotAPicture("a JPEG without a frame header")


def _webp(data: bytes) -> Probe:
    kind, body = data[12:16], data[20:30]
    if len(body) == 10:
        if kind == b"VP8X":
            return _webp_of(1 + _little(body[4:7]), 1 + _little(body[7:10]))
        if kind == b"VP8 " and body[3:6] == b"\x9d\x01\x2a":
            return _webp_of(_little(body[6:8]) & 0x3FFF, _little(body[8:10]) & 0x3FFF)
        if kind == b"VP8L" and body[0] == 0x2F:
            packed = _little(body[1:5])
            return _webp_of(1 + (packed & 0x3FFF), 1 + (packed >> 14 & 0x3FFF))
    raise NotAPicture("a WebP without a picture header")


def _webp_of(width: int, height: int) -> Probe:
    return Probe(format=ImageType.WEBP, width=width, height=height)


def _big(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _little(data: bytes) -> int:
    return int.from_bytes(data, "little")
