"""v2 submissions: flat bodies, LoRA tags in the prompt, masks, and the much smaller bodies of real clients."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.core.errors import Reason
from mockserver.core.findings import Code
from mockserver.core.recipe import ControlUnit, Fit, Hires, ImageType, Lora, Mask, MaskFill, Recipe, Refiner
from mockserver.core.task import Delivery, TaskType
from mockserver.submissions.submission import RANDOM_SEED
from mockserver.submissions.v2 import MAX_MARGIN, lora_tags
from openapi.document import Reading
from tests.bodies import base64_png, img2img_v2, png, txt2img_v2
from tests.mockserver.reading import (
    LORA,
    SD15,
    SDXL,
    SDXL_LORA,
    codes,
    is_accepted,
    read,
    reasons,
    refusal,
    several_changes,
    single_changes,
    survives,
)

TXT, IMG = "createTxt2imgTaskV2", "createImg2imgTaskV2"

RED, BLUE = base64_png(8, 8, (255, 0, 0)), base64_png(8, 8, (0, 0, 255))

CONTROL_UNIT = {
    "model": "control_v11p_sd15_inpaint",
    "weight": 0.6,
    "input_image": BLUE,
    "module": "inpaint",
    "control_mode": 2,
    "mask": RED,
    "resize_mode": 1,
    "processor_res": 512,
    "threshold_a": 64,
    "threshold_b": 64,
    "guidance_start": 0.1,
    "guidance_end": 0.9,
    "pixel_perfect": True,
}

FULL_TXT = txt2img_v2(
    extra={
        "enable_nsfw_detection": True,
        "nsfw_detection_level": 1,
        "enable_progress_info": False,
        "response_image_type": "jpeg",
    },
    prompt=f"a cute dog <lora:{SDXL_LORA}:0.7>",
    model_name=SDXL,
    batch_size=2,
    n_iter=3,
    seed=11,
    restore_faces=True,
    sd_vae="sdxl_vae.safetensors",
    clip_skip=2,
    enable_hr=True,
    hr_upscaler="ESRGAN_4x",
    hr_scale=1,
    hr_resize_x=1024,
    hr_resize_y=768,
    img_expire_ttl=3600,
    sd_refiner={"checkpoint": "sd_xl_refiner_1.0.safetensors", "switch_at": 0.5},
    controlnet_units=[{**CONTROL_UNIT, "model": "t2i-adapter_diffusers_xl_canny", "mask": None}],
)

FULL_IMG = img2img_v2(
    init_images=[RED],
    negative_prompt="blurry",
    seed=3,
    cfg_scale=7.5,
    denoising_strength=0.4,
    restore_faces=True,
    sd_vae="customVAE.safetensors",
    clip_skip=1,
    mask=BLUE,
    mask_blur=9,
    resize_mode=2,
    image_cfg_scale=7,
    inpainting_fill=2,
    inpaint_full_res=1,
    inpaint_full_res_padding=16,
    inpainting_mask_invert=1,
    initial_noise_multiplier=0.8,
    img_expire_ttl=60,
    controlnet_units=[CONTROL_UNIT],
)

CLIENT_BODY = {
    # The small body that clients really send.
    "prompt": "a cute dog",
    "model_name": SD15,
    "sampler_name": "Euler a",
    "width": 512,
    "height": 512,
    "steps": 20,
    "cfg_scale": 7.5,
    "batch_size": 1,
}


def test_every_field_of_a_txt2img_body_reaches_the_recipe() -> None:
    """The documented reading accepts it, and nothing of it is lost."""
    submission = read(TXT, FULL_TXT, strict=True)

    assert submission.type is TaskType.TXT_TO_IMG
    assert submission.recipe == Recipe(
        model=SDXL,
        prompt=f"a cute dog <lora:{SDXL_LORA}:0.7>",
        negative_prompt="blurry",
        width=512,
        height=512,
        count=6,
        steps=20,
        guidance=7.0,
        sampler="DPM++ 2M Karras",
        seed=11,
        vae="sdxl_vae.safetensors",
        clip_skip=2,
        loras=(Lora(name=SDXL_LORA, strength=0.7),),
        hires=Hires(width=1024, height=768, strength=0.7, upscaler="ESRGAN_4x"),
        refiner=Refiner(checkpoint="sd_xl_refiner_1.0.safetensors", switch_at=0.5),
        restore_faces=True,
        control_units=(
            ControlUnit(
                model="t2i-adapter_diffusers_xl_canny",
                image=png(8, 8, (0, 0, 255)),
                weight=0.6,
                preprocessor="inpaint",
                start=0.1,
                end=0.9,
                fit=Fit.CROP,
                control_mode=2,
                resolution=512,
                thresholds=(64, 64),
                pixel_perfect=True,
            ),
        ),
    )
    assert submission.delivery == Delivery(
        image_type=ImageType.JPEG, nsfw=True, nsfw_level=1, previews=False, ttl_s=3600
    )
    assert submission.findings == []


def test_every_field_of_an_img2img_body_reaches_the_recipe() -> None:
    """Source, mask and control pictures arrive as the files they are."""
    submission = read(IMG, FULL_IMG, strict=True)
    red, blue = png(8, 8, (255, 0, 0)), png(8, 8, (0, 0, 255))

    assert submission.type is TaskType.IMG_TO_IMG
    assert submission.recipe == Recipe(
        model=SD15,
        prompt="a cute dog",
        negative_prompt="blurry",
        width=512,
        height=512,
        count=1,
        steps=20,
        guidance=7.5,
        sampler="DPM++ 2M Karras",
        seed=3,
        vae="customVAE.safetensors",
        clip_skip=1,
        restore_faces=True,
        source=red,
        strength=0.4,
        fit=Fit.FILL,
        mask=Mask(image=blue, blur=9, invert=True, fill=MaskFill.LATENT_NOISE, full_res=True, padding=16),
        image_guidance=7.0,
        noise_multiplier=0.8,
        control_units=(
            ControlUnit(
                model="control_v11p_sd15_inpaint",
                image=blue,
                weight=0.6,
                preprocessor="inpaint",
                start=0.1,
                end=0.9,
                mask=red,
                fit=Fit.CROP,
                control_mode=2,
                resolution=512,
                thresholds=(64, 64),
                pixel_perfect=True,
            ),
        ),
    )
    assert submission.delivery == Delivery(ttl_s=60)
    assert submission.findings == []


def test_the_small_body_of_clients_is_enough() -> None:
    """C14: neither seed, n_iter nor restore_faces; a fractional cfg_scale (C15)."""
    submission = read(TXT, CLIENT_BODY)

    assert submission.recipe == Recipe(
        model=SD15,
        prompt="a cute dog",
        width=512,
        height=512,
        count=1,
        steps=20,
        guidance=7.5,
        sampler="Euler a",
        seed=RANDOM_SEED,
    )
    assert submission.delivery == Delivery()
    assert reasons(TXT, CLIENT_BODY) >= {"C14", "C15"}


def test_null_in_every_nullable_img2img_field_is_a_plain_body() -> None:
    """The page types nearly everything as nullable; what is null has the clients' defaults."""
    nullable = ["prompt", "negative_prompt", "sampler_name", "batch_size", "n_iter", "steps", "cfg_scale", "seed"]
    nullable += ["denoising_strength", "restore_faces", "sd_vae", "clip_skip", "resize_mode", "image_cfg_scale"]
    nullable += ["inpainting_fill", "inpaint_full_res", "inpaint_full_res_padding", "controlnet_units"]
    recipe = read(IMG, img2img_v2(**dict.fromkeys(nullable)), strict=True).recipe

    assert recipe == Recipe(
        model=SD15,
        prompt="",
        width=512,
        height=512,
        count=1,
        steps=20,
        guidance=7.0,
        sampler="Euler a",
        seed=RANDOM_SEED,
        source=png(),
        strength=0.75,
    )


