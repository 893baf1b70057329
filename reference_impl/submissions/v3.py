"""Bodies of v3: what to draw stands in `request`, where it goes in `extra`."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from openapi.document import PictureLimits
from openapi.problems import show
from reference_impl.jobs import Control, FileFormat, Hires, Job, Lora, PicturePrompt, Refiner
from reference_impl.shelf import Family, Kind, Model
from reference_impl.submissions.fields import Accepted, Fields, integer, number, seed, whole
from reference_impl.submissions.names import Names, fits
from reference_impl.submissions.pictures import read_picture
from reference_impl.submissions.prompts import named, without_tags
from reference_impl.submissions.refusals import Fault, Refused
from reference_impl.tasks import Bucket, Delivery, Status, Webhook

_STRENGTH = 0.5
"""No page states a default of `strength` for img2img; this is the official Python client's."""
_UPSCALER = "Latent"
"""Nor one of `hires_fix.upscaler`; this is the same client's, and the one that needs no weights."""
_ADAPTER_FAMILIES = {"ip-adapter_sd15.bin": Family.SD15, "ip-adapter_sdxl.bin": Family.SDXL}


def read_txt2img(body: Fields, drawn: int, names: Names, limits: PictureLimits) -> Accepted:
    """The job and delivery of POST /v3/async/txt2img.

    Args:
        body: as the document allows it, without what is null or empty (`given`).
        drawn: the seed to use when none is asked for.
        names: of models.
        limits: of pictures; this operation takes none.

    Raises:
        Refused: a model that is not there, or something that does not go together.
    """
    request, extra = body["request"], body.get("extra", {})
    checkpoint = names.checkpoint(request.get("model_name", ""), "request.model_name")
    transparent = request.get("enable_transparent_background", False)
    if transparent and not fits(checkpoint.family, Family.SDXL):
        message = f"a transparent background needs an SDXL checkpoint, {checkpoint.name} is {checkpoint.family} (C46)"
        raise Refused(Fault.RANGE, "request.enable_transparent_background", message)
    job = Job(
        **_common(request, extra, checkpoint, drawn, names),
        hires=_hires(request.get("hires_fix", {})),
        refiner=_refiner(request.get("refiner", {}), names),
        restore_faces=request.get("restore_faces", False),
        transparent=transparent,
    )
    return _accepted(job, request, extra)


def read_img2img(body: Fields, drawn: int, names: Names, limits: PictureLimits) -> Accepted:
    """The job and delivery of POST /v3/async/img2img.

    Args:
        body: as the document allows it, without what is null or empty (`given`).
        drawn: the seed to use when none is asked for.
        names: of models.
        limits: of pictures.

    Raises:
        Refused: a model that is not there, a picture that is none, or something that does not go together.
    """
    request, extra = body["request"], body.get("extra", {})
    checkpoint = names.checkpoint(request.get("model_name", ""), "request.model_name")
    job = Job(
        **_common(request, extra, checkpoint, drawn, names),
        source=read_picture(request.get("image_base64", ""), "request.image_base64", limits),
        strength=number(request, "strength", _STRENGTH),
        controls=tuple(
            _control(unit, f"request.controlnet.units.{place}", names, limits)
            for place, unit in enumerate(request.get("controlnet", {}).get("units", ()))
        ),
        picture_prompts=tuple(
            _picture_prompt(adapter, f"request.ip_adapters.{place}", checkpoint, names, limits)
            for place, adapter in enumerate(request.get("ip_adapters", ()))
        ),
    )
    return _accepted(job, request, extra)


def _common(request: Fields, extra: Fields, checkpoint: Model, drawn: int, names: Names) -> dict[str, Any]:
    """What both operations have in common, as the job calls it."""
    prompt, tags = without_tags(request["prompt"])
    negative_prompt = request.get("negative_prompt", "")
    loras = [
        Lora(
            name=names.lora(entry["model_name"], f"request.loras.{place}.model_name"),
            strength=number(entry, "strength", 1.0),
        )
        for place, entry in enumerate(request.get("loras", ()))
        if entry.get("model_name")
    ]
    embeddings = [
        names.embedding(entry["model_name"], f"request.embeddings.{place}.model_name")
        for place, entry in enumerate(request.get("embeddings", ()))
        if entry.get("model_name")
    ]
    words = names.embeddings()
    return {
        "model": checkpoint.name,
        "prompt": prompt,
        "negative_prompt": negative_prompt,
        "width": integer(request, "width", 512),
        "height": integer(request, "height", 512),
        "count": integer(request, "image_num", 1),
        "steps": integer(request, "steps", 20),
        "guidance": number(request, "guidance_scale", 7.5),
        "sampler": request["sampler_name"],
        "seed": seed(request, drawn, "request.seed"),
        "vae": names.vae(request.get("sd_vae"), "request.sd_vae"),
        "clip_skip": whole(request, "clip_skip") or None,
        "loras": (*loras, *(Lora(name=_tagged(name, names), strength=weight) for name, weight in tags)),
        "embeddings": tuple(
            dict.fromkeys((*embeddings, *(words[word] for word in named(words, prompt, negative_prompt))))
        ),
        "file_format": FileFormat(extra.get("response_image_type", FileFormat.PNG)),
        "nsfw_level": integer(extra, "nsfw_detection_level", 0) if extra.get("enable_nsfw_detection") else None,
    }


