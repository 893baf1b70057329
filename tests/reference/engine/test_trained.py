"""What can only be seen on a trained model: the pictures of the shipped tiny checkpoint.

Random networks show that methods run; whether their steps lead to the picture that the network means shows here.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import reference_impl
from reference_impl.engine.engine import LocalEngine
from reference_impl.engine.samplers import SAMPLERS
from reference_impl.jobs import Hires, Job, Mask
from reference_impl.shelf import Shelf
from tests.reference.engine.conftest import Drawn, png
from tests.reference.engine.test_samplers import NOISY

pytestmark = pytest.mark.slow

SHIPPED = Path(reference_impl.__file__).parent / "weights"
JOB = Job(
    model="shapes-sd15",
    prompt="a red circle on a blue background",
    width=256,
    height=256,
    steps=30,
    guidance=4.0,
    sampler="Heun",
    seed=3,
)
RED, BLUE, GREEN = (255, 0, 0), (0, 0, 255), (0, 160, 0)


@cache
def engine() -> LocalEngine:
    return LocalEngine(Shelf(SHIPPED), device="cpu", threads=1, previews=False)


@cache
def drawn(job: Job) -> Drawn:
    return Drawn(engine().run(job.model, [job], lambda _: None)[0][0])


def nearest(colour: tuple[float, ...]) -> tuple[int, int, int]:
    """Red, blue or green, whichever is nearest."""
    return min((RED, BLUE, GREEN), key=lambda known: sum((a - b) ** 2 for a, b in zip(known, colour, strict=True)))


def middle_and_corner(picture: Drawn) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    height, width = picture.pixels.shape[:2]
    middle = picture.pixels[height * 7 // 16 : height * 9 // 16, width * 7 // 16 : width * 9 // 16]
    corner = picture.pixels[: height // 8, : width // 8]
    return nearest(tuple(middle.mean((0, 1)))), nearest(tuple(corner.mean((0, 1))))


@pytest.mark.parametrize("sampler", sorted(set(SAMPLERS) - NOISY))
def test_a_method_without_noise_draws_what_heun_draws_in_50_steps(sampler: str) -> None:
    many = drawn(replace(JOB, steps=50))
    assert drawn(replace(JOB, sampler=sampler)).distance(many) < 5


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_gives_the_picture_asked_for_in_20_steps(sampler: str) -> None:
    assert middle_and_corner(drawn(replace(JOB, sampler=sampler, steps=20))) == (RED, BLUE)


def test_strength_moves_the_picture_away_from_its_source_without_turning_back() -> None:
    picture = Image.new("RGB", (256, 256), (0, 160, 0))
    source = png(picture)
    away = [
        float(
            np.abs(
                drawn(replace(JOB, source=source, strength=s, sampler="Euler", steps=20)).pixels - np.asarray(picture)
            ).mean()
        )
        for s in (0.0, 0.2, 0.5, 0.8, 1.0)
    ]
    assert away[0] == 0
    assert all(near <= far + 2 for near, far in pairwise(away))
    assert away[-1] > away[1] + 40


def test_a_mask_is_painted_and_the_rest_is_kept() -> None:
    picture = Image.new("RGB", (256, 256), (0, 160, 0))
    mask = Image.new("L", (256, 256), 0)
    mask.paste(255, (64, 64, 192, 192))
    job = replace(JOB, source=png(picture), strength=1.0, mask=Mask(file=png(mask), blur=0), sampler="Euler", steps=20)
    painted = drawn(job)
    assert np.array_equal(painted.pixels[:64], np.asarray(picture).astype(int)[:64])
    assert np.abs(painted.pixels[64:192, 64:192] - (0, 160, 0)).mean() > 40


def test_hires_fix_keeps_the_picture() -> None:
    hires = Hires(width=512, height=512, strength=0.5, upscaler="Latent")
    large = drawn(replace(JOB, hires=hires, sampler="Euler", steps=20))
    assert middle_and_corner(large) == (RED, BLUE)


def test_guidance_and_the_negative_prompt_push_the_right_way() -> None:
    free = drawn(replace(JOB, prompt="", negative_prompt="", sampler="Euler", steps=20))
    pushed = drawn(replace(JOB, prompt="", negative_prompt="blue background", sampler="Euler", steps=20))
    assert pushed.distance(free) > 5