@pytest.mark.parametrize("empty", [None, ""])
def test_the_empty_fields_of_the_pages_sample_are_absent(empty: str | None) -> None:
    """C52: mask, mask_blur, initial_noise_multiplier and img_expire_ttl, null or empty text."""
    fields = dict.fromkeys(("mask", "mask_blur", "initial_noise_multiplier", "img_expire_ttl"), empty)

    submission = read(IMG, img2img_v2(**fields))
    assert submission.recipe == read(IMG, img2img_v2()).recipe
    assert submission.delivery.ttl_s is None
    assert "C52" in reasons(IMG, img2img_v2(**fields))


@pytest.mark.parametrize("empty", [None, ""])
def test_empty_numbers_beside_a_mask_are_absent(empty: str | None) -> None:
    """C52: the mask has its usual soft edge then."""
    fields = dict.fromkeys(("mask_blur", "initial_noise_multiplier", "img_expire_ttl"), empty)
    recipe = read(IMG, img2img_v2(mask=RED, **fields)).recipe

    assert recipe.mask == Mask(image=png(8, 8, (255, 0, 0)))
    assert recipe.noise_multiplier == 1.0


def test_a_mask_left_alone_has_the_clients_defaults() -> None:
    """Blur 4, original content, whole picture, margin 32, not inverted."""
    mask = read(IMG, img2img_v2(mask=RED), strict=True).recipe.mask

    assert mask is not None
    assert (mask.blur, mask.fill, mask.full_res, mask.padding, mask.invert) == (4, MaskFill.ORIGINAL, False, 32, False)


