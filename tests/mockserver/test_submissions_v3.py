"""v3 submissions: every field of the pages, and what the lenient reading makes of what clients really send."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from mockserver.core.errors import Reason, Refusal
from mockserver.core.findings import Code
from mockserver.core.recipe import ControlUnit, Hires, ImageType, IpAdapter, Lora, Recipe, Refiner
from mockserver.core.storage import Storage
from mockserver.core.task import Delivery, Status, TaskType
from mockserver.submissions.submission import RANDOM_SEED, shared_delivery
from openapi.document import Reading
from tests.bodies import base64_png, img2img, png, txt2img
from tests.mockserver.reading import (
    EMBEDDING,
    LORA,
    READERS,
    SD15,
    SDXL,
    SDXL_LORA,
    codes,
    context,
    is_accepted,
    read,
    reasons,
    refusal,
    several_changes,
    single_changes,
    survives,
)

TXT, IMG = "createTxt2imgTask", "createImg2imgTask"

RED, BLUE = base64_png(8, 8, (255, 0, 0)), base64_png(8, 8, (0, 0, 255))

FULL_TXT = txt2img(
    {
        "response_image_type": "png",
        "enable_nsfw_detection": True,
        "nsfw_detection_level": 2,
        "enterprise_plan": {"enabled": True},
        "webhook": {
            "url": "https://client.test/events",
            "test_mode": {"enabled": True, "return_task_status": "TASK_STATUS_FAILED"},
        },
        "custom_storage": {
            "aws_s3": {"region": "us-east-2", "bucket": "pictures", "path": "/out/", "save_to_path_directly": True}
        },
    },
    model_name=SDXL,
    negative_prompt="blurry",
    width=1024,
    height=768,
    image_num=3,
    steps=30,
    guidance_scale=6,
    sampler_name="DPM++ 2M Karras",
    seed=123,
    sd_vae="sdxl_vae.safetensors",
    clip_skip=2,
    loras=[{"model_name": SDXL_LORA, "strength": 0.7}],
    embeddings=[{"model_name": EMBEDDING}],
    hires_fix={"target_width": 2048, "target_height": 1536, "strength": 0.4, "upscaler": "RealESRNet_x4plus"},
    refiner={"switch_at": 0.8},
    enable_transparent_background=True,
    restore_faces=True,
)

FULL_IMG = img2img(
    {"response_image_type": "webp"},
    image_base64=RED,
    negative_prompt="blurry",
    seed=5,
    sd_vae="customVAE.safetensors",
    clip_skip=12,
    strength=0.3,
    loras=[{"model_name": LORA, "strength": 1}],
    embeddings=[{"model_name": EMBEDDING}],
    controlnet={
        "units": [
            {
                "model_name": "control_v11p_sd15_canny",
                "image_base64": BLUE,
                "strength": 0.6,
                "preprocessor": "canny",
                "guidance_start": 0.1,
                "guidance_end": 0.9,
            }
        ]
    },
    ip_adapters=[{"model_name": "ip-adapter_sd15.bin", "image_base64": BLUE, "strength": 0.2}],
)

NULL_SKELETON = {
    # What an older try-it page produced: a form with its blank rows.
    "extra": {
        "response_image_type": "jpeg",
        "enable_nsfw_detection": True,
        "nsfw_detection_level": 0,
        "custom_storage": {"aws_s3": {"region": "us-east-2", "bucket": "test_bucket", "path": "/"}},
        "enterprise_plan": {"enabled": False},
    },
    "request": {
        "model_name": SDXL,
        "prompt": "a cute dog",
        "negative_prompt": "bottle, bad face",
        "sd_vae": "",
        "loras": [{"model_name": "", "strength": None}],
        "embeddings": [{"model_name": ""}],
        "hires_fix": {
            "target_width": None,
            "target_height": None,
            "strength": None,
            "upscaler": "RealESRGAN_x4plus_anime_6B",
        },
        "refiner": {"switch_at": None},
        "width": 512,
        "height": 512,
        "image_num": 1,
        "steps": 20,
        "seed": 123,
        "clip_skip": 1,
        "guidance_scale": 7.5,
        "sampler_name": "Euler a",
    },
}


def test_every_field_of_a_txt2img_request_reaches_the_recipe() -> None:
    """The documented reading accepts it, and nothing of it is lost."""
    submission = read(TXT, FULL_TXT, strict=True)

    assert submission.type is TaskType.TXT_TO_IMG
    assert submission.recipe == Recipe(
        model=SDXL,
        prompt="a cute dog",
        negative_prompt="blurry",
        width=1024,
        height=768,
        count=3,
        steps=30,
        guidance=6.0,
        sampler="DPM++ 2M Karras",
        seed=123,
        vae="sdxl_vae.safetensors",
        clip_skip=2,
        loras=(Lora(name=SDXL_LORA, strength=0.7),),
        embeddings=(EMBEDDING,),
        hires=Hires(width=2048, height=1536, strength=0.4, upscaler="RealESRNet_x4plus"),
        refiner=Refiner(checkpoint="sd_xl_refiner_1.0.safetensors", switch_at=0.8),
        restore_faces=True,
        transparent=True,
    )
    assert submission.delivery == Delivery(
        image_type=ImageType.PNG,
        nsfw=True,
        nsfw_level=2,
        dedicated=True,
        webhook_url="https://client.test/events",
        test_status=Status.FAILED,
        storage=Storage("us-east-2", "pictures", "out", directly=True),
    )


def test_every_field_of_an_img2img_request_reaches_the_recipe() -> None:
    """Pictures arrive as the files they are."""
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
        sampler="Euler a",
        seed=5,
        vae="customVAE.safetensors",
        clip_skip=12,
        loras=(Lora(name=LORA, strength=1.0),),
        embeddings=(EMBEDDING,),
        source=red,
        strength=0.3,
        control_units=(
            ControlUnit(
                model="control_v11p_sd15_canny", image=blue, weight=0.6, preprocessor="canny", start=0.1, end=0.9
            ),
        ),
        ip_adapters=(IpAdapter(model="ip-adapter_sd15.bin", image=blue, strength=0.2),),
    )
    assert submission.delivery == Delivery(image_type=ImageType.WEBP)
    assert submission.findings == []


def test_what_is_left_out_has_its_default() -> None:
    """png, random seed, no add-ons, no detection; one request says it all."""
    submission = read(TXT, txt2img(), strict=True)

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
    assert submission.findings == []


def test_the_null_skeleton_of_a_form_is_a_plain_request() -> None:
    """O2: blank rows and null numbers are what was left out."""
    submission = read(TXT, NULL_SKELETON)
    recipe = submission.recipe

    assert (recipe.vae, recipe.loras, recipe.embeddings, recipe.hires, recipe.refiner) == (None, (), (), None, None)
    assert (recipe.seed, recipe.clip_skip) == (123, 1)
    assert submission.delivery.image_type is ImageType.JPEG
    assert "O2" in reasons(TXT, NULL_SKELETON)


@pytest.mark.parametrize("operation_id", [TXT, IMG])
def test_null_for_every_optional_field_is_a_plain_request(operation_id: str) -> None:
    """O1: the official Python client writes what is not set as null, and extra as it always does."""
    optional = ["negative_prompt", "sd_vae", "seed", "loras", "embeddings", "clip_skip"]
    optional += ["hires_fix", "refiner"] if operation_id == TXT else ["strength", "controlnet", "ip_adapters"]
    extra = {
        "response_image_type": "jpeg",
        "enable_nsfw_detection": False,
        "nsfw_detection_level": 0,
        "custom_storage": {},
        "enterprise_plan": {},
    }
    make = txt2img if operation_id == TXT else img2img
    nulls, plain = (make(extra, **fields) for fields in (dict.fromkeys(optional), {}))

    assert read(operation_id, nulls).recipe == read(operation_id, plain).recipe
    assert read(operation_id, nulls).delivery == Delivery(image_type=ImageType.JPEG)
    assert "O1" in reasons(operation_id, nulls)


@pytest.mark.parametrize("extra", [None, {}, {"webhook": None, "custom_storage": None, "enterprise_plan": None}])
def test_an_empty_extra_is_none(extra: dict[str, Any] | None) -> None:
    """null, {} and nulls inside say nothing."""
    assert read(TXT, {**txt2img(), "extra": extra}).delivery == Delivery()


@pytest.mark.parametrize("value", ["", None])
def test_an_empty_negative_prompt_is_none(value: str | None) -> None:
    """C13: half of the samples send it so; strict wants 1 to 1024 characters."""
    body = txt2img(negative_prompt=value)

    assert read(TXT, body).recipe.negative_prompt == ""
    assert reasons(TXT, body) == {"C13"}


@pytest.mark.parametrize("value", [0, None])
def test_a_clip_skip_of_0_is_none(value: int | None) -> None:
    """C11: a guide and two clients send it."""
    assert read(TXT, txt2img(clip_skip=value)).recipe.clip_skip is None
    assert reasons(TXT, txt2img(clip_skip=value)) == {"C11"}


@pytest.mark.parametrize("value", [-1, None])
def test_a_seed_left_open_is_drawn_by_the_world(value: int | None) -> None:
    """-1, null and absence mean the same."""
    assert read(TXT, txt2img(seed=value)).recipe.seed == RANDOM_SEED


def test_numbers_may_be_written_as_floats_of_whole_value() -> None:
    """JSON knows one kind of number: 512.0 is an integer."""
    body = txt2img(width=512.0, image_num=2.0, steps=20.0, seed=7.0, clip_skip=2.0)
    recipe = read(TXT, body, strict=True).recipe

    assert (recipe.width, recipe.count, recipe.steps, recipe.seed, recipe.clip_skip) == (512, 2, 20, 7, 2)
    assert all(type(value) is int for value in (recipe.width, recipe.count, recipe.steps, recipe.seed))


@pytest.mark.parametrize(
    ("field", "documented", "tolerated"),
    [
        ("model_name", "dreamshaper_8_93211.safetensors", "dreamshaper_8_93211"),
        ("sd_vae", "customVAE.safetensors", "customVAE"),
        ("loras", "add_detail_44319", "add_detail_44319.safetensors"),
        ("embeddings", "epiCNegative_66017", "epiCNegative_66017.pt"),
    ],
)
def test_a_model_is_known_with_and_without_its_ending(field: str, documented: str, tolerated: str) -> None:
    """C27: either name is the same model; strict takes the documented one only, lenient notes the other."""

    def body(name: str) -> dict[str, Any]:
        rows: dict[str, Any] = {
            "loras": [{"model_name": name, "strength": 0.5}],
            "embeddings": [{"model_name": name}],
        }
        return txt2img(None, **{field: rows.get(field, name)})

    right, other = read(TXT, body(documented)), read(TXT, body(tolerated))
    assert right.findings == []
    assert codes(other) == [Code.TOLERATED_REQUEST]
    assert other.findings[0].because == ("C27",)
    if field != "sd_vae":  # the VAE's name is shown as it was sent
        assert other.recipe == right.recipe
    assert documented in refusal(TXT, body(tolerated), strict=True).message


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"model_name": "no_such_model.safetensors"}, "no_such_model"),
        ({"model_name": ""}, "checkpoint ''"),
        ({"model_name": "mockRetired_v1_900113.safetensors"}, "not usable"),
        ({"model_name": LORA}, "checkpoint"),
        ({"sd_vae": "no_such_vae.pt"}, "no_such_vae"),
        ({"loras": [{"model_name": "no_such_lora", "strength": 1}]}, "loras[0]"),
        ({"embeddings": [{"model_name": "no_such_embedding"}]}, "embeddings[0]"),
    ],
)
def test_an_unknown_model_is_refused(fields: dict[str, Any], word: str) -> None:
    """C27: the message names the field and where the names are listed."""
    found = refusal(TXT, txt2img(**fields))

    assert found.reason is Reason.INVALID_REQUEST_BODY
    assert word in found.message
    assert "/v3/model?filter.types=" in found.message


def test_a_very_long_unknown_name_is_not_repeated_in_full() -> None:
    """An answer does not grow with what a client sends."""
    assert len(refusal(TXT, txt2img(model_name="x" * 100_000)).message) < 500


def test_any_name_is_accepted_when_the_server_was_told_so() -> None:
    """`--any-model`: unknown names go into the recipe as they are, and no rule of base models applies."""
    fields: dict[str, Any] = {
        "model_name": "mine.safetensors",
        "sd_vae": "my.vae",
        "loras": [{"model_name": "my-lora", "strength": 1}],
        "embeddings": [{"model_name": "my-embedding"}],
        "enable_transparent_background": True,
        "refiner": {"switch_at": 0.5},
    }
    submission = read(TXT, txt2img(**fields), any_model=True)

    assert submission.findings == []
    assert (submission.recipe.model, submission.recipe.vae) == ("mine.safetensors", "my.vae")
    assert submission.recipe.loras == (Lora(name="my-lora", strength=1.0),)
    assert submission.recipe.embeddings == ("my-embedding",)


def test_a_lora_of_another_base_model_is_a_finding() -> None:
    """No page says what happens then: accepted and said."""
    body = txt2img(loras=[{"model_name": SDXL_LORA, "strength": 0.5}])
    submission = read(TXT, body)

    assert codes(submission) == [Code.BASE_MODEL_MISMATCH]
    assert submission.recipe.loras[0].name == SDXL_LORA
    assert codes(read(TXT, body, strict=True)) == [Code.BASE_MODEL_MISMATCH]


def test_an_embedding_of_another_base_model_is_a_finding() -> None:
    """As for a LoRA: accepted and said."""
    rows = [{"model_name": EMBEDDING}]

    assert codes(read(TXT, txt2img(model_name=SDXL, embeddings=rows))) == [Code.BASE_MODEL_MISMATCH]
    assert codes(read(TXT, txt2img(model_name=SD15, embeddings=rows))) == []


def test_a_refiner_is_for_sdxl_and_0_is_none() -> None:
    """switch_at 0 does not refine; with an SD 1.5 checkpoint it is a finding."""
    assert read(TXT, txt2img(refiner={"switch_at": 0})).recipe.refiner is None
    assert codes(read(TXT, txt2img(refiner={"switch_at": 0.5}))) == [Code.BASE_MODEL_MISMATCH]
    assert codes(read(TXT, txt2img(model_name=SDXL, refiner={"switch_at": 1}))) == []


@pytest.mark.parametrize(
    ("checkpoint", "control_model", "fits"),
    [
        (SD15, "control_v11f1e_sd15_tile", True),
        (SDXL, "controlnet-canny-sdxl-1.0", True),
        (SD15, "controlnet-canny-sdxl-1.0", False),
        (SDXL, "control_v11p_sd15_canny", False),
    ],
)
def test_a_control_model_should_fit_the_checkpoint(checkpoint: str, control_model: str, fits: bool) -> None:
    """The pages list them apart: a misfit is a finding, and refused in the strict reading."""
    units = [{"model_name": control_model, "image_base64": RED, "strength": 1}]
    body = img2img(model_name=checkpoint, controlnet={"units": units})

    assert codes(read(IMG, body)) == ([] if fits else [Code.BASE_MODEL_MISMATCH])
    if fits:
        assert read(IMG, body, strict=True).findings == []
    else:
        assert control_model in refusal(IMG, body, strict=True).message


@pytest.mark.parametrize(("checkpoint", "adapter"), [(SD15, "ip-adapter_sdxl.bin"), (SDXL, "ip-adapter_sd15.bin")])
def test_an_ip_adapter_must_fit_the_checkpoint(checkpoint: str, adapter: str) -> None:
    """The page says must: refused in both readings."""
    rows = [{"model_name": adapter, "image_base64": RED, "strength": 1}]

    assert adapter in refusal(IMG, img2img(model_name=checkpoint, ip_adapters=rows)).message


@pytest.mark.parametrize("strength", ["absent", None])
def test_a_control_units_strength_left_out_is_1(strength: str | None) -> None:
    """C29: required, and yet a default is named."""
    unit: dict[str, Any] = {"model_name": "control_v11p_sd15_canny", "image_base64": RED}
    if strength is None:
        unit["strength"] = None
    body = img2img(controlnet={"units": [unit]})
    [found] = read(IMG, body).recipe.control_units

    assert (found.weight, found.preprocessor, found.start, found.end) == (1.0, "none", 0.0, 1.0)
    assert reasons(IMG, body) == {"C29"}


@pytest.mark.parametrize(("given_strength", "expected"), [("absent", 0.5), (None, 0.5), (0, 0.0), (1, 1.0)])
def test_img2img_strength_has_the_clients_default(given_strength: Any, expected: float) -> None:
    """No page states one; the official Python client sends 0.5. 0 is a value, not absence."""
    body = img2img() if given_strength == "absent" else img2img(strength=given_strength)

    assert read(IMG, body, strict=True).recipe.strength == expected


def test_hires_fix_without_an_upscaler_is_latent() -> None:
    """No default is stated; the official Python client sends Latent."""
    fix = {"target_width": 1024, "target_height": 768, "strength": 0}

    assert read(TXT, txt2img(hires_fix=fix), strict=True).recipe.hires == Hires(
        width=1024, height=768, strength=0.0, upscaler="Latent"
    )


def test_a_hires_fix_that_is_half_filled_in_is_refused() -> None:
    """All numbers or none (O2)."""
    for missing in ("target_width", "target_height", "strength"):
        fix = {"target_width": 1024, "target_height": 768, "strength": 0.5, missing: None}
        assert not is_accepted(TXT, txt2img(hires_fix=fix), Reading.TOLERATED)


def test_a_transparent_background_needs_png_and_sdxl() -> None:
    """C46: false is always fine."""
    on: dict[str, Any] = {"enable_transparent_background": True}
    off: dict[str, Any] = {"enable_transparent_background": False}

    assert read(TXT, txt2img(model_name=SDXL, **on), strict=True).recipe.transparent
    assert not read(TXT, txt2img({"response_image_type": "jpeg"}, **off), strict=True).recipe.transparent
    assert "SDXL" in refusal(TXT, txt2img(**on)).message
    jpeg = txt2img({"response_image_type": "jpeg"}, model_name=SDXL, **on)
    assert not is_accepted(TXT, jpeg, Reading.TOLERATED)
    with pytest.raises(Refusal, match="png"):
        READERS[TXT](jpeg, context(TXT))


def test_fields_that_no_page_names_are_ignored_with_a_finding() -> None:
    """C22, C30: stray fields of clients change nothing."""
    stray = img2img(refiner={"switch_at": 1}, restore_faces=True, extra={}, enable_nsfw_detection=True)
    stray["event_type"] = "x"

    assert read(IMG, stray).recipe == read(IMG, img2img()).recipe
    assert reasons(IMG, stray) == {"C22"} or "C22" in reasons(IMG, stray)


@pytest.mark.parametrize(
    ("path", "prefix"),
    [("/", ""), ("out", "out"), ("/a/b/", "a/b"), ("a..b/c", "a..b/c")],
)
def test_a_storage_path_is_a_prefix_in_a_bucket(path: str, prefix: str) -> None:
    """The sample value is `/`."""
    extra = {"custom_storage": {"aws_s3": {"region": "us-east-2", "bucket": "b", "path": path}}}
    submission = read(TXT, txt2img(extra), strict=True)

    assert submission.delivery.storage == Storage("us-east-2", "b", prefix, directly=False)


@pytest.mark.parametrize(("flag", "directly"), [({}, False), (False, False), (None, False), (True, True)])
def test_files_lie_below_the_path_unless_they_are_to_lie_in_it(flag: object, directly: bool) -> None:
    """V3-STORAGE-005 and 006; null is tolerated as absent."""
    s3 = {"region": "us-east-2", "bucket": "b", "path": "out"}
    if flag != {}:
        s3["save_to_path_directly"] = flag  # type: ignore[assignment]  # what JSON holds
    storage = read(TXT, txt2img({"custom_storage": {"aws_s3": s3}})).delivery.storage

    assert storage is not None
    assert storage.directly is directly


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("bucket", ""),
        ("bucket", "a/b"),
        ("bucket", "x" * 256),
        ("region", ""),
        ("region", "evil.test"),
        ("region", "a b"),
    ],
)
def test_names_that_no_bucket_or_region_has_are_refused(field: str, value: str) -> None:
    """They become part of a host or a path; in both readings, with the field's name."""
    extra = {"custom_storage": {"aws_s3": {"region": "us-east-2", "bucket": "b", "path": "/", field: value}}}
    for strict in (False, True):
        found = refusal(TXT, txt2img(extra), strict=strict)
        assert found.reason is Reason.INVALID_REQUEST_BODY
        assert found.message.startswith(f"extra.custom_storage.aws_s3.{field}: ")


