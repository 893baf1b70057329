"""The colours of a picture: a hue from the model, a partner hue from the digest, and two fixed brightnesses.

Brightness carries the receipt, so every tone is mixed to an exact luma (ITU-R BT.601, the one JPEG and WebP keep at
full resolution); hue and saturation are free, and change from one end of the picture to the other.
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from hashlib import blake2b

from mockserver.core.recipe import Recipe

from .digest import stream

Rgb = tuple[int, int, int]

STEPS = 16
"""Steps of the hue's way through a picture."""
LIGHT, DARK, GROUT = 176, 96, 66
"""Luma of a light tile, of a dark tile and of the joint between tiles, in a picture of 256 pixels or more."""
STRONGER = 56
"""How much lighter and darker tiles are at 128 pixels: a thumbnail of 16 pixels has nothing else to go by."""
PANEL_LIGHT, PANEL_DARK = 92, 42
"""Mean luma of light and dark cells behind the caption."""
INK, ACCENT = 242, 206
"""Luma of the caption's letters and of its marks."""

_PARTNERS = (-110, -75, -50, -35, 35, 50, 75, 110)  # degrees
_DRIFT = 0.3  # turns: how far the digest may move the hue that the model chose
_GREEN = 0.31
_HUES = b"hue466"  # a salt that gives well-known models hues far apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """Colours by step (0 to 15): tiles, their ornaments, and those of the caption."""

    light: tuple[Rgb, ...]
    dark: tuple[Rgb, ...]
    light_ornament: tuple[Rgb, ...]
    dark_ornament: tuple[Rgb, ...]
    grout: Rgb
    ink: Rgb
    accent: Rgb
    panel_hue: float
    panel_saturation: float

    def panel(self, luma: float) -> Rgb:
        """The caption's background at a luma of 0 to 255."""
        return tone(self.panel_hue, self.panel_saturation, luma)


def palette_of(recipe: Recipe, digest: bytes, index: int, side: int = 256) -> Palette:
    """The colours of one picture.

    The model chooses the region of the colour circle, a VAE makes the colours fuller (as a real one does), the digest
    and the index choose the rest. `side` is the shorter side of the picture in pixels.
    """
    chance = stream(digest + bytes([index]), b"palette", 4)
    name = blake2b(recipe.model.encode("utf-8", "replace"), digest_size=2, person=_HUES)
    model_hue = int.from_bytes(name.digest(), "big") / 65536
    first = model_hue + (chance[0] / 255 - 0.5) * _DRIFT
    last = first + _PARTNERS[chance[1] % len(_PARTNERS)] / 360
    saturation = 0.42 + chance[2] / 255 * 0.16
    if recipe.vae:
        saturation += 0.2
    stronger = round(STRONGER * min(1.0, max(0.0, (256 - side) / 128)))
    lighter, darker = LIGHT + stronger, DARK - stronger
    hues = [first + (last - first) * step / (STEPS - 1) for step in range(STEPS)]
    return Palette(
        light=tuple(tone(hue + 0.02, saturation, lighter) for hue in hues),
        dark=tuple(tone(hue - 0.02, saturation * 0.9, darker) for hue in hues),
        light_ornament=tuple(tone(hue + 0.02, saturation, lighter + 38) for hue in hues),
        dark_ornament=tuple(tone(hue - 0.02, saturation * 0.9, darker - 34) for hue in hues),
        grout=tone((first + last) / 2, saturation * 0.6, GROUT),
        ink=tone(first, 0.3, INK),
        accent=tone(last, 0.75, ACCENT),
        panel_hue=(first + last) / 2,
        panel_saturation=saturation * 0.55,
    )


def tone(hue: float, saturation: float, luma: float) -> Rgb:
    """A colour of that hue (in turns) and, as far as rounding allows, exactly that luma (0 to 255).

    Too dark a colour is mixed with white and too light a one with black, so any hue reaches any luma.
    """
    hue %= 1.0
    saturation *= 1 - 0.4 * max(0.0, 1 - abs(hue - _GREEN) * 6)  # the same saturation is louder in green than elsewhere
    red, green, blue = colorsys.hls_to_rgb(hue, 0.5, min(1.0, max(0.0, saturation)))
    wanted, have = min(1.0, max(0.0, luma / 255)), luma_of(red, green, blue)
    if have >= wanted:
        scale, white = 255 * wanted / have, 0.0
    else:
        share = (wanted - have) / (1 - have)
        scale, white = 255 * (1 - share), 255 * share
    return round(red * scale + white), round(green * scale + white), round(blue * scale + white)


def luma_of(red: float, green: float, blue: float) -> float:
    """Luma of a colour, in the scale of its parts."""
    return 0.299 * red + 0.587 * green + 0.114 * blue


def ramp(start: Rgb, end: Rgb, steps: int) -> list[Rgb]:
    """`steps` colours from start to end, both included."""
    (red, green, blue), (to_red, to_green, to_blue) = start, end
    last = steps - 1
    half = last // 2
    return [
        (
            (red * (last - step) + to_red * step + half) // last,
            (green * (last - step) + to_green * step + half) // last,
            (blue * (last - step) + to_blue * step + half) // last,
        )
        for step in range(steps)
    ]