@pytest.mark.parametrize(("sent", "taken"), [(-5, 0), (0, 0), (10**6, MAX_MARGIN), (1e300, MAX_MARGIN)])
def test_margins_without_documented_bounds_are_taken_within_the_picture(sent: float, taken: int) -> None:
    """Beyond the largest picture they mean the same."""
    mask = read(IMG, img2img_v2(mask=RED, mask_blur=sent, inpaint_full_res_padding=sent), strict=True).recipe.mask

    assert mask is not None
    assert (mask.blur, mask.padding) == (taken, taken)


@pytest.mark.parametrize("number", range(4))
def test_every_number_of_the_mask_and_fit_options_has_its_meaning(number: int) -> None:
    """resize_mode and inpainting_fill 0 to 3."""
    recipe = read(IMG, img2img_v2(mask=RED, resize_mode=number, inpainting_fill=number), strict=True).recipe

    assert (recipe.fit, recipe.mask.fill if recipe.mask else None) == (Fit(number), MaskFill(number))


def test_a_mask_option_without_a_mask_has_no_effect() -> None:
    """There is nothing to blur."""
    assert read(IMG, img2img_v2(mask_blur=9, inpainting_fill=3), strict=True).recipe.mask is None


@pytest.mark.parametrize(
    ("batch_size", "n_iter", "pictures", "noted"),
    [(1, 1, 1, 0), (2, 3, 6, 0), (8, 8, 64, 0), (0, 1, 1, 1), (3, 0, 3, 1), (0, 0, 1, 2)],
)
def test_pictures_are_batch_size_times_n_iter_and_0_is_1(
    batch_size: int, n_iter: int, pictures: int, noted: int
) -> None:
    """C17: 0 has no stated meaning; it is taken as 1 and said, in both readings."""
    submission = read(TXT, txt2img_v2(batch_size=batch_size, n_iter=n_iter), strict=True)

    assert submission.recipe.count == pictures
    assert codes(submission) == [Code.UNDOCUMENTED_MEANING] * noted
    assert all(finding.because == ("C17",) for finding in submission.findings)


@pytest.mark.parametrize(
    ("prompt", "tags"),
    [
        ("a dog", []),
        ("<lora:x:0.5>", [("x", 0.5)]),
        ("a <lora:x:.5> and <lora:y_1.0:-1>", [("x", 0.5), ("y_1.0", -1.0)]),
        ("<lora:x>", [("x", 1.0)]),
        ("<lora: x :2>", [("x", 2.0)]),
        ("<lora:x:0.5:0.8>", [("x", 0.5)]),
        ("<lora:x:+0.5>", [("x", 0.5)]),
        ("<lora:x:lots>", [("x", 1.0)]),
        ("<lora::1>", []),
        ("<lora:x:1", []),
        ("<LORA:x:1>", []),
        ("<lora:x:1><lora:x:1>", [("x", 1.0), ("x", 1.0)]),
        ("<hypernet:x:1>", []),
        ("<lora:<lora:x:1>:1>", [("x", 1.0)]),
    ],
)
def test_lora_tags_are_read_from_a_prompt(prompt: str, tags: list[tuple[str, float]]) -> None:
    """`<lora:name:weight>`, as the Stable Diffusion tools write it; the weight is 1 when left out."""
    assert lora_tags(prompt) == tags


