"""Source pictures: judged by length and header, kept once, and never decoded on the way in."""

from __future__ import annotations

import struct
import subprocess
import sys
import tracemalloc
import zlib
from base64 import b64encode, encodebytes
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.core.errors import Reason, Refusal
from mockserver.parts.inputs import MemoryInputs
from mockserver.submissions.inputs import StoredPictures, SubmittedPictures, decode_picture
from openapi.document import PictureLimits
from tests.bodies import base64_png, png
from tests.mockserver.reading import contract

LIMITS = PictureLimits(max_pixels=16 * 1024 * 1024, max_bytes=10 * 1024 * 1024)


def decode(text: str, limits: PictureLimits = LIMITS) -> bytes:
    return decode_picture(text, "request.image_base64", limits)


def reason_of(text: str, limits: PictureLimits = LIMITS) -> Reason:
    """Why a picture is refused; the message names the field."""
    with pytest.raises(Refusal, match=r"^request\.image_base64: ") as refused:
        decode(text, limits)
    assert len(refused.value.message) < 300
    return refused.value.reason


def claiming(width: int, height: int) -> bytes:
    """A PNG of some bytes that claims a size."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = b"IDAT" + zlib.compress(b"\0" * 100)
    chunks = [struct.pack(">I", len(part) - 4) + part + struct.pack(">I", zlib.crc32(part)) for part in (header, data)]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def jpeg_claiming(width: int, height: int) -> bytes:
    """The beginning of a JPEG with a frame header."""
    return b"\xff\xd8\xff\xc0\x00\x11\x08" + struct.pack(">HH", height, width) + b"\x03" + b"\0" * 10


def webp_claiming(width: int, height: int) -> bytes:
    """The beginning of an extended WebP."""
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + sides


def base64(data: bytes) -> str:
    return b64encode(data).decode()


def test_the_limits_are_the_documents() -> None:
    """C43: 16 megapixels and 10 MB."""
    assert contract().picture_limits == LIMITS


@pytest.mark.parametrize("data", [png(), jpeg_claiming(8, 8), webp_claiming(8, 8)], ids=["png", "jpeg", "webp"])
def test_three_formats_are_taken_as_they_are(data: bytes) -> None:
    """The file comes out byte by byte."""
    assert decode(base64(data)) == data


@pytest.mark.parametrize(
    "text",
    [
        f"data:image/png;base64,{base64_png()}",
        f"data:;base64,{base64_png()}",
        f"data:image/jpeg;charset=x;base64,{base64_png()}",
        f"  data:image/png;base64,{base64_png()}\n",
        f"\n {base64_png()} \r\n",
        encodebytes(png()).decode(),
        encodebytes(png()).decode().replace("\n", "\r\n"),
    ],
    ids=["uri", "no type", "parameters", "space before", "space around", "lines", "crlf lines"],
)
def test_a_data_uri_and_white_space_are_taken_off(text: str) -> None:
    """C48: a helper of the official JavaScript client makes a data URI; other tools break lines."""
    assert decode(text) == png()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "data:",
        "data:image/png;base64",
        "data:image/png;base64,",
        "{{Base64 encode image}}",
        "not base64!",
        base64_png()[:-3],
        base64_png() + "====",
        base64_png().replace("/", "_") + "-_",
        "é",
        "\ud800",
        "\x00",
        base64(b"just some text"),
        base64(b"GIF89a" + b"\0" * 30),
        base64(b"%PDF-1.4" + b"\0" * 30),
        base64(png()[:20]),
        base64(b"\xff\xd8\xff\xe0"),
        base64(b"RIFF\0\0\0\0WEBP"),
        base64(claiming(0, 64)),
        base64(claiming(64, 0)),
    ],
)
def test_what_is_no_picture_has_the_wrong_format(text: str) -> None:
    """INVALID_IMAGE_FORMAT, with a message that shows the beginning of what came."""
    assert reason_of(text) is Reason.INVALID_IMAGE_FORMAT


@pytest.mark.parametrize("extra_bytes", [1, 2, 3, 4, 1000, 10 * 1024 * 1024])
@pytest.mark.parametrize("lines", [False, True])
def test_a_file_beyond_the_limit_is_too_large(extra_bytes: int, lines: bool) -> None:
    """C43: one byte more than allowed, on one line or on many."""
    data = png() + b"\0" * (1_000 + extra_bytes)
    limits = PictureLimits(max_pixels=10**6, max_bytes=len(data) - extra_bytes)
    text = encodebytes(data).decode() if lines else base64(data)

    assert reason_of(text, limits) is Reason.IMAGE_FILE_EXCEEDS_MAX_SIZE


@pytest.mark.parametrize("lines", [False, True])
@given(st.integers(0, 4))
def test_a_file_of_exactly_the_limit_is_taken(lines: bool, padding: int) -> None:
    """Line breaks are none of the file."""
    data = png() + b"\0" * (1_000 + padding)
    limits = PictureLimits(max_pixels=10**6, max_bytes=len(data))

    assert decode(encodebytes(data).decode() if lines else base64(data), limits) == data


@pytest.mark.parametrize("make", [claiming, jpeg_claiming, webp_claiming], ids=["png", "jpeg", "webp"])
def test_a_picture_of_more_pixels_than_allowed_is_refused(make: Any) -> None:
    """C43: 4096 x 4096 is 16 megapixels; one row more is too many, whatever the format."""
    assert decode(base64(make(4096, 4096)))
    assert reason_of(base64(make(4096, 4097))) is Reason.IMAGE_EXCEEDS_MAX_RESOLUTION


def test_a_picture_bomb_is_never_decoded() -> None:
    """A file of a hundred bytes that claims 60000 x 60000 pixels is refused at the cost of its bytes."""
    bomb = base64(claiming(60_000, 60_000))
    tracemalloc.start()
    try:
        assert reason_of(bomb) is Reason.IMAGE_EXCEEDS_MAX_RESOLUTION
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100_000

    program = (
        "import sys; from mockserver.submissions.inputs import decode_picture; from openapi.document import "
        "PictureLimits; decode_picture(sys.argv[1], 'x', PictureLimits(max_pixels=10**6, max_bytes=10**6));"
        "sys.exit('PIL' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program, base64_png()], check=False).returncode == 0


@given(st.binary(max_size=400), st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBPVP8 "]))
def test_any_bytes_are_a_picture_or_a_refusal(data: bytes, head: bytes) -> None:
    """No file is an error of ours."""
    found: bytes | Refusal
    try:
        found = decode(base64(head + data))
    except Refusal as refusal:
        found = refusal
    assert found == head + data if isinstance(found, bytes) else found.status == 400


def test_a_body_gets_references_and_the_store_gets_each_file_once() -> None:
    """A task's own record stays small; equal pictures are kept once."""
    store = MemoryInputs()
    pictures = SubmittedPictures(store, LIMITS)
    body: dict[str, Any] = {"init_images": [base64_png(), base64_png()], "mask": base64_png(8, 8)}

    assert pictures.take(body["init_images"], 1, "init_images[1]") == png()
    assert pictures.take(body["init_images"], 0, "init_images[0]") == png()
    assert pictures.take(body, "mask", "mask") == png(8, 8)
    assert pictures.taken
    assert store.total_bytes == 0  # nothing before the request is accepted
    pictures.keep()
    assert store.total_bytes == len(png()) + len(png(8, 8))
    references = [*body["init_images"], body["mask"]]
    assert all(len(reference) < 50 for reference in references)

    stored = StoredPictures(store)
    assert stored.take(body["init_images"], 0, "") == stored.take(body["init_images"], 1, "") == png()
    assert stored.take(body, "mask", "") == png(8, 8)
    assert not stored.missing


