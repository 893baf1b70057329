from __future__ import annotations

from typing import Any

import pytest

from reference_impl.jobs import (
    Control,
    FileFormat,
    Guess,
    Hires,
    Job,
    Lora,
    Mask,
    MaskStart,
    PicturePrompt,
    Refiner,
    Resize,
)
from reference_impl.tasks import Delivery
from tests.reference.submissions.bodies import PICTURE, img2img_v2, in_base64, picture, txt2img_v2, unit_v2
from tests.reference.submissions.conftest import SEED, Accept

DEFAULTS = Job(
    model="shapes-sd15",
    prompt="a red circle",
    negative_prompt="blurry",
    width=512,
    height=256,
    count=1,
    steps=20,
    guidance=7.0,
    sampler="Euler a",
    seed=SEED,
)
REFINER = "sd_xl_refiner_1.0.safetensors"


def test_what_is_not_sent_has_its_default(accept: Accept) -> None:
    accepted = accept("createTxt2imgTaskV2", txt2img_v2())
    assert (accepted.job, accepted.delivery) == (DEFAULTS, Delivery(link_ttl_s=604_800))
    assert (accepted.echo, accepted.warning) == ({"previews": True}, "")


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"seed": 7}, {"seed": 7}),
        ({"seed": -5}, {"seed": SEED}),
        ({"batch_size": 8, "n_iter": 3}, {"count": 24}),
        ({"cfg_scale": 7.5}, {"guidance": 7.5}),
        ({"restore_faces": True}, {"restore_faces": True}),
        ({"sd_vae": "sharp.safetensors"}, {"vae": "sharp.safetensors"}),
        ({"clip_skip": 2}, {"clip_skip": 2}),
        ({"clip_skip": -3}, {"clip_skip": None}),
        ({"clip_skip": 10**30}, {"clip_skip": 12}),
        (
            {"prompt": "a cat <lora:pastel:1.5>, <lora:outline.safetensors>"},
            {
                "prompt": "a cat",
                "loras": (
                    Lora(name="pastel.safetensors", strength=1.5),
                    Lora(name="outline.safetensors", strength=1.0),
                ),
            },
        ),
        ({"prompt": "a tidy cat"}, {"embeddings": ("tidy.safetensors",)}),
        ({"enable_hr": None, "hr_scale": 2}, {"hires": None}),
        ({"enable_hr": True}, {"hires": Hires(width=1024, height=512, strength=0.7, upscaler="Latent")}),
        (
            {"enable_hr": True, "hr_scale": 1, "hr_resize_x": 640, "hr_resize_y": 640, "hr_upscaler": "R-ESRGAN 4x+"},
            {"hires": Hires(width=640, height=640, strength=0.7, upscaler="R-ESRGAN 4x+")},
        ),
        (
            {"enable_hr": True, "hr_scale": 2, "hr_resize_x": 640, "hr_resize_y": 0},
            {"hires": Hires(width=640, height=320, strength=0.7, upscaler="Latent")},
        ),
        (
            {"enable_hr": True, "hr_resize_y": 512},
            {"hires": Hires(width=1024, height=512, strength=0.7, upscaler="Latent")},
        ),
        ({"sd_refiner": {"checkpoint": REFINER, "switch_at": None}}, {"refiner": None}),
        (
            {"sd_refiner": {"checkpoint": REFINER, "switch_at": 0.5}},
            {"refiner": Refiner(checkpoint="refiner-sdxl", switch_at=0.5)},
        ),
        ({"extra": {"response_image_type": "jpeg"}}, {"file_format": FileFormat.JPEG}),
        ({"extra": {"enable_nsfw_detection": True, "nsfw_detection_level": 1}}, {"nsfw_level": 1}),
    ],
)
def test_each_field_of_text_to_image_is_read(accept: Accept, fields: dict[str, Any], wanted: dict[str, Any]) -> None:
    job = accept("createTxt2imgTaskV2", txt2img_v2(**fields)).job
    assert {name: getattr(job, name) for name in wanted} == wanted


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({}, {"source": picture(), "strength": 0.75, "resize": Resize.STRETCH, "mask": None, "noise_multiplier": 1.0}),
        ({"denoising_strength": 0}, {"strength": 0.0}),
        ({"resize_mode": 2, "image_cfg_scale": 3}, {"resize": Resize.PAD, "source_guidance": 3.0}),
        ({"initial_noise_multiplier": -1}, {"noise_multiplier": 0.0}),
        ({"mask": "", "mask_blur": "", "initial_noise_multiplier": "", "img_expire_ttl": ""}, {"mask": None}),
        ({"mask": PICTURE}, {"mask": Mask(file=picture())}),
        (
            {
                "mask": PICTURE,
                "mask_blur": 0,
                "inpainting_mask_invert": 1,
                "inpainting_fill": 2,
                "inpaint_full_res": 1,
                "inpaint_full_res_padding": 10**12,
            },
            {
                "mask": Mask(
                    file=picture(),
                    blur=0,
                    invert=True,
                    start=MaskStart.LATENT_NOISE,
                    whole=False,
                    padding=2048,
                )
            },
        ),
        (
            dict.fromkeys(("prompt", "negative_prompt", "sampler_name", "batch_size", "n_iter", "steps", "cfg_scale")),
            {"prompt": "", "negative_prompt": "", "sampler": "Euler a", "count": 1, "steps": 20, "guidance": 7.5},
        ),
    ],
)
def test_each_field_of_image_to_image_is_read(accept: Accept, fields: dict[str, Any], wanted: dict[str, Any]) -> None:
    job = accept("createImg2imgTaskV2", img2img_v2(**fields)).job
    assert {name: getattr(job, name) for name in wanted} == wanted


