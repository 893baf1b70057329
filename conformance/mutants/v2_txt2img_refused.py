"""The request of text to image on version 2: what is taken though it is wrong."""

from __future__ import annotations

from typing import Any

from conformance.bodies import IMG2IMG_V2, TXT2IMG_V2
from conformance.mutants.making import ABSENT, accepts
from conformance.mutants.v2_making import (
    V2,
    a_list,
    above,
    below,
    broken,
    filled,
    number,
    takes_model,
    text,
)
from conformance.mutants.values import Mutant
from conformance.wire import MISSING

REFINER = "sd_xl_refiner_1.0.safetensors"


def _accepts(
    name: str, number: str, text: str, field: str, bad: Any, good: Any, ops: Any = TXT2IMG_V2, **more: Any
) -> Mutant:
    return accepts(f"v2-txt2img-takes-{name}", f"V2-TXT2IMG-{number}", text, ops, field, bad, good, **more)


def _optional(field: str, good: Any) -> Mutant:
    text = f"Without {field} a default of the server's own is taken."
    return _accepts(f"no-{field.replace('_', '-')}", "003", text, field, ABSENT, good)


def _typed(name: str, text: str, field: str, bad: Any, good: Any) -> Mutant:
    return _accepts(name, "005", text, field, bad, good)


def _wrong_sampler(name: Any) -> bool:
    return text(name) and name not in ("Euler a", "Euler") and name.strip().lower() in ("euler a", "euler")


