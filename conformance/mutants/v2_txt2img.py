"""The request of text to image on version 2: what is refused though it is right."""

from __future__ import annotations

from typing import Any

from conformance.bodies import TXT2IMG_V2
from conformance.mutants.making import ABSENT
from conformance.mutants.v2_making import V2, above, an_object, coded, faults, filled, known_v2_model, null, refuses
from conformance.mutants.values import Answer, Mutant, Request, State


def _refuses(name: str, number: str, text: str, field: str, good: Any, **more: Any) -> Mutant:
    return refuses(f"v2-txt2img-refuses-{name}", f"V2-TXT2IMG-{number}", text, TXT2IMG_V2, field, good, **more)


def _one_checkpoint(state: State, request: Request) -> Request | Answer:
    """The first checkpoint that a task was made with is the only one; refiners and units apart."""
    if request.operation != TXT2IMG_V2 or not isinstance(request.json, dict):
        return request
    only, name = known_v2_model(state), request.json.get("model_name")
    needs_another = any(request.json.get(field) for field in ("sd_refiner", "controlnet_units"))
    return coded(2, "no such model") if only and filled(name) and name != only and not needs_another else request


def _loras(*ops: str) -> Any:
    def request(state: State, request: Request) -> Request | Answer:
        prompt = request.json.get("prompt") if isinstance(request.json, dict) else None
        seen = isinstance(prompt, str) and "<lora:" in prompt
        return coded(2) if request.operation in ops and seen else request

    return request


_ENDS = ("V2-TXT2IMG-009",)
"""The ends of ranges inside what is refused as a whole."""

MUTANTS = (
    _refuses("short-bodies", "001", "A body without clip_skip is refused.", "clip_skip", ABSENT),
    _refuses("null-restorer", "001", "restore_faces_model of null is refused.", "restore_faces_model", None),
    _refuses("clip-skip", "002", "clip_skip is refused.", "clip_skip", lambda old: type(old) is int),
    _refuses("refiners", "002", "sd_refiner is refused.", "sd_refiner", an_object, also=_ENDS),
    _refuses("null-refiner", "002", "sd_refiner of null is refused.", "sd_refiner", None),
    _refuses("null-vae", "002", "sd_vae of null is refused.", "sd_vae", None),
    _refuses("null-units", "002", "controlnet_units of null is refused.", "controlnet_units", None),
    _refuses("null-hr", "002", "enable_hr of null is refused.", "enable_hr", None),
    _refuses("null-upscaler", "002", "hr_upscaler of null is refused.", "hr_upscaler", None),
    _refuses("null-hr-scale", "002", "hr_scale of null is refused.", "hr_scale", None),
    _refuses("null-hr-width", "002", "hr_resize_x of null is refused.", "hr_resize_x", None),
    _refuses("null-ttl", "002", "img_expire_ttl of null is refused.", "img_expire_ttl", None),
    _refuses("hr", "002", "enable_hr of true is refused.", "enable_hr", True, also=_ENDS),
    faults(
        "v2-without-seed-is-a-fault",
        "V2-TXT2IMG-004",
        "Without seed: the server breaks.",
        TXT2IMG_V2,
        lambda body: "seed" not in body,
    ),
    faults(
        "v2-without-restorer-is-a-fault",
        "V2-TXT2IMG-004",
        "Without restore_faces_model: the server breaks.",
        TXT2IMG_V2,
        lambda body: "restore_faces_model" not in body,
    ),
    faults(
        "v2-null-negative-is-a-fault",
        "V2-TXT2IMG-007",
        "negative_prompt of null: the server breaks.",
        TXT2IMG_V2,
        null("negative_prompt"),
    ),
    faults(
        "v2-null-clip-skip-is-a-fault",
        "V2-TXT2IMG-007",
        "clip_skip of null: the server breaks.",
        TXT2IMG_V2,
        null("clip_skip"),
    ),
    faults(
        "v2-null-switch-is-a-fault",
        "V2-TXT2IMG-007",
        "switch_at of null: the server breaks.",
        TXT2IMG_V2,
        lambda body: an_object(body.get("sd_refiner")) and body["sd_refiner"].get("switch_at", 0) is None,
    ),
    faults(
        "v2-gfpgan-is-a-fault",
        "V2-TXT2IMG-008",
        "The restorer GFPGAN: the server breaks.",
        TXT2IMG_V2,
        lambda body: body.get("restore_faces_model") == "GFPGAN",
    ),
    faults(
        "v2-no-restorer-is-a-fault",
        "V2-TXT2IMG-008",
        "An empty restore_faces_model: the server breaks.",
        TXT2IMG_V2,
        lambda body: body.get("restore_faces_model") == "",
    ),
    _refuses("50-steps", "009", "50 steps are refused.", "steps", 50),
    _refuses("1-step", "009", "One step is refused.", "steps", 1),
    _refuses("cfg-30", "009", "A cfg_scale of 30 is refused.", "cfg_scale", 30),
    _refuses("width-2048", "009", "A width of 2048 is refused.", "width", 2048),
    _refuses("height-2048", "009", "A height of 2048 is refused.", "height", 2048),
    _refuses("batch-of-8", "009", "A batch_size of 8 is refused.", "batch_size", 8),
    _refuses("8-runs", "009", "An n_iter of 8 is refused.", "n_iter", 8),
    _refuses("hr-width-2048", "009", "hr_resize_x of 2048 is refused.", "hr_resize_x", 2048),
    _refuses("ttl-0", "009", "img_expire_ttl of 0 is refused.", "img_expire_ttl", 0),
    _refuses("ttl-of-a-week", "009", "img_expire_ttl of 604800 is refused.", "img_expire_ttl", above(604799)),
    _refuses("switch-at-0", "009", "switch_at of 0 is refused.", "sd_refiner.switch_at", lambda old: old == 0),
    _refuses("switch-at-1", "009", "switch_at of 1 is refused.", "sd_refiner.switch_at", lambda old: old == 1),
    _refuses("restart", "012", "The sampler Restart is missing.", "sampler_name", "Restart"),
    _refuses("plms", "012", "The sampler PLMS is missing.", "sampler_name", "PLMS"),
    _refuses(
        "exponential",
        "012",
        "DPM++ 2M SDE Heun Exponential is missing.",
        "sampler_name",
        "DPM++ 2M SDE Heun Exponential",
    ),
    Mutant(
        name="v2-txt2img-has-one-checkpoint",
        breaks="V2-TXT2IMG-015",
        text="The first checkpoint that was asked for is the only one.",
        request=_one_checkpoint,
    ),
    _refuses("vaes", "015", "No VAE is known.", "sd_vae", filled, also=("V2-TXT2IMG-002",)),
    Mutant(
        name="v2-loras-refused", breaks="V2-TXT2IMG-016", text="A LoRA in a prompt is refused.", request=_loras(*V2)
    ),
    Mutant(
        name="v2-txt2img-loras-refused",
        breaks="V2-TXT2IMG-016",
        text="Text to image refuses a LoRA in a prompt.",
        request=_loras(TXT2IMG_V2),
    ),
)
