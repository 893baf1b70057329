"""The hand-written PNG files are ordinary ones, and hold exactly the pixels given."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mockserver.core.recipe import ImageType
from mockserver.pictures import png, render
from mockserver.pictures.raster import Raster, paint
from tests.mockserver.pictures.making import opened, recipe


@st.composite
def rasters(draw: st.DrawFn) -> Raster:
    """Rows of any bytes, some repeated often enough to be written as finished pieces."""
    width, channels = draw(st.integers(1, 300)), draw(st.sampled_from([3, 4]))
    row = st.binary(min_size=width * channels, max_size=width * channels)
    runs = draw(st.lists(st.tuples(row, st.sampled_from([1, 2, 3, 40, 200])), min_size=1, max_size=6))
    return Raster(width=width, height=sum(count for _, count in runs), channels=channels, runs=tuple(runs))


@given(raster=rasters())
def test_any_raster_comes_back(raster: Raster) -> None:
    """Another reader (Pillow) sees the same pixels, whatever way the rows were compressed."""
    image = opened(png.encode(raster))
    assert image.mode == ("RGB" if raster.channels == 3 else "RGBA")
    assert image.size == (raster.width, raster.height)
    assert image.tobytes() == raster.tobytes()


@given(raster=rasters())
def test_any_pixels_come_back(raster: Raster) -> None:
    """The way for photographs, with its byte-wise subtraction on long numbers, is exact too."""
    pixels = raster.tobytes()
    image = opened(png.encode_pixels(pixels, raster.width, raster.height, raster.channels, []))
    assert image.tobytes() == pixels


def test_the_file_is_an_ordinary_png() -> None:
    """True colour, 8 bits; every checksum right; one whole zlib stream of the expected length."""
    data = render(recipe(width=300, height=200), 0, ImageType.PNG)
    assert data.startswith(png.SIGNATURE)
    at, kinds, stream = 8, [], b""
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        content = data[at + 8 : at + 8 + length]
        assert struct.unpack(">I", data[at + 8 + length : at + 12 + length])[0] == zlib.crc32(kind + content)
        kinds.append(kind)
        if kind == b"IHDR":
            assert struct.unpack(">IIBBBBB", content) == (300, 200, 8, 2, 0, 0, 0)
        if kind == b"IDAT":
            stream += content
        at += 12 + length
    assert kinds == [b"IHDR", b"tEXt", b"tEXt", b"IDAT", b"IEND"]
    assert len(zlib.decompress(stream)) == 200 * (300 * 3 + 1)


@pytest.mark.parametrize("size", [(1, 1), (1, 2048), (2048, 1), (7, 9), (15, 16), (17, 300)])
def test_odd_sizes_are_drawn(size: tuple[int, int]) -> None:
    """v2 allows a side of 1 pixel: such a picture is drawn, not refused."""
    raster = paint(recipe(), 0, size)
    assert len(raster.tobytes()) == size[0] * size[1] * 3
    assert opened(png.encode(raster)).size == size


def test_a_picture_of_the_largest_size_stays_small() -> None:
    """4096 x 4096 pixels make a file of less than a megabyte."""
    data = render(recipe(width=4096, height=4096), 0, ImageType.PNG)
    assert len(data) < 1_000_000
    assert Image.open(__import__("io").BytesIO(data)).size == (4096, 4096)


@given(text=st.text(max_size=80))
def test_texts_come_back(text: str) -> None:
    """Latin-1 goes into tEXt and anything else into iTXt; only NUL cannot be held and is replaced."""
    expected = text.replace("\0", "\ufffd")
    data = png.SIGNATURE + png.text_chunk("parameters", text)
    assert png.text_chunks(data) == {"parameters": expected}
    assert (b"tEXt" in data[:16]) == all(ord(character) < 256 for character in expected)


@given(data=st.binary(max_size=200))
def test_reading_texts_of_garbage_is_harmless(data: bytes) -> None:
    """Broken chunks give no text and no error."""
    png.text_chunks(png.SIGNATURE + data)
