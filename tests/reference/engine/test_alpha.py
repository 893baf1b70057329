"""Transparent backgrounds: what is of the ground's colour and reaches the border goes, everything else stays."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from reference_impl.engine.alpha import on_plain_ground, without_ground
from reference_impl.engine.engine import LocalEngine
from reference_impl.shelf import Shelf
from tests.reference.engine import parts


def alpha(picture: Image.Image) -> NDArray[np.uint8]:
    cut = without_ground(picture)
    assert (cut.mode, cut.size) == ("RGBA", picture.size)
    return np.asarray(cut)[..., 3]


@pytest.mark.parametrize("ground", ["white", "black", "blue", (200, 190, 170)])
def test_a_plain_ground_goes_and_the_thing_stays(ground: str) -> None:
    seen = alpha(parts.drawing(size=(128, 128), ground=ground))
    inside = np.asarray(parts.drawing(size=(128, 128), ground=ground).convert("RGB"))[..., 0] == 255
    red = np.asarray(parts.drawing(size=(128, 128), ground="black"))[..., 0] > 0
    assert (seen[red] == 255).mean() > 0.95
    assert (seen[~red] == 0).mean() > 0.95
    assert inside.any()


def test_the_edge_is_soft_where_the_picture_is_and_the_ground_is_taken_out_of_it() -> None:
    big = parts.drawing(size=(512, 512), ground="white")
    picture = big.resize((128, 128), Image.Resampling.LANCZOS)
    cut = without_ground(picture)
    pixels = np.asarray(cut)
    soft = (pixels[..., 3] > 30) & (pixels[..., 3] < 225)
    assert soft.sum() > 30
    assert pixels[soft][:, 1].mean() < 60  # red again, not pink
    on_black = Image.alpha_composite(Image.new("RGBA", cut.size, "black"), cut)
    assert np.asarray(on_black)[..., 1].mean() < 2  # no white rim


def test_a_ground_that_shades_to_one_side_goes_too() -> None:
    shade = np.linspace(120, 220, 128).astype(np.uint8)
    picture = Image.fromarray(np.repeat(np.repeat(shade[None, :, None], 128, 0), 3, 2))
    ImageDraw.Draw(picture).ellipse((40, 40, 88, 88), fill="red")
    seen = alpha(picture)
    assert (seen == 0).mean() > 0.8
    assert (seen[50:78, 50:78] == 255).all()


def test_a_noisy_ground_goes_too() -> None:
    noise = np.random.default_rng(0).normal(0, 8, (128, 128, 3))
    picture = np.asarray(parts.drawing(size=(128, 128), ground="gray"), float) + noise
    seen = alpha(Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)))
    assert (seen[:20] < 128).mean() > 0.9
    assert (seen[54:74, 54:74] == 255).all()


def test_a_thing_in_the_grounds_colour_inside_of_another_stays() -> None:
    picture = parts.drawing(size=(128, 128), ground="white")
    ImageDraw.Draw(picture).ellipse((56, 56, 72, 72), fill="white")
    assert (alpha(picture)[58:70, 58:70] == 255).all()


def test_whatever_the_picture_something_of_it_is_transparent_and_something_is_not() -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8))
    assert (alpha(noise.filter(ImageFilter.GaussianBlur(4))) == 0).any()
    for picture in (noise, parts.drawing()):
        seen = alpha(picture)
        assert (seen == 0).any()
        assert (seen == 255).any()


def test_the_colours_of_what_is_transparent_are_kept() -> None:
    picture = parts.drawing(ground="blue")
    assert np.asarray(without_ground(picture))[0, 0].tolist() == [0, 0, 255, 0]


@pytest.mark.parametrize(
    ("prompt", "asked"),
    [
        ("a red circle", "a red circle, on a white background"),
        ("a red circle on a blue background", "a red circle on a blue background"),
        ("studio Backdrop, a cup", "studio Backdrop, a cup"),
        ("backgrounds", "backgrounds, on a white background"),
    ],
)
def test_a_plain_ground_is_asked_for_unless_the_prompt_speaks_of_one(prompt: str, asked: str) -> None:
    assert on_plain_ground(prompt) == asked


def test_an_engine_draws_transparent_pictures(tmp_path: Path) -> None:
    parts.saved(parts.sdxl(tmp_path / "words"), tmp_path / "checkpoints" / "tiny-xl")
    engine = LocalEngine(Shelf(tmp_path), device="cpu", threads=1, previews=False)
    [[finished]] = engine.run("tiny-xl", [parts.job(model="tiny-xl", transparent=True)], lambda _: None)
    picture = Image.open(io.BytesIO(finished.file))
    assert (picture.mode, picture.format) == ("RGBA", "PNG")
    assert picture.getchannel("A").getextrema()[0] == 0
    assert "background" not in picture.info["parameters"]  # the request's own prompt
