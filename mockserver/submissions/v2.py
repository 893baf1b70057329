"""Reads the bodies of POST /v2/txt2img and /v2/img2img (openapi.yaml, createTxt2imgTaskV2, createImg2imgTaskV2).

The body has passed the schema of the reading in force. The official clients send much less than the pages require
(C14); what is absent then gets the value that the clients or the common Stable Diffusion tools use.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from mockserver.core.errors import Reason, Refusal
from mockserver.core.findings import Code
from mockserver.core.recipe import ControlUnit, Fit, Hires, Lora, Mask, MaskFill, Recipe, Refiner
from mockserver.core.task import Delivery, TaskType
from mockserver.submissions.submission import (
    RANDOM_SEED,
    Context,
    Submission,
    check_family,
    note_base_model,
    shared_delivery,
)
from openapi.catalogue import Kind, Model

Json = dict[str, Any]
"""An object of the wire; it goes no further than this module."""

DEFAULT_STRENGTH = 0.75
"""denoising_strength when absent: the official Python client's default."""
DEFAULT_HIRES_STRENGTH = 0.7
DEFAULT_HR_SCALE = 2.0
MAX_MARGIN = 2048
"""Pixels; no page bounds mask_blur and inpaint_full_res_padding, beyond the largest picture they mean the same."""
MAX_WEIGHT = 100.0
"""Of a LoRA tag: far beyond what any tool takes; a number of 400 digits would be infinite."""

_LORA_TAG = re.compile(r"<lora:([^:<>]+)(?::([-+]?\d*\.?\d+))?(?::[^<>]*)?>")


def read_txt2img(body: Json, context: Context) -> Submission:
    """Reads a text-to-image request."""
    checkpoint = context.model(body["model_name"], Kind.CHECKPOINT, "model_name")
    common = _common(body, checkpoint, context)
    return Submission(
        type=TaskType.TXT_TO_IMG,
        recipe=Recipe(**common, hires=_hires(body, context)),
        delivery=_delivery(body, context),
        findings=context.findings,
    )


def read_img2img(body: Json, context: Context) -> Submission:
    """Reads an image-to-image request; only the first of several source pictures is used."""
    checkpoint = context.model(body["model_name"], Kind.CHECKPOINT, "model_name")
    common = _common(body, checkpoint, context)
    sources: list[object] = body["init_images"]
    files = [context.pictures.take(sources, index, f"init_images[{index}]") for index in range(len(sources))]
    if len(sources) > 1:
        context.note(Code.UNDOCUMENTED_MEANING, "init_images", "several source pictures: the first one is used")
    strength = body.get("denoising_strength")
    noise = _number(body, "initial_noise_multiplier")
    image_guidance = body.get("image_cfg_scale")
    return Submission(
        type=TaskType.IMG_TO_IMG,
        recipe=Recipe(
            **common,
            source=files[0],
            strength=DEFAULT_STRENGTH if strength is None else float(strength),
            fit=Fit(int(body.get("resize_mode") or 0)),
            mask=_mask(body, context),
            image_guidance=None if image_guidance is None else float(image_guidance),
            noise_multiplier=1.0 if noise is None else float(noise),
        ),
        delivery=_delivery(body, context),
        findings=context.findings,
    )


def lora_tags(prompt: str) -> list[tuple[str, float]]:
    """Names and weights of the `<lora:name:weight>` tags of a prompt; the weight is 1 when left out."""
    return [
        (name.strip(), min(max(float(weight), -MAX_WEIGHT), MAX_WEIGHT) if weight else 1.0)
        for name, weight in _LORA_TAG.findall(prompt)
    ]


def _common(body: Json, checkpoint: Model | None, context: Context) -> Json:
    prompt = body.get("prompt") or ""
    context.check_prompt(prompt, "prompt")
    vae = body.get("sd_vae")
    if vae:
        context.model(vae, Kind.VAE, "sd_vae")
    seed, clip_skip = body.get("seed"), body.get("clip_skip")
    return {
        "model": checkpoint.sd_name if checkpoint else body["model_name"],
        "prompt": prompt,
        "negative_prompt": body.get("negative_prompt") or "",
        "width": int(body["width"]),
        "height": int(body["height"]),
        "count": _count(body, context),
        "steps": int(body.get("steps") or 20),
        "guidance": float(body.get("cfg_scale") or 7.0),
        "sampler": body.get("sampler_name") or "Euler a",
        "seed": RANDOM_SEED if seed is None else max(int(seed), RANDOM_SEED),
        "vae": vae or None,
        "clip_skip": int(clip_skip) if clip_skip else None,
        "loras": _loras(prompt, checkpoint, context),
        "restore_faces": bool(body.get("restore_faces")),
        "refiner": _refiner(body.get("sd_refiner"), checkpoint, context),
        "control_units": _control_units(body, checkpoint, context),
    }


def _count(body: Json, context: Context) -> int:
    """batch_size x n_iter; 0 has no stated meaning and is taken as 1 (C17)."""
    count = 1
    for name in ("batch_size", "n_iter"):
        value = body.get(name)
        if value is not None and int(value) == 0:
            context.note(Code.UNDOCUMENTED_MEANING, name, "0 pictures has no stated meaning: taken as 1", "C17")
        count *= int(value) if value else 1
    return count


