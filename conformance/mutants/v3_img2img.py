"""The request of image to image on v3: what is taken though it is wrong."""

from __future__ import annotations

from typing import Any

from conformance.bodies import IMG2IMG
from conformance.mutants.making import (
    ABSENT,
    accepts,
    breaks_on,
    known_model,
    learn_model,
    made_up_acceptance,
    rewrites,
    takes,
)
from conformance.mutants.values import Answer, Mutant, Request, State
from conformance.mutants.wanted import (
    MEGABYTE,
    MOST_PIXELS,
    a_picture,
    above,
    array,
    below,
    between,
    data_uri,
    depicts,
    entries,
    filled,
    first,
    fraction,
    longer,
    mapping,
    no_base64,
    no_picture,
    number,
    pixels,
    text,
)
from conformance.wire import MISSING

BASE64 = 4 / 3


def _accepts(name: str, number: str, words: str, field: str, bad: Any, good: Any, **more: Any) -> Mutant:
    return accepts(f"i2i-{name}", f"V3-IMG2IMG-{number}", words, IMG2IMG, f"request.{field}", bad, good, **more)


def _optional(field: str, good: Any) -> Mutant:
    name = f"needs-no-{field.replace('_', '-')}"
    return _accepts(name, "003", f"Without {field} a default of the server's own is taken.", field, ABSENT, good)


def _faults(name: str, number: str, words: str, field: str, bad: Any) -> Mutant:
    return breaks_on(f"i2i-{name}-is-a-fault", f"V3-IMG2IMG-{number}", words, IMG2IMG, f"request.{field}", bad)


def _inner(body: Any) -> dict[str, Any]:
    held = body.get("request") if isinstance(body, dict) else None
    return held if isinstance(held, dict) else {}


def _without_picture(body: Any) -> None:
    inner = _inner(body)
    if inner and "image_base64" not in inner and "image_assets_id" not in inner:
        inner["image_base64"] = a_picture()


def _assets(body: Any) -> None:
    inner = _inner(body)
    if inner.pop("image_assets_id", None) is not None:
        inner.setdefault("image_base64", a_picture())


def _another_model(state: State, body: Any) -> Any:
    inner, good = _inner(body), known_model(state, IMG2IMG)
    if not filled(inner.get("model_name")) or not good or inner["model_name"] == good:
        return False
    if "ip_adapters" in inner or "controlnet" in inner:  # refused perhaps because they do not fit the checkpoint
        return False
    inner["model_name"] = good
    return None


def _a_model(state: State, body: Any) -> Any:
    inner, good = _inner(body), known_model(state, IMG2IMG)
    if not inner or not good or "model_name" in inner:
        return False
    inner["model_name"] = good
    return None


async def _odd_status(state: State, request: Request, answer: Answer) -> Answer:
    """Status 422 where only the name of the checkpoint was in the way."""
    if request.operation != IMG2IMG or answer.status not in (400, 404) or request.json is MISSING:
        return answer
    await learn_model(state, request)
    body = request.fresh()
    if _another_model(state, body) is False or (await state.upstream(request.with_json(body))).task_id is None:
        return answer
    return answer.with_status(422)


def _large_files(name: str, words: str, most: float) -> Mutant:
    """Takes files up to another limit; 20 kB are allowed for what stands around the picture."""

    def request(state: State, request: Request) -> Request | Answer:
        low, high = 10 * MEGABYTE * BASE64, most * BASE64 + 20_000
        return made_up_acceptance(state) if request.operation == IMG2IMG and low < request.length <= high else request

    return Mutant(name=name, breaks="V3-IMG2IMG-017", text=words, request=request, ops=(IMG2IMG,))


_IN_ANY_CASE = {"eulera": "Euler a", "euler": "Euler", "ddim": "DDIM", "unipc": "UniPC"}


def _bare(name: str) -> str:
    return name.lower().replace(" ", "").replace("_", "")