def test_a_picture_that_was_dropped_is_empty_and_said_to_be_missing() -> None:
    """The renderer shows a placeholder; the task is still read."""
    store = MemoryInputs(max_bytes=1)
    body: dict[str, Any] = {"a": base64_png(), "b": base64_png(8, 8)}
    submitted = SubmittedPictures(store, LIMITS)
    submitted.take(body, "a", "a")
    submitted.take(body, "b", "b")
    stored = StoredPictures(store)

    assert stored.take(body, "a", "a") == b""
    assert stored.missing


def test_a_refused_picture_leaves_body_and_store_alone() -> None:
    """Nothing is kept of it."""
    store = MemoryInputs()
    pictures = SubmittedPictures(store, LIMITS)
    body: dict[str, Any] = {"mask": "not base64!"}
    with pytest.raises(Refusal):
        pictures.take(body, "mask", "mask")

    assert (body, store.total_bytes, pictures.taken) == ({"mask": "not base64!"}, 0, False)


def test_a_reference_cannot_be_sent() -> None:
    """A client does not reach another one's pictures by naming them."""
    store = MemoryInputs()
    body: dict[str, Any] = {"a": base64_png()}
    SubmittedPictures(store, LIMITS).take(body, "a", "a")

    assert reason_of(body["a"]) is Reason.INVALID_IMAGE_FORMAT