def _loras(prompt: str, checkpoint: Model | None, context: Context) -> tuple[Lora, ...]:
    loras = []
    for name, strength in lora_tags(prompt):
        model = context.model(name, Kind.LORA, "prompt")
        note_base_model(model, checkpoint, "prompt", context)
        loras.append(Lora(name=model.sd_name_in_api if model else name, strength=strength))
    return tuple(loras)


def _delivery(body: Json, context: Context) -> Delivery:
    extra: Mapping[str, Any] = body.get("extra") or {}
    ttl, previews = body.get("img_expire_ttl"), extra.get("enable_progress_info")
    if ttl is not None and ttl == 0:
        context.note(
            Code.UNDOCUMENTED_MEANING, "img_expire_ttl", "0 seconds has no stated meaning: kept as if it were absent"
        )
    return shared_delivery(
        extra.get("response_image_type") or "png",
        bool(extra.get("enable_nsfw_detection")),
        int(extra.get("nsfw_detection_level") or 0),
        previews=True if previews is None else bool(previews),
        ttl_s=int(ttl) if ttl else None,
    )


def _hires(body: Json, context: Context) -> Hires | None:
    """The target of the hires pass; given sizes win over hr_scale (C24)."""
    if not body.get("enable_hr"):
        return None
    width, height = int(body.get("hr_resize_x") or 0), int(body.get("hr_resize_y") or 0)
    if width < 0 or height < 0:
        raise Refusal(
            Reason.INVALID_IMAGE_SIZE, f"hr_resize_x, hr_resize_y: {width}x{height} is no size; expected 1 to 2048"
        )
    scale = float(body.get("hr_scale") or 0.0)
    if width and height:
        if scale not in (0.0, 1.0):
            context.note(
                Code.UNDOCUMENTED_MEANING, "hr_scale", "sent with both sizes: the sizes win, the pages disagree", "C24"
            )
    else:
        scale = scale or DEFAULT_HR_SCALE
        width, height = int(body["width"] * scale), int(body["height"] * scale)
    return Hires(
        width=width, height=height, strength=DEFAULT_HIRES_STRENGTH, upscaler=body.get("hr_upscaler") or "Latent"
    )


def _refiner(fields: Json | None, checkpoint: Model | None, context: Context) -> Refiner | None:
    """The checkpoint's name alone does not switch the refiner on (C19)."""
    if not fields or not fields.get("switch_at"):
        return None
    if checkpoint and not checkpoint.is_sdxl:
        context.note(
            Code.BASE_MODEL_MISMATCH, "sd_refiner", f"the refiner is for SDXL; {checkpoint.sd_name} is not SDXL"
        )
    return Refiner(checkpoint=fields["checkpoint"], switch_at=float(fields["switch_at"]))


def _mask(body: Json, context: Context) -> Mask | None:
    if not body.get("mask"):
        return None
    blur, fill, padding = _number(body, "mask_blur"), body.get("inpainting_fill"), body.get("inpaint_full_res_padding")
    return Mask(
        image=context.pictures.take(body, "mask", "mask"),
        blur=4 if blur is None else min(max(int(blur), 0), MAX_MARGIN),
        invert=bool(body.get("inpainting_mask_invert")),
        fill=MaskFill.ORIGINAL if fill is None else MaskFill(int(fill)),
        full_res=bool(body.get("inpaint_full_res")),
        padding=32 if padding is None else min(max(int(padding), 0), MAX_MARGIN),
    )


def _share(value: float) -> float:
    """Within [0, 1]: no page bounds it, and beyond the ends of the run it means the same."""
    return min(max(float(value), 0.0), 1.0)


def _number(body: Json, name: str) -> float | None:
    """A number; null and "" stand for none (C52)."""
    value = body.get(name)
    return None if value is None or value == "" else float(value)


def _integer(value: float | None) -> int | None:
    return None if value is None else int(value)


def _control_units(body: Json, checkpoint: Model | None, context: Context) -> tuple[ControlUnit, ...]:
    given = body.get("controlnet_units") or ()
    entries: Sequence[Json] = [given] if isinstance(given, dict) else given  # one bare object is tolerated (C26)
    units = []
    for index, unit in enumerate(entries):
        where = f"controlnet_units[{index}]"
        if not unit.get("model") and not unit.get("input_image"):
            continue  # an unfilled row of the page's own example (C20)
        name = unit.get("model") or ""
        check_family(name, "xl" in name, checkpoint, f"{where}.model", context)
        weight, start, end = unit.get("weight"), unit.get("guidance_start"), unit.get("guidance_end")
        units.append(
            ControlUnit(
                model=name,
                image=context.pictures.take(unit, "input_image", f"{where}.input_image"),
                weight=1.0 if weight is None else float(weight),
                preprocessor=unit.get("module") or "none",
                start=0.0 if start is None else _share(start),
                end=1.0 if end is None else _share(end),
                mask=context.pictures.take(unit, "mask", f"{where}.mask") if unit.get("mask") else None,
                fit=Fit(int(unit.get("resize_mode") or 0)),
                control_mode=int(unit.get("control_mode") or 0),
                resolution=_integer(unit.get("processor_res")),
                thresholds=(_integer(unit.get("threshold_a")), _integer(unit.get("threshold_b"))),
                pixel_perfect=bool(unit.get("pixel_perfect")),
            )
        )
    return tuple(units)
