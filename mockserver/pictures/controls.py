"""How a ControlNet unit's picture and an IP-Adapter's picture show in a result.

A preprocessor is shown by a treatment of the same character: lines stay lines, depth is soft grey, a pose is a
silhouette. These are signs that a test can see, not the real preprocessors.
"""

from __future__ import annotations

from collections.abc import Callable

from PIL import Image, ImageChops, ImageFilter, ImageOps

from mockserver.core.recipe import ControlUnit, IpAdapter

from .inputs import Size, fitted, load, load_mask
from .palette import Rgb

_STRONGEST = 0.62  # of the result at weight 1: the cells must stay readable
_MODES = {1: 0.7, 2: 1.3}  # control_mode: 1 lets the prompt win, 2 the control picture


def with_unit(image: Image.Image, unit: ControlUnit, line: Rgb) -> Image.Image:
    """The picture with one control picture on it, as strongly as weight x (end - start) says.

    Args:
        image: RGB.
        unit: its file may be anything; an unreadable one shows as a placeholder.
        line: the colour of lines for preprocessors that find lines.
    """
    share = unit.weight * max(0.0, min(1.0, unit.end) - max(0.0, unit.start)) * _MODES.get(unit.control_mode, 1.0)
    share = max(0.0, min(1.4, share)) * _STRONGEST
    if share == 0:
        return image
    control = fitted(load(unit.image, image.size).image, image.size, unit.fit)
    kind, treated = treatment(unit.preprocessor, control)
    if kind == "lines":
        where = treated.point([min(255, round(value * share * 1.5)) for value in range(256)])
        shown = Image.new("RGB", image.size, line)
    else:
        where = Image.new("L", image.size, min(255, round(255 * share)))
        shown = treated
    if unit.mask is not None and (mask := load_mask(unit.mask, image.size)) is not None:
        where = ImageChops.multiply(where, fitted(mask, image.size, unit.fit))
    return Image.composite(shown, image, where)


def with_adapter(image: Image.Image, adapter: IpAdapter) -> Image.Image:
    """The picture in the adapter picture's colours, as far as its strength says; brightness stays."""
    colours = _coarse(load(adapter.image, image.size).image, 6, image.size)
    luma, *chroma = image.convert("YCbCr").split()
    _, *lent = colours.convert("YCbCr").split()
    share = max(0.0, min(1.0, adapter.strength))
    blended = [Image.blend(own, other, share) for own, other in zip(chroma, lent, strict=True)]
    return Image.merge("YCbCr", [luma, *blended]).convert("RGB") if share else image


def treatment(preprocessor: str, image: Image.Image) -> tuple[str, Image.Image]:
    """The picture as that preprocessor shows it: ("lines", grey) with lines in white, or ("picture", RGB)."""
    name = preprocessor.lower()
    for prefixes, kind, treat in _TREATMENTS:
        if name.startswith(prefixes):
            return kind, treat(image)
    return "picture", image


def _canny(image: Image.Image) -> Image.Image:
    return _edges(image, 1.2).point([255 if value > 40 else 0 for value in range(256)])


def _lines(image: Image.Image) -> Image.Image:
    return _edges(image, 0.8)


def _soft_lines(image: Image.Image) -> Image.Image:
    return _edges(image.filter(ImageFilter.GaussianBlur(2)), 1.0).filter(ImageFilter.GaussianBlur(1.5))


def _edges(image: Image.Image, smoothing: float) -> Image.Image:
    """Brightness differences to the pixels around, stretched to the whole range; the frame itself is no edge."""
    grey = image.convert("L").filter(ImageFilter.GaussianBlur(smoothing))
    found = Image.new("L", grey.size)
    inside = (1, 1, grey.width - 1, grey.height - 1)
    if inside[2] > 1 and inside[3] > 1:
        found.paste(grey.filter(ImageFilter.FIND_EDGES).crop(inside), (1, 1))
    strongest = found.getextrema()[1]
    if not isinstance(strongest, int | float) or strongest < 8:
        return found
    return found.point([min(255, round(value * 255 / strongest)) for value in range(256)])


def _depth(image: Image.Image) -> Image.Image:
    grey = ImageOps.autocontrast(image.convert("L"))
    return grey.filter(ImageFilter.GaussianBlur(max(image.size) / 64)).convert("RGB")


def _normals(image: Image.Image) -> Image.Image:
    grey = image.convert("L").filter(ImageFilter.GaussianBlur(2))
    across = grey.filter(ImageFilter.Kernel((3, 3), (-1, 0, 1, -2, 0, 2, -1, 0, 1), scale=2, offset=128))
    down = grey.filter(ImageFilter.Kernel((3, 3), (-1, -2, -1, 0, 0, 0, 1, 2, 1), scale=2, offset=128))
    return Image.merge("RGB", (across, down, Image.new("L", image.size, 230)))


def _silhouette(image: Image.Image) -> Image.Image:
    grey = ImageOps.autocontrast(image.convert("L").filter(ImageFilter.GaussianBlur(max(image.size) / 96)))
    return ImageOps.colorize(
        grey.point([255 if value > 127 else 0 for value in range(256)]), (24, 20, 40), (255, 150, 60)
    )


def _regions(image: Image.Image) -> Image.Image:
    return ImageOps.posterize(_coarse(image, 24, image.size, Image.Resampling.NEAREST), 2)


def _shuffled(image: Image.Image) -> Image.Image:
    return ImageOps.flip(ImageOps.mirror(ImageChops.offset(image, image.width // 3, image.height // 3)))


def _threshold(image: Image.Image) -> Image.Image:
    return image.convert("L").point([255 if value > 127 else 0 for value in range(256)]).convert("RGB")


def _colours(image: Image.Image) -> Image.Image:
    return _coarse(image, 12, image.size, Image.Resampling.NEAREST)


def _coarse(
    image: Image.Image, cells: int, size: Size, back: Image.Resampling = Image.Resampling.BICUBIC
) -> Image.Image:
    return image.resize((cells, cells), Image.Resampling.BOX).resize(size, back)


_TREATMENTS: tuple[tuple[tuple[str, ...], str, Callable[[Image.Image], Image.Image]], ...] = (
    (("canny", "mlsd"), "lines", _canny),
    (("lineart", "scribble"), "lines", _lines),
    (("softedge", "hed", "pidinet"), "lines", _soft_lines),
    (("depth",), "picture", _depth),
    (("normal",), "picture", _normals),
    (("openpose", "dwpose", "mediapipe_face"), "picture", _silhouette),
    (("segmentation", "oneformer"), "picture", _regions),
    (("shuffle",), "picture", _shuffled),
    (("threshold",), "picture", _threshold),
    (("color", "tile"), "picture", _colours),
    (("invert",), "picture", ImageOps.invert),
)
