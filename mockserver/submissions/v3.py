"""Reads the bodies of POST /v3/async/txt2img and /v3/async/img2img (openapi.yaml, createTxt2imgTask,
createImg2imgTask).

The body has passed the schema of the reading in force, so every value has an allowed type; null and "" may stand for
"absent" where the lenient reading tolerates it (C13, C20 and the null columns of the field tables).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from mockserver.core.errors import Reason, Refusal
from mockserver.core.findings import Code
from mockserver.core.recipe import DEFAULT_STEPS, ControlUnit, Hires, ImageType, IpAdapter, Lora, Recipe, Refiner
from mockserver.core.storage import MAX_PATH_BYTES, Storage, is_bucket, is_path, is_region
from mockserver.core.task import Delivery, Status, TaskType
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

DEFAULT_STRENGTH = 0.5
"""img2img strength when absent: not documented, the official Python client sends 0.5."""
DEFAULT_HIRES_UPSCALER = "Latent"
SDXL_REFINER = "sd_xl_refiner_1.0.safetensors"


def read_txt2img(body: Json, context: Context) -> Submission:
    """Reads a text-to-image request."""
    request: Json = body["request"]
    delivery = read_delivery(body.get("extra") or {})
    checkpoint = context.model(request["model_name"], Kind.CHECKPOINT, "request.model_name")
    transparent = bool(request.get("enable_transparent_background"))
    if transparent:
        _check_transparent(checkpoint, delivery.image_type)
    return Submission(
        type=TaskType.TXT_TO_IMG,
        recipe=Recipe(
            **_common(request, checkpoint, context),
            hires=_hires(request.get("hires_fix")),
            refiner=_refiner(request.get("refiner"), checkpoint, context),
            restore_faces=bool(request.get("restore_faces")),
            transparent=transparent,
        ),
        delivery=delivery,
        findings=context.findings,
    )


def read_img2img(body: Json, context: Context) -> Submission:
    """Reads an image-to-image request."""
    request: Json = body["request"]
    delivery = read_delivery(body.get("extra") or {})
    checkpoint = context.model(request["model_name"], Kind.CHECKPOINT, "request.model_name")
    common = _common(request, checkpoint, context)
    strength = request.get("strength")
    return Submission(
        type=TaskType.IMG_TO_IMG,
        recipe=Recipe(
            **common,
            source=context.pictures.take(request, "image_base64", "request.image_base64"),
            strength=DEFAULT_STRENGTH if strength is None else float(strength),
            control_units=_control_units(request.get("controlnet"), checkpoint, context),
            ip_adapters=_ip_adapters(request.get("ip_adapters"), checkpoint, context),
        ),
        delivery=delivery,
        findings=context.findings,
    )


def read_delivery(extra: Mapping[str, Any]) -> Delivery:
    """Reads `extra`, the same object for every v3 submit operation."""
    webhook = extra.get("webhook") or {}
    test_mode = webhook.get("test_mode") or {}
    s3 = (extra.get("custom_storage") or {}).get("aws_s3")
    storage = _storage(s3) if s3 else None
    if webhook:
        _check_webhook_url(webhook["url"])
    shared = shared_delivery(
        extra.get("response_image_type") or "png",
        bool(extra.get("enable_nsfw_detection")),
        int(extra.get("nsfw_detection_level") or 0),
        dedicated=bool((extra.get("enterprise_plan") or {}).get("enabled")),
    )
    if not webhook and storage is None:
        return shared
    return replace(
        shared,
        webhook_url=webhook.get("url"),
        test_status=Status(test_mode["return_task_status"]) if test_mode.get("enabled") else None,
        storage=storage,
    )


def _common(request: Json, checkpoint: Model | None, context: Context) -> Json:
    """The recipe fields that txt2img and img2img share."""
    context.check_prompt(request["prompt"], "request.prompt")
    seed = request.get("seed")
    vae = request.get("sd_vae")
    if vae:
        context.model(vae, Kind.VAE, "request.sd_vae")
    clip_skip = request.get("clip_skip")
    return {
        "model": checkpoint.sd_name if checkpoint else request["model_name"],
        "prompt": request["prompt"],
        "negative_prompt": request.get("negative_prompt") or "",
        "width": int(request["width"]),
        "height": int(request["height"]),
        "count": int(request["image_num"]),
        "steps": int(request["steps"] or DEFAULT_STEPS),
        "guidance": float(request["guidance_scale"]),
        "sampler": request["sampler_name"],
        "seed": RANDOM_SEED if seed is None else int(seed),
        "vae": vae or None,
        "clip_skip": int(clip_skip) if clip_skip else None,
        "loras": _loras(request.get("loras") or (), checkpoint, context),
        "embeddings": _embeddings(request.get("embeddings") or (), checkpoint, context),
    }


def _loras(entries: Sequence[Json], checkpoint: Model | None, context: Context) -> tuple[Lora, ...]:
    loras = []
    for index, entry in enumerate(entries):
        if not entry.get("model_name"):
            continue  # an unfilled row of an old form (C20)
        where = f"request.loras[{index}].model_name"
        model = context.model(entry["model_name"], Kind.LORA, where)
        note_base_model(model, checkpoint, where, context)
        strength = entry.get("strength")
        name = model.sd_name_in_api if model else entry["model_name"]
        loras.append(Lora(name=name, strength=1.0 if strength is None else float(strength)))
    return tuple(loras)


def _embeddings(entries: Sequence[Json], checkpoint: Model | None, context: Context) -> tuple[str, ...]:
    names = []
    for index, entry in enumerate(entries):
        if entry.get("model_name"):
            where = f"request.embeddings[{index}].model_name"
            model = context.model(entry["model_name"], Kind.TEXTUALINVERSION, where)
            note_base_model(model, checkpoint, where, context)
            names.append(model.sd_name_in_api if model else entry["model_name"])
    return tuple(names)


def _hires(fields: Json | None) -> Hires | None:
    if not fields or fields.get("target_width") is None or fields.get("target_height") is None:
        return None  # null numbers are an unfilled form (C20)
    strength = fields.get("strength")
    return Hires(
        width=int(fields["target_width"]),
        height=int(fields["target_height"]),
        strength=DEFAULT_STRENGTH if strength is None else float(strength),
        upscaler=fields.get("upscaler") or DEFAULT_HIRES_UPSCALER,
    )


def _refiner(fields: Json | None, checkpoint: Model | None, context: Context) -> Refiner | None:
    if not fields or not fields.get("switch_at"):
        return None  # null or 0: no refining
    if checkpoint and not checkpoint.is_sdxl:
        context.note(
            Code.BASE_MODEL_MISMATCH, "request.refiner", f"the refiner is for SDXL; {checkpoint.sd_name} is not SDXL"
        )
    return Refiner(checkpoint=SDXL_REFINER, switch_at=float(fields["switch_at"]))


def _control_units(controlnet: Json | None, checkpoint: Model | None, context: Context) -> tuple[ControlUnit, ...]:
    units = []
    for index, unit in enumerate((controlnet or {}).get("units") or ()):
        where = f"request.controlnet.units[{index}]"
        check_family(unit["model_name"], "sdxl" in unit["model_name"], checkpoint, f"{where}.model_name", context)
        strength = unit.get("strength")
        start, end = unit.get("guidance_start"), unit.get("guidance_end")
        units.append(
            ControlUnit(
                model=unit["model_name"],
                image=context.pictures.take(unit, "image_base64", f"{where}.image_base64"),
                weight=1.0 if strength is None else float(strength),
                preprocessor=unit.get("preprocessor") or "none",
                start=0.0 if start is None else float(start),
                end=1.0 if end is None else float(end),
            )
        )
    return tuple(units)


def _ip_adapters(entries: Sequence[Json] | None, checkpoint: Model | None, context: Context) -> tuple[IpAdapter, ...]:
    adapters = []
    for index, entry in enumerate(entries or ()):
        where = f"request.ip_adapters[{index}]"
        name = entry["model_name"]
        if checkpoint and checkpoint.is_sdxl != ("sdxl" in name):
            raise Refusal(
                Reason.INVALID_REQUEST_BODY,
                f"{where}.model_name: {name} does not fit {checkpoint.sd_name} ({checkpoint.base_model})",
            )
        adapters.append(
            IpAdapter(
                model=name,
                image=context.pictures.take(entry, "image_base64", f"{where}.image_base64"),
                strength=float(entry["strength"]),
            )
        )
    return tuple(adapters)


def _check_transparent(checkpoint: Model | None, image_type: ImageType) -> None:
    """A transparent background needs PNG and an SDXL checkpoint (C46)."""
    where = "request.enable_transparent_background"
    if image_type is not ImageType.PNG:
        raise Refusal(
            Reason.INVALID_REQUEST_BODY, f"{where}: needs extra.response_image_type png, not {image_type.value}"
        )
    if checkpoint and not checkpoint.is_sdxl:
        raise Refusal(
            Reason.INVALID_REQUEST_BODY,
            f"{where}: needs an SDXL checkpoint; {checkpoint.sd_name} is {checkpoint.base_model}",
        )


def _check_webhook_url(url: str) -> None:
    """An absolute http or https URL with a host."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and url.isprintable() and " " not in url
    except ValueError:  # such as a broken IPv6 address
        good = False
    if not good:
        raise Refusal(
            Reason.INVALID_REQUEST_BODY,
            f"extra.webhook.url: {url[:80]!r} is no URL to post to; expected for example https://app.example/hook",
        )


