"""Hostile and broken pictures: refused from their header, or shown as a placeholder, never an exception."""

from __future__ import annotations

import contextlib
import struct
import time
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mockserver.core.recipe import ControlUnit, ImageType, IpAdapter, Mask
from mockserver.pictures import NotAPicture, NotAReceipt, Probe, decode, png, probe, render
from mockserver.pictures.inputs import MOST_PIXELS, load
from tests.mockserver.pictures.making import difference, opened, photo, recipe, saved


def claiming(width: int, height: int, rows: int = 0) -> bytes:
    """A small PNG file whose header claims any size, with `rows` rows of zeros behind it."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes((1 + 3 * width) * rows))
    return png.SIGNATURE + png.chunk(b"IHDR", header) + png.chunk(b"IDAT", body) + png.chunk(b"IEND", b"")


BOMB = claiming(60_000, 60_000, rows=200)
HEADS = [b"", b"\xff\xd8\xff", b"RIFF....WEBPVP8X", png.SIGNATURE]
GOOD = {form: saved(photo(40, 30), form) for form in ("PNG", "JPEG", "WEBP")}


class TestProbe:
    """Format and size from the header alone."""

    @pytest.mark.parametrize("form", GOOD)
    def test_each_format_is_known(self, form: str) -> None:
        """PNG, JPEG and WebP, by content and not by name."""
        assert probe(GOOD[form]) == Probe(format=ImageType(form.lower()), width=40, height=30)

    @pytest.mark.parametrize("mode", ["L", "P", "RGBA", "1"])
    def test_every_colour_mode_is_known(self, mode: str) -> None:
        """The header's size does not depend on the colours."""
        assert probe(saved(photo(33, 44).convert(mode))).pixels == 33 * 44

    @pytest.mark.parametrize(
        "options",
        [
            {"lossless": True},
            {"quality": 20},
            {"exif": b"Exif\0\0MM\0\x2a\0\0\0\x08\0\0\0\0\0\0"},
            {"lossless": True, "exact": True},
        ],
    )
    def test_each_kind_of_webp_is_known(self, options: dict[str, object]) -> None:
        """Lossless, lossy and extended files."""
        for mode in ("RGB", "RGBA"):
            assert probe(saved(photo(301, 77).convert(mode), "WEBP", **options)).pixels == 301 * 77

    @pytest.mark.parametrize("options", [{"progressive": True}, {"exif": bytes(60_000)}, {"comment": b"\xff\xc0" * 99}])
    def test_each_kind_of_jpeg_is_known(self, options: dict[str, object]) -> None:
        """Progressive files, and ones with long segments before the frame header."""
        assert probe(saved(photo(65, 43), "JPEG", **options)).pixels == 65 * 43

    def test_a_bomb_is_answered_without_decoding(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A file of a few kilobytes that claims 3.6 thousand million pixels costs microseconds and no memory."""
        monkeypatch.setattr(Image, "open", lambda *args, **kwargs: pytest.fail("opened by Pillow"))
        tracemalloc.start()
        start = time.perf_counter()
        found = probe(BOMB)
        took = time.perf_counter() - start
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert (found.width, found.height) == (60_000, 60_000)
        assert found.pixels > MOST_PIXELS
        assert took < 0.01
        assert most < 100_000

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            (b"", "empty"),
            (b"GIF89a" + bytes(50), "neither PNG, JPEG nor WebP"),
            (b"<svg/>", "neither PNG, JPEG nor WebP"),
            (GOOD["PNG"][:20], "without its IHDR"),
            (GOOD["JPEG"][:20], "without a frame header"),
            (b"\xff\xd8\xff" + b"\xff" * 100_000, "without a frame header"),
            (GOOD["WEBP"][:22], "without a picture header"),
            (claiming(0, 5), "0 pixels"),
        ],
    )
    def test_what_is_wrong_is_said(self, data: bytes, reason: str) -> None:
        """Each kind of wrong file has its reason."""
        with pytest.raises(NotAPicture, match=reason):
            probe(data)

    @given(data=st.binary(max_size=400), head=st.sampled_from(HEADS))
    def test_garbage_is_refused_cleanly(self, data: bytes, head: bytes) -> None:
        """Any bytes either have a size or raise NotAPicture."""
        with contextlib.suppress(NotAPicture):
            assert probe(head + data).pixels > 0

    def test_a_long_jpeg_without_a_frame_is_given_up_soon(self) -> None:
        """Ten megabytes of empty segments do not keep the server busy."""
        start = time.perf_counter()
        with pytest.raises(NotAPicture):
            probe(b"\xff\xd8\xff" + b"\xe0\x00\x02\xff" * 2_500_000)
        assert time.perf_counter() - start < 0.5


HOSTILE = {
    "empty": b"",
    "no picture": b"hello",
    "a bomb": BOMB,
    "cut PNG": GOOD["PNG"][: len(GOOD["PNG"]) // 2],
    "cut JPEG": GOOD["JPEG"][: len(GOOD["JPEG"]) // 2],
    "cut WebP": GOOD["WEBP"][: len(GOOD["WEBP"]) // 2],
    "no pixels": claiming(40, 30),
    "wrong chunk": GOOD["PNG"].replace(b"IDAT", b"IDAX", 1),
}


class TestRendering:
    """What a hostile input does to a result."""

    @pytest.mark.parametrize("name", HOSTILE)
    def test_a_placeholder_is_shown(self, name: str) -> None:
        """As source, as control picture, as adapter picture and as mask: a picture of the right size comes out."""
        file = HOSTILE[name]
        for wanted in (
            recipe(source=file, strength=0.2),
            recipe(source=GOOD["PNG"], strength=0.2, mask=Mask(image=file)),
            recipe(control_units=(ControlUnit(model="x", image=file, preprocessor="canny", mask=file),)),
            recipe(ip_adapters=(IpAdapter(model="x", image=file, strength=1.0),)),
        ):
            assert opened(render(wanted, 0, ImageType.PNG)).size == (256, 256)

    @pytest.mark.parametrize("name", HOSTILE)
    def test_the_placeholder_has_a_word(self, name: str) -> None:
        """The loaded picture says what is wrong, and shows it as light letters on grey."""
        loaded = load(HOSTILE[name], (256, 128))
        assert loaded.problem is not None
        assert loaded.image.size == (256, 128)
        assert max(loaded.image.convert("L").tobytes()) > 200

    def test_a_bomb_is_not_decoded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Neither rendering nor decoding a receipt opens it."""
        monkeypatch.setattr(Image, "open", lambda *args, **kwargs: pytest.fail("opened by Pillow"))
        assert load(BOMB, (64, 64)).problem == "picture too large"
        with pytest.raises(NotAReceipt, match="not decoded"):
            decode(BOMB)

    def test_a_second_header_does_not_help(self) -> None:
        """A file with a small first and a large second header is not decoded."""
        header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
        file = GOOD["PNG"][:33] + png.chunk(b"IHDR", header) + GOOD["PNG"][33:]
        assert load(file, (64, 64)).problem == "unreadable picture"

    def test_a_large_jpeg_is_decoded_at_a_fraction(self) -> None:
        """A JPEG of 12 megapixels for a small result comes out reduced, and looks the same."""
        file = saved(photo(4000, 3000), "JPEG")
        loaded = load(file, (200, 150))
        assert loaded.image.width < 1000
        assert difference(loaded.image.resize((200, 150)), photo(4000, 3000).resize((200, 150))) < 6

    @given(data=st.binary(max_size=120), at=st.integers(0, 200))
    def test_damaged_files_never_raise(self, data: bytes, at: int) -> None:
        """Bytes overwritten anywhere in a good file give some picture of the right size."""
        for file in GOOD.values():
            broken = file[:at] + data + file[at + len(data) :]
            image = opened(render(recipe(width=48, height=48, source=broken, strength=0.3), 0, ImageType.PNG))
            assert image.size == (48, 48)

    @pytest.mark.parametrize("data", [b"", b"hello", HOSTILE["cut PNG"], HOSTILE["no pixels"]])
    def test_decoding_says_what_is_wrong(self, data: bytes) -> None:
        """What is no whole picture is no receipt."""
        with pytest.raises(NotAReceipt):
            decode(data)
