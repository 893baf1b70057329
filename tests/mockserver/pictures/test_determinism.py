"""The same recipe gives the same picture: on every run, in every format, in every version of Pillow."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields
from hashlib import blake2b
from typing import Any

import pytest

from mockserver.core.recipe import (
    ControlUnit,
    Fit,
    Hires,
    ImageType,
    IpAdapter,
    Lora,
    Mask,
    MaskFill,
    Recipe,
    Refiner,
)
from mockserver.pictures import recipe_digest, render
from mockserver.pictures.raster import paint
from tests.mockserver.pictures.making import difference, half_mask, opened, photo, recipe, rgb, saved

PICTURE = saved(photo(64, 64))
PROGRAM = """
from mockserver.core.recipe import ImageType, Recipe
import mockserver.pictures as p
r = Recipe(model="m", prompt="p", width=256, height=256, count=1, steps=20, guidance=7.0, sampler="s", seed=1)
"""
OTHER = {
    "model": "sd_xl_base_1.0.safetensors",
    "prompt": "a lighthouse on a cliff at dusk",
    "negative_prompt": "blurry",
    "width": 264,
    "height": 264,
    "count": 3,
    "steps": 21,
    "guidance": 7.0,
    "sampler": "DDIM",
    "seed": 43,
    "vae": "vae-ft-mse-840000-ema-pruned",
    "clip_skip": 2,
    "loras": (Lora(name="add_detail", strength=0.7),),
    "embeddings": ("easynegative",),
    "hires": Hires(width=512, height=512, strength=0.5, upscaler="Latent"),
    "refiner": Refiner(checkpoint="sd_xl_refiner_1.0.safetensors", switch_at=0.5),
    "restore_faces": True,
    "transparent": True,
    "source": PICTURE,
    "strength": 0.5,
    "fit": Fit.CROP,
    "mask": Mask(image=PICTURE),
    "noise_multiplier": 1.05,
    "image_guidance": 1.5,
    "control_units": (ControlUnit(model="control_v11p_sd15_canny", image=PICTURE),),
    "ip_adapters": (IpAdapter(model="ip-adapter_sd15.bin", image=PICTURE, strength=0.5),),
}


def test_the_pixels_are_those_of_the_snapshot() -> None:
    """A text-to-image picture is made without Pillow: its pixels never change by accident."""
    wanted = recipe(width=512, height=384, loras=(Lora(name="add_detail", strength=0.7),), clip_skip=2)
    assert recipe_digest(wanted).hex() == "21553890bab58403360a909f50a358c8"
    assert blake2b(paint(wanted, 1).tobytes(), digest_size=16).hexdigest() == "bde27bca463881f70b786248a2a3a64a"


def test_another_process_draws_the_same_bytes() -> None:
    """Nothing depends on the process, such as the hash seed."""
    program = PROGRAM + "import hashlib; print(hashlib.blake2b(p.render(r, 0, ImageType.PNG)).hexdigest())"
    runs = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(runs) == 1


@pytest.mark.parametrize("image_type", ImageType)
def test_the_same_recipe_gives_the_same_bytes(image_type: ImageType) -> None:
    """Drawn twice, also with a source picture, a mask and a control unit."""
    for wanted in (
        recipe(),
        recipe(
            source=PICTURE,
            strength=0.6,
            mask=Mask(image=saved(half_mask()), fill=MaskFill.LATENT_NOISE),
            control_units=(ControlUnit(model="x", image=PICTURE, preprocessor="canny"),),
        ),
    ):
        assert render(wanted, 0, image_type) == render(wanted, 0, image_type)


@pytest.mark.parametrize("image_type", ImageType)
def test_size_and_format_are_exactly_those_asked_for(image_type: ImageType) -> None:
    """The file has the recipe's size and the format asked for."""
    image = opened(render(recipe(width=333, height=271), 0, image_type))
    assert image.size == (333, 271)
    assert image.format == image_type.upper()


@pytest.mark.parametrize("image_type", [ImageType.JPEG, ImageType.WEBP])
def test_every_format_shows_the_same_picture(image_type: ImageType) -> None:
    """The lossy formats differ from PNG only by their loss."""
    exact = rgb(render(recipe(width=512, height=512), 0, ImageType.PNG))
    assert difference(exact, rgb(render(recipe(width=512, height=512), 0, image_type))) < 5


def test_the_pictures_of_a_task_differ() -> None:
    """Each of the four pictures looks different from the others."""
    images = [rgb(render(recipe(), index, ImageType.PNG)) for index in range(4)]
    assert all(difference(a, b) > 10 for n, a in enumerate(images) for b in images[:n])


@pytest.mark.parametrize("index", [-1, 4, 300])
def test_a_picture_that_the_task_does_not_have_is_refused(index: int) -> None:
    """The index must be one of the recipe's."""
    with pytest.raises(ValueError, match="expected 0 to 3"):
        render(recipe(), index, ImageType.PNG)


def test_the_table_of_changes_names_every_field() -> None:
    """A field added to the recipe must be added to the test below."""
    assert set(OTHER) == {field.name for field in fields(Recipe)}


@pytest.mark.parametrize("name", OTHER)
def test_every_field_of_the_recipe_is_in_the_digest(name: str) -> None:
    """Changing any one field gives another digest and other pixels."""
    changed = recipe(**{name: OTHER[name]})
    assert recipe_digest(changed) != recipe_digest(recipe())
    before, after = (paint(wanted, 0, (128, 128)).tobytes() for wanted in (recipe(), changed))
    assert before != after


@pytest.mark.parametrize(
    "change", [{"resolution": 512}, {"thresholds": (64, None)}, {"thresholds": (None, 64)}, {"pixel_perfect": True}]
)
def test_every_option_of_a_control_unit_is_in_the_digest(change: dict[str, Any]) -> None:
    """A preprocessor's arguments are part of what was asked for."""
    plain, changed = (
        recipe(control_units=(ControlUnit(model="control_v11p_sd15_canny", image=PICTURE, **fields),))
        for fields in ({}, change)
    )
    assert recipe_digest(plain) != recipe_digest(changed)


def test_the_digest_knows_what_is_the_same() -> None:
    """7 and 7.0 are one guidance; a picture inside the recipe counts by its content."""
    assert recipe_digest(recipe(guidance=7)) == recipe_digest(recipe(guidance=7.0))
    assert recipe_digest(recipe(source=bytes(bytearray(PICTURE)))) == recipe_digest(recipe(source=PICTURE))
    assert recipe_digest(recipe(source=PICTURE + b"\0")) != recipe_digest(recipe(source=PICTURE))


def test_neighbouring_texts_do_not_run_together() -> None:
    """A character moved from one field to the next gives another digest."""
    one, other = recipe(prompt="ab", negative_prompt="c"), recipe(prompt="a", negative_prompt="bc")
    assert recipe_digest(one) != recipe_digest(other)
    assert recipe_digest(recipe(embeddings=("ab", "c"))) != recipe_digest(recipe(embeddings=("a", "bc")))


def test_a_text_to_image_png_needs_no_pillow() -> None:
    """Importing the package, drawing a PNG, probing and reading its text leave PIL alone."""
    program = PROGRAM + (
        "import sys; d = p.render(r, 0, ImageType.PNG); p.probe(d); p.read_parameters(d); print('PIL' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