@pytest.mark.parametrize("path", ["", "../up", "a/../b", "s3://other/x", "https://h/x", "a\nb", "\x00", "x" * 901])
def test_a_storage_path_that_leads_elsewhere_is_refused(path: str) -> None:
    """INVALID_CUSTOM_OUTPUT_PATH, in both readings."""
    extra = {"custom_storage": {"aws_s3": {"region": "us-east-2", "bucket": "b", "path": path}}}
    for strict in (False, True):
        assert refusal(TXT, txt2img(extra), strict=strict).reason is Reason.INVALID_CUSTOM_OUTPUT_PATH


@pytest.mark.parametrize(
    ("test_mode", "status"),
    [
        (None, None),
        ({"enabled": False}, None),
        ({"return_task_status": "TASK_STATUS_FAILED"}, None),
        ({"enabled": None, "return_task_status": "TASK_STATUS_FAILED"}, None),
        ({"enabled": True, "return_task_status": "TASK_STATUS_SUCCEED"}, Status.SUCCEED),
        ({"enabled": True, "return_task_status": "TASK_STATUS_FAILED"}, Status.FAILED),
    ],
)
def test_webhook_test_mode_is_on_when_enabled(test_mode: dict[str, Any] | None, status: Status | None) -> None:
    """C39: either field may be missing while it is off."""
    submission = read(TXT, txt2img({"webhook": {"url": "https://client.test/x", "test_mode": test_mode}}))

    assert submission.delivery.test_status is status
    assert submission.delivery.webhook_url == "https://client.test/x"
    assert codes(submission) == []


