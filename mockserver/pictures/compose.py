"""Pictures that are made from other pictures: img2img, inpainting, ControlNet units and IP-Adapters.

The order is that of the real thing: the conditions shape what is generated, and what is generated replaces the source
picture by `strength`, inside the mask where there is one. At 0 the fitted source comes out bit by bit; at 1 nothing of
it is left. Last, `stamping` makes the receipt readable where the mixture has hidden it.
"""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image, ImageChops, ImageFilter, ImageOps

from mockserver.core.recipe import IpAdapter, Mask, MaskFill, Recipe

from . import caption
from .controls import with_adapter, with_unit
from .digest import stream
from .inputs import Input, Size, fitted, load, load_mask
from .palette import palette_of
from .raster import Raster, paint
from .receipt import SIDE, cell_bits
from .stamping import stamped

_NOTHING = (127, 117, 100)  # what an empty latent looks like
_CAPTION_SHARE = 0.7
_NOISE_CELL = 8  # pixels per noise value: a latent has one value per 8 x 8 pixels

Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed:
    """A composed picture, RGB or RGBA, and the source it was made from as it was decoded."""

    image: Image.Image
    source: Input | None


def compose(recipe: Recipe, index: int, digest: bytes, size: Size | None = None) -> Composed:
    """The picture number `index` of a recipe at `size` (its own size when absent)."""
    size = size or recipe.size
    raster = paint(recipe, index, size, digest=digest)
    generated, alpha = _image_of(raster)
    plain = generated
    palette = palette_of(recipe, digest, index)
    for adapter in recipe.ip_adapters:
        generated = with_adapter(generated, adapter)
    for unit in recipe.control_units:
        if unit.model.lower().startswith("ip-adapter"):  # v2 has no ip_adapters: they are control units there
            lent = unit.weight * max(0.0, unit.end - unit.start)
            adapter = IpAdapter(model=unit.model, image=unit.image, strength=lent)
            generated = with_adapter(generated, adapter)
        else:
            generated = with_unit(generated, unit, palette.ink)
    if recipe.control_units or recipe.ip_adapters:
        _put_back(generated, plain, caption.strip(recipe, index, *size))
        generated = stamped(generated, cell_bits(digest, index, recipe.seed), 1.0)
    source = None
    image = generated
    if recipe.source is not None:
        source = load(recipe.source, size)
        image = _from_source(recipe, index, digest, source.image, generated)
    if alpha:
        image = image.copy()
        image.putalpha(alpha)
    return Composed(image=image, source=source)


