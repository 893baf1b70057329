"""What of a request and of answers may be kept: an allow-list. Whatever is not named here never reaches a cassette."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from mockserver.core.recipe import Recipe
from mockserver.core.task import Delivery, Status
from mockserver.pictures import recipe_digest

MAX_TEXT = 4096
MAX_REASON = 200
PROMPTS = frozenset({"prompt", "negative_prompt"})
KEPT = frozenset(
    {
        # v3, request and extra
        "model_name", "prompt", "negative_prompt", "width", "height", "image_num", "steps", "seed", "guidance_scale",
        "sampler_name", "clip_skip", "sd_vae", "strength", "target_width", "target_height", "upscaler", "switch_at",
        "control_strength", "guidance_start", "guidance_end", "preprocessor", "response_image_type",
        "enable_nsfw_detection", "nsfw_detection_level",
        # v2
        "batch_size", "n_iter", "cfg_scale", "sampler", "sd_model", "restore_faces", "enable_hr", "hr_upscaler",
        "hr_scale", "hr_resize_x", "hr_resize_y", "img_expire_ttl", "denoising_strength", "resize_mode",
        "inpainting_fill", "inpaint_full_res", "inpaint_full_res_padding", "inpainting_mask_invert", "mask_blur",
        "initial_noise_multiplier", "weight", "model", "control_mode", "processor_res", "threshold_a", "threshold_b",
        "pixel_perfect",
    }
)  # fmt: skip
"""Names whose values are kept where they are plain; those of pictures are kept as digests."""
PICTURES = frozenset(
    {"image_base64", "mask_image_base64", "init_images", "mask", "input_image", "image_file", "mask_file", "image"}
)

V2_STATUS = {0: Status.QUEUED, 1: Status.PROCESSING, 2: Status.SUCCEED, 3: Status.FAILED, 4: Status.FAILED}


def match_of(operation_id: str, recipe: Recipe, delivery: Delivery) -> str:
    """What a submission comes to: the same for requests that ask for the same pictures in the same form."""
    form = f"{operation_id} {delivery.image_type.value} {delivery.nsfw} {delivery.nsfw_level} ".encode()
    return hashlib.blake2b(form + recipe_digest(recipe), digest_size=16).hexdigest()


def kept_request(body: Any, *, prompts: bool) -> dict[str, Any]:
    """What of a request is kept, by dotted path.

    Args:
        body: the request.
        prompts: whether prompts are; else only their length is.
    """
    return dict(_kept(body, "", prompts))


def _kept(value: Any, path: str, prompts: bool) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if isinstance(name, str) and name.isidentifier() and name.isascii() and name == name.lower():
                yield from _kept(inner, f"{path}.{name}" if path else name, prompts)
        return
    if isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _kept(inner, f"{path}.{index}", prompts)
        return
    name = next((step for step in reversed(path.split(".")) if not step.isdigit()), "")
    if name in PICTURES and isinstance(value, str):
        yield f"{path}.sha256", hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()
    elif name in PROMPTS and not prompts and isinstance(value, str):
        yield f"{path}.characters", len(value)
    elif name in KEPT and (not isinstance(value, str) or len(value) <= MAX_TEXT):  # whatever is no object or list
        yield path, value


def reason_of(text: Any) -> str:
    """A failure's reason, cut; it is checked by the audit as all text is."""
    return text[:MAX_REASON] if isinstance(text, str) else ""