@given(st.text(st.sampled_from("<>:lora.1+- \n"), max_size=200))
def test_no_prompt_breaks_the_reader_of_tags(prompt: str) -> None:
    """Any text has some tags or none."""
    assert all(name and isinstance(weight, float) for name, weight in lora_tags(prompt) if name.strip())


def test_a_long_prompt_of_half_tags_is_read_at_once() -> None:
    """A megabyte of beginnings takes no longer than a megabyte of text."""
    assert lora_tags("<lora:x:1" * 100_000) == []


def test_a_weight_of_many_digits_stays_a_number() -> None:
    """JSON has no infinity, and neither has a recipe."""
    [(_, weight)] = lora_tags(f"<lora:x:{'9' * 400}>")

    assert weight < float("inf")


def test_a_tag_stays_in_the_prompt_and_names_a_model() -> None:
    """The prompt is shown as it was sent; the LoRA is known with and without its ending (C27)."""
    right = read(TXT, txt2img_v2(prompt=f"a <lora:{LORA}:0.8> dog"), strict=True)
    other = read(TXT, txt2img_v2(prompt=f"a <lora:{LORA}.safetensors:0.8> dog"))

    assert right.recipe.loras == other.recipe.loras == (Lora(name=LORA, strength=0.8),)
    assert right.recipe.prompt == f"a <lora:{LORA}:0.8> dog"
    assert (codes(right), codes(other)) == ([], [Code.TOLERATED_REQUEST])


@pytest.mark.parametrize(
    "fields",
    [
        {"prompt": "a <lora:no_such_lora:1> dog"},
        {"model_name": "no_such_model"},
        {"model_name": "mockRetired_v1_900113.safetensors"},
        {"sd_vae": "no_such_vae"},
    ],
)
def test_an_unknown_model_is_code_2(fields: dict[str, Any]) -> None:
    """C27, C33: CodeModelNotExist, also for a LoRA in the prompt."""
    assert int(refusal(TXT, txt2img_v2(**fields)).v2_code) == 2


def test_a_lora_of_another_base_model_is_a_finding() -> None:
    """Accepted and said, as in v3."""
    submission = read(TXT, txt2img_v2(prompt=f"<lora:{SDXL_LORA}:1>"))

    assert codes(submission) == [Code.BASE_MODEL_MISMATCH]


def test_a_checkpoint_is_taken_by_either_of_its_names() -> None:
    """C27: without its ending it is the same model."""
    submission = read(TXT, txt2img_v2(model_name=SD15.removesuffix(".safetensors")))

    assert submission.recipe.model == SD15
    assert codes(submission) == [Code.TOLERATED_REQUEST]


@pytest.mark.parametrize(
    ("fields", "size", "noted"),
    [
        ({}, (1024, 1024), []),
        ({"hr_scale": 2}, (1024, 1024), []),
        ({"hr_scale": 1}, (512, 512), []),
        ({"hr_resize_x": 640, "hr_resize_y": 768}, (640, 768), []),
        ({"hr_scale": 1, "hr_resize_x": 640, "hr_resize_y": 768}, (640, 768), []),
        ({"hr_scale": 2, "hr_resize_x": 640, "hr_resize_y": 768}, (640, 768), [Code.UNDOCUMENTED_MEANING]),
        ({"hr_scale": 2, "hr_resize_x": 640}, (1024, 1024), []),
        ({"hr_scale": 2, "hr_resize_x": 0, "hr_resize_y": 0}, (1024, 1024), []),
        ({"hr_scale": None, "hr_resize_x": None, "hr_resize_y": None}, (1024, 1024), []),
    ],
)
def test_the_size_of_the_hires_pass(fields: dict[str, Any], size: tuple[int, int], noted: list[Code]) -> None:
    """C24: both sizes win over hr_scale, and all three together are said to be unclear."""
    submission = read(TXT, txt2img_v2(enable_hr=True, **fields), strict=True)

    assert submission.recipe.size == size
    assert codes(submission) == noted


