"""Source pictures at and beyond the limits, and files that are none, in base64; made once and small where they can be.

Limits are told by the caller in bytes and pixels (`Document.picture_limits`): "10 MB" and "16 megapixels" may be meant
with 1000 or with 1024, so what lies within keeps to the smaller reading and what lies beyond to the larger one.
"""

from __future__ import annotations

import base64
import io
import struct
import zlib
from functools import cache

MILLION = 1_000_000
SIGNATURE = b"\x89PNG\r\n\x1a\n"


@cache
def drawn(
    width: int,
    height: int,
    mode: str = "RGB",
    kind: str = "PNG",
    *,
    colour: tuple[int, int, int] = (200, 40, 40),
    progressive: bool = False,
    corner: bool = False,
) -> str:
    """A picture with a border and a middle of the opposite colour, in some Pillow mode.

    With `corner` the middle is a smaller one at the top left: other outlines, not only other colours.
    """
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (width, height), colour)
    box = (width // 4, height // 4, width * 3 // 4, height * 3 // 4)
    if corner:
        box = (width // 12, height // 12, width // 2, height * 5 // 12)
    ImageDraw.Draw(image).rectangle(box, fill=tuple(255 - level for level in colour))
    held = io.BytesIO()
    options = {"progressive": True} if progressive else {}
    image.convert(mode).save(held, kind, **options)
    return base64.b64encode(held.getvalue()).decode()


@cache
def empty_area(width: int, height: int, bits: int = 1) -> str:
    """A whole PNG in grey, all black; with one bit for a pixel, millions of them are a few kilobytes."""
    packer = zlib.compressobj(1)
    row = bytes(1 + (width * bits + 7) // 8)
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    return base64.b64encode(_png(width, height, bits=bits, colours=0, data=data)).decode()


@cache
def file_of(size: int) -> str:
    """A whole PNG of 64 x 64 pixels whose file has exactly so many bytes.

    A private chunk, which every reader of PNG passes over, fills it.
    """
    plain = base64.b64decode(drawn(64, 64))
    end = plain.index(b"IDAT") - 4
    room = size - len(plain) - 12
    return base64.b64encode(plain[:end] + _chunk(b"zzZz", bytes(room)) + plain[end:]).decode()


@cache
def header_only(width: int, height: int) -> str:
    """A PNG of some hundred bytes that claims a size and holds next to no pixels."""
    return base64.b64encode(_png(width, height, bits=8, colours=2, data=zlib.compress(b"\0" * 64))).decode()


@cache
def inflated_jpeg(side: int) -> str:
    """A small JPEG whose header claims a square of `side` pixels."""
    data = bytearray(base64.b64decode(drawn(64, 64, kind="JPEG")))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", side, side)
    return base64.b64encode(bytes(data)).decode()


@cache
def cut_off(kind: str) -> str:
    """The first half of a picture's file."""
    from PIL import Image

    held = io.BytesIO()
    Image.effect_noise((128, 128), 60).convert("RGB").save(held, kind)
    data = held.getvalue()
    return base64.b64encode(data[: len(data) // 2]).decode()


def no_pictures() -> dict[str, str]:
    """Texts that are no picture in base64, by what they are."""
    good = drawn(64, 64)
    middle = len(good) // 2
    return {
        "no base64": "this is no picture, and no base64 either!",
        "base64 with a star in it": f"{good[:middle]}*{good[middle + 1 :]}",
        "the path of a file": "/tmp/picture.png",
        "a link": "https://example.com/picture.png",
        "empty text": "",
        "base64 of a sentence": _base64(b"these bytes are a sentence and no picture"),
        "base64 of JSON": _base64(b'{"image": true}'),
        "base64 of a PDF": _base64(b"%PDF-1.7\n" + bytes(range(256))),
        "base64 of the first bytes of a PNG and noise": _base64(SIGNATURE + bytes(range(255, 0, -1))),
        "base64 of the first bytes of a JPEG and noise": _base64(b"\xff\xd8\xff\xe0" + bytes(range(128))),
    }


def data_uri(text: str, kind: str = "png") -> str:
    """A data URI of base64."""
    return f"data:image/{kind};base64,{text}"


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _png(width: int, height: int, *, bits: int, colours: int, data: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, 0)
    return SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(name)))
