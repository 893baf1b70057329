"""The request of image to image on version 2: what is refused though right, what is taken though wrong."""

from __future__ import annotations

from typing import Any

from conformance.bodies import IMG2IMG_V2, picture
from conformance.mutants.making import ABSENT, accepts
from conformance.mutants.v2_making import (
    a_list,
    above,
    an_object,
    below,
    broken,
    coded,
    data_uri,
    faults,
    filled,
    found_in,
    known_v2_model,
    lacks,
    no_picture,
    null,
    number,
    refuses,
    takes_model,
    text,
)
from conformance.mutants.values import Answer, Mutant, Request, State
from conformance.predicates import type_name
from conformance.wire import MISSING

REFINER = {"checkpoint": "sd_xl_refiner_1.0.safetensors", "switch_at": 0.5}


def _refuses(name: str, number: str, text: str, field: str, good: Any, **more: Any) -> Mutant:
    return refuses(f"v2-img2img-refuses-{name}", f"V2-IMG2IMG-{number}", text, IMG2IMG_V2, field, good, **more)


def _accepts(name: str, number: str, text: str, field: str, bad: Any, good: Any, **more: Any) -> Mutant:
    full = f"v2-img2img-takes-{name}"
    return accepts(full, f"V2-IMG2IMG-{number}", text, IMG2IMG_V2, field, bad, good, **more)


def _optional(field: str, good: Any) -> Mutant:
    text = f"Without {field} a default of the server's own is taken."
    return _accepts(f"no-{field.replace('_', '-')}", "003", text, field, ABSENT, good)


def _typed(name: str, text: str, field: str, bad: Any, good: Any) -> Mutant:
    return _accepts(name, "005", text, field, bad, good)


def _faults(name: str, number: str, text: str, wanted: Any) -> Mutant:
    return faults(f"v2-img2img-{name}-is-a-fault", f"V2-IMG2IMG-{number}", text, IMG2IMG_V2, wanted)


def _integer(value: Any) -> bool:
    return type_name(value) == "integer"


def _one_checkpoint(state: State, request: Request) -> Request | Answer:
    """The first checkpoint that a task was made with is the only one; refiners and units apart."""
    if request.operation != IMG2IMG_V2 or not isinstance(request.json, dict):
        return request
    only, name = known_v2_model(state), request.json.get("model_name")
    needs_another = any(request.json.get(field) for field in ("sd_refiner", "controlnet_units"))
    return coded(2, "no such model") if only and filled(name) and name != only and not needs_another else request


def _other_case(name: Any) -> bool:
    return isinstance(name, str) and name not in ("Euler a", "DDIM") and name.lower() in ("euler a", "ddim")


