"""Draw `glyphs.bin` anew: `python -m mockserver.pictures.bake_glyphs`. A tool for developers; the server never runs it.

The letters come from Pillow's built-in font, Aileron Regular by Sora Sagano, which its author gave to the public
domain (CC0 1.0).
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from .glyphs import CHARACTERS, FACE, FULL, SIZES, Face, Glyph, packed


def bake(size: int) -> Face:
    """Every character at `size` pixels per em."""
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise SystemExit("this Pillow was built without FreeType")
    ascent, descent = font.getmetrics()
    height = ascent + descent
    glyphs = {}
    for character in CHARACTERS:
        if character == FACE:
            image = _smile(round(ascent * 1.0), height)
        else:
            # the font's own space, meant for print, is too narrow for small sizes
            width = font.getlength(character) if character != " " else size * 0.3
            image = Image.new("L", (max(1, round(width)), height))
            ImageDraw.Draw(image).text((0, 0), character, font=font, fill=255)
        levels = image.point([round(value * FULL / 255) for value in range(256)])
        pixels, width = levels.tobytes(), image.width
        rows = tuple(pixels[y * width : (y + 1) * width] for y in range(height))
        glyphs[character] = Glyph(width, rows)
    return Face(height, glyphs, glyphs["M"])


def _smile(width: int, height: int) -> Image.Image:
    """A round face, drawn eight times too large and reduced."""
    scale = 8
    image = Image.new("L", (width * scale, height * scale))
    draw = ImageDraw.Draw(image)
    side = width * scale * 0.86
    left, top = (width * scale - side) / 2, height * scale * 0.52 - side / 2
    stroke = max(scale, round(side / 14))
    draw.ellipse((left, top, left + side, top + side), outline=255, width=stroke)
    for eye in (0.35, 0.65):
        x, y, radius = left + side * eye, top + side * 0.4, side * 0.065
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    mouth = (left + side * 0.25, top + side * 0.25, left + side * 0.75, top + side * 0.75)
    draw.arc(mouth, 25, 155, fill=255, width=stroke)
    return image.resize((width, height), Image.Resampling.BOX)


def main() -> None:
    """Write the file beside this module."""
    Path(__file__).with_name("glyphs.bin").write_bytes(packed([bake(size) for size in SIZES]))


if __name__ == "__main__":
    main()
