"""The words on a picture: what was asked for, in three short lines at its lower edge.

A caption is laid out here as rows of levels (see `glyphs`) for a strip of whole cell rows; `raster` colours it. Tiny
pictures have none.
"""

from __future__ import annotations

from dataclasses import dataclass

from mockserver.core.recipe import Recipe

from . import glyphs
from .glyphs import FULL, Face
from .receipt import SIDE

SMALLEST = 192
"""Pictures with a side below this many pixels have no caption."""
ACCENT = 8
"""Added to the level of a letter that is drawn in the accent colour."""

_MOST_ROWS = 5  # of 16: more than this would hide the picture
_DOTS = " · "


@dataclass(frozen=True, slots=True)
class Mark:
    """A word on something that shaped the picture; `strength` (where it has one) is drawn as a bar below."""

    text: str
    strength: float | None = None


def marks_of(recipe: Recipe) -> list[Mark]:
    """Everything beyond prompt, model and size that shaped the picture, the most telling first."""
    marks = [Mark(f"{lora.name} {lora.strength:g}", lora.strength) for lora in recipe.loras]
    marks += [Mark(f"<{name}>") for name in recipe.embeddings]
    if recipe.restore_faces:
        marks.append(Mark(f"{glyphs.FACE} faces"))
    if recipe.source is not None:
        marks.append(Mark(f"strength {recipe.strength:g}", recipe.strength))
    if recipe.mask:
        marks.append(Mark("masked only" if recipe.mask.full_res else "mask"))
    for unit in recipe.control_units:
        marks.append(Mark(f"{unit.preprocessor if unit.preprocessor != 'none' else unit.model} {unit.weight:g}"))
    marks += [Mark(f"ip-adapter {adapter.strength:g}", adapter.strength) for adapter in recipe.ip_adapters]
    if recipe.hires:
        marks.append(Mark(f"hires {recipe.hires.upscaler}"))
    if recipe.refiner and recipe.refiner.switch_at > 0:
        marks.append(Mark(f"refiner {recipe.refiner.switch_at:g}", recipe.refiner.switch_at))
    if recipe.vae:
        marks.append(Mark(f"vae {recipe.vae}"))
    if recipe.clip_skip is not None:
        marks.append(Mark(f"clip skip {recipe.clip_skip}"))
    return marks


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """A caption ready to be coloured.

    `first` is the cell row where it begins; it reaches to the lower edge. `rows` holds one row of levels per pixel
    row: 0 is paper, 1 to 7 ink, 9 to 15 accent.
    """

    first: int
    rows: tuple[bytes, ...]


def strip(recipe: Recipe, index: int, width: int, height: int) -> Strip | None:
    """The caption for a picture of that size, or None where it would be too small to read."""
    if min(width, height) < SMALLEST:
        return None
    face = glyphs.face(min(width, height) // 36)
    margin = max(4, face.height // 2)
    room = width - 2 * margin
    lines = [face.rows(face.cut(glyphs.plain(recipe.prompt) or "(no prompt)", room))]
    lines.append(face.rows(_facts(recipe, index, face, room)))
    if marks := marks_of(recipe):
        lines.append(_mark_rows(marks, face, room))
    gap = max(1, face.height // 8)
    content: list[bytes] = []
    for line in lines:
        content += [b""] * (gap if content else 0)
        content += line
    first = SIDE - 1
    while height - first * height // SIDE < len(content) + margin:
        first -= 1
    if first < SIDE - _MOST_ROWS:
        return None
    space = height - first * height // SIDE
    above = (space - len(content)) // 2
    padded = [b""] * above + content + [b""] * (space - above - len(content))
    return Strip(first=first, rows=tuple((bytes(margin) + row).ljust(width, b"\0") for row in padded))


def _facts(recipe: Recipe, index: int, face: Face, room: int) -> str:
    """Model, seed, size and number; a long model name gives way first."""
    width, height = recipe.size
    rest = _DOTS.join(("", f"seed {recipe.seed}", f"{width}x{height}", f"{index + 1}/{recipe.count}"))
    model = glyphs.plain(recipe.model).removesuffix(".safetensors")
    return face.cut(face.cut(model, max(room - face.width(rest), room // 4)) + rest, room)


def _mark_rows(marks: list[Mark], face: Face, room: int) -> list[bytes]:
    """The marks side by side in the accent colour, each with its bar; those without room become a number."""
    space = face.width("  ")
    shown: list[Mark] = []
    used = 0
    for mark in marks:
        text = face.cut(glyphs.plain(mark.text) if glyphs.FACE not in mark.text else mark.text, max(1, room // 2))
        needed = face.width(text) + (space if shown else 0)
        left = len(marks) - len(shown) - 1
        if used + needed + (face.width(f"  +{left}") if left else 0) > room:
            shown.append(Mark(f"+{left + 1}"))
            break
        shown.append(Mark(text, mark.strength))
        used += needed
    blocks = [_mark_block(mark, face) for mark in shown]
    return [bytes(space).join(parts) for parts in zip(*blocks, strict=True)]


def _mark_block(mark: Mark, face: Face) -> list[bytes]:
    accented = bytes(range(1)) + bytes(range(ACCENT + 1, ACCENT + FULL + 1)) + bytes(248)
    rows = [row.translate(accented) for row in face.rows(mark.text)]
    if mark.strength is not None and rows:
        width = len(rows[0])
        filled = round(width * min(1.0, max(0.0, mark.strength)))
        bar = bytes([ACCENT + FULL]) * filled + bytes([ACCENT + 2]) * (width - filled)
        thick = max(1, face.height // 12)
        rows = rows[:-thick] + [bar] * thick
    return rows