MUTANTS = (
    _optional("prompt", "a field"),
    _optional("width", 512),
    _optional("height", 512),
    _optional("image_num", 1),
    _optional("steps", 20),
    _optional("guidance_scale", 7.5),
    _optional("sampler_name", "Euler a"),
    takes("i2i-needs-no-model-name", "V3-IMG2IMG-003", "Without model_name any model is taken.", IMG2IMG, _a_model),
    rewrites("i2i-needs-no-picture", "V3-IMG2IMG-003", "A source picture is optional.", IMG2IMG, _without_picture),
    _accepts("null-picture", "003", "A source picture of null is taken.", "image_base64", None, a_picture),
    _accepts("pictures-in-a-list", "003", "A list of pictures is taken.", "image_base64", array, a_picture),
    _accepts("null-sampler", "003", "A sampler of null is taken.", "sampler_name", None, "Euler a"),
    _accepts("width-in-quotes", "003", "A width in quotes is taken.", "width", text, 128),
    _accepts("half-steps", "003", "Half a step is rounded.", "steps", fraction, 4),
    _accepts("number-as-prompt", "003", "A number counts as a prompt.", "prompt", number, str),
    _accepts("true-pictures", "003", "true counts as one picture.", "image_num", True, 1),
    _accepts("number-as-negative", "004", "A number is a negative_prompt.", "negative_prompt", number, str),
    _accepts("number-as-vae", "004", "A number counts as a VAE.", "sd_vae", number, ABSENT),
    _accepts("seed-in-quotes", "004", "Text counts as a seed.", "seed", text, 7),
    _accepts("half-clip-skip", "004", "A clip_skip of 1.5 is rounded.", "clip_skip", fraction, 1),
    _accepts("strength-in-quotes", "004", "Text counts as strength.", "strength", text, 0.5),
    _accepts("strength-of-true", "004", "true counts as strength.", "strength", True, 1),
    _accepts("loras-in-an-object", "004", "loras may be an object.", "loras", mapping, ABSENT),
    _accepts(
        "words-as-embeddings",
        "004",
        "An embedding may be a mere string.",
        "embeddings",
        lambda old: array(old) and any(map(text, old)),
        ABSENT,
    ),
    _accepts("lora-strength-in-quotes", "004", "Text is a LoRA's strength.", "loras[].strength", text, 0.5),
    _accepts(
        "sampler-in-any-case",
        "007",
        "A sampler in other letters is taken.",
        "sampler_name",
        lambda name: text(name) and name not in _IN_ANY_CASE.values() and _bare(name) in _IN_ANY_CASE,
        lambda name: _IN_ANY_CASE[_bare(name)],
    ),
    _accepts("any-sampler", "007", "A sampler that nobody knows is taken.", "sampler_name", text, "Euler a"),
    _accepts("empty-prompt", "008", "An empty prompt is taken.", "prompt", "", "a field"),
    _accepts("long-prompts", "008", "A prompt is cut after 1024.", "prompt", longer(1024), first(1024)),
    _accepts("long-negatives", "008", "negative_prompt is cut.", "negative_prompt", longer(1024), first(1024)),
    _accepts("width-127", "009", "A width just below 128 is raised.", "width", between(100, 128), 128),
    _accepts("height-2049", "009", "A height above 2048 is lowered.", "height", above(2048), 2048),
    _accepts("width-to-4096", "009", "A width up to 4096 is taken.", "width", above(2048), 1024),
    _accepts("nine-pictures", "010", "Nine pictures become eight.", "image_num", above(8), 8),
    _accepts("no-picture-at-all", "010", "An image_num of 0 is 1.", "image_num", 0, 1),
    _accepts("steps-101", "010", "101 steps become 100.", "steps", above(100), 100),
    _accepts("guidance-above-30", "010", "guidance_scale is lowered.", "guidance_scale", above(30), 30),
    _accepts("guidance-below-1", "010", "guidance_scale is raised.", "guidance_scale", below(1), 1),
    _accepts("any-negative-seed", "010", "Any negative seed means -1.", "seed", below(-1), -1),
    _accepts("strength-above-1", "010", "A strength above 1 is 1.", "strength", above(1), 1),
    _accepts("strength-below-0", "010", "A strength below 0 is 0.", "strength", below(0), 0),
    _accepts("strong-loras", "010", "A LoRA stronger than 1 is taken.", "loras[].strength", above(1), 1),
    _accepts("clip-skip-13", "010", "A clip_skip above 12 is 12.", "clip_skip", above(12), 12),
    _accepts("clip-skip-below-0", "010", "A clip_skip below 0 is left out.", "clip_skip", below(0), ABSENT),
    _accepts("six-loras", "011", "The sixth LoRA is left out.", "loras", entries(6), first(5)),
    _accepts("six-embeddings", "011", "The sixth embedding is left out.", "embeddings", entries(6), first(5)),
    _accepts("loras-without-strength", "011", "A LoRA's strength is optional.", "loras[].strength", ABSENT, 1),
    _accepts(
        "embeddings-without-name",
        "011",
        "An embedding without name is left out.",
        "embeddings",
        lambda old: array(old) and {} in old,
        ABSENT,
    ),
    _faults("empty-negative", "012", "An empty negative_prompt is a fault.", "negative_prompt", ""),
    _faults("clip-skip-0", "012", "A clip_skip of 0 is a fault.", "clip_skip", 0),
    _faults("null-steps", "013", "steps of null are a fault.", "steps", None),
    _faults("null-loras", "013", "loras of null are a fault.", "loras", None),
    _faults("null-controlnet", "013", "controlnet of null is a fault.", "controlnet", None),
    _faults("empty-vae", "013", "An empty sd_vae is a fault.", "sd_vae", ""),
    _faults("nameless-lora", "013", "A LoRA with an empty name is a fault.", "loras[].model_name", ""),
    takes("i2i-any-checkpoint", "V3-IMG2IMG-015", "An unknown checkpoint is replaced.", IMG2IMG, _another_model),
    Mutant(
        name="i2i-unknown-checkpoint-is-422",
        breaks="V3-IMG2IMG-015",
        text="An unknown checkpoint has status 422.",
        answer=_odd_status,
        ops=(IMG2IMG,),
    ),
    _accepts("no-base64", "016", "What is no base64 is a grey picture.", "image_base64", no_base64, a_picture),
    _accepts("no-picture", "016", "What is no picture is a grey one.", "image_base64", no_picture, a_picture),
    _large_files("i2i-any-file", "Source picture files of any size are taken.", 10_000 * MEGABYTE),
    _large_files("i2i-30-mb", "Source picture files may have 30 MB.", 30 * MEGABYTE),
    _accepts(
        "pixels-not-counted",
        "018",
        "Source pictures of any number of pixels are taken.",
        "image_base64",
        pixels(MOST_PIXELS),
        a_picture,
        also=("ROBUST-008",),
    ),
    _accepts(
        "20-megapixels",
        "018",
        "Source pictures may have 20 megapixels.",
        "image_base64",
        pixels(MOST_PIXELS, 20_000_000),
        a_picture,
    ),
    _accepts(
        "long-sides-only",
        "018",
        "A source picture may have any size if no side is above 8192.",
        "image_base64",
        depicts(lambda image: image.width * image.height > MOST_PIXELS and max(image.size) <= 8192),
        a_picture,
    ),
    _faults("data-uri", "020", "A data URI is a fault.", "image_base64", data_uri),
    _accepts("data-uri-unread", "020", "A data URI is taken, whatever is in it.", "image_base64", data_uri, a_picture),
    rewrites("i2i-assets-id", "V3-IMG2IMG-021", "image_assets_id may name the picture.", IMG2IMG, _assets),
    _faults(
        "lora-file",
        "027",
        "A LoRA named with its ending is a fault.",
        "loras[].model_name",
        lambda name: text(name) and name.endswith((".safetensors", ".pt")),
    ),
    _faults(
        "embedding-file",
        "027",
        "An embedding named with its ending is a fault.",
        "embeddings[].model_name",
        lambda name: text(name) and name.endswith((".safetensors", ".pt")),
    ),
)
