"""Pictures before and after the network, by Pillow: opened, fitted, cut, masked, put back. No tensors here."""

from __future__ import annotations

import io
from typing import TypeAlias

from PIL import Image, ImageChops, ImageFilter, ImageOps

from reference_impl.jobs import CannotDraw, Resize

Box: TypeAlias = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels; right and bottom are the first that lie outside."""
Size: TypeAlias = tuple[int, int]

LANCZOS = Image.Resampling.LANCZOS


def opened(file: bytes) -> Image.Image:
    """A picture file as RGB, turned as its EXIF says; what is transparent becomes white, as in A1111.

    Raises:
        CannotDraw: it cannot be read. Submissions have looked at it before, so this is rare.
    """
    picture = _read(file)
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return picture.convert("RGB")


def opened_mask(file: bytes) -> Image.Image:
    """A mask's file as grey, white where it is set: its transparency if it has any, its brightness otherwise."""
    picture = _read(file)
    if picture.has_transparency_data:
        alpha = picture.convert("RGBA").getchannel("A")
        if alpha.getextrema() != (255, 255):
            return alpha
    return picture.convert("L")


def _read(file: bytes) -> Image.Image:
    try:
        with Image.open(io.BytesIO(file)) as picture:
            return ImageOps.exif_transpose(picture)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise CannotDraw(f"a picture of the request cannot be read: {error}", "BAD_PICTURE") from error


def resized(picture: Image.Image, size: Size) -> Image.Image:
    """The picture at another size, by Lanczos; itself if it has that size."""
    return picture if picture.size == size else picture.resize(size, LANCZOS)


def fitted(picture: Image.Image, size: Size, mode: Resize) -> Image.Image:
    """The picture brought to a size: stretched, cut, or with its edges drawn out into the margin (v2 `resize_mode`)."""
    if mode in (Resize.STRETCH, Resize.LATENT) or picture.size == size:
        return resized(picture, size)
    choose = max if mode is Resize.CROP else min
    factor = choose(size[0] / picture.width, size[1] / picture.height)
    scaled = resized(picture, (max(round(picture.width * factor), 1), max(round(picture.height * factor), 1)))
    left, top = (scaled.width - size[0]) // 2, (scaled.height - size[1]) // 2
    return cut(scaled, (left, top, left + size[0], top + size[1]))


def covering(picture: Image.Image, size: Size) -> Image.Image:
    """The picture scaled until it covers the size, what is too much cut off evenly."""
    return fitted(picture, size, Resize.CROP)


def cut(picture: Image.Image, box: Box) -> Image.Image:
    """A part of the picture; where the box reaches beyond it, its outermost pixels are repeated.

    A hard edge would be taken for a part of the scene.
    """
    left, top, right, bottom = box
    width, height = picture.size
    if left >= 0 and top >= 0 and right <= width and bottom <= height:
        return picture.crop(box)
    inside = picture.crop((max(left, 0), max(top, 0), min(right, width), min(bottom, height)))
    return _with_margins(inside, (max(-left, 0), max(-top, 0), max(right - width, 0), max(bottom - height, 0)))


def _with_margins(picture: Image.Image, margins: Box) -> Image.Image:
    left, top, right, bottom = margins
    width, height = picture.size
    out = Image.new(picture.mode, (left + width + right, top + height + bottom))
    out.paste(picture, (left, top))
    if left:
        out.paste(picture.crop((0, 0, 1, height)).resize((left, height)), (0, top))
    if right:
        out.paste(picture.crop((width - 1, 0, width, height)).resize((right, height)), (left + width, top))
    if top:
        out.paste(out.crop((0, top, out.width, top + 1)).resize((out.width, top)), (0, 0))
    if bottom:
        lowest = out.crop((0, top + height - 1, out.width, top + height))
        out.paste(lowest.resize((out.width, bottom)), (0, top + height))
    return out


def softened(mask: Image.Image, radius: int) -> Image.Image:
    """The mask with a soft edge."""
    return mask.filter(ImageFilter.GaussianBlur(radius)) if radius > 0 else mask


def inverted(mask: Image.Image) -> Image.Image:
    """White for black."""
    return ImageChops.invert(mask)


def around(mask: Image.Image, padding: int, shape: Size) -> Box | None:
    """The part of a picture to draw when only the masked part is drawn.

    Args:
        mask: white is drawn.
        padding: pixels round the white.
        shape: width and height whose ratio the part should have, as far as the picture reaches.

    Returns:
        The box, inside of the picture; None for a black mask.
    """
    box = mask.getbbox()
    if box is None:
        return None
    width, height = mask.size
    left, top = max(box[0] - padding, 0), max(box[1] - padding, 0)
    right, bottom = min(box[2] + padding, width), min(box[3] + padding, height)
    ratio = shape[0] / shape[1]
    if (right - left) / (bottom - top) < ratio:
        left, right = _widened(left, right, round((bottom - top) * ratio), width)
    else:
        top, bottom = _widened(top, bottom, round((right - left) / ratio), height)
    return left, top, right, bottom


def _widened(start: int, end: int, wanted: int, limit: int) -> tuple[int, int]:
    wanted = min(max(wanted, end - start), limit)
    start = min(max(start - (wanted - (end - start)) // 2, 0), limit - wanted)
    return start, start + wanted


def filled(picture: Image.Image, mask: Image.Image) -> Image.Image:
    """The picture with the masked part painted over in the colours around it.

    The kept part is blurred with ever smaller radii, each laid over the last: near the edge the nearest colours win,
    far from it there is at least some colour.
    """
    kept = picture.convert("RGBA")
    kept.putalpha(inverted(mask))
    blurrable = kept.convert("RGBa")  # colours times alpha, so that what is hidden does not bleed in
    out = Image.new("RGBA", picture.size, (127, 127, 127, 255))
    radius = max(picture.size) / 2
    while radius >= 1:
        layer = blurrable.filter(ImageFilter.GaussianBlur(radius)).convert("RGBA")
        for _ in range(3):  # a thin layer covers once it is laid several times
            out.alpha_composite(layer)
        radius /= 4
    out.alpha_composite(kept)
    return out.convert("RGB")
