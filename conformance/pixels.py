"""Compares pictures by their pixels, with Pillow alone: how far apart are two, and does a re-encoding explain it?

Differences are means over pixels and channels in steps of 8 bits: 0 is equal, two pictures that have nothing to do with
each other lie some 50 to 130 apart. Pictures of unequal size are compared at the size of the first, because how large a
picture should be is a matter of its own. Alpha is left out; `alpha_range` looks at it.

`like` and `other` are the words of the head of requirements.yaml. What a re-encoding changes depends on the picture
(flat areas survive JPEG, noise does not), so it is measured: both pictures are put through JPEG and WebP once, and
`like` allows `SLACK` times the greater change, and never less than `FLOOR`.
"""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

FLOOR = 4.0
"""Differences up to this are never called other: rounding, colour profiles, arithmetic of another device."""
SLACK = 2.0
"""A server may encode more coarsely than the quality that is tried here."""
QUALITY = 75
"""Of the trial encodings; what Pillow and many services take when nothing is said."""
MODEL_FLOOR = 14.0
"""The same for a picture that a model has taken in and given out again, which blurs edges."""


def difference(first: Image, second: Image, where: Image | None = None) -> float:
    """Mean absolute difference, 0 to 255.

    Args:
        where: a picture in black and white of any size; only pixels under white count, all when None.

    Raises:
        ValueError: nothing under `where` is white.
    """
    from PIL import ImageChops, ImageStat

    one, two = _alike(first, second)
    return _mean(ImageStat.Stat(ImageChops.difference(one, two), _mask(where, one.size)).mean)


def difference_outside(first: Image, second: Image, where: Image) -> float:
    """The same for the pixels that are black in `where`."""
    from PIL import ImageChops

    return difference(first, second, ImageChops.invert(where.convert("L")))


def psnr(first: Image, second: Image, where: Image | None = None) -> float:
    """Peak signal-to-noise ratio in dB; infinite for equal pictures, some 8 for unrelated ones."""
    from PIL import ImageChops, ImageStat

    one, two = _alike(first, second)
    squares = _mean([rms**2 for rms in ImageStat.Stat(ImageChops.difference(one, two), _mask(where, one.size)).rms])
    return math.inf if squares == 0 else 10 * math.log10(255**2 / squares)


def degree(first: Image, second: Image) -> str:
    """How like two pictures are, in words for a report."""
    decibels = psnr(first, second)
    return "bit-exact" if math.isinf(decibels) else f"PSNR {decibels:.1f} dB"


def reencoding(image: Image) -> float:
    """By how much JPEG or WebP of `QUALITY`, whichever changes more, would make this picture differ from itself."""
    from PIL import Image as PillowImage

    plain, worst = image.convert("RGB"), 0.0
    for kind in ("JPEG", "WEBP"):
        held = io.BytesIO()
        plain.save(held, kind, quality=QUALITY)
        worst = max(worst, difference(plain, PillowImage.open(held)))
    return worst


def like_up_to(first: Image, second: Image, *, through_model: bool = False) -> float:
    """The greatest difference at which these two still are like each other.

    Args:
        through_model: one of them is what a model made of the other, not a file encoded anew.
    """
    floor = MODEL_FLOOR if through_model else FLOOR
    return max(floor, SLACK * max(reencoding(first), reencoding(second)))


def like(first: Image, second: Image, *, through_model: bool = False) -> bool:
    """Whether two pictures differ by no more than a re-encoding makes them differ."""
    return difference(first, second) <= like_up_to(first, second, through_model=through_model)


def other(first: Image, second: Image) -> bool:
    """Whether two pictures differ by more than a re-encoding makes them differ."""
    return not like(first, second)


def alpha_range(image: Image) -> tuple[int, int] | None:
    """The least and the greatest alpha, 0 to 255; None for a picture without transparency."""
    if not image.has_transparency_data:
        return None
    low, high = image.convert("RGBA").getchannel("A").getextrema()
    return int(low), int(high)  # type: ignore[arg-type]  # of one channel it is a pair of numbers


def from_base64(text: str) -> Image:
    """A source picture of ours, decoded."""
    import base64

    from PIL import Image as PillowImage

    return PillowImage.open(io.BytesIO(base64.b64decode(text))).convert("RGB")


def _alike(first: Image, second: Image) -> tuple[Image, Image]:
    from PIL.Image import Resampling

    one, two = first.convert("RGB"), second.convert("RGB")
    return one, two if two.size == one.size else two.resize(one.size, Resampling.BILINEAR)


def _mask(where: Image | None, size: tuple[int, int]) -> Image | None:
    """White where pixels count; those half way, of a soft edge, do."""
    if where is None:
        return None
    from PIL.Image import Resampling

    found = where.convert("L").resize(size, Resampling.NEAREST).point(lambda level: 255 * (level >= 128))
    if found.getbbox() is None:
        raise ValueError("no pixel is left to compare")
    return found


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