def test_test_mode_without_an_outcome_is_refused() -> None:
    """C39: enabled, it needs return_task_status."""
    body = txt2img({"webhook": {"url": "https://client.test/x", "test_mode": {"enabled": True}}})

    assert not is_accepted(TXT, body, Reading.TOLERATED)


def test_a_detection_level_without_the_switch_is_no_error() -> None:
    """C51: without effect unless enable_nsfw_detection is true."""
    delivery = read(TXT, txt2img({"nsfw_detection_level": 2}), strict=True).delivery

    assert (delivery.nsfw, delivery.nsfw_level) == (False, 2)


def test_an_illegal_word_refuses_the_prompt() -> None:
    """ILLEGAL_PROMPT on v3, code 11 on v2, whatever the case and the place."""
    found = refusal(TXT, txt2img(prompt="a FORBIDDEN dog"), illegal_words=("forbidden",))

    assert (found.reason, int(found.v2_code)) == (Reason.ILLEGAL_PROMPT, 11)
    assert read(TXT, txt2img(prompt="a dog"), illegal_words=("forbidden",)).recipe.prompt == "a dog"


def test_equal_options_share_one_delivery_and_texts_of_clients_are_not_kept() -> None:
    """Thousands of tasks hold a few deliveries; a webhook's URL goes with its task."""
    first, second = (read(TXT, txt2img({"enable_nsfw_detection": True})).delivery for _ in range(2))
    assert first is second

    before = shared_delivery.cache_info().currsize
    for number in range(50):
        webhook = {"url": f"https://client.test/{number}"}
        assert read(TXT, txt2img({"webhook": webhook})).delivery.webhook_url == webhook["url"]
    assert shared_delivery.cache_info().currsize <= before + 1


@pytest.mark.parametrize("body", [FULL_TXT, FULL_IMG], ids=["txt2img", "img2img"])
def test_whatever_the_lenient_reading_accepts_can_be_read(body: dict[str, Any]) -> None:
    """Each member of a full body replaced by each odd value: refused, or read and shown, never an error of ours."""
    operation_id = IMG if body is FULL_IMG else TXT

    assert sum(survives(operation_id, damaged) for damaged in single_changes(body)) > 100


@given(several_changes(FULL_IMG))
def test_several_odd_places_at_once_can_be_read(body: dict[str, Any]) -> None:
    """As above, with places that depend on each other."""
    survives(IMG, body)
