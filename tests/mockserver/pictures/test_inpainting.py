"""Inpainting: what the mask protects stays, and each of its settings can be seen."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image, ImageChops, ImageStat

from mockserver.core.recipe import Fit, ImageType, Mask, MaskFill
from mockserver.pictures import decode, recipe_digest, render
from mockserver.pictures.compose import compose
from tests.mockserver.pictures.making import FIXED, difference, half_mask, identical, photo, recipe, rgb, saved

SOURCE = photo()
FILE = saved(SOURCE)
HALF = saved(half_mask())
LEFT, RIGHT = (0, 0, 128, 256), (128, 0, 256, 256)


def drawn(strength: float = 0.8, **mask: Any) -> Image.Image:
    """The source repainted under the half mask, with a fixed digest: only the mask's own effect differs."""
    settings: dict[str, Any] = {"image": HALF, "blur": 0} | mask
    wanted = recipe(source=FILE, strength=strength, mask=Mask(**settings))
    return compose(wanted, 0, FIXED).image


def test_the_protected_part_is_the_source_bit_by_bit() -> None:
    """Without blur the border between kept and repainted is exact."""
    image = rgb(render(recipe(source=FILE, strength=1.0, mask=Mask(image=HALF, blur=0)), 0, ImageType.PNG))
    assert identical(image.crop(LEFT), SOURCE.crop(LEFT))
    assert difference(image.crop(RIGHT), SOURCE.crop(RIGHT)) > 20


def test_blur_softens_the_border_and_nothing_else() -> None:
    """Beyond the reach of the blur the protected part is untouched; within it both pictures mix."""
    image = drawn(strength=1.0, blur=6)
    assert identical(image.crop((0, 0, 100, 256)), SOURCE.crop((0, 0, 100, 256)))
    border = (122, 0, 128, 256)
    assert difference(image.crop(border), SOURCE.crop(border)) > 3
    assert difference(drawn(strength=1.0, blur=0).crop(border), SOURCE.crop(border)) == 0


def test_invert_repaints_the_other_half() -> None:
    """White becomes the protected part."""
    image = drawn(invert=True)
    assert identical(image.crop(RIGHT), SOURCE.crop(RIGHT))
    assert difference(image.crop(LEFT), SOURCE.crop(LEFT)) > 20


def test_less_strength_repaints_less() -> None:
    """Strength counts within the mask as it does without one."""
    assert identical(drawn(strength=0.0), SOURCE)
    changes = [difference(drawn(strength=strength), SOURCE) for strength in (0.0, 0.3, 0.6, 0.9)]
    assert changes == sorted(changes)


@pytest.mark.parametrize("fill", MaskFill)
def test_each_fill_starts_from_something_else(fill: MaskFill) -> None:
    """The four kinds of starting content look different from each other at a low strength."""
    images = {kind: drawn(strength=0.2, fill=kind).crop(RIGHT) for kind in MaskFill}
    assert all(difference(images[fill], image) > 4 for kind, image in images.items() if kind is not fill)


def test_the_fill_does_not_touch_the_protected_part() -> None:
    """Whatever the masked part starts from, the rest is the source."""
    for fill in MaskFill:
        assert identical(drawn(fill=fill).crop(LEFT), SOURCE.crop(LEFT))


def test_fill_takes_the_colours_around() -> None:
    """A hole in a plain picture is filled with the plain colour, whatever was in it."""
    plain = Image.new("RGB", (256, 256), (200, 60, 40))
    plain.paste((0, 0, 255), (100, 100, 156, 156))
    hole = Image.new("L", (256, 256))
    hole.paste(255, (92, 92, 164, 164))
    mask = Mask(image=saved(hole), blur=0, fill=MaskFill.FILL)
    image = compose(recipe(source=saved(plain), strength=0.0, mask=mask), 0, FIXED).image
    inside = ImageStat.Stat(image.crop((110, 110, 146, 146))).mean
    assert inside[0] > 150
    assert inside[2] < 80


