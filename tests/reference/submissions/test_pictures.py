from __future__ import annotations

import struct
import zlib
from io import BytesIO

import pytest
from PIL import Image

from openapi.document import PictureLimits
from reference_impl.submissions import Fault, Refused
from reference_impl.submissions.pictures import picture_size, read_picture
from tests.reference.submissions.bodies import in_base64, picture

LIMITS = PictureLimits(max_pixels=1000, max_bytes=2000)


@pytest.mark.parametrize("size", [(1, 1), (24, 16), (640, 33)])
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("JPEG", {}),
        ("JPEG", {"progressive": True, "exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"}),
        ("WEBP", {"quality": 50}),
        ("WEBP", {"lossless": True}),
        ("WEBP", {"icc_profile": b"made up"}),
    ],
)
def test_the_head_of_a_file_tells_its_size(kind: str, options: dict[str, object], size: tuple[int, int]) -> None:
    file = BytesIO()
    Image.new("RGB", size, "teal").save(file, kind, **options)
    assert picture_size(file.getvalue()) == size


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_file_that_ends_within_its_head_is_no_picture(kind: str) -> None:
    file = picture(kind)
    sizes = {picture_size(file[:length]) for length in range(20)}
    assert sizes == {None}


@pytest.mark.parametrize(
    "file",
    [
        b"",
        b"no picture",
        b"GIF89a" + bytes(100),
        picture("BMP"),
        b"\x89PNG\r\n\x1a\n" + bytes(100),
        b"\xff\xd8\xff\xd9" + bytes(100),
        b"\xff\xd8\xff\xe0\x00\x00" * 50,
        b"RIFF\0\0\0\0WEBPVP9 " + bytes(100),
    ],
)
def test_what_begins_like_no_picture_is_none(file: bytes) -> None:
    assert picture_size(file) is None


def test_a_picture_without_pixels_is_none() -> None:
    head = struct.pack(">4sIIBBBBB", b"IHDR", 0, 16, 8, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))
    assert picture_size(png) is None


def test_a_picture_is_read_from_base64_and_from_a_data_uri() -> None:
    file = picture()
    text = in_base64(file)
    assert read_picture(text, "mask", LIMITS) == file
    assert read_picture(f"data:image/png;base64,{text}", "mask", LIMITS) == file


@pytest.mark.parametrize(
    ("text", "fault", "says"),
    [
        ("not base64!", Fault.PICTURE, "no base64"),
        ("é", Fault.PICTURE, "no base64"),
        ("AAA", Fault.PICTURE, "no base64"),
        ("AA==AAAA", Fault.PICTURE, "no base64"),
        ("AAAA\n", Fault.PICTURE, "no base64"),
        ("", Fault.PICTURE, "PNG, JPEG or WebP"),
        (in_base64(b"plain text"), Fault.PICTURE, "PNG, JPEG or WebP"),
        (in_base64(picture() + bytes(2000)), Fault.PICTURE_BYTES, "at most 2000 bytes"),
        ("A" * 100_000, Fault.PICTURE_BYTES, "at most 2000 bytes"),
        (in_base64(picture(size=(40, 26))), Fault.PICTURE_PIXELS, "at most 1000 pixels, got 40 x 26"),
    ],
)
def test_a_refusal_says_what_was_expected(text: str, fault: Fault, says: str) -> None:
    with pytest.raises(Refused, match=says) as refused:
        read_picture(text, "init_images.0", LIMITS)
    assert (refused.value.fault, refused.value.field) == (fault, "init_images.0")


def test_a_large_file_is_read_whole() -> None:
    file = picture() + bytes(range(256)) * 2000
    assert read_picture(in_base64(file), "mask", PictureLimits(max_pixels=1000, max_bytes=10**6)) == file


def test_a_small_file_that_unfolds_to_gigabytes_is_refused_unread() -> None:
    head = struct.pack(">4sIIBBBBB", b"IHDR", 60_000, 60_000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))
    with pytest.raises(Refused, match="60000 x 60000"):
        read_picture(in_base64(bomb), "mask", LIMITS)
