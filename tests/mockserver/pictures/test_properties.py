"""Any recipe at all gives a right picture."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

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
from mockserver.pictures import decode, parameters_text, preview, read_parameters, recipe_digest, render
from tests.mockserver.pictures.making import half_mask, opened, photo, saved

NAMES = st.text(min_size=1, max_size=40)
SHARES = st.floats(0, 1)
SIDES = st.integers(1, 600)
PICTURES = st.sampled_from(
    [saved(photo(40, 30)), saved(photo(300, 200), "JPEG"), saved(photo(64, 64).convert("RGBA"), "WEBP"), b"", b"broken"]
)
MASKS = st.sampled_from([saved(half_mask(64, 64)), saved(half_mask(33, 20), "JPEG"), b""])

PLAIN = st.fixed_dictionaries(
    {
        "model": NAMES,
        "prompt": st.text(max_size=200),
        "negative_prompt": st.text(max_size=40),
        "width": SIDES,
        "height": SIDES,
        "count": st.just(8),
        "steps": st.integers(1, 100),
        "guidance": st.floats(0, 30),
        "sampler": NAMES,
        "seed": st.integers(0, 2**66),
        "vae": st.none() | NAMES,
        "clip_skip": st.none() | st.integers(0, 20),
        "loras": st.lists(st.builds(Lora, name=NAMES, strength=st.floats(-2, 3)), max_size=5).map(tuple),
        "embeddings": st.lists(NAMES, max_size=5).map(tuple),
        "hires": st.none()
        | st.builds(
            Hires, width=SIDES, height=SIDES, strength=SHARES, upscaler=st.sampled_from(["Latent", "ESRGAN_4x"])
        ),
        "refiner": st.none() | st.builds(Refiner, checkpoint=NAMES, switch_at=SHARES),
        "restore_faces": st.booleans(),
        "transparent": st.booleans(),
    }
)
WITH_PICTURES = st.fixed_dictionaries(
    {
        "source": st.none() | PICTURES,
        "strength": SHARES,
        "fit": st.sampled_from(Fit),
        "noise_multiplier": st.floats(0, 2),
        "mask": st.none()
        | st.builds(
            Mask,
            image=MASKS,
            blur=st.integers(-1, 64),
            invert=st.booleans(),
            fill=st.sampled_from(MaskFill),
            full_res=st.booleans(),
            padding=st.integers(0, 300),
        ),
        "control_units": st.lists(
            st.builds(
                ControlUnit,
                model=NAMES,
                image=PICTURES,
                weight=st.floats(-1, 3),
                preprocessor=st.sampled_from(["none", "canny", "depth", "normal_bae", "openpose", "shuffle", "invert"]),
                start=SHARES,
                end=SHARES,
                mask=st.none() | MASKS,
                fit=st.sampled_from(Fit),
                control_mode=st.integers(0, 3),
            ),
            max_size=2,
        ).map(tuple),
        "ip_adapters": st.lists(st.builds(IpAdapter, model=NAMES, image=PICTURES, strength=SHARES), max_size=1).map(
            tuple
        ),
    }
)


@given(values=PLAIN, index=st.integers(0, 7), image_type=st.sampled_from(ImageType))
@settings(max_examples=100)
def test_a_text_to_image_recipe_gives_a_readable_receipt(
    values: dict[str, object], index: int, image_type: ImageType
) -> None:
    """Right size and format; from 128 pixels on the pixels alone tell the task, below it the text does."""
    recipe = Recipe(**values)  # type: ignore[arg-type]  # the strategy gives the right types
    data = render(recipe, index, image_type)
    image = opened(data)
    assert image.size == recipe.size
    assert image.format == image_type.upper()
    large = min(recipe.size) >= 128
    receipt = decode(data, pixels_only=large)
    assert (receipt.digest, receipt.index, receipt.seed) == (recipe_digest(recipe), index, recipe.seed % 2**64)
    assert receipt.exact or not large
    assert read_parameters(data) == parameters_text(recipe, index)


@given(plain=PLAIN, pictures=WITH_PICTURES, index=st.integers(0, 7), image_type=st.sampled_from(ImageType))
@settings(max_examples=60)
def test_any_recipe_is_drawn(
    plain: dict[str, object], pictures: dict[str, object], index: int, image_type: ImageType
) -> None:
    """With any mixture of pictures, good and broken, the file is right and its text knows the task."""
    recipe = Recipe(**plain, **pictures)  # type: ignore[arg-type]  # the strategies give the right types
    data = render(recipe, index, image_type)
    assert opened(data).size == recipe.size
    assert data == render(recipe, index, image_type)
    assert decode(data).digest == recipe_digest(recipe)


@given(plain=PLAIN, pictures=WITH_PICTURES, progress=st.floats(-0.5, 1.5), edge=st.integers(0, 300))
@settings(max_examples=40)
def test_any_recipe_has_previews(
    plain: dict[str, object], pictures: dict[str, object], progress: float, edge: int
) -> None:
    """A preview is a JPEG within its bounds, at any progress."""
    image = opened(preview(Recipe(**plain, **pictures), 0, progress, edge))  # type: ignore[arg-type]  # as above
    assert image.format == "JPEG"
    assert max(image.size) <= max(1, edge)