@pytest.mark.parametrize("switch", [False, None])
def test_without_the_switch_there_is_no_hires_pass(switch: bool | None) -> None:
    """Sizes alone do nothing."""
    body = txt2img_v2(enable_hr=switch, hr_scale=2, hr_resize_x=640, hr_resize_y=768)

    assert read(TXT, body, strict=True).recipe.hires is None


def test_a_negative_hires_size_is_out_of_range() -> None:
    """The page gives no lower bound; nothing can be drawn there: code 6."""
    body = txt2img_v2(enable_hr=True, hr_resize_x=-5, hr_resize_y=512)

    found = refusal(TXT, body)
    assert (found.reason, int(found.v2_code)) == (Reason.INVALID_IMAGE_SIZE, 6)


@pytest.mark.parametrize(("switch_at", "refines"), [(None, False), (0, False), (0.5, True), (1, True)])
def test_the_checkpoints_name_alone_does_not_refine(switch_at: float | None, refines: bool) -> None:
    """C19: null in a sample, a number on paper; 0 is no refining."""
    refiner = {"checkpoint": "sd_xl_refiner_1.0.safetensors", "switch_at": switch_at}
    body = txt2img_v2(model_name=SDXL, sd_refiner=refiner)

    assert (read(TXT, body).recipe.refiner is not None) is refines
    if switch_at is None:
        assert reasons(TXT, body) == {"C19"}


def test_an_unfilled_control_unit_is_dropped() -> None:
    """C20: empty names and nulls, as the page's own sample sends them."""
    unit = dict.fromkeys(CONTROL_UNIT) | {"model": "", "input_image": "", "module": "none", "control_mode": 0}
    body = txt2img_v2(controlnet_units=[unit])

    assert read(TXT, body).recipe.control_units == ()
    assert "C20" in reasons(TXT, body)


def test_a_control_unit_without_a_picture_is_refused() -> None:
    """A model was named: the unit is meant, and its picture is missing."""
    body = txt2img_v2(controlnet_units=[{**CONTROL_UNIT, "input_image": ""}])

    assert refusal(TXT, body).reason is Reason.INVALID_IMAGE_FORMAT


def test_a_lone_control_unit_is_a_list_of_one() -> None:
    """C26: one sample sends the object itself, without control_mode (C14)."""
    lone = {name: value for name, value in CONTROL_UNIT.items() if name != "control_mode"}
    body = img2img_v2(controlnet_units=lone)
    [unit] = read(IMG, body).recipe.control_units

    assert (unit.model, unit.control_mode) == ("control_v11p_sd15_inpaint", 0)
    assert "C26" in reasons(IMG, body)


@pytest.mark.parametrize(
    ("sent", "taken"), [((None, None), (0, 1)), ((-3, 9), (0, 1)), ((0.2, 0.4), (0.2, 0.4)), ((1e308, -1e308), (1, 0))]
)
def test_guidance_shares_stay_within_the_run(sent: tuple[Any, Any], taken: tuple[float, float]) -> None:
    """No page of v2 bounds them."""
    unit = {**CONTROL_UNIT, "guidance_start": sent[0], "guidance_end": sent[1]}
    [found] = read(IMG, img2img_v2(controlnet_units=[unit]), strict=True).recipe.control_units

    assert (found.start, found.end) == taken


