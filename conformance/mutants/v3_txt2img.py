"""The request of text to image on v3: what is taken though it is wrong."""

from __future__ import annotations

from typing import Any

from conformance.bodies import TXT2IMG
from conformance.mutants.making import (
    ABSENT,
    accepts,
    breaks_on,
    known_model,
    learn_model,
    takes,
    value_at,
)
from conformance.mutants.making import places as at
from conformance.mutants.values import Answer, Mutant, Request, State
from conformance.predicates import type_name
from conformance.wire import MISSING


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _longer(most: int) -> Any:
    return lambda value: isinstance(value, str) and len(value) > most


def _number(value: Any) -> bool:
    return type_name(value) in ("integer", "number")


def _above(most: float) -> Any:
    return lambda value: _number(value) and value > most


def _below(least: float) -> Any:
    return lambda value: _number(value) and value < least


def _inside(least: float, most: float) -> Any:
    return lambda value: _number(value) and least < value < most


def _as_int(value: Any) -> Any:
    return int(float(value)) if isinstance(value, str) and value.strip("-").replace(".", "", 1).isdigit() else value


def _digits(value: Any) -> bool:
    return isinstance(value, str) and value.isdigit()


def _broken_number(value: Any) -> bool:
    return type_name(value) == "number"


def _first(count: int) -> Any:
    return lambda entries: entries[:count]


def _entries(count: int) -> Any:
    return lambda value: isinstance(value, list) and len(value) == count


def _model_anew(state: State, body: Any) -> Any:
    holder = body.get("request") if isinstance(body, dict) else None
    good = known_model(state)
    if (
        not isinstance(holder, dict)
        or not _text(holder.get("model_name", ""))
        or not holder.get("model_name")
        or not good
    ):
        return False
    if holder["model_name"] == good:
        return False
    holder["model_name"] = good
    return None


def _model_missing(state: State, body: Any) -> Any:
    holder = body.get("request") if isinstance(body, dict) else None
    if not isinstance(holder, dict) or holder.get("model_name") is not None or not known_model(state):
        return False
    holder["model_name"] = known_model(state)
    return None


def _without_unknown(key: str) -> Any:
    """Leaves out well-formed entries (or a name) of models; accepted then: they were what the upstream did not know."""

    def change(state: State, body: Any) -> Any:
        for holder, name in at(body, f"request.{key}"):
            found = holder.get(name)
            if key == "sd_vae" and isinstance(found, str) and found:
                del holder[name]
                return None
            if (
                not isinstance(found, list)
                or not 0 < len(found) <= 5
                or not all(_well_formed(one, key) for one in found)
            ):
                return False
            del holder[name]
            return None
        return False

    return change


def _well_formed(entry: Any, key: str) -> bool:
    if not isinstance(entry, dict) or not _text(entry.get("model_name")) or not entry["model_name"]:
        return False
    strength: Any = entry.get("strength", 1 if key == "embeddings" else None)
    return _number(strength) and 0 <= strength <= 1 and set(entry) <= {"model_name", "strength"}


def _opaque_after_all(state: State, body: Any) -> Any:
    """Without the flag, where only the checkpoint can have been in the way."""
    holder = body.get("request") if isinstance(body, dict) else None
    if not isinstance(holder, dict) or holder.get("enable_transparent_background") is not True:
        return False
    if (body.get("extra") or {}).get("response_image_type", "png") != "png":
        return False
    del holder["enable_transparent_background"]
    return None


def _transparent(body: Any) -> bool:
    return any(value_at(place) is True for place in at(body, "request.enable_transparent_background"))


def _transparent_jpeg(state: State, body: Any) -> Any:
    if not _transparent(body) or (body.get("extra") or {}).get("response_image_type") not in ("jpeg", "webp"):
        return False
    body["extra"]["response_image_type"] = "png"
    return None


async def _unknown_is_a_fault(state: State, request: Request, answer: Answer) -> Answer:
    """Status 500 where only the name of the checkpoint was in the way."""
    if request.operation != TXT2IMG or answer.status not in (400, 404) or request.json is MISSING:
        return answer
    await learn_model(state, request)
    body = request.fresh()
    if _model_anew(state, body) is False or (await state.upstream(request.with_json(body))).task_id is None:
        return answer
    return answer.with_status(500)


def _required(field: str, good: Any) -> Mutant:
    key = field.replace("_", "-")
    text = f"Without {field} a default of the server's own is taken."
    return accepts(f"{key}-is-optional", "V3-TXT2IMG-003", text, TXT2IMG, f"request.{field}", ABSENT, good)


