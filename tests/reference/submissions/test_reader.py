"""What is refused, and as what."""

from __future__ import annotations

from typing import Any

import pytest

from openapi.document import Document
from reference_impl.shelf import Shelf
from reference_impl.submissions import Fault, Refused, Submissions
from tests.reference.submissions.bodies import PICTURE, in_base64, picture, txt2img, txt2img_v2, unit_v2
from tests.reference.submissions.bodies import img2img as img2img_v3
from tests.reference.submissions.bodies import img2img_v2 as img2img_v2_body
from tests.reference.submissions.conftest import SEED, Accept


@pytest.mark.parametrize(
    ("operation_id", "body", "fault", "says"),
    [
        ("createTxt2imgTask", b"", Fault.BODY, "expected a JSON object"),
        ("createTxt2imgTask", b"{'request': 1}", Fault.BODY, "expected a JSON object"),
        ("createTxt2imgTask", b"[]", Fault.BODY, "expected a JSON object"),
        ("createTxt2imgTask", b'{"request": NaN}', Fault.BODY, "expected a JSON object"),
        ("createTxt2imgTask", b'{"a": "\xff"}', Fault.BODY, "expected a JSON object"),
        ("createTxt2imgTask", b'{"a": "\\ud800"}', Fault.BODY, "expected a JSON object"),
        ("createTxt2imgTask", b'{"a":' + b"[" * 100_000, Fault.BODY, "expected a JSON object"),
        ("createTxt2imgTask", {}, Fault.FORM, "request: this field is missing"),
        ("createTxt2imgTask", txt2img(steps="20"), Fault.FORM, "request.steps: expected an integer from 1 to 100"),
        ("createTxt2imgTask", txt2img(steps=101), Fault.RANGE, "request.steps: expected an integer from 1 to 100"),
        ("createTxt2imgTask", txt2img(width=64), Fault.SIZE, "request.width"),
        ("createTxt2imgTask", txt2img(sampler_name="euler"), Fault.SAMPLER, '"Euler" was meant'),
        ("createTxt2imgTask", txt2img(sampler_name=3), Fault.FORM, "request.sampler_name"),
        ("createTxt2imgTask", txt2img(model_name="shapes-sd16"), Fault.MODEL, '"shapes-sd15" was meant'),
        ("createTxt2imgTask", txt2img(model_name=""), Fault.MODEL, 'no checkpoint has the name ""'),
        ("createTxt2imgTask", txt2img(model_name="refiner-sdxl"), Fault.MODEL, "only refines"),
        ("createTxt2imgTask", txt2img(sd_vae="blunt"), Fault.MODEL, "request.sd_vae: no VAE"),
        (
            "createTxt2imgTask",
            txt2img(loras=[{"model_name": "pastel", "strength": 1}, {"model_name": "no", "strength": 1}]),
            Fault.MODEL,
            "request.loras.1.model_name: no LoRA",
        ),
        (
            "createTxt2imgTask",
            txt2img(embeddings=[{"model_name": "no"}]),
            Fault.MODEL,
            "request.embeddings.0.model_name: no embedding",
        ),
        ("createTxt2imgTask", txt2img(prompt="<lora:no:1>"), Fault.MODEL, "request.prompt: no LoRA"),
        ("createTxt2imgTask", txt2img(seed=2**63), Fault.RANGE, "request.seed: expected an integer of at most"),
        ("createTxt2imgTask", txt2img(seed=2**80), Fault.RANGE, "request.seed: expected an integer of at most"),
        (
            "createTxt2imgTask",
            txt2img(enable_transparent_background=True),
            Fault.RANGE,
            "needs an SDXL checkpoint, shapes-sd15 is SD 1.5",
        ),
        ("createImg2imgTask", img2img_v3(image_base64="x"), Fault.PICTURE, "request.image_base64"),
        ("createImg2imgTask", img2img_v3(image_base64=""), Fault.PICTURE, "request.image_base64"),
        (
            "createImg2imgTask",
            img2img_v3(image_base64=in_base64(picture() + bytes(10_485_760))),
            Fault.PICTURE_BYTES,
            "request.image_base64: expected a file of at most 10485760 bytes",
        ),
        (
            "createImg2imgTask",
            img2img_v3(image_base64=in_base64(picture(size=(4097, 4096)))),
            Fault.PICTURE_PIXELS,
            "at most 16777216 pixels, got 4097 x 4096",
        ),
        (
            "createImg2imgTask",
            img2img_v3(
                ip_adapters=[{"model_name": "ip-adapter_sdxl.bin", "image_base64": PICTURE, "strength": 1}],
            ),
            Fault.RANGE,
            "request.ip_adapters.0.model_name: ip-adapter_sdxl.bin is for SDXL 1.0 checkpoints",
        ),
        ("createTxt2imgTask", txt2img({"webhook": {"url": "ftp://a"}}), Fault.RANGE, "extra.webhook.url"),
        ("createTxt2imgTask", txt2img({"webhook": {"url": "http://a b"}}), Fault.RANGE, "extra.webhook.url"),
        ("createTxt2imgTask", txt2img({"webhook": {"url": "http://a:99999"}}), Fault.RANGE, "extra.webhook.url"),
        ("createTxt2imgTask", txt2img({"webhook": {"url": "http://[::1"}}), Fault.RANGE, "extra.webhook.url"),
        (
            "createTxt2imgTask",
            txt2img({"custom_storage": {"aws_s3": {"region": "r", "bucket": "b", "path": "a/../b"}}}),
            Fault.STORAGE_PATH,
            "extra.custom_storage.aws_s3.path",
        ),
        (
            "createTxt2imgTask",
            txt2img({"custom_storage": {"aws_s3": {"region": "a/b", "bucket": "b", "path": "a"}}}),
            Fault.RANGE,
            "extra.custom_storage.aws_s3.region",
        ),
        ("createTxt2imgTaskV2", txt2img_v2(sampler_name="DPM++ Karras"), Fault.SAMPLER, "sampler_name"),
        ("createImg2imgTaskV2", img2img_v2_body(sampler_name="DPM++ Karras"), Fault.SAMPLER, "sampler_name"),
        ("createTxt2imgTaskV2", txt2img_v2(steps=51), Fault.RANGE, "steps"),
        ("createImg2imgTaskV2", img2img_v2_body(steps=51), Fault.RANGE, "steps"),
        ("createTxt2imgTaskV2", txt2img_v2(model_name="no"), Fault.MODEL, "model_name"),
        ("createImg2imgTaskV2", img2img_v2_body(init_images=[PICTURE, ""]), Fault.PICTURE, "init_images.1"),
        ("createImg2imgTaskV2", img2img_v2_body(mask="no"), Fault.PICTURE, "mask"),
        (
            "createTxt2imgTaskV2",
            txt2img_v2(controlnet_units=[unit_v2(), unit_v2(input_image="no")]),
            Fault.PICTURE,
            "controlnet_units.1.input_image",
        ),
    ],
)
def test_a_refusal_has_its_kind_and_says_what_was_expected(
    accept: Accept, operation_id: str, body: object, fault: Fault, says: str
) -> None:
    with pytest.raises(Refused) as refused:
        accept(operation_id, body)
    assert says in str(refused.value)
    assert refused.value.fault is fault


