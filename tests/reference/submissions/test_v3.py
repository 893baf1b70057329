from __future__ import annotations

from typing import Any

import pytest

from reference_impl.jobs import Control, FileFormat, Hires, Job, Lora, PicturePrompt, Refiner
from reference_impl.tasks import Bucket, Delivery, Status, Webhook
from tests.reference.submissions.bodies import PICTURE, img2img, picture, txt2img
from tests.reference.submissions.conftest import SEED, Accept

DEFAULTS = Job(
    model="shapes-sd15",
    prompt="a red circle",
    width=512,
    height=256,
    count=1,
    steps=20,
    guidance=7.5,
    sampler="Euler a",
    seed=SEED,
)


def test_what_is_not_sent_has_its_default(accept: Accept) -> None:
    accepted = accept("createTxt2imgTask", txt2img())
    assert (accepted.job, accepted.delivery) == (DEFAULTS, Delivery())
    source = accept("createImg2imgTask", img2img()).job
    assert (source.source, source.strength) == (picture(), 0.5)


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"seed": 7}, {"seed": 7}),
        ({"seed": -1}, {"seed": SEED}),
        ({"seed": None}, {"seed": SEED}),
        ({"seed": 7.0}, {"seed": 7}),
        ({"seed": 2**63 - 1}, {"seed": 2**63 - 1}),
        ({"image_num": 8, "steps": 100.0, "guidance_scale": 1}, {"count": 8, "steps": 100, "guidance": 1.0}),
        ({"negative_prompt": "blurry"}, {"negative_prompt": "blurry"}),
        ({"negative_prompt": ""}, {"negative_prompt": ""}),
        ({"sd_vae": "sharp.safetensors"}, {"vae": "sharp.safetensors"}),
        ({"sd_vae": ""}, {"vae": None}),
        ({"clip_skip": 2}, {"clip_skip": 2}),
        ({"clip_skip": 0}, {"clip_skip": None}),
        ({"restore_faces": True}, {"restore_faces": True}),
        (
            {"loras": [{"model_name": "pastel", "strength": 0.5}, {"model_name": "", "strength": None}]},
            {"loras": (Lora(name="pastel.safetensors", strength=0.5),)},
        ),
        (
            {"prompt": "a cat, <lora:pastel:0.3>", "loras": [{"model_name": "outline", "strength": 1}]},
            {
                "prompt": "a cat",
                "loras": (
                    Lora(name="outline.safetensors", strength=1.0),
                    Lora(name="pastel.safetensors", strength=0.3),
                ),
            },
        ),
        (
            {"embeddings": [{"model_name": "tidy"}, {"model_name": ""}]},
            {"embeddings": ("tidy.safetensors",)},
        ),
        (
            {"negative_prompt": "(tidy:1.1)", "embeddings": [{"model_name": "tidy"}]},
            {"negative_prompt": "(tidy:1.1)", "embeddings": ("tidy.safetensors",)},
        ),
        (
            {"hires_fix": {"target_width": 1024, "target_height": 512, "strength": 0.4}},
            {"hires": Hires(width=1024, height=512, strength=0.4, upscaler="Latent")},
        ),
        (
            {
                "hires_fix": {
                    "target_width": 1024,
                    "target_height": 512,
                    "strength": 0,
                    "upscaler": "RealESRNet_x4plus",
                }
            },
            {"hires": Hires(width=1024, height=512, strength=0.0, upscaler="RealESRNet_x4plus")},
        ),
        ({"hires_fix": {"target_width": None, "target_height": None, "strength": None}}, {"hires": None}),
        ({"refiner": {"switch_at": 0}}, {"refiner": None}),
        ({"refiner": {"switch_at": None}}, {"refiner": None}),
        ({"refiner": {"switch_at": 0.25}}, {"refiner": Refiner(checkpoint="refiner-sdxl", switch_at=0.75)}),
        ({"refiner": {"switch_at": 1}}, {"refiner": Refiner(checkpoint="refiner-sdxl", switch_at=0.0)}),
        (
            {"model_name": "shapes-sdxl", "enable_transparent_background": True},
            {"model": "shapes-sdxl", "transparent": True},
        ),
    ],
)
def test_each_field_of_text_to_image_is_read(accept: Accept, fields: dict[str, Any], wanted: dict[str, Any]) -> None:
    job = accept("createTxt2imgTask", txt2img(**fields)).job
    assert {name: getattr(job, name) for name in wanted} == wanted


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"strength": 0}, {"strength": 0.0}),
        ({"strength": None}, {"strength": 0.5}),
        ({"controlnet": None, "ip_adapters": None}, {"controls": (), "picture_prompts": ()}),
        (
            {
                "controlnet": {
                    "units": [
                        {"model_name": "control_v11p_sd15_canny", "image_base64": PICTURE, "strength": 0.25},
                        {
                            "model_name": "control_v11f1p_sd15_depth",
                            "image_base64": PICTURE,
                            "strength": None,
                            "preprocessor": "depth",
                            "guidance_start": 0.1,
                            "guidance_end": 0.9,
                        },
                    ]
                }
            },
            {
                "controls": (
                    Control(model="control_v11p_sd15_canny", file=picture(), weight=0.25),
                    Control(
                        model="control_v11f1p_sd15_depth",
                        file=picture(),
                        weight=1.0,
                        preprocessor="depth",
                        start=0.1,
                        end=0.9,
                    ),
                )
            },
        ),
        (
            {"ip_adapters": [{"model_name": "ip-adapter_sd15.bin", "image_base64": PICTURE, "strength": 0.6}]},
            {"picture_prompts": (PicturePrompt(model="ip-adapter_sd15.bin", file=picture(), strength=0.6),)},
        ),
    ],
)
def test_each_field_of_image_to_image_is_read(accept: Accept, fields: dict[str, Any], wanted: dict[str, Any]) -> None:
    job = accept("createImg2imgTask", img2img(**fields)).job
    assert {name: getattr(job, name) for name in wanted} == wanted


