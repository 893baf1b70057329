"""Image-to-image: how much of the source picture is seen, and how it is fitted."""

from __future__ import annotations

import pytest
from PIL import Image

from mockserver.core.recipe import Fit, ImageType
from mockserver.pictures import decode, recipe_digest, render
from mockserver.pictures.inputs import fitted
from mockserver.pictures.raster import paint
from tests.mockserver.pictures.making import difference, identical, opened, photo, recipe, rgb, saved

SOURCE = photo(512, 512)
FILE = saved(SOURCE)


def drawn(strength: float, **changes: object) -> Image.Image:
    """The source picture of 512 x 512 changed by `strength`."""
    return rgb(render(recipe(width=512, height=512, source=FILE, strength=strength, **changes), 0, ImageType.PNG))


def generated(strength: float) -> Image.Image:
    """What is generated, without any source."""
    raster = paint(recipe(width=512, height=512, source=FILE, strength=strength), 0)
    return Image.frombytes("RGB", (512, 512), raster.tobytes())


def test_strength_0_is_the_source_bit_by_bit() -> None:
    """Nothing is changed: the PNG holds exactly the source's pixels."""
    assert identical(drawn(0.0), SOURCE)


def test_strength_1_shows_nothing_of_the_source() -> None:
    """What comes out is exactly what would come out without a source."""
    assert identical(drawn(1.0), generated(1.0))


def test_more_strength_shows_less_of_the_source() -> None:
    """The picture moves steadily away from the source and towards what is generated."""
    steps = [0.0, 0.1, 0.25, 0.4, 0.55, 0.7, 0.85, 1.0]
    away = [difference(drawn(strength), SOURCE) for strength in steps]
    assert away == sorted(away)
    towards = [difference(drawn(strength), generated(strength)) for strength in steps]
    assert towards == sorted(towards, reverse=True)


@pytest.mark.parametrize("strength", [0.35, 0.5, 0.75, 1.0])
def test_the_receipt_reads_from_the_mixture(strength: float) -> None:
    """From about a third on the pixels hold the receipt, also as a JPEG."""
    wanted = recipe(width=512, height=512, source=FILE, strength=strength)
    data = saved(rgb(render(wanted, 1, ImageType.PNG)), "JPEG", quality=60)
    assert decode(data, pixels_only=True).digest == recipe_digest(wanted)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_every_input_format_is_shown(form: str) -> None:
    """At strength 0 the picture is the decoded input, whatever its format."""
    file = saved(SOURCE, form)
    image = rgb(render(recipe(width=512, height=512, source=file, strength=0.0), 0, ImageType.PNG))
    assert identical(image, opened(file))


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "1", "I;16"])
def test_every_colour_mode_is_shown(mode: str) -> None:
    """Grey, palette, alpha, print colours and 16 bits become RGB of about the same look."""
    grey = photo(64, 64).convert("L")
    image = grey.convert("I").point(lambda value: value * 256).convert("I;16") if mode == "I;16" else grey.convert(mode)
    file = saved(image, "JPEG" if mode == "CMYK" else "PNG")
    shown = rgb(render(recipe(width=64, height=64, source=file, strength=0.0), 0, ImageType.PNG))
    assert difference(shown, grey.convert("1") if mode == "1" else grey) < 6


def test_transparent_parts_of_a_source_are_white() -> None:
    """Like the tools do, alpha is laid on white."""
    file = saved(Image.new("RGBA", (64, 64), (255, 0, 0, 0)))
    shown = rgb(render(recipe(width=64, height=64, source=file, strength=0.0), 0, ImageType.PNG))
    assert shown.getpixel((5, 5)) == (255, 255, 255)


def test_the_caption_comes_in_early() -> None:
    """At a quarter of the way the caption is already half there."""
    tiles, words = (0, 0, 512, 384), (0, 448, 512, 512)
    mixed, final = drawn(0.25), generated(0.25)
    left_of_tiles = difference(mixed.crop(tiles), final.crop(tiles)) / difference(SOURCE.crop(tiles), final.crop(tiles))
    left_of_words = difference(mixed.crop(words), final.crop(words)) / difference(SOURCE.crop(words), final.crop(words))
    assert left_of_words < 0.65 < left_of_tiles


class TestFit:
    """A source of another size is fitted as `resize_mode` says."""

    WIDE = Image.new("RGB", (400, 100), "blue")
    WIDE.paste("red", (0, 0, 100, 100))
    WIDE.paste("lime", (300, 0, 400, 100))

    def at(self, fit: Fit, place: tuple[int, int]) -> tuple[int, ...]:
        """The colour at a place of the wide picture fitted to 200 x 200."""
        pixel = fitted(self.WIDE, (200, 200), fit).getpixel(place)
        assert isinstance(pixel, tuple)
        return tuple(int(part) for part in pixel)

    def test_stretch_ignores_proportions(self) -> None:
        """Both ends are there, in full height."""
        assert self.at(Fit.STRETCH, (5, 5)) == (255, 0, 0)
        assert self.at(Fit.STRETCH, (195, 195)) == (0, 255, 0)

    def test_crop_cuts_what_stands_out(self) -> None:
        """Only the middle is left, in its proportions."""
        assert {self.at(Fit.CROP, place) for place in ((2, 2), (100, 100), (197, 197))} == {(0, 0, 255)}

    def test_fill_shows_everything_and_continues_the_edges(self) -> None:
        """Both ends are there; above them their colours go on."""
        assert self.at(Fit.FILL, (5, 100)) == (255, 0, 0)
        assert self.at(Fit.FILL, (5, 5)) == (255, 0, 0)
        assert self.at(Fit.FILL, (195, 195)) == (0, 255, 0)

    def test_latent_stretch_is_softer_than_stretch(self) -> None:
        """An edge is spread over more pixels."""
        sharp, soft = (fitted(self.WIDE, (200, 200), fit) for fit in (Fit.STRETCH, Fit.LATENT_STRETCH))
        assert difference(sharp, soft) > 1
        assert self.at(Fit.LATENT_STRETCH, (48, 100)) != (255, 0, 0)

    @pytest.mark.parametrize("fit", Fit)
    def test_the_result_shows_the_fit(self, fit: Fit) -> None:
        """A render at strength 0 is the fitted picture."""
        wanted = recipe(width=200, height=200, source=saved(self.WIDE), strength=0.0, fit=fit)
        assert identical(rgb(render(wanted, 0, ImageType.PNG)), fitted(self.WIDE, (200, 200), fit))

    @pytest.mark.parametrize("fit", Fit)
    @pytest.mark.parametrize("size", [(1, 1), (3000, 1), (1, 3000)])
    def test_extreme_proportions_are_fitted(self, fit: Fit, size: tuple[int, int]) -> None:
        """Neither huge intermediate pictures nor empty ones come up."""
        assert fitted(Image.new("RGB", size, "red"), (64, 48), fit).size == (64, 48)


def test_the_noise_multiplier_adds_grain() -> None:
    """1 adds nothing; more shows in the picture by itself, not only by the digest."""
    from mockserver.pictures.compose import compose
    from tests.mockserver.pictures.making import FIXED

    plain, noisy = (
        compose(recipe(source=FILE, strength=0.5, noise_multiplier=factor), 0, FIXED).image for factor in (1.0, 1.4)
    )
    assert difference(plain, noisy) > 2
