"""Bodies of v2: one flat object; LoRA models are named inside the prompt."""

from __future__ import annotations

from typing import Any

from openapi.document import PictureLimits
from openapi.problems import show
from reference_impl.jobs import Control, FileFormat, Guess, Hires, Job, Lora, Mask, MaskStart, PicturePrompt, Refiner
from reference_impl.jobs import Resize as Fit
from reference_impl.shelf import Kind
from reference_impl.submissions.fields import Accepted, Fields, finite, integer, integer_within, number, seed
from reference_impl.submissions.names import Names
from reference_impl.submissions.pictures import read_picture
from reference_impl.submissions.prompts import named, without_tags
from reference_impl.submissions.refusals import Fault, Refused
from reference_impl.tasks import Delivery

KEEP_S = 604_800
"""Seconds that a link of v2 lives when `img_expire_ttl` does not say; what links of v2 on record say."""
_SAMPLER = "Euler a"
"""The img2img page allows null and names no default, here and for the numbers below; these are the Python client's."""
_STRENGTH = 0.75
_HIRES_STRENGTH = 0.7
"""The operation has no field for it; this is what the program behind v2 does by itself."""
_HIRES_SCALE = 2.0
_MOST_PIXELS = 2048
"""No page bounds the pixels of a blur, a margin or a preparation; beyond the largest picture they mean nothing."""
_MOST_CLIP_SKIP = 12
"""Nor the layers to skip; no text encoder has more."""


def read_txt2img(body: Fields, drawn: int, names: Names, limits: PictureLimits) -> Accepted:
    """The job and delivery of POST /v2/txt2img.

    Args:
        body: as the document allows it, without what is null or empty (`given`).
        drawn: the seed to use when none is asked for.
        names: of models.
        limits: of pictures.

    Raises:
        Refused: a model that is not there, or a picture that is none.
    """
    job = Job(**_common(body, drawn, names, limits), hires=_hires(body))
    return _accepted(job, body, names)


def read_img2img(body: Fields, drawn: int, names: Names, limits: PictureLimits) -> Accepted:
    """The job and delivery of POST /v2/img2img.

    Args:
        body: as the document allows it, without what is null or empty (`given`).
        drawn: the seed to use when none is asked for.
        names: of models.
        limits: of pictures.

    Raises:
        Refused: a model that is not there, or a picture that is none.
    """
    sources = [
        read_picture(text, f"init_images.{place}", limits) for place, text in enumerate(body.get("init_images", ()))
    ]
    if not sources:
        raise Refused(Fault.RANGE, "init_images", "expected at least one picture in base64")
    job = Job(
        **_common(body, drawn, names, limits),
        source=sources[0],
        strength=number(body, "denoising_strength", _STRENGTH),
        resize=Fit(integer(body, "resize_mode", Fit.STRETCH)),
        mask=_mask(body, limits),
        noise_multiplier=max(0.0, finite(body, "initial_noise_multiplier", 1.0, "initial_noise_multiplier")),
        source_guidance=number(body, "image_cfg_scale", 0) or None,
    )
    remark = "only the first of init_images is drawn from" if len(sources) > 1 else ""
    return _accepted(job, body, names, remark)


def _common(body: Fields, drawn: int, names: Names, limits: PictureLimits) -> dict[str, Any]:
    """What both operations have in common, as the job calls it."""
    checkpoint = names.checkpoint(body.get("model_name", ""), "model_name")
    prompt, tags = without_tags(body.get("prompt", ""))
    negative_prompt = body.get("negative_prompt", "")
    words = names.embeddings()
    units = _units(body)
    extra = body.get("extra", {})
    return {
        "model": checkpoint.name,
        "prompt": prompt,
        "negative_prompt": negative_prompt,
        "width": integer(body, "width", 512),
        "height": integer(body, "height", 512),
        "count": _asked(body, "batch_size") * _asked(body, "n_iter"),
        "steps": integer(body, "steps", 20),
        "guidance": number(body, "cfg_scale", 7.5),
        "sampler": body.get("sampler_name", _SAMPLER),
        "seed": seed(body, drawn, "seed"),
        "vae": names.vae(body.get("sd_vae"), "sd_vae"),
        "clip_skip": integer_within(body, "clip_skip", 0, 0, _MOST_CLIP_SKIP) or None,
        "loras": tuple(
            Lora(name=known, strength=weight) for name, weight in tags if (known := names.tagged_lora(name)) is not None
        ),
        "embeddings": tuple(words[word] for word in named(words, prompt, negative_prompt)),
        "refiner": _refiner(body.get("sd_refiner", {}), names),
        "restore_faces": body.get("restore_faces", False),
        "controls": tuple(
            _control(unit, field, names, limits) for field, unit in units if not _is_picture_prompt(unit)
        ),
        "picture_prompts": tuple(
            _picture_prompt(unit, field, names, limits) for field, unit in units if _is_picture_prompt(unit)
        ),
        "file_format": FileFormat(extra.get("response_image_type", FileFormat.PNG)),
        "nsfw_level": integer(extra, "nsfw_detection_level", 0) if extra.get("enable_nsfw_detection") else None,
    }


