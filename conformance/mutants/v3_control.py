"""Control units and picture prompts of image to image on v3."""

from __future__ import annotations

from typing import Any

from conformance.bodies import IMG2IMG
from conformance.mutants.making import ABSENT, accepts, breaks_on, places, refuses, refuses_when, takes, value_at
from conformance.mutants.v3_img2img_pictures import unheeded
from conformance.mutants.values import Mutant, State
from conformance.mutants.wanted import (
    a_picture,
    above,
    array,
    below,
    data_uri,
    entries,
    enum_words,
    first,
    mapping,
    no_base64,
    no_picture,
    number,
    opened,
    text,
    unlisted,
)

CANNY, ADAPTER = "control_v11p_sd15_canny", "ip-adapter_sd15.bin"
UNITS, PROMPTS = "request.controlnet.units", "request.ip_adapters"


def _unit(name: str, number: str, words: str, field: str, bad: Any, good: Any, **more: Any) -> Mutant:
    return accepts(f"unit-{name}", f"V3-CONTROL-{number}", words, IMG2IMG, f"{UNITS}[].{field}", bad, good, **more)


def _prompt(name: str, number: str, words: str, field: str, bad: Any, good: Any, **more: Any) -> Mutant:
    breaks, path = f"V3-CONTROL-{number}", f"{PROMPTS}[].{field}"
    return accepts(f"picture-prompt-{name}", breaks, words, IMG2IMG, path, bad, good, **more)


def _any(name: str, number: str, words: str, path: str, bad: Any, good: Any) -> Mutant:
    return accepts(name, f"V3-CONTROL-{number}", words, IMG2IMG, f"request.{path}", bad, good)


def _faults(name: str, number: str, words: str, path: str, bad: Any) -> Mutant:
    return breaks_on(f"{name}-is-a-fault", f"V3-CONTROL-{number}", words, IMG2IMG, f"request.{path}", bad)


def _refuses(name: str, number: str, words: str, path: str, good: Any, **more: Any) -> Mutant:
    return refuses(f"refuses-{name}", f"V3-CONTROL-{number}", words, IMG2IMG, f"request.{path}", good, **more)


def _unknown(*known: str) -> Any:
    return lambda value: mapping(value) and not set(value) <= set(known)


def _at_odds(body: Any) -> bool:
    """Whether a unit's preprocessor has not the name of its model."""
    for place in places(body, f"{UNITS}[]"):
        unit = value_at(place)
        model, preparing = (unit.get("model_name"), unit.get("preprocessor")) if mapping(unit) else (None, None)
        if text(model) and text(preparing) and preparing in enum_words("ControlNetUnit", "preprocessor"):
            return model in enum_words("ControlNetUnit", "model_name") and preparing.partition("_")[0] not in model
    return False


def _other_adapter(state: State, body: Any) -> Any:
    """With the adapter of the other base model."""
    other = {ADAPTER: "ip-adapter_sdxl.bin", "ip-adapter_sdxl.bin": ADAPTER}
    for holder, key in places(body, f"{PROMPTS}[].model_name"):
        if not text(holder.get(key)) or holder[key] not in other:
            return False
        holder[key] = other[holder[key]]
        return None
    return False


def _listed_picture(value: Any) -> bool:
    return opened(value) is not None


_UNIT_KEYS = ("model_name", "image_base64", "strength", "preprocessor", "guidance_start", "guidance_end")
_PROMPT_KEYS = ("model_name", "image_base64", "strength")

