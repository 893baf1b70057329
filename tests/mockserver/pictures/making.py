"""Recipes, pictures and measurements that the tests of pictures share."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from typing import Any

from PIL import Image, ImageChops, ImageStat

from mockserver.core.recipe import Recipe

PLAIN = Recipe(
    model="dreamshaper_8_93211.safetensors",
    prompt="a lighthouse on a cliff at dawn",
    width=256,
    height=256,
    count=4,
    steps=20,
    guidance=7.5,
    sampler="Euler a",
    seed=42,
)
FIXED = bytes(range(16))
"""A digest to draw with, so that only what a field itself does to the pixels can differ."""


def recipe(**changes: Any) -> Recipe:
    """The plain recipe with some fields changed."""
    return replace(PLAIN, **changes)


def opened(data: bytes) -> Image.Image:
    """A file as a decoded picture."""
    image = Image.open(BytesIO(data))
    image.load()
    return image


def saved(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    """A picture as a file."""
    buffer = BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def rgb(data: bytes) -> Image.Image:
    """A file's pixels in RGB."""
    return opened(data).convert("RGB")


def photo(width: int = 256, height: int = 256) -> Image.Image:
    """Something like a photograph: light from one corner, a bright disc, fine texture."""
    across = Image.linear_gradient("L").rotate(90).resize((width, height))
    down = Image.linear_gradient("L").resize((width, height))
    disc = Image.radial_gradient("L").resize((width, height))
    texture = Image.effect_mandelbrot((width, height), (-2.0, -1.5, 1.0, 1.5), 60)
    return Image.merge("RGB", (across, ImageChops.add(down, texture, 2), ImageChops.invert(disc)))


def half_mask(width: int = 256, height: int = 256) -> Image.Image:
    """White on the right half: the part to repaint."""
    image = Image.new("L", (width, height))
    image.paste(255, (width // 2, 0, width, height))
    return image


def difference(one: Image.Image, other: Image.Image) -> float:
    """Mean absolute difference of two pictures of a size, 0 to 255."""
    stat = ImageStat.Stat(ImageChops.difference(one.convert("RGB"), other.convert("RGB")))
    return sum(stat.mean) / len(stat.mean)


def identical(one: Image.Image, other: Image.Image) -> bool:
    """Whether two pictures have the same pixels."""
    return one.size == other.size and one.convert("RGB").tobytes() == other.convert("RGB").tobytes()