def noise(digest: bytes, index: int, size: Size, cell: int = _NOISE_CELL) -> Image.Image:
    """Coloured noise in cells of some pixels, always the same for a digest, index, size and cell."""
    across, down = -(-size[0] // cell), -(-size[1] // cell)
    grains = stream(digest + bytes([index]), b"noise", across * down * 3)
    cells = Image.frombytes("RGB", (across, down), grains)
    return cells.resize((across * cell, down * cell), Image.Resampling.NEAREST).crop((0, 0, *size))


def _from_source(
    recipe: Recipe, index: int, digest: bytes, decoded: Image.Image, generated: Image.Image
) -> Image.Image:
    """The fitted source replaced by what was generated, by strength and within the mask."""
    strength = min(1.0, max(0.0, recipe.strength))
    source = fitted(decoded, generated.size, recipe.fit)
    start, active, box = source, None, None
    if recipe.mask:
        active = _active(recipe, recipe.mask, source.size, decoded.size)
        if recipe.mask.full_res:
            box = _redrawn(active, recipe.mask.padding)
            if box is None:
                return source
            canvas = generated.copy()
            canvas.paste(generated.resize((box[2] - box[0], box[3] - box[1]), Image.Resampling.BOX), box)
            generated = canvas
        start = _filled(source, active, recipe.mask.fill, digest, index)
    if recipe.noise_multiplier != 1:
        share = min(0.6, abs(recipe.noise_multiplier - 1) * 0.6) * strength
        start = Image.blend(start, noise(digest, index, source.size), share)
    mixed = _mixed(start, generated, strength, caption.strip(recipe, index, *source.size) if box is None else None)
    image = mixed if active is None else Image.composite(mixed, source, active)
    if box is not None or strength == 1:
        return image
    return stamped(image, cell_bits(digest, index, recipe.seed), strength, active)


def _put_back(image: Image.Image, plain: Image.Image, strip: caption.Strip | None) -> None:
    """Most of the caption again, where a control picture covers it."""
    if strip:
        box = _box_of(strip, image.size)
        image.paste(Image.blend(image.crop(box), plain.crop(box), _CAPTION_SHARE), box)


def _box_of(strip: caption.Strip, size: Size) -> Box:
    return 0, strip.first * size[1] // SIDE, *size


def _mixed(start: Image.Image, generated: Image.Image, strength: float, strip: caption.Strip | None) -> Image.Image:
    """Both blended; the caption comes in twice as fast, to be readable early."""
    mixed = Image.blend(start, generated, strength)
    if strip and 0 < strength < 1:
        box = _box_of(strip, start.size)
        mixed.paste(Image.blend(start.crop(box), generated.crop(box), min(1.0, 2 * strength)), box)
    return mixed


def _active(recipe: Recipe, mask: Mask, size: Size, decoded: Size) -> Image.Image:
    """Where the picture is repainted, white; fitted the way the source is, inverted and softened as asked."""
    image = load_mask(mask.image, size)
    if image is None:
        return Image.new("L", size, 255)  # a mask that cannot be read protects nothing
    if image.size != decoded:
        image = image.resize(decoded, Image.Resampling.BILINEAR)
    image = fitted(image, size, recipe.fit)
    if mask.invert:
        image = ImageOps.invert(image)
    return image.filter(ImageFilter.GaussianBlur(min(256, mask.blur))) if mask.blur > 0 else image


def _redrawn(active: Image.Image, padding: int) -> Box | None:
    """The masked part with its padding, widened to the picture's proportions; None where nothing is masked."""
    found = active.point([0] * 8 + [255] * 248).getbbox()
    if found is None:
        return None
    width, height = active.size
    left, top = max(0, found[0] - padding), max(0, found[1] - padding)
    right, bottom = min(width, found[2] + padding), min(height, found[3] + padding)
    across = max(right - left, (bottom - top) * width // height)
    down = max(bottom - top, (right - left) * height // width)
    left = max(0, min(width - across, (left + right - across) // 2))
    top = max(0, min(height - down, (top + bottom - down) // 2))
    return left, top, min(width, left + across), min(height, top + down)


def _filled(source: Image.Image, active: Image.Image, fill: MaskFill, digest: bytes, index: int) -> Image.Image:
    """What the masked part starts from."""
    match fill:
        case MaskFill.ORIGINAL:
            return source
        case MaskFill.LATENT_NOISE:
            start = noise(digest, index, source.size)
        case MaskFill.LATENT_NOTHING:
            start = Image.new("RGB", source.size, _NOTHING)
        case _:
            start = _surroundings(source, active)
    return Image.composite(start, source, active)


def _surroundings(source: Image.Image, active: Image.Image) -> Image.Image:
    """The colours around the masked part carried into it: the protected part, ever less reduced, over itself."""
    holed = source.convert("RGBA")
    holed.putalpha(ImageChops.invert(active))
    filled = Image.new("RGBA", source.size, (*_NOTHING, 255))
    for divisor in (96, 48, 24, 12, 6):
        small = (max(1, source.width // divisor), max(1, source.height // divisor))
        spread = holed.resize(small, Image.Resampling.BOX).filter(ImageFilter.BoxBlur(1))
        filled.alpha_composite(spread.resize(source.size, Image.Resampling.BILINEAR))
    return filled.convert("RGB")


def _image_of(raster: Raster) -> tuple[Image.Image, Image.Image | None]:
    """The raster as an RGB image, and its alpha channel where it has one."""
    mode = "RGBA" if raster.channels == 4 else "RGB"
    image = Image.frombytes(mode, (raster.width, raster.height), raster.tobytes())
    return (image.convert("RGB"), image.getchannel("A")) if mode == "RGBA" else (image, None)
