"""Pictures that came with a request: decoded within bounds, and fitted to a size.

Submitting has refused the worst already; here nothing is trusted all the same. What cannot be shown becomes a grey
placeholder with a word on it, and never an exception.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO

from PIL import Image

from mockserver.core.recipe import Fit

from . import glyphs
from .errors import NotAPicture
from .probe import probe

MOST_PIXELS = 1 << 24
"""16 megapixels: the contract's limit for a source picture, and ours for decoding any input."""

Size = tuple[int, int]
_GREY, _HATCH, _WORD = (112, 114, 120), (126, 128, 134), (232, 232, 236)


@dataclass(frozen=True, slots=True)
class Input:
    """A decoded picture, or a placeholder with `problem` saying why."""

    image: Image.Image
    problem: str | None = None


def load(data: bytes, wanted: Size) -> Input:
    """An RGB picture from a file, transparent parts on white.

    Args:
        data: a PNG, JPEG or WebP file, or anything else.
        wanted: the size that it will be shown at; a far larger JPEG is decoded at a fraction of its size.
    """
    try:
        return Input(_flat(opened(data, wanted, MOST_PIXELS)))
    except NotAPicture as error:
        problem = error.reason.partition(":")[0]
        return Input(placeholder(wanted, problem), problem)


def load_mask(data: bytes, wanted: Size) -> Image.Image | None:
    """A mask as a grey picture (white is active), or None where the file cannot be read.

    A picture with transparent parts masks by its alpha channel, another one by its brightness.
    """
    try:
        decoded = opened(data, wanted, MOST_PIXELS)
    except NotAPicture:
        return None
    if decoded.has_transparency_data:
        alpha = decoded.convert("RGBA").getchannel("A")
        if alpha.getextrema() != (255, 255):
            return alpha
    return _flat(decoded).convert("L")


def fitted(image: Image.Image, size: Size, fit: Fit) -> Image.Image:
    """The picture at exactly `size`; untouched where it has that size already.

    STRETCH ignores proportions; CROP covers and cuts what stands out; FILL shows everything and continues the edges;
    LATENT_STRETCH stretches and, like an enlarged latent, is softer.
    """
    if image.size == size:
        return image
    width, height = size
    match fit:
        case Fit.CROP:
            scale = min(image.width / width, image.height / height)
            left, top = (image.width - width * scale) / 2, (image.height - height * scale) / 2
            box = (
                max(0.0, left),
                max(0.0, top),
                min(image.width, left + width * scale),
                min(image.height, top + height * scale),
            )
            return image.resize(size, Image.Resampling.BICUBIC, box=box)
        case Fit.FILL:
            scale = min(width / image.width, height / image.height)
            inner = (max(1, min(width, round(image.width * scale))), max(1, min(height, round(image.height * scale))))
            return _with_edges(image.resize(inner, Image.Resampling.BICUBIC), size)
        case Fit.LATENT_STRETCH:
            coarse = image.resize((max(1, width // 8), max(1, height // 8)), Image.Resampling.BILINEAR)
            smooth = image.resize(size, Image.Resampling.BILINEAR)
            return Image.blend(smooth, coarse.resize(size, Image.Resampling.BICUBIC), 0.5)
        case _:
            return image.resize(size, Image.Resampling.BICUBIC)


def placeholder(size: Size, word: str) -> Image.Image:
    """A hatched grey picture with a few words on it, where there is room for them."""
    image = Image.new("RGB", size, _GREY)
    side = 128
    levels = bytes(255 * ((x + y) // 16 % 2) for y in range(side) for x in range(side))
    stripes = Image.frombytes("L", (side, side), levels)
    for top in range(0, size[1], side):
        for left in range(0, size[0], side):
            image.paste(_HATCH, (left, top), stripes)
    face = glyphs.face(max(10, min(size) // 24))
    text = face.cut(glyphs.plain(word), size[0] - 8)
    if text and size[1] > face.height:
        rows = face.rows(text)
        ink = Image.frombytes("L", (len(rows[0]), len(rows)), b"".join(rows)).point(
            [min(255, v * 36) for v in range(256)]
        )
        image.paste(_WORD, ((size[0] - ink.width) // 2, (size[1] - ink.height) // 2), ink)
    return image


def opened(data: bytes, wanted: Size, most_pixels: int) -> Image.Image:
    """The first frame of a picture file in its own mode, decoded.

    Args:
        data: a PNG, JPEG or WebP file, or anything else.
        wanted: a JPEG far larger than this is decoded at a fraction of its size.
        most_pixels: a file whose header claims more is not decoded.

    Raises:
        NotAPicture: whatever is wrong with the file, in a few words.
    """
    header = probe(data)
    if header.pixels > most_pixels:
        raise NotAPicture(f"picture too large: {header.width} x {header.height}")
    try:
        image = Image.open(BytesIO(data), formats=[header.format.upper()])
        size = image.size
        if size == (header.width, header.height):
            image.draft("RGB", wanted)
            image.load()
    except Exception as error:  # hostile bytes make decoders raise nearly anything
        raise NotAPicture(f"unreadable picture: {type(error).__name__}") from error
    if size != (header.width, header.height):  # two headers in one file; nothing was decoded
        raise NotAPicture(f"unreadable picture: two sizes, {header.width} x {header.height} and {size[0]} x {size[1]}")
    return image


def _flat(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits of grey: Pillow would clip instead of scaling
        image = image.convert("I").point(lambda value: value / 256).convert("L")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(ground, layer).convert("RGB")
    return image.convert("RGB")


def _with_edges(image: Image.Image, size: Size) -> Image.Image:
    """The picture in the middle of a canvas whose margins repeat its outermost rows or columns."""
    left, top = (size[0] - image.width) // 2, (size[1] - image.height) // 2
    right, bottom = size[0] - image.width - left, size[1] - image.height - top
    canvas = Image.new(image.mode, size)
    canvas.paste(image, (left, top))
    for edge, at, margin in (
        ((0, 0, image.width, 1), (left, 0), (image.width, top)),
        ((0, image.height - 1, image.width, image.height), (left, top + image.height), (image.width, bottom)),
        ((0, 0, 1, image.height), (0, top), (left, image.height)),
        ((image.width - 1, 0, image.width, image.height), (left + image.width, top), (right, image.height)),
    ):
        if margin[0] and margin[1]:
            canvas.paste(image.crop(edge).resize(margin, Image.Resampling.NEAREST), at)
    return canvas