MUTANTS = (
    _refuses("short-bodies", "001", "A body without denoising_strength is refused.", "denoising_strength", ABSENT),
    _refuses("seedless-bodies", "001", "A body without seed is refused.", "seed", ABSENT),
    _refuses("null-prompt", "002", "A prompt of null is refused.", "prompt", None),
    _refuses("null-steps", "002", "steps of null are refused.", "steps", None),
    _refuses("null-sampler", "002", "A sampler of null is refused.", "sampler_name", None),
    _refuses("null-seed", "002", "A seed of null is refused.", "seed", None),
    _refuses("null-denoising", "002", "denoising_strength of null is refused.", "denoising_strength", None),
    _refuses("null-resize-mode", "002", "resize_mode of null is refused.", "resize_mode", None),
    _refuses("null-units", "002", "controlnet_units of null is refused.", "controlnet_units", None),
    _refuses("masks", "002", "A mask is refused.", "mask", filled, also=("V2-IMG2IMG-010",)),
    _refuses("image-cfg", "002", "image_cfg_scale is refused.", "image_cfg_scale", _integer),
    _refuses("noise", "002", "initial_noise_multiplier is refused.", "initial_noise_multiplier", number),
    _refuses("refiners", "002", "sd_refiner is refused.", "sd_refiner", an_object, also=("V2-IMG2IMG-009",)),
    _refuses(
        "ttl", "002", "img_expire_ttl is refused.", "img_expire_ttl", lambda old: _integer(old) and 1000 < old < 604800
    ),
    _optional("prompt", "a field"),
    _optional("sampler_name", "Euler a"),
    _optional("width", 512),
    _optional("height", 512),
    _optional("steps", 20),
    _optional("cfg_scale", 7),
    _optional("batch_size", 1),
    _accepts("no-source", "003", "Without init_images a grey field is the source.", "init_images", ABSENT, [picture()]),
    takes_model(
        "v2-img2img-takes-no-model-name",
        "V2-IMG2IMG-003",
        "Without model_name a checkpoint of the server's choice is taken.",
        IMG2IMG_V2,
        lambda name: name is MISSING,
    ),
    _faults("short", "004", "Without n_iter: the server breaks.", lacks("n_iter")),
    _typed("steps-in-quotes", "Digits in quotes count as steps.", "steps", text, 4),
    _typed("half-width", "Half a pixel is left out.", "width", broken, 128),
    _typed("height-in-quotes", "Digits in quotes count as a height.", "height", text, 128),
    _typed("true-as-batch", "true counts as a batch_size.", "batch_size", True, 1),
    _typed("half-runs", "n_iter may be broken.", "n_iter", broken, 1),
    _typed("seed-in-quotes", "Digits in quotes count as a seed.", "seed", text, 7),
    _typed("cfg-in-quotes", "cfg_scale may be text.", "cfg_scale", text, 7),
    _typed("number-as-prompt", "A prompt may be a number.", "prompt", number, "a field"),
    _typed("number-as-negative", "A negative_prompt may be a number.", "negative_prompt", number, "blurry"),
    _typed("number-as-sampler", "A sampler may be a number.", "sampler_name", number, "Euler a"),
    _typed("source-as-text", "One source may stand without its list.", "init_images", text, [picture()]),
    _typed("number-as-source", "A source may be a number.", "init_images[]", number, picture()),
    _typed("source-in-an-object", "A source may be an object.", "init_images[]", an_object, picture()),
    _typed("denoising-in-quotes", "denoising_strength may be text.", "denoising_strength", text, 0.5),
    _typed("one-for-true", "restore_faces may be 1.", "restore_faces", number, True),
    _typed("number-as-vae", "sd_vae may be a number.", "sd_vae", number, None),
    _typed("half-clip-skip", "clip_skip may be broken.", "clip_skip", broken, 2),
    _typed("number-as-mask", "A mask may be a number.", "mask", number, ABSENT),
    _typed("list-as-mask", "A mask may be a list.", "mask", a_list, ABSENT),
    _typed("blur-in-quotes", "mask_blur may be text.", "mask_blur", filled, 4),
    _typed("half-blur", "mask_blur may be broken.", "mask_blur", broken, 4),
    _typed("resize-mode-in-quotes", "resize_mode may be text.", "resize_mode", text, 1),
    _typed("half-image-cfg", "image_cfg_scale may be broken.", "image_cfg_scale", broken, 2),
    _typed("fill-in-quotes", "inpainting_fill may be text.", "inpainting_fill", text, 1),
    _typed("true-as-full-res", "inpaint_full_res may be true.", "inpaint_full_res", lambda old: old is True, 1),
    _typed("padding-in-quotes", "inpaint_full_res_padding may be text.", "inpaint_full_res_padding", text, 32),
    _typed(
        "true-as-invert", "inpainting_mask_invert may be true.", "inpainting_mask_invert", lambda old: old is True, 1
    ),
    _typed("noise-in-quotes", "Noise may be text.", "initial_noise_multiplier", filled, 1),
    _typed("ttl-in-quotes", "img_expire_ttl may be text.", "img_expire_ttl", filled, 3600),
    _typed("list-as-refiner", "sd_refiner may be a list.", "sd_refiner", a_list, ABSENT),
    _typed("switch-in-quotes", "switch_at may be text.", "sd_refiner.switch_at", text, 0.5),
    _faults("null-mask", "006", "A mask of null: the server breaks.", null("mask")),
    _faults("null-blur", "006", "mask_blur of null: the server breaks.", null("mask_blur")),
    _faults(
        "empty-ttl", "006", "An empty img_expire_ttl: the server breaks.", lambda body: body.get("img_expire_ttl") == ""
    ),
    _faults("null-invert", "007", "inpainting_mask_invert of null: the server breaks.", null("inpainting_mask_invert")),
    _faults("null-refiner", "007", "sd_refiner of null: the server breaks.", null("sd_refiner")),
    _faults(
        "null-switch",
        "007",
        "switch_at of null: the server breaks.",
        found_in("sd_refiner.switch_at", lambda old: old is None),
    ),
    _accepts("batch-of-9", "008", "A batch_size above 8 is lowered.", "batch_size", above(8), 8),
    _accepts("runs-below-0", "008", "An n_iter below 0 is taken.", "n_iter", below(0), 1),
    _accepts("9-runs", "008", "An n_iter above 8 is lowered.", "n_iter", above(8), 8),
    _accepts("51-steps", "008", "More than 50 steps become 50.", "steps", above(50), 50),
    _accepts("zero-steps", "008", "No steps become one.", "steps", 0, 1),
    _accepts("cfg-0", "008", "A cfg_scale of 0 is raised.", "cfg_scale", lambda old: number(old) and old == 0, 1),
    _accepts("cfg-31", "008", "A cfg_scale above 30 is lowered.", "cfg_scale", above(30), 30),
    _accepts("width-2049", "008", "A width above 2048 is lowered.", "width", above(2048), 2048),
    _accepts("height-0", "008", "A height of 0 is that of the source.", "height", 0, 64),
    _accepts("strong-denoising", "008", "A strength above 1 is lowered.", "denoising_strength", above(1), 1),
    _accepts("denoising-below-0", "008", "A strength below 0 is raised.", "denoising_strength", below(0), 0),
    _accepts("ttl-of-8-days", "008", "img_expire_ttl may be longer.", "img_expire_ttl", above(604800), 604800),
    _accepts("ttl-below-0", "008", "img_expire_ttl below 0 is taken.", "img_expire_ttl", below(0), 0),
    _refuses("cfg-7.5", "009", "A cfg_scale of 7.5 is refused.", "cfg_scale", broken),
    _refuses("cfg-30", "009", "A cfg_scale of 30 is refused.", "cfg_scale", lambda old: number(old) and old == 30),
    _refuses(
        "denoising-0", "009", "A strength of 0 is refused.", "denoising_strength", lambda old: number(old) and old == 0
    ),
    _refuses(
        "denoising-1", "009", "A strength of 1 is refused.", "denoising_strength", lambda old: number(old) and old == 1
    ),
    _refuses("50-steps", "009", "50 steps are refused.", "steps", 50),
    _refuses("height-2048", "009", "A height of 2048 is refused.", "height", 2048),
    _refuses("batch-of-8", "009", "A batch_size of 8 is refused.", "batch_size", 8),
    _refuses("ttl-0", "009", "img_expire_ttl of 0 is refused.", "img_expire_ttl", 0),
    _refuses("ttl-of-a-week", "009", "img_expire_ttl of 604800 is refused.", "img_expire_ttl", 604800),
    _refuses("resize-mode-3", "010", "resize_mode 3 is refused.", "resize_mode", 3),
    _refuses("resize-mode-0", "010", "resize_mode 0 is refused.", "resize_mode", 0),
    _refuses("fill-3", "010", "inpainting_fill 3 is refused.", "inpainting_fill", 3),
    _refuses("full-res-1", "010", "inpaint_full_res 1 is refused.", "inpaint_full_res", 1, also=("V2-IMG2IMG-002",)),
    _refuses("invert-0", "010", "inpainting_mask_invert 0 is refused.", "inpainting_mask_invert", 0),
    _accepts("resize-mode-4", "011", "resize_mode above 3 is taken.", "resize_mode", above(3), 0),
    _accepts("resize-mode-below-0", "011", "resize_mode below 0 is taken.", "resize_mode", below(0), 0),
    _accepts("fill-4", "011", "inpainting_fill above 3 is taken.", "inpainting_fill", above(3), 0),
    _accepts("full-res-2", "011", "inpaint_full_res above 1 is taken.", "inpaint_full_res", above(1), 1),
    _accepts("invert-2", "011", "inpainting_mask_invert above 1 is 1.", "inpainting_mask_invert", above(1), 1),
    _accepts(
        "any-sampler",
        "011",
        "Any sampler is taken as Euler a.",
        "sampler_name",
        filled,
        "Euler a",
        also=("V2-CODE-006",),
    ),
    _accepts("samplers-in-any-case", "011", "Samplers are read in any case.", "sampler_name", _other_case, "Euler a"),
    _accepts("any-text-as-source", "012", "Text that is no picture is taken.", "init_images[]", no_picture, picture()),
    _accepts("any-text-as-mask", "012", "A mask may be no picture.", "mask", no_picture, picture()),
    _faults("data-uri", "013", "A data URI as source: the server breaks.", found_in("init_images[]", data_uri)),
    _faults("data-uri-mask", "013", "A data URI as mask: the server breaks.", found_in("mask", data_uri)),
    Mutant(
        name="v2-img2img-has-one-checkpoint",
        breaks="V2-IMG2IMG-014",
        text="The first checkpoint that a task was made with is the only one.",
        request=_one_checkpoint,
    ),
    _refuses("vaes", "014", "No VAE is known.", "sd_vae", filled, also=("V2-IMG2IMG-002",)),
    takes_model(
        "v2-img2img-takes-any-model",
        "V2-IMG2IMG-014",
        "A checkpoint that no model has is replaced.",
        IMG2IMG_V2,
        filled,
    ),
    _accepts(
        "no-sources",
        "019",
        "An empty init_images is a grey field.",
        "init_images",
        lambda old: old == [],
        [picture()],
    ),
)