@pytest.mark.parametrize(
    ("extra", "wanted"),
    [
        ({}, Delivery()),
        ({"webhook": None, "custom_storage": {}, "enterprise_plan": {"enabled": True}}, Delivery()),
        ({"enable_nsfw_detection": True}, Delivery(nsfw_detection=True)),
        (
            {"webhook": {"url": "https://client.test/events"}},
            Delivery(webhook=Webhook(url="https://client.test/events")),
        ),
        (
            {
                "webhook": {
                    "url": "http://[::1]:80/",
                    "test_mode": {"enabled": True, "return_task_status": "TASK_STATUS_FAILED"},
                }
            },
            Delivery(webhook=Webhook(url="http://[::1]:80/", test=Status.FAILED)),
        ),
        (
            {
                "webhook": {
                    "url": "http://a",
                    "test_mode": {"enabled": False, "return_task_status": "TASK_STATUS_FAILED"},
                }
            },
            Delivery(webhook=Webhook(url="http://a")),
        ),
        ({"webhook": {"url": "http://a", "test_mode": {}}}, Delivery(webhook=Webhook(url="http://a"))),
        (
            {"custom_storage": {"aws_s3": {"region": "us-east-2", "bucket": "mine", "path": "/"}}},
            Delivery(bucket=Bucket(region="us-east-2", bucket="mine", path="/")),
        ),
        (
            {
                "custom_storage": {
                    "aws_s3": {"region": "us-east-2", "bucket": "mine", "path": "a/b", "save_to_path_directly": True}
                }
            },
            Delivery(bucket=Bucket(region="us-east-2", bucket="mine", path="a/b", directly=True)),
        ),
    ],
)
def test_each_field_of_extra_is_read(accept: Accept, extra: dict[str, Any], wanted: Delivery) -> None:
    assert accept("createTxt2imgTask", txt2img(extra)).delivery == wanted


def test_a_level_counts_only_when_detection_is_on(accept: Accept) -> None:
    levels = [
        accept("createTxt2imgTask", txt2img(extra)).job.nsfw_level
        for extra in (
            {"nsfw_detection_level": 2},
            {"enable_nsfw_detection": True},
            {"enable_nsfw_detection": True, "nsfw_detection_level": 2},
        )
    ]
    assert levels == [None, 0, 2]


def test_the_format_of_the_files_is_read(accept: Accept) -> None:
    for word in ("png", "jpeg", "webp"):
        job = accept("createTxt2imgTask", txt2img({"response_image_type": word})).job
        assert job.file_format is FileFormat(word)


def test_answers_repeat_the_request_as_it_was_sent(accept: Accept) -> None:
    accepted = accept("createTxt2imgTask", txt2img(prompt="a cat <lora:pastel:1>", clip_skip=2, seed=3))
    assert accepted.echo == {
        "model": "shapes-sd15",
        "prompts": ["a cat <lora:pastel:1>"],
        "negative_prompts": [""],
        "seeds": [3],
        "height": 256,
        "width": 512,
        "guidance_scale": 7.5,
        "num_images_per_prompt": 1,
        "num_inference_steps": 20,
        "sampler_name": "Euler a",
        "clip_skip": 2,
    }