def test_a_control_unit_is_read(accept: Accept) -> None:
    mask = picture("JPEG")
    unit = unit_v2(
        weight=None,
        control_mode=2,
        resize_mode=1,
        processor_res=10,
        threshold_a=100,
        guidance_start=0.25,
        guidance_end=0.5,
        pixel_perfect=True,
        mask=in_base64(mask),
        lowvram=True,
    )
    (control,) = accept("createTxt2imgTaskV2", txt2img_v2(controlnet_units=[unit])).job.controls
    assert control == Control(
        model="control_v11p_sd15_canny",
        file=picture(),
        weight=1.0,
        preprocessor="canny",
        start=0.25,
        end=0.5,
        mask=mask,
        resize=Resize.CROP,
        guess=Guess.CONTROL,
        resolution=64,
        thresholds=(100.0, None),
        pixel_perfect=True,
    )


def test_a_lone_unit_is_read_as_a_list_and_a_blank_one_is_dropped(accept: Accept) -> None:
    blank = {"model": "", "input_image": "", "weight": None}
    lone = accept("createTxt2imgTaskV2", txt2img_v2(controlnet_units=unit_v2())).job
    mixed = accept("createTxt2imgTaskV2", txt2img_v2(controlnet_units=[blank, unit_v2()])).job
    assert lone.controls == mixed.controls
    assert len(lone.controls) == 1


def test_an_ip_adapter_among_the_units_is_a_picture_prompt(accept: Accept) -> None:
    unit = unit_v2(model="ip-adapter_sd15", module="clip_vision", weight=1.5)
    job = accept("createTxt2imgTaskV2", txt2img_v2(controlnet_units=[unit, unit_v2()])).job
    assert job.picture_prompts == (PicturePrompt(model="ip-adapter_sd15", file=picture(), strength=1.0),)
    assert [control.model for control in job.controls] == ["control_v11p_sd15_canny"]


@pytest.mark.parametrize(
    ("body", "remark"),
    [
        (txt2img_v2(batch_size=0, n_iter=0), "batch_size 0 is read as 1; n_iter 0 is read as 1"),
        (txt2img_v2(prompt="a cat <lora:no:1>"), 'no LoRA has the name "no", its tag is left out'),
    ],
)
def test_what_is_read_in_an_unexpected_way_is_said(accept: Accept, body: dict[str, Any], remark: str) -> None:
    assert accept("createTxt2imgTaskV2", body).warning == remark


def test_only_the_first_source_is_drawn_from_and_that_is_said(accept: Accept) -> None:
    accepted = accept("createImg2imgTaskV2", img2img_v2(init_images=[PICTURE, in_base64(picture("JPEG"))]))
    assert accepted.job.source == picture()
    assert accepted.warning == "only the first of init_images is drawn from"


def test_links_live_as_long_as_was_asked_for(accept: Accept) -> None:
    assert accept("createTxt2imgTaskV2", txt2img_v2(img_expire_ttl=60)).delivery.link_ttl_s == 60


def test_previews_can_be_declined(accept: Accept) -> None:
    accepted = accept("createTxt2imgTaskV2", txt2img_v2(extra={"enable_progress_info": False}))
    assert accepted.echo == {"previews": False}
