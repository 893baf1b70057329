"""From a recipe to the bytes of a file: the one place that chooses between the plain way and the way by Pillow.

A text-to-image PNG is made without Pillow, so its bytes follow from the recipe and the zlib in use and its pixels from
the recipe alone. JPEG, WebP and everything that contains another picture go through Pillow, loaded when first needed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mockserver.core.recipe import ImageType, Recipe

from . import exif, png
from .digest import recipe_digest
from .errors import PictureError
from .parameters import KEYWORD, MACHINE_KEYWORD, machine_text, parameters_text, read_machine_text
from .raster import paint
from .receipt import Receipt

if TYPE_CHECKING:
    from PIL import Image

    from .inputs import Input

_JPEG_QUALITY = 90
_WEBP_QUALITY = 88
_PREVIEW_QUALITY = 72
_PREVIEW_GRAIN = 3  # pixels
MOST_PICTURES = 256


def render(recipe: Recipe, index: int, image_type: ImageType) -> bytes:
    """The file of one picture of a task: `recipe.size` pixels, in that format, with its texts inside.

    The same arguments give the same bytes. A transparent recipe gives an alpha channel in PNG and WebP, and lies on
    white in JPEG.

    Raises:
        ValueError: the index is not one of the recipe's pictures.
    """
    _check(recipe, index)
    digest = recipe_digest(recipe)
    if recipe.source is None and not recipe.control_units and not recipe.ip_adapters:
        raster = paint(recipe, index, digest=digest)
        if image_type is ImageType.PNG:
            return png.encode(raster, _texts(recipe, index, digest, None))
        from PIL import Image

        mode = "RGBA" if raster.channels == 4 else "RGB"
        return _lossy(Image.frombytes(mode, recipe.size, raster.tobytes()), recipe, index, digest, None, image_type)
    from .compose import compose

    composed = compose(recipe, index, digest)
    parent = _receipt_of_source(recipe, composed.source)
    if image_type is ImageType.PNG:
        image = composed.image
        channels = len(image.getbands())
        return png.encode_pixels(image.tobytes(), *image.size, channels, _texts(recipe, index, digest, parent))
    return _lossy(composed.image, recipe, index, digest, parent, image_type)


def preview(recipe: Recipe, index: int, progress: float, max_edge: int = 256) -> bytes:
    """A small JPEG of the picture as it looks part of the way: noise that clears.

    Args:
        recipe: what is being made.
        index: which picture of the task.
        progress: 0 (noise) to 1 (the picture).
        max_edge: the longer side in pixels, at most; a smaller picture keeps its size.
    """
    _check(recipe, index)
    from io import BytesIO

    from PIL import Image, ImageFilter

    from .compose import compose, noise

    digest = recipe_digest(recipe)
    width, height = recipe.size
    scale = min(1.0, max(1, max_edge) / max(width, height))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    image = _on_white(compose(_scaled(recipe, scale), index, digest, size).image)
    done = min(1.0, max(0.0, progress))
    if done < 1:
        blurred = image.filter(ImageFilter.GaussianBlur((1 - done) * max(size) / 24))
        grain = noise(digest, index, size, _PREVIEW_GRAIN)
        if recipe.source is None:
            grain = Image.blend(grain, Image.new("RGB", size, (118, 112, 124)), 0.35)
        image = Image.blend(grain, blurred, done**0.7)
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=_PREVIEW_QUALITY)
    return buffer.getvalue()


def _scaled(recipe: Recipe, scale: float) -> Recipe:
    """The recipe with the lengths inside its mask scaled; the rest follows the size that is drawn."""
    if recipe.mask is None:
        return recipe
    mask = replace(recipe.mask, blur=round(recipe.mask.blur * scale), padding=round(recipe.mask.padding * scale))
    return replace(recipe, mask=mask)


def _check(recipe: Recipe, index: int) -> None:
    if not 0 <= index < min(recipe.count, MOST_PICTURES):
        raise ValueError(f"picture {index} of a recipe for {recipe.count}: expected 0 to {recipe.count - 1}")


def _texts(recipe: Recipe, index: int, digest: bytes, parent: Receipt | None) -> list[tuple[str, str]]:
    return [
        (KEYWORD, parameters_text(recipe, index)),
        (MACHINE_KEYWORD, machine_text(digest, index, recipe, parent)),
    ]


def _lossy(
    image: Image.Image, recipe: Recipe, index: int, digest: bytes, parent: Receipt | None, image_type: ImageType
) -> bytes:
    from io import BytesIO

    block = exif.build(
        comment=parameters_text(recipe, index),
        description=machine_text(digest, index, recipe, parent),
        software="novita-mock",
    )
    buffer = BytesIO()
    if image_type is ImageType.JPEG:
        _on_white(image).save(buffer, "JPEG", quality=_JPEG_QUALITY, exif=block)
    else:
        # method 0 is several times faster than the default, for files about a fifth larger
        image.save(buffer, "WEBP", quality=_WEBP_QUALITY, method=0, exif=block)
    return buffer.getvalue()


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    from PIL import Image as pillow

    return pillow.alpha_composite(pillow.new("RGBA", image.size, "white"), image).convert("RGB")


def _receipt_of_source(recipe: Recipe, source: Input | None) -> Receipt | None:
    """The receipt that the source picture carries in its text or, failing that, in its pixels."""
    if recipe.source is None or source is None or source.problem:
        return None
    if found := read_machine_text(recipe.source):
        return found
    from .reading import receipt_in_image

    try:
        return receipt_in_image(source.image)
    except PictureError:
        return None