MUTANTS = (
    _refuses(
        "units-without-preprocessor", "001", "A unit needs a preprocessor.", "controlnet.units[].preprocessor", ABSENT
    ),
    _refuses(
        "units-with-a-start",
        "001",
        "A unit with guidance_start is refused.",
        "controlnet.units[].guidance_start",
        number,
    ),
    _refuses(
        "units-with-an-end",
        "001",
        "A unit with guidance_end is refused.",
        "controlnet.units[].guidance_end",
        lambda end: number(end) and 0 <= end <= 1,
    ),
    _refuses(
        "qrcode-monster-2",
        "002",
        "A control model of the list is not known.",
        "controlnet.units[].model_name",
        "control_v1p_sd15_qrcode_monster_v2",
    ),
    _refuses(
        "sdxl-control-models",
        "002",
        "Control models for SDXL are not known.",
        "controlnet.units[].model_name",
        lambda name: text(name) and name in ("controlnet-depth-sdxl-1.0", "controlnet-softedge-sdxl-1.0"),
    ),
    _refuses(
        "leres-plus-plus",
        "002",
        "A preprocessor of the list is not known.",
        "controlnet.units[].preprocessor",
        "depth_leres++",
    ),
    refuses_when(
        "refuses-preprocessors-of-others",
        "V3-CONTROL-002",
        "A preprocessor must fit its control model.",
        IMG2IMG,
        _at_odds,
    ),
    _unit(
        "any-model", "003", "Any control model is taken.", "model_name", unlisted("ControlNetUnit", "model_name"), CANNY
    ),
    _unit(
        "model-in-any-case",
        "003",
        "A control model in other letters is taken.",
        "model_name",
        lambda name: (
            text(name)
            and name not in enum_words("ControlNetUnit", "model_name")
            and name.lower() in enum_words("ControlNetUnit", "model_name")
        ),
        CANNY,
    ),
    _unit(
        "any-preprocessor",
        "003",
        "A preprocessor that nobody knows is left out.",
        "preprocessor",
        unlisted("ControlNetUnit", "preprocessor"),
        ABSENT,
    ),
    _unit("strength-above-1", "003", "A unit's strength above 1 is 1.", "strength", above(1), 1),
    _unit("strength-below-0", "003", "A unit's strength below 0 is 0.", "strength", below(0), 0),
    _unit("start-below-0", "003", "A guidance_start below 0 is 0.", "guidance_start", below(0), 0),
    _unit("end-above-1", "003", "A guidance_end above 1 is 1.", "guidance_end", above(1), 1),
    _prompt(
        "any-adapter",
        "003",
        "An adapter that nobody knows is replaced.",
        "model_name",
        unlisted("IpAdapter", "model_name"),
        ADAPTER,
    ),
    _prompt("strength-above-1", "003", "A picture prompt's strength is lowered to 1.", "strength", above(1), 1),
    _prompt("strength-below-0", "003", "A picture prompt's strength is raised to 0.", "strength", below(0), 0),
    _any("controlnet-without-units", "004", "controlnet needs no units.", "controlnet.units", ABSENT, []),
    _unit("without-model", "004", "A unit needs no model.", "model_name", ABSENT, CANNY),
    _unit("without-picture", "004", "A unit needs no picture.", "image_base64", ABSENT, a_picture),
    _prompt("without-adapter", "004", "A picture prompt needs no adapter.", "model_name", ABSENT, ADAPTER),
    _prompt("without-picture", "004", "A picture prompt needs no picture.", "image_base64", ABSENT, a_picture),
    _prompt("without-strength", "004", "A picture prompt needs no strength.", "strength", ABSENT, 1),
    _faults(
        "unit-without-strength", "005", "A unit without strength is a fault.", "controlnet.units[].strength", ABSENT
    ),
    _faults("null-unit-strength", "005", "A unit's strength of null is a fault.", "controlnet.units[].strength", None),
    _any("controlnet-in-a-list", "006", "controlnet may be a list.", "controlnet", array, ABSENT),
    _any("one-unit-bare", "006", "units may be an object.", "controlnet.units", mapping, []),
    _any(
        "words-as-units",
        "006",
        "A unit may be a mere string.",
        "controlnet.units",
        lambda units: array(units) and any(map(text, units)),
        [],
    ),
    _unit("model-as-number", "006", "A number may name a control model.", "model_name", number, CANNY),
    _unit("strength-in-quotes", "006", "A unit's strength may be text.", "strength", text, 0.5),
    _unit("start-in-quotes", "006", "guidance_start may be text.", "guidance_start", text, 0),
    _unit("end-of-true", "006", "guidance_end may be true.", "guidance_end", True, 1),
    _unit("preprocessor-as-number", "006", "A number may be a preprocessor.", "preprocessor", number, ABSENT),
    _unit("pictures-in-a-list", "006", "A unit may have a list of pictures.", "image_base64", array, a_picture),
    _any("one-picture-prompt-bare", "006", "ip_adapters may be an object.", "ip_adapters", mapping, ABSENT),
    _prompt("strength-in-quotes", "006", "A picture prompt's strength may be text.", "strength", text, 0.5),
    _prompt("picture-as-number", "006", "A number may be a picture.", "image_base64", number, a_picture),
    _faults("null-preprocessor", "007", "A preprocessor of null is a fault.", "controlnet.units[].preprocessor", None),
    _faults("null-guidance-end", "007", "A guidance_end of null is a fault.", "controlnet.units[].guidance_end", None),
    _faults("odd-unit", "007", "A unit with an unknown field is a fault.", "controlnet.units[]", _unknown(*_UNIT_KEYS)),
    _faults("odd-controlnet", "007", "controlnet with an unknown field is a fault.", "controlnet", _unknown("units")),
    _faults(
        "odd-picture-prompt",
        "007",
        "A picture prompt with an unknown field is a fault.",
        "ip_adapters[]",
        _unknown(*_PROMPT_KEYS),
    ),
    _faults("data-uri-of-a-unit", "008", "A unit's data URI is a fault.", "controlnet.units[].image_base64", data_uri),
    _faults("data-uri-of-a-prompt", "008", "A prompt's data URI is a fault.", "ip_adapters[].image_base64", data_uri),
    _unit("data-uri-unread", "008", "A unit's data URI is not read.", "image_base64", data_uri, a_picture),
    _prompt("data-uri-unread", "008", "A prompt's data URI is not read.", "image_base64", data_uri, a_picture),
    _unit("of-no-base64", "009", "What is no base64 is a picture.", "image_base64", no_base64, a_picture),
    _unit("of-no-picture", "009", "Any base64 is a picture.", "image_base64", no_picture, a_picture),
    _prompt("of-no-base64", "009", "What is no base64 is a picture.", "image_base64", no_base64, a_picture),
    _prompt("of-no-picture", "009", "Any base64 is a picture.", "image_base64", no_picture, a_picture),
    unheeded(
        "control-picture-ignored",
        "V3-CONTROL-010",
        "Every control picture is read as the same one.",
        "controlnet.units[].image_base64",
        a_picture,
        when=_listed_picture,
    ),
    unheeded(
        "picture-prompt-ignored",
        "V3-CONTROL-010",
        "Every picture prompt is read as the same one.",
        "ip_adapters[].image_base64",
        a_picture,
        when=_listed_picture,
    ),
    _refuses("picture-prompts", "011", "Picture prompts are refused.", "ip_adapters", entries(1)),
    _refuses(
        "sd15-adapters",
        "011",
        "The adapter for SD 1.5 is not known.",
        "ip_adapters[].model_name",
        ADAPTER,
    ),
    _any("two-picture-prompts", "012", "The second picture prompt is left out.", "ip_adapters", entries(2), first(1)),
    takes(
        "adapter-of-another-base",
        "V3-CONTROL-013",
        "An adapter for another base model is taken.",
        IMG2IMG,
        _other_adapter,
    ),
)