def _asked(body: Fields, name: str) -> int:
    """Pictures per run, or runs; what 0 means is not stated, and a task without pictures helps nobody (C17)."""
    return max(1, integer(body, name, 1))


def _hires(body: Fields) -> Hires | None:
    """The target sizes win over the factor (C24); one side alone keeps the shape; 0 means not given."""
    if not body.get("enable_hr"):
        return None
    width, height = integer(body, "width", 512), integer(body, "height", 512)
    wide, high = max(0, integer(body, "hr_resize_x", 0)), max(0, integer(body, "hr_resize_y", 0))
    if not wide and not high:
        scale = number(body, "hr_scale", _HIRES_SCALE)
        wide, high = round(width * scale), round(height * scale)
    return Hires(
        width=wide or max(1, round(width * high / height)),
        height=high or max(1, round(height * wide / width)),
        strength=_HIRES_STRENGTH,
        upscaler=body.get("hr_upscaler", "Latent"),
    )


def _refiner(refiner: Fields, names: Names) -> Refiner | None:
    """A name alone does not switch it on (C19); the weight is the share of the steps that is left to it."""
    share = number(refiner, "switch_at", 0.0)
    return Refiner(checkpoint=names.refiner(refiner["checkpoint"]), switch_at=1 - share) if share else None


def _mask(body: Fields, limits: PictureLimits) -> Mask | None:
    if "mask" not in body:
        return None
    return Mask(
        file=read_picture(body["mask"], "mask", limits),
        blur=integer_within(body, "mask_blur", 4, 0, _MOST_PIXELS),
        invert=bool(body.get("inpainting_mask_invert", 0)),
        start=MaskStart(integer(body, "inpainting_fill", MaskStart.ORIGINAL)),
        whole=not body.get("inpaint_full_res", 0),
        padding=integer_within(body, "inpaint_full_res_padding", 32, 0, _MOST_PIXELS),
    )


def _units(body: Fields) -> list[tuple[str, Fields]]:
    """Control units and where they stand; a lone one counts as a list (C26), blank ones are dropped (C20)."""
    units = body.get("controlnet_units", ())
    placed = (
        [("controlnet_units", units)]
        if isinstance(units, dict)
        else [(f"controlnet_units.{place}", unit) for place, unit in enumerate(units)]
    )
    return [(field, unit) for field, unit in placed if "model" in unit or "input_image" in unit]


def _is_picture_prompt(unit: Fields) -> bool:
    """v2 lists the IP-Adapters among the control models."""
    return str(unit["model"]).startswith("ip-adapter")


def _control(unit: Fields, field: str, names: Names, limits: PictureLimits) -> Control:
    return Control(
        model=names.of_a_list((Kind.CONTROLNET, Kind.T2I_ADAPTER), unit["model"]),
        file=read_picture(unit.get("input_image", ""), f"{field}.input_image", limits),
        weight=finite(unit, "weight", 1.0, f"{field}.weight"),
        preprocessor=unit["module"],
        start=finite(unit, "guidance_start", 0.0, f"{field}.guidance_start"),
        end=finite(unit, "guidance_end", 1.0, f"{field}.guidance_end"),
        mask=read_picture(unit["mask"], f"{field}.mask", limits) if "mask" in unit else None,
        resize=Fit(integer(unit, "resize_mode", Fit.STRETCH)),
        guess=Guess(integer(unit, "control_mode", Guess.BALANCED)),
        resolution=integer_within(unit, "processor_res", 512, 64, _MOST_PIXELS) if "processor_res" in unit else None,
        thresholds=(
            number(unit, "threshold_a", 0) if "threshold_a" in unit else None,
            number(unit, "threshold_b", 0) if "threshold_b" in unit else None,
        ),
        pixel_perfect=unit.get("pixel_perfect", False),
    )


def _picture_prompt(unit: Fields, field: str, names: Names, limits: PictureLimits) -> PicturePrompt:
    """The other fields of the unit say how a control picture acts, which this is not."""
    return PicturePrompt(
        model=names.of_a_list((Kind.IP_ADAPTER,), unit["model"]),
        file=read_picture(unit.get("input_image", ""), f"{field}.input_image", limits),
        strength=min(1.0, max(0.0, finite(unit, "weight", 1.0, f"{field}.weight"))),
    )


def _accepted(job: Job, body: Fields, names: Names, *remarks: str) -> Accepted:
    extra = body.get("extra", {})
    delivery = Delivery(
        link_ttl_s=integer(body, "img_expire_ttl", KEEP_S), nsfw_detection=extra.get("enable_nsfw_detection", False)
    )
    zero = [f"{name} 0 is read as 1" for name in ("batch_size", "n_iter") if body.get(name) == 0]
    # A prompt is any text, so a tag that says nothing here is no reason to refuse it.
    _, tags = without_tags(body.get("prompt", ""))
    unknown = [
        f"no LoRA has the name {show(name)}, its tag is left out" for name, _ in tags if not names.tagged_lora(name)
    ]
    return Accepted(
        job=job,
        delivery=delivery,
        echo={"previews": extra.get("enable_progress_info", True)},
        warning="; ".join(remark for remark in (*remarks, *zero, *unknown) if remark),
    )