@pytest.mark.parametrize(
    "weight", ['{"weight": 1e999}', '{"guidance_start": 1e999}', '{"initial_noise_multiplier": 1e999}']
)
def test_numbers_without_a_range_are_finite(accept: Accept, weight: str) -> None:
    with pytest.raises(Refused):
        accept("createImg2imgTaskV2", weight.encode())


@pytest.mark.parametrize(
    ("field", "name"),
    [
        ({"loras": [{"model_name": "pastel.safetensors", "strength": 1}]}, "pastel"),
        ({"embeddings": [{"model_name": "tidy.safetensors"}]}, "tidy"),
        ({"sd_vae": "sharp"}, "sharp.safetensors"),
    ],
)
def test_a_strict_server_takes_models_by_their_documented_name_alone(
    accept: Accept, field: dict[str, Any], name: str
) -> None:
    accept("createTxt2imgTask", txt2img(**field))
    with pytest.raises(Refused, match=f'the documented name of this [a-zA-Z]+ is "{name}"'):
        accept("createTxt2imgTask", txt2img(**field), strict=True)


def test_fields_that_no_page_names_may_be_nested_deeply(accept: Accept) -> None:
    body = b'{"unknown":' + b"[" * 900 + b"]" * 900 + b"}"
    with pytest.raises(Refused, match="request: this field is missing"):
        accept("createTxt2imgTask", body)
    accept("createTxt2imgTask", {**txt2img(), "unknown": {"a": {"b": [[[[[[[[[[[]]]]]]]]]]]}}})


def test_a_stored_body_makes_the_same_job_again(document: Document, shelf: Shelf) -> None:
    submissions = Submissions(document, shelf)
    body = b'{"request":{"model_name":"shapes-sd15","prompt":"x","width":128,"height":128,"image_num":1,"steps":1,'
    body += b'"guidance_scale":1,"sampler_name":"Euler"}}'
    job = submissions.accept("createTxt2imgTask", body, lambda: SEED).job
    assert job.seed == SEED
    assert submissions.job("createTxt2imgTask", body, SEED) == job