class TestOnlyMasked:
    """`full_res`: only the masked part is redrawn, at the full size."""

    SPOT = Image.new("L", (256, 256))
    SPOT.paste(255, (96, 96, 160, 160))

    def drawn(self, padding: int) -> Image.Image:
        """The picture with its masked middle redrawn."""
        mask = Mask(image=saved(self.SPOT), blur=0, full_res=True, padding=padding)
        return compose(recipe(source=FILE, strength=1.0, mask=mask), 0, FIXED).image

    def test_the_rest_is_untouched(self) -> None:
        """Padding gives room to look at, not to paint on."""
        changed = ImageChops.difference(self.drawn(padding=32), SOURCE).getbbox()
        assert changed is not None
        assert changed[0] >= 96
        assert changed[3] <= 160

    def test_the_whole_generated_picture_is_in_the_part(self) -> None:
        """Without padding the masked part alone is a whole receipt, small as it is."""
        part = self.drawn(padding=0).crop((96, 96, 160, 160))
        assert decode(saved(part), pixels_only=True).digest == FIXED

    def test_it_differs_from_redrawing_the_whole(self) -> None:
        """The cells are finer than when the whole picture is the canvas."""
        mask = Mask(image=saved(self.SPOT), blur=0)
        whole = compose(recipe(source=FILE, strength=1.0, mask=mask), 0, FIXED).image
        assert difference(whole, self.drawn(padding=0)) > 1

    def test_padding_changes_what_is_seen(self) -> None:
        """More padding means a larger part for the same canvas, so the masked middle shows a smaller share of it."""
        assert difference(self.drawn(padding=0), self.drawn(padding=32)) > 0.5

    def test_an_empty_mask_paints_nothing(self) -> None:
        """Nothing is masked, so nothing is redrawn."""
        mask = Mask(image=saved(Image.new("L", (256, 256))), full_res=True)
        assert identical(compose(recipe(source=FILE, mask=mask), 0, FIXED).image, SOURCE)


def test_a_mask_of_another_size_is_fitted() -> None:
    """A small mask protects the same part as a large one."""
    small = saved(half_mask(32, 32))
    image = drawn(image=small)
    assert identical(image.crop((0, 0, 112, 256)), SOURCE.crop((0, 0, 112, 256)))
    assert difference(image.crop((144, 0, 256, 256)), SOURCE.crop((144, 0, 256, 256))) > 20


def test_the_mask_follows_the_source_when_it_is_cropped() -> None:
    """Source and mask of 512 x 256 are cropped alike, so the same things stay protected."""
    source, mask = photo(512, 256), half_mask(512, 256)
    wanted = recipe(source=saved(source), strength=1.0, fit=Fit.CROP, mask=Mask(image=saved(mask), blur=0))
    image = compose(wanted, 0, FIXED).image
    assert identical(image.crop(LEFT), source.crop((128, 0, 256, 256)))
    assert difference(image.crop(RIGHT), source.crop((256, 0, 384, 256))) > 20


def test_a_mask_of_another_shape_is_laid_on_the_source_first() -> None:
    """A square mask of a wide source covers all of it: what it marks at the far left is cropped away."""
    source, mask = photo(512, 256), Image.new("L", (64, 64))
    mask.paste(255, (0, 0, 14, 64))
    wanted = recipe(source=saved(source), strength=1.0, fit=Fit.CROP, mask=Mask(image=saved(mask), blur=0))
    assert identical(compose(wanted, 0, FIXED).image, source.crop((128, 0, 384, 256)))


def test_a_mask_may_be_the_alpha_channel() -> None:
    """A picture with transparent parts masks by them."""
    mask = Image.new("RGBA", (256, 256), (0, 0, 0, 0))
    mask.paste((0, 0, 0, 255), RIGHT)
    assert identical(drawn(image=saved(mask)), drawn())


@pytest.mark.parametrize("file", [b"", b"nothing", HALF[:60]])
def test_an_unreadable_mask_protects_nothing(file: bytes) -> None:
    """Like a wholly white mask, and without an error."""
    white = saved(Image.new("L", (256, 256), 255))
    assert identical(drawn(image=file), drawn(image=white))


def test_an_inpainted_picture_knows_its_task() -> None:
    """Its text does, where the pixels are mostly the source's."""
    wanted = recipe(source=FILE, strength=0.8, mask=Mask(image=HALF))
    assert decode(render(wanted, 0, ImageType.PNG)).digest == recipe_digest(wanted)