def _storage(s3: Json) -> Storage:
    """The bucket of `custom_storage.aws_s3`; whether it exists shows when the pictures are put there."""
    where = "extra.custom_storage.aws_s3"
    region, bucket, path = s3["region"], s3["bucket"], s3["path"]
    _check_storage_path(path)
    if not is_bucket(bucket):
        raise Refusal(
            Reason.INVALID_REQUEST_BODY,
            f"{where}.bucket: {bucket[:80]!r} is no name of a bucket, as 'my-pictures' is: "
            "1 to 255 letters, digits, dots, hyphens or underscores",
        )
    if not is_region(region):
        raise Refusal(
            Reason.INVALID_REQUEST_BODY, f"{where}.region: {region[:80]!r} is no AWS region, as 'us-east-2' is"
        )
    return Storage(region, bucket, path.strip("/"), bool(s3.get("save_to_path_directly")))


def _check_storage_path(path: str) -> None:
    """A prefix in a bucket."""
    if not is_path(path):
        raise Refusal(
            Reason.INVALID_CUSTOM_OUTPUT_PATH,
            f"extra.custom_storage.aws_s3.path: {path[:80]!r} is no path inside a bucket, as '/' or 'out/' is: "
            f"printable, at most {MAX_PATH_BYTES} bytes, no '.' or '..' between slashes, no URL",
        )