@pytest.mark.parametrize(
    ("checkpoint", "model", "fits"),
    [
        (SD15, "ip-adapter_sd15", True),
        (SDXL, "ip-adapter_xl", True),
        (SD15, "t2i-adapter_xl_canny", False),
        (SDXL, "control_v11p_sd15_inpaint", False),
    ],
)
def test_a_control_model_should_fit_the_checkpoint(checkpoint: str, model: str, fits: bool) -> None:
    """A misfit is a finding, and refused in the strict reading."""
    body = img2img_v2(model_name=checkpoint, controlnet_units=[{**CONTROL_UNIT, "model": model}])

    assert codes(read(IMG, body)) == ([] if fits else [Code.BASE_MODEL_MISMATCH])
    if not fits:
        assert model in refusal(IMG, body, strict=True).message


@pytest.mark.parametrize(("seed", "taken"), [(-1, -1), (0, 0), (5, 5), (-7, -1), (None, -1)])
def test_seeds_below_0_are_drawn(seed: int | None, taken: int) -> None:
    """No bounds are stated in v2; -1 is the sample's."""
    assert read(TXT, txt2img_v2(seed=seed)).recipe.seed == taken


@pytest.mark.parametrize("value", ["", "GFPGAN", "CodeFormer", None])
def test_the_restoring_model_may_be_named(value: str | None) -> None:
    """C18: on paper it is null; samples send empty text or a name."""
    body = txt2img_v2(restore_faces=True, restore_faces_model=value)

    assert read(TXT, body).recipe.restore_faces
    assert value is None or "C18" in reasons(TXT, body)


@pytest.mark.parametrize(("sent", "taken"), [(None, 0.75), (0, 0.0), (1, 1.0)])
def test_denoising_strength_has_the_clients_default(sent: float | None, taken: float) -> None:
    """0 is a value, not absence."""
    assert read(IMG, img2img_v2(denoising_strength=sent), strict=True).recipe.strength == taken


def test_only_the_first_source_picture_is_used() -> None:
    """init_images is a list; what further ones mean is not stated."""
    submission = read(IMG, img2img_v2(init_images=[BLUE, RED]), strict=True)

    assert submission.recipe.source == png(8, 8, (0, 0, 255))
    assert codes(submission) == [Code.UNDOCUMENTED_MEANING]


@pytest.mark.parametrize(("sent", "kept"), [(None, None), (0, None), (1, 1), (604_800, 604_800)])
def test_pictures_are_kept_as_long_as_asked(sent: int | None, kept: int | None) -> None:
    """img_expire_ttl in seconds; 0 and null ask for nothing."""
    assert read(TXT, txt2img_v2(img_expire_ttl=sent), strict=True).delivery.ttl_s == kept


@pytest.mark.parametrize(("value", "shown"), [(True, True), (None, True), (False, False)])
def test_previews_are_shown_unless_switched_off(value: bool | None, shown: bool) -> None:
    """No default is stated for enable_progress_info; null is none."""
    assert read(TXT, txt2img_v2(extra={"enable_progress_info": value}), strict=True).delivery.previews is shown


def test_unlisted_fields_are_ignored() -> None:
    """C22: lowvram, controlnet_no_detectmap, and a stray `request` object."""
    body = img2img_v2(controlnet_no_detectmap=False, request={"prompt": "other"}, adetailer={})

    assert read(IMG, body).recipe == read(IMG, img2img_v2()).recipe
    assert reasons(IMG, body) == {"C22"}


def test_steps_as_text_are_refused() -> None:
    """C16: a slip of a guide, refused in both readings."""
    assert not is_accepted(TXT, txt2img_v2(steps="20"), Reading.TOLERATED)


@pytest.mark.parametrize("body", [FULL_TXT, FULL_IMG], ids=["txt2img", "img2img"])
def test_whatever_the_lenient_reading_accepts_can_be_read(body: dict[str, Any]) -> None:
    """Each member of a full body replaced by each odd value: refused, or read and shown, never an error of ours."""
    operation_id = IMG if body is FULL_IMG else TXT

    assert sum(survives(operation_id, damaged) for damaged in single_changes(body)) > 100


@given(several_changes(FULL_IMG))
def test_several_odd_places_at_once_can_be_read(body: dict[str, Any]) -> None:
    """As above, with places that depend on each other."""
    survives(IMG, body)