MUTANTS = (
    _optional("prompt", "a field"),
    _optional("sampler_name", "Euler a"),
    _optional("width", 512),
    _optional("height", 512),
    _optional("steps", 20),
    _optional("cfg_scale", 7),
    _optional("batch_size", 1),
    takes_model(
        "v2-txt2img-takes-no-model-name",
        "V2-TXT2IMG-003",
        "Without model_name a checkpoint of the server's choice is taken.",
        TXT2IMG_V2,
        lambda name: name is MISSING,
    ),
    takes_model(
        "v2-txt2img-takes-null-model-name",
        "V2-TXT2IMG-005",
        "A model_name of null is a checkpoint of the server's choice.",
        TXT2IMG_V2,
        lambda name: name is None,
    ),
    _typed("steps-in-quotes", "Digits in quotes count as steps.", "steps", text, 4),
    _typed("half-steps", "4.5 steps are 4.", "steps", broken, 4),
    _typed("width-in-quotes", "Digits in quotes count as a width.", "width", text, 128),
    _typed("half-height", "Half a pixel is left out.", "height", broken, 128),
    _typed("true-as-batch", "true counts as a batch_size.", "batch_size", True, 1),
    _typed("runs-in-quotes", "Digits in quotes count as n_iter.", "n_iter", text, 1),
    _typed("seed-in-quotes", "Digits in quotes count as a seed.", "seed", text, 7),
    _typed("half-seed", "A seed may be broken.", "seed", broken, 7),
    _typed("number-as-prompt", "A prompt may be a number.", "prompt", number, "a field"),
    _typed("list-as-prompt", "A prompt may be a list.", "prompt", a_list, "a field"),
    _typed("number-as-negative", "A negative_prompt may be a number.", "negative_prompt", number, "blurry"),
    _typed("one-for-true", "restore_faces may be 1.", "restore_faces", number, True),
    _typed("text-for-true", "enable_hr may be text.", "enable_hr", text, False),
    _typed("number-as-restorer", "restore_faces_model may be a number.", "restore_faces_model", number, None),
    _typed("number-as-vae", "sd_vae may be a number.", "sd_vae", number, None),
    _typed("clip-skip-in-quotes", "clip_skip may be text.", "clip_skip", text, 2),
    _typed("half-clip-skip", "clip_skip may be broken.", "clip_skip", broken, 2),
    _typed("number-as-upscaler", "hr_upscaler may be a number.", "hr_upscaler", number, None),
    _typed("hr-scale-in-quotes", "hr_scale may be text.", "hr_scale", text, 2),
    _typed("hr-width-in-quotes", "hr_resize_x may be text.", "hr_resize_x", text, 256),
    _typed("half-hr-height", "hr_resize_y may be broken.", "hr_resize_y", broken, 256),
    _typed("ttl-in-quotes", "img_expire_ttl may be text.", "img_expire_ttl", text, 3600),
    _typed("list-as-refiner", "sd_refiner may be a list.", "sd_refiner", a_list, None),
    _typed("text-as-refiner", "sd_refiner may be text.", "sd_refiner", text, None),
    _typed("number-as-refiner-checkpoint", "A refiner may be a number.", "sd_refiner.checkpoint", number, REFINER),
    _typed("switch-in-quotes", "switch_at may be text.", "sd_refiner.switch_at", text, 0.5),
    _typed("number-as-sampler", "A sampler may be a number.", "sampler_name", number, "Euler a"),
    _typed("null-prompt", "A prompt of null is taken.", "prompt", None, "a field"),
    _typed("null-sampler", "A sampler of null is taken.", "sampler_name", None, "Euler a"),
    _typed("null-batch", "batch_size of null is 1.", "batch_size", None, 1),
    _typed("null-steps", "steps of null are 20.", "steps", None, 20),
    _typed("null-cfg", "cfg_scale of null is 7.", "cfg_scale", None, 7),
    _typed("null-width", "A width of null is 512.", "width", None, 512),
    _typed("null-height", "A height of null is 512.", "height", None, 512),
    _accepts("cfg-in-quotes", "006", "cfg_scale may be text.", "cfg_scale", text, 7, also=("V2-TXT2IMG-005",)),
    _accepts("true-cfg", "006", "cfg_scale may be true.", "cfg_scale", True, 7, also=("V2-TXT2IMG-005",)),
    _accepts("cfg-list", "006", "cfg_scale may be a list.", "cfg_scale", a_list, 7, also=("V2-TXT2IMG-005",)),
    _accepts("batch-of-9", "010", "A batch_size above 8 is lowered.", "batch_size", above(8), 8),
    _accepts("9-runs", "010", "An n_iter above 8 is lowered.", "n_iter", above(8), 8),
    _accepts("batch-below-0", "010", "A batch_size below 0 is 0.", "batch_size", below(0), 0),
    _accepts("runs-below-0", "010", "An n_iter below 0 is taken.", "n_iter", below(0), 1),
    _accepts("51-steps", "011", "More than 50 steps become 50.", "steps", above(50), 50),
    _accepts("zero-steps", "011", "No steps become one.", "steps", 0, 1),
    _accepts("steps-below-0", "011", "Steps below 0 become one.", "steps", below(0), 1),
    _accepts("cfg-31", "011", "A cfg_scale above 30 is lowered.", "cfg_scale", above(30), 30),
    _accepts("cfg-0", "011", "A cfg_scale of 0 is raised.", "cfg_scale", lambda old: number(old) and old == 0, 1),
    _accepts("width-2049", "011", "A width above 2048 is lowered.", "width", above(2048), 2048),
    _accepts("width-0", "011", "A width of 0 is 512.", "width", 0, 512),
    _accepts("height-2049", "011", "A height above 2048 is lowered.", "height", above(2048), 2048),
    _accepts("height-0", "011", "A height of 0 is 512.", "height", 0, 512),
    _accepts("hr-width-2049", "011", "hr_resize_x above 2048 is lowered.", "hr_resize_x", above(2048), 2048),
    _accepts("hr-height-2049", "011", "hr_resize_y above 2048 is lowered.", "hr_resize_y", above(2048), 2048),
    _accepts("ttl-below-0", "011", "img_expire_ttl below 0 is taken.", "img_expire_ttl", below(0), 0),
    _accepts("ttl-of-8-days", "011", "img_expire_ttl may be longer.", "img_expire_ttl", above(604800), 604800),
    _accepts("samplers-in-any-case", "013", "Samplers are read in any case.", "sampler_name", _wrong_sampler, "Euler"),
    _accepts(
        "any-sampler",
        "013",
        "Any sampler is taken as Euler a.",
        "sampler_name",
        filled,
        "Euler a",
        also=("V2-CODE-006",),
    ),
    _accepts("any-upscaler", "014", "Any hr_upscaler is taken.", "hr_upscaler", filled, "Latent"),
    _accepts("hr-scale-3", "014", "hr_scale may be above 2.", "hr_scale", above(2), 2),
    _accepts("hr-scale-half", "014", "hr_scale may be 1.5.", "hr_scale", broken, 1),
    _accepts("refiner-without-switch", "014", "switch_at may lack.", "sd_refiner.switch_at", ABSENT, 0.5, V2),
    _accepts(
        "refiner-without-checkpoint",
        "014",
        "checkpoint may lack.",
        "sd_refiner.checkpoint",
        ABSENT,
        REFINER,
        IMG2IMG_V2,
    ),
    _accepts("any-refiner", "014", "Any refiner is taken.", "sd_refiner.checkpoint", filled, REFINER),
    _accepts("late-switch", "014", "switch_at above 1 is lowered.", "sd_refiner.switch_at", above(1), 1, IMG2IMG_V2),
    _accepts("early-switch", "014", "switch_at below 0 is raised.", "sd_refiner.switch_at", below(0), 0),
    takes_model(
        "v2-txt2img-takes-any-model",
        "V2-TXT2IMG-015",
        "A checkpoint that no model has is replaced.",
        TXT2IMG_V2,
        filled,
    ),
)