def _tagged(name: str, names: Names) -> str:
    """The LoRA of a tag. v3 has no place for a remark, so an unknown one is refused rather than left out in silence."""
    known = names.tagged_lora(name)
    if known is None:
        message = f"no LoRA has the name {show(name)} that a tag in the prompt gives it; GET /v3/model lists them"
        raise Refused(Fault.MODEL, "request.prompt", message)
    return known


def _hires(hires_fix: Fields) -> Hires | None:
    if "target_width" not in hires_fix:  # the nulls of a form that was left blank (O2)
        return None
    return Hires(
        width=int(hires_fix["target_width"]),
        height=int(hires_fix["target_height"]),
        strength=float(hires_fix["strength"]),
        upscaler=hires_fix.get("upscaler", _UPSCALER),
    )


def _refiner(refiner: Fields, names: Names) -> Refiner | None:
    """0 does not refine and 1 refines fully: the share of the steps that is left to the refiner."""
    share = number(refiner, "switch_at", 0.0)
    return Refiner(checkpoint=names.refiner(), switch_at=1 - share) if share else None


def _control(unit: Fields, field: str, names: Names, limits: PictureLimits) -> Control:
    return Control(
        model=names.of_a_list((Kind.CONTROLNET,), unit["model_name"]),
        file=read_picture(unit.get("image_base64", ""), f"{field}.image_base64", limits),
        weight=number(unit, "strength", 1.0),
        preprocessor=unit.get("preprocessor", "none"),
        start=number(unit, "guidance_start", 0.0),
        end=number(unit, "guidance_end", 1.0),
    )


def _picture_prompt(
    adapter: Fields, field: str, checkpoint: Model, names: Names, limits: PictureLimits
) -> PicturePrompt:
    name = adapter["model_name"]
    if not fits(checkpoint.family, _ADAPTER_FAMILIES[name]):
        message = f"{name} is for {_ADAPTER_FAMILIES[name]} checkpoints, {checkpoint.name} is {checkpoint.family}"
        raise Refused(Fault.RANGE, f"{field}.model_name", message)
    return PicturePrompt(
        model=names.of_a_list((Kind.IP_ADAPTER,), name),
        file=read_picture(adapter.get("image_base64", ""), f"{field}.image_base64", limits),
        strength=float(adapter["strength"]),
    )


def _accepted(job: Job, request: Fields, extra: Fields) -> Accepted:
    echo = {
        "model": request["model_name"],
        "prompts": [request["prompt"]],
        "negative_prompts": [request.get("negative_prompt", "")],
        "seeds": [job.seed],
        "height": job.height,
        "width": job.width,
        "guidance_scale": job.guidance,
        "num_images_per_prompt": job.count,
        "num_inference_steps": job.steps,
        "sampler_name": job.sampler,
    }
    if job.clip_skip is not None:
        echo["clip_skip"] = job.clip_skip
    return Accepted(job=job, delivery=_delivery(extra), echo=echo)


def _delivery(extra: Fields) -> Delivery:
    storage = extra.get("custom_storage", {}).get("aws_s3")
    return Delivery(
        webhook=_webhook(extra["webhook"]) if "webhook" in extra else None,
        bucket=_bucket(storage) if storage is not None else None,
        nsfw_detection=extra.get("enable_nsfw_detection", False),
    )


def _webhook(webhook: Fields) -> Webhook:
    url = webhook.get("url", "")
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:  # a port that is none, half an IPv6 address
        usable = False
    if not usable or re.search(r"[\s\x00-\x1f\x7f]", url):
        raise Refused(Fault.RANGE, "extra.webhook.url", "expected an absolute URL with http or https and a host")
    test = webhook.get("test_mode", {})
    return Webhook(url=url, test=Status(test["return_task_status"]) if test.get("enabled") else None)


def _bucket(storage: Fields) -> Bucket:
    path = storage.get("path", "")
    for name in ("region", "bucket"):
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", storage.get(name, "")):
            message = f"expected the name of a {name}: up to 63 letters, digits, dots and hyphens"
            raise Refused(Fault.RANGE, f"extra.custom_storage.aws_s3.{name}", message)
    if ".." in path.split("/") or re.search(r"[\x00-\x1f\x7f\\]", path) or len(path) > 512:
        message = "expected a prefix inside the bucket, without .. and control characters, at most 512 characters"
        raise Refused(Fault.STORAGE_PATH, "extra.custom_storage.aws_s3.path", message)
    return Bucket(
        region=storage["region"],
        bucket=storage["bucket"],
        path=path,
        directly=storage.get("save_to_path_directly", False),
    )