def _accepts(name: str, number: str, text: str, field: str, bad: Any, good: Any, **more: Any) -> Mutant:
    return accepts(f"accepts-{name}", f"V3-TXT2IMG-{number}", text, TXT2IMG, f"request.{field}", bad, good, **more)


_IN_ANY_CASE = {"eulera": "Euler a", "euler": "Euler", "ddim": "DDIM", "dpm++2m": "DPM++ 2M", "unipc": "UniPC"}


def _bare(name: str) -> str:
    return name.lower().replace(" ", "")


MUTANTS = (
    _required("steps", 20),
    _required("guidance_scale", 7.5),
    _required("sampler_name", "Euler a"),
    _required("image_num", 1),
    _required("height", 512),
    takes(
        "model-name-is-optional",
        "V3-TXT2IMG-003",
        "Without model_name a checkpoint of the server's choice is taken.",
        TXT2IMG,
        _model_missing,
    ),
    _accepts("null-prompt", "003", "A prompt of null is taken.", "prompt", None, "a field"),
    _accepts("null-width", "003", "A width of null is taken as 512.", "width", None, 512),
    _accepts("steps-in-quotes", "004", "Digits in quotes count as steps.", "steps", _digits, _as_int),
    _accepts("half-pictures", "004", "Half a picture is rounded.", "image_num", _broken_number, int),
    _accepts("true-width", "004", "true is taken for a width.", "width", True, 512),
    _accepts("seed-in-quotes", "004", "Digits in quotes count as a seed.", "seed", _text, 7),
    _accepts("half-clip-skip", "004", "A clip_skip of 1.5 is rounded.", "clip_skip", _broken_number, int),
    _accepts("target-in-quotes", "004", "Digits in quotes count as a target.", "hires_fix.target_width", _text, 256),
    _accepts("guidance-in-quotes", "005", "Text counts as a guidance_scale.", "guidance_scale", _text, 7.5),
    _accepts("number-as-prompt", "005", "A number counts as a prompt.", "prompt", _number, str),
    _accepts(
        "list-as-prompt", "005", "A list counts as a prompt.", "prompt", lambda old: isinstance(old, list), "a field"
    ),
    _accepts("one-for-true", "005", "1 counts as true.", "restore_faces", _number, True),
    _accepts("text-for-true", "005", "Text counts as true.", "enable_transparent_background", _text, False),
    _accepts("object-as-loras", "005", "loras may be an object.", "loras", lambda old: isinstance(old, dict), []),
    _accepts(
        "words-as-embeddings",
        "005",
        "An embedding may be a mere string.",
        "embeddings",
        lambda old: isinstance(old, list) and any(isinstance(one, str) for one in old),
        [],
    ),
    _accepts(
        "list-as-hires-fix", "005", "hires_fix may be a list.", "hires_fix", lambda old: isinstance(old, list), ABSENT
    ),
    _accepts("number-as-refiner", "005", "refiner may be a number.", "refiner", _number, ABSENT),
    _accepts("number-as-sampler", "005", "A sampler may be a number.", "sampler_name", _number, "Euler a"),
    _accepts("lora-strength-in-quotes", "005", "Text counts as a strength.", "loras[].strength", _text, 0.5),
    _accepts(
        "sampler-in-any-case",
        "008",
        "A sampler in other letters is taken.",
        "sampler_name",
        lambda name: _text(name) and name not in _IN_ANY_CASE.values() and _bare(name) in _IN_ANY_CASE,
        lambda name: _IN_ANY_CASE[_bare(name)],
    ),
    _accepts("any-sampler", "008", "A sampler that nobody knows is taken.", "sampler_name", _text, "Euler a"),
    _accepts("empty-prompt", "009", "An empty prompt is taken.", "prompt", "", "a field"),
    _accepts(
        "long-prompts", "009", "A prompt of more than 1024 is cut.", "prompt", _longer(1024), lambda old: old[:1024]
    ),
    _accepts(
        "long-negative-prompts",
        "009",
        "A negative_prompt of more than 1024 is cut.",
        "negative_prompt",
        _longer(1024),
        lambda old: old[:1024],
    ),
    _accepts("width-127", "011", "A width below 128 is raised.", "width", _inside(0, 128), 128),
    _accepts("height-2049", "011", "A height above 2048 is lowered.", "height", _above(2048), 2048),
    _accepts("height-120", "011", "A height just below 128 is raised.", "height", _inside(64, 128), 128),
    _accepts("no-picture", "012", "An image_num of 0 is taken as 1.", "image_num", 0, 1),
    _accepts("nine-pictures", "012", "Nine pictures become eight.", "image_num", _above(8), 8),
    _accepts("steps-101", "013", "101 steps become 100.", "steps", _above(100), 100),
    _accepts("no-steps", "013", "No steps become one.", "steps", 0, 1),
    _accepts("guidance-31", "013", "A guidance_scale above 30 is lowered.", "guidance_scale", _above(30), 30),
    _accepts("guidance-below-1", "013", "A guidance_scale below 1 is raised.", "guidance_scale", _below(1), 1),
    _accepts("seed-below-minus-1", "014", "Any negative seed means -1.", "seed", _below(-1), -1),
    _accepts("strong-loras", "015", "A LoRA stronger than 1 is taken.", "loras[].strength", _above(1), 1),
    _accepts("negative-loras", "015", "A LoRA below 0 is taken.", "loras[].strength", _below(0), 0),
    _accepts("six-loras", "016", "The sixth LoRA is left out.", "loras", _entries(6), _first(5)),
    _accepts("six-embeddings", "016", "The sixth embedding is left out.", "embeddings", _entries(6), _first(5)),
    _accepts("loras-without-strength", "016", "A LoRA without strength is taken.", "loras[].strength", ABSENT, 1),
    _accepts(
        "embeddings-without-name",
        "016",
        "An embedding without name is left out.",
        "embeddings",
        lambda old: isinstance(old, list) and {} in old,
        [],
    ),
    _accepts(
        "hires-without-strength", "017", "hires_fix without strength is taken.", "hires_fix.strength", ABSENT, 0.5
    ),
    _accepts(
        "hires-without-height", "017", "hires_fix without height is taken.", "hires_fix.target_height", ABSENT, 256
    ),
    _accepts("empty-refiner", "017", "A refiner without switch_at is taken.", "refiner", {}, ABSENT),
    _accepts("strong-hires", "018", "A hires strength above 1 is taken.", "hires_fix.strength", _above(1), 1),
    _accepts(
        "any-upscaler",
        "018",
        "An upscaler that nobody knows is taken.",
        "hires_fix.upscaler",
        lambda name: _text(name),
        "Latent",
    ),
    _accepts("late-refiner", "018", "A switch_at above 1 is taken.", "refiner.switch_at", _above(1), 1),
    _accepts("small-hires", "018", "A target below 128 is taken.", "hires_fix.target_width", _below(128), 128),
    _accepts("clip-skip-13", "019", "A clip_skip above 12 is taken.", "clip_skip", _above(12), 12),
    _accepts("negative-clip-skip", "019", "A clip_skip below 0 is taken.", "clip_skip", _below(0), ABSENT),
    breaks_on(
        "clip-skip-0-is-a-fault", "V3-TXT2IMG-020", "A clip_skip of 0 is a fault.", TXT2IMG, "request.clip_skip", 0
    ),
    breaks_on(
        "empty-negative-is-a-fault",
        "V3-TXT2IMG-021",
        "An empty negative_prompt is a fault.",
        TXT2IMG,
        "request.negative_prompt",
        "",
    ),
    breaks_on(
        "null-lora-list-is-a-fault", "V3-TXT2IMG-022", "loras of null are a fault.", TXT2IMG, "request.loras", None
    ),
    takes(
        "accepts-unknown-checkpoints",
        "V3-TXT2IMG-024",
        "A checkpoint that no model has is replaced.",
        TXT2IMG,
        _model_anew,
    ),
    Mutant(
        name="unknown-checkpoint-is-a-fault",
        breaks="V3-TXT2IMG-024",
        text="An unknown checkpoint is a fault.",
        answer=_unknown_is_a_fault,
    ),
    takes(
        "accepts-unknown-loras",
        "V3-TXT2IMG-025",
        "A LoRA that no model has is left out.",
        TXT2IMG,
        _without_unknown("loras"),
    ),
    takes(
        "accepts-unknown-embeddings",
        "V3-TXT2IMG-025",
        "An embedding that no model has is left out.",
        TXT2IMG,
        _without_unknown("embeddings"),
    ),
    takes(
        "accepts-unknown-vaes",
        "V3-TXT2IMG-025",
        "A VAE that no model has is left out.",
        TXT2IMG,
        _without_unknown("sd_vae"),
    ),
    takes(
        "accepts-transparent-jpeg", "V3-TXT2IMG-026", "A transparent jpeg is taken, as png.", TXT2IMG, _transparent_jpeg
    ),
    takes(
        "accepts-transparent-sd15",
        "V3-TXT2IMG-028",
        "SD 1.5 ignores a transparent background.",
        TXT2IMG,
        _opaque_after_all,
    ),
    breaks_on(
        "lora-file-is-a-fault",
        "V3-TXT2IMG-029",
        "A LoRA named with its ending is a fault.",
        TXT2IMG,
        "request.loras[].model_name",
        lambda name: _text(name) and name.endswith(".safetensors"),
    ),
)
