"""The words on a picture."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.core.recipe import Hires, ImageType, Lora, Refiner
from mockserver.pictures import caption, glyphs, render
from mockserver.pictures.caption import Mark, marks_of
from mockserver.pictures.glyphs import face, plain
from mockserver.pictures.raster import paint
from tests.mockserver.pictures.making import FIXED, recipe, rgb


@pytest.mark.parametrize("size", glyphs.SIZES)
def test_every_character_has_a_glyph_of_its_own(size: int) -> None:
    """All printable ASCII characters are there, in every size, and no two look alike."""
    known = face(size)
    assert known.height >= size
    shapes = {character: known.glyph(character).rows for character in map(chr, range(33, 127))}
    if size >= 14:
        assert len(set(shapes.values())) == len(shapes)
    for character, rows in shapes.items():
        assert any(any(row) for row in rows), character
        assert {len(row) for row in rows} == {known.glyph(character).advance}
        assert max(max(row) for row in rows) <= glyphs.FULL


@given(text=st.text(max_size=60))
def test_any_text_becomes_rows(text: str) -> None:
    """Whatever a prompt holds, it becomes one line of drawable characters."""
    known = face(14)
    rows = known.rows(plain(text))
    assert not rows or {len(row) for row in rows} == {known.width(plain(text))}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("café naïve Ångström", "cafe naive Angstrom"),
        ("two\nlines\tand  more ", "two lines and more"),
        ("zero\u200bwidth\x00\x1b[31m", "zerowidth[31m"),
        ("straße \u00d7 Ærø", "strasse x AEro"),
        ("½ ﬁsh", "1\u20442 fish"),
    ],
)
def test_accents_and_controls_go(text: str, expected: str) -> None:
    """Letters with marks lose them; what cannot be seen is dropped."""
    assert plain(text) == expected


@given(text=st.text(st.characters(codec="ascii", categories=("L", "N", "Zs")), max_size=80), width=st.integers(0, 400))
def test_a_cut_text_fits(text: str, width: int) -> None:
    """It is never wider than the room, and ends in an ellipsis when something was left out."""
    known = face(12)
    cut = known.cut(text, width)
    assert known.width(cut) <= width
    assert cut == text or cut == "" or cut.endswith(glyphs.ELLIPSIS)


@pytest.mark.parametrize("size", [(256, 256), (512, 512), (1024, 768), (640, 2048)])
def test_the_caption_is_legible(size: tuple[int, int]) -> None:
    """Its letters are light on dark: at least 100 steps of brightness between ink and paper."""
    wanted = recipe(width=size[0], height=size[1])
    strip = caption.strip(wanted, 0, *size)
    assert strip is not None
    shown = rgb(render(wanted, 0, ImageType.PNG)).convert("L").tobytes()
    top = strip.first * size[1] // 16
    pairs = [(shown[(top + y) * size[0] + x], level) for y, row in enumerate(strip.rows) for x, level in enumerate(row)]
    ink = [value for value, level in pairs if level == glyphs.FULL]
    paper = [value for value, level in pairs if level == 0]
    assert len(ink) > 100
    assert min(ink) - max(paper) > 100


def test_the_caption_names_the_picture() -> None:
    """Prompt, model, seed, size and number stand in it: each of them changes its rows."""
    plain_rows = caption.strip(recipe(), 0, 512, 512)
    for changed in (
        recipe(prompt="another"),
        recipe(model="another"),
        recipe(seed=43),
        recipe(width=257),
        recipe(count=9),
    ):
        assert caption.strip(changed, 0, 512, 512) != plain_rows
    assert caption.strip(recipe(), 1, 512, 512) != plain_rows


def test_the_marks_name_what_shaped_the_picture() -> None:
    """LoRAs with their strengths, embeddings, faces, hires, refiner, VAE and clip skip."""
    marks = marks_of(
        recipe(
            loras=(Lora(name="add_detail", strength=0.7),),
            embeddings=("easynegative",),
            restore_faces=True,
            hires=Hires(width=512, height=512, strength=0.5, upscaler="Latent"),
            refiner=Refiner(checkpoint="r", switch_at=0.3),
            vae="some-vae",
            clip_skip=2,
        )
    )
    assert marks == [
        Mark("add_detail 0.7", 0.7),
        Mark("<easynegative>"),
        Mark(f"{glyphs.FACE} faces"),
        Mark("hires Latent"),
        Mark("refiner 0.3", 0.3),
        Mark("vae some-vae"),
        Mark("clip skip 2"),
    ]
    assert marks_of(recipe(refiner=Refiner(checkpoint="r", switch_at=0.0))) == []


def test_too_many_marks_become_a_number() -> None:
    """A narrow picture with many LoRAs is drawn, and the caption stays within its width."""
    loras = tuple(Lora(name=f"a rather long name {number}", strength=0.5) for number in range(5))
    strip = caption.strip(recipe(loras=loras), 0, 256, 256)
    assert strip is not None
    assert {len(row) for row in strip.rows} == {256}


@pytest.mark.parametrize("size", [(191, 600), (600, 191), (1, 1), (64, 64)])
def test_small_pictures_have_no_caption(size: tuple[int, int]) -> None:
    """Their tiles reach to the lower edge."""
    assert caption.strip(recipe(), 0, *size) is None
    words = [paint(recipe(prompt=prompt), 0, size, digest=FIXED).tobytes() for prompt in ("one", "two")]
    assert words[0] == words[1]
