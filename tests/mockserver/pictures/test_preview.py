"""Previews: a small picture that clears as the work goes on."""

from __future__ import annotations

from PIL import Image

from mockserver.core.recipe import ImageType, Mask
from mockserver.pictures import preview, render
from tests.mockserver.pictures.making import difference, half_mask, opened, photo, recipe, rgb, saved


def test_a_preview_clears_with_progress() -> None:
    """The nearer to the end, the more it looks like the picture."""
    wanted = recipe(width=512, height=512)
    final = rgb(render(wanted, 0, ImageType.PNG)).resize((256, 256), Image.Resampling.BOX)
    away = [difference(opened(preview(wanted, 0, progress)), final) for progress in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert away == sorted(away, reverse=True)
    assert away[0] > 30


def test_a_preview_is_small() -> None:
    """Its longer side is the bound, its proportions are the picture's, and it costs some kilobytes."""
    data = preview(recipe(width=1024, height=512), 0, 0.5, max_edge=200)
    assert opened(data).size == (200, 100)
    assert len(data) < 16_000


def test_a_small_picture_is_not_enlarged() -> None:
    """A preview is never larger than the picture."""
    assert opened(preview(recipe(width=40, height=30), 0, 0.5)).size == (40, 30)


def test_the_same_progress_gives_the_same_bytes() -> None:
    """Polling twice at one instant shows one picture, and another instant another."""
    assert preview(recipe(), 0, 0.5) == preview(recipe(), 0, 0.5)
    assert preview(recipe(), 0, 0.5) != preview(recipe(), 0, 0.6)
    assert preview(recipe(), 0, 0.5) != preview(recipe(), 1, 0.5)


def test_a_preview_of_inpainting_scales_its_mask() -> None:
    """At the end it shows the same protected part as the picture."""
    mask = Mask(image=saved(half_mask(512, 512)), blur=8)
    wanted = recipe(width=512, height=512, source=saved(photo(512, 512)), strength=0.9, mask=mask)
    small = opened(preview(wanted, 0, 1.0))
    assert difference(small.crop((0, 0, 120, 256)), photo(512, 512).resize((256, 256)).crop((0, 0, 120, 256))) < 6
