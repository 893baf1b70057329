"""Control units of version 2."""

from __future__ import annotations

from typing import Any

from conformance.bodies import IMG2IMG_V2, TXT2IMG_V2, picture
from conformance.mutants.making import ABSENT, accepts, places, rewrites
from conformance.mutants.v2_making import (
    V2,
    a_list,
    above,
    an_object,
    below,
    broken,
    data_uri,
    faults,
    filled,
    found_in,
    no_picture,
    number,
    refuses,
    refuses_when,
    text,
)
from conformance.mutants.values import Mutant
from conformance.predicates import type_name

UNITS = "controlnet_units"
EVERY = frozenset(
    ("processor_res", "threshold_a", "threshold_b", "guidance_start", "guidance_end", "pixel_perfect", "resize_mode")
)


def _refuses(name: str, number: str, text: str, field: str, good: Any, ops: Any = V2, **more: Any) -> Mutant:
    path = f"{UNITS}[].{field}"
    return refuses(f"v2-control-refuses-{name}", f"V2-CONTROL-{number}", text, ops, path, good, **more)


def _accepts(name: str, number: str, text: str, field: str, bad: Any, good: Any, ops: Any = V2) -> Mutant:
    path = f"{UNITS}[].{field}" if field else f"{UNITS}[]"
    return accepts(f"v2-control-takes-{name}", f"V2-CONTROL-{number}", text, ops, path, bad, good)


def _faults(name: str, number: str, text: str, field: str, wanted: Any, ops: Any = V2) -> Mutant:
    path = f"{UNITS}[].{field}" if field else f"{UNITS}[]"
    return faults(f"v2-control-{name}-is-a-fault", f"V2-CONTROL-{number}", text, ops, found_in(path, wanted))


def _odd(*good: Any) -> Any:
    """Text that is neither empty nor one of these."""
    return lambda old: filled(old) and old not in good


def _is_null(value: Any) -> bool:
    return value is None


def _is_absent(value: Any) -> bool:
    return value is ABSENT


def _full(body: Any) -> bool:
    units = body.get(UNITS)
    return isinstance(units, list) and any(isinstance(unit, dict) and set(unit) >= EVERY for unit in units)


def _lenient_names(*words: str) -> Any:
    return lambda old: isinstance(old, str) and old not in words and old.lower().strip() in words


def _unit_without_list(body: Any) -> Any:
    for holder, key in places(body, UNITS):
        if isinstance(holder.get(key), str | int | bool):
            holder[key] = []
    return body


CANNY = "control_v11p_sd15_canny"

_ALL_SHORT = ("V2-CONTROL-004", "V2-CONTROL-006", "V2-TXT2IMG-002", "V2-IMG2IMG-002")
"""What speaks of units that need not have every field."""

MUTANTS = (
    _refuses("short-units", "001", "A unit without guidance_end is refused.", "guidance_end", ABSENT, also=_ALL_SHORT),
    refuses_when("v2-control-refuses-full-units", "V2-CONTROL-001", "A unit with every field is refused.", V2, _full),
    _refuses("masks", "001", "Image to image refuses a mask.", "mask", filled, IMG2IMG_V2),
    _accepts("no-model", "002", "A unit needs no model.", "model", ABSENT, CANNY),
    _accepts("no-weight", "002", "A unit needs no weight.", "weight", ABSENT, 1),
    _accepts("no-image", "002", "A unit needs no input_image.", "input_image", ABSENT, picture(), IMG2IMG_V2),
    _accepts("no-module", "002", "A unit needs no module.", "module", ABSENT, "none"),
    _accepts("any-model", "002", "Any control model is taken.", "model", _odd(CANNY), CANNY),
    _accepts("any-module", "002", "Any module is taken.", "module", _odd("none", "canny"), "none", TXT2IMG_V2),
    _accepts("modules-in-capitals", "002", "Canny is canny.", "module", _lenient_names("none", "canny"), "canny"),
    _accepts("control-mode-3", "002", "control_mode above 2 is taken.", "control_mode", above(2), 0),
    _accepts("control-mode-below-0", "002", "control_mode below 0 is taken.", "control_mode", below(0), 0, IMG2IMG_V2),
    _accepts("resize-mode-3", "002", "resize_mode above 2 is taken.", "resize_mode", above(2), 0),
    _faults("short-unit", "003", "Without control_mode: the server breaks.", "control_mode", _is_absent),
    _refuses("adapters", "004", "The model ip-adapter_xl is missing.", "model", "ip-adapter_xl"),
    _refuses("tiles", "004", "control_v11f1e_sd15_tile is missing.", "model", "control_v11f1e_sd15_tile", IMG2IMG_V2),
    _refuses("depth-anything", "004", "The module depth_anything is missing.", "module", "depth_anything"),
    _refuses("lama", "004", "inpaint_only+lama is missing.", "module", "inpaint_only+lama", TXT2IMG_V2),
    _refuses("control-mode-2", "004", "control_mode 2 is refused.", "control_mode", 2),
    _refuses("resize-mode-2", "004", "resize_mode 2 is refused.", "resize_mode", 2, IMG2IMG_V2),
    rewrites("v2-control-takes-no-list", "V2-CONTROL-005", "Units may be text or a number.", V2, _unit_without_list),
    accepts(
        "v2-control-takes-text-as-unit",
        "V2-CONTROL-005",
        "An entry that is no object is left out.",
        V2,
        UNITS,
        lambda old: isinstance(old, list) and any(not isinstance(one, dict) and one is not None for one in old),
        [],
    ),
    _accepts("number-as-model", "005", "A model may be a number.", "model", number, CANNY),
    _accepts("weight-in-quotes", "005", "A weight may be text.", "weight", text, 1),
    _accepts("number-as-image", "005", "An image may be a number.", "input_image", number, picture()),
    _accepts("list-as-module", "005", "A module may be a list.", "module", a_list, "none"),
    _accepts("number-as-module", "005", "A module may be a number.", "module", number, "none"),
    _accepts("control-mode-in-quotes", "005", "control_mode may be text.", "control_mode", text, 0),
    _accepts("half-control-mode", "005", "control_mode may be broken.", "control_mode", broken, 0, IMG2IMG_V2),
    _accepts("number-as-mask", "005", "A mask may be a number.", "mask", number, None, TXT2IMG_V2),
    _accepts("resize-mode-in-quotes", "005", "resize_mode may be text.", "resize_mode", text, 0),
    _accepts("res-in-quotes", "005", "processor_res may be text.", "processor_res", text, 512),
    _accepts("half-threshold", "005", "threshold_a may be broken.", "threshold_a", broken, 64),
    _accepts("threshold-in-quotes", "005", "threshold_b may be text.", "threshold_b", text, 64, IMG2IMG_V2),
    _accepts("start-in-quotes", "005", "guidance_start may be text.", "guidance_start", text, 0),
    _accepts(
        "end-is-true", "005", "guidance_end may be true.", "guidance_end", lambda old: type_name(old) == "boolean", 1
    ),
    _accepts("one-for-true", "005", "pixel_perfect may be 1.", "pixel_perfect", number, True),
    _refuses("null-weight", "006", "A weight of null is refused.", "weight", None),
    _refuses("null-control-mode", "006", "control_mode of null is refused.", "control_mode", None, TXT2IMG_V2),
    _refuses("null-mask", "006", "A mask of null is refused.", "mask", None),
    _refuses("null-resize-mode", "006", "resize_mode of null is refused.", "resize_mode", None, TXT2IMG_V2),
    _refuses("null-res", "006", "Image to image refuses processor_res of null.", "processor_res", None, IMG2IMG_V2),
    _refuses("null-end", "006", "Image to image refuses guidance_end of null.", "guidance_end", None, IMG2IMG_V2),
    _refuses("null-perfect", "006", "Image to image refuses pixel_perfect of null.", "pixel_perfect", None, IMG2IMG_V2),
    _accepts("null-weight-as-0", "006", "A weight of null acts as 0.", "weight", None, 0),
    _faults(
        "empty-unit",
        "007",
        "An empty unit: the server breaks.",
        "",
        lambda old: an_object(old) and old.get("model") == "" and old.get("input_image") == "",
    ),
    _faults("null-start", "007", "guidance_start of null: the server breaks.", "guidance_start", _is_null, TXT2IMG_V2),
    _faults("null-threshold", "007", "threshold_a of null: the server breaks.", "threshold_a", _is_null, TXT2IMG_V2),
    _accepts("any-image", "008", "Text that is no picture is taken.", "input_image", no_picture, picture()),
    _accepts("any-mask", "008", "A mask may be no picture.", "mask", no_picture, picture(), IMG2IMG_V2),
    _faults("data-uri", "009", "A data URI: the server breaks.", "input_image", data_uri),
    _faults("data-uri-mask", "009", "A data URI as mask: the server breaks.", "mask", data_uri, IMG2IMG_V2),
)
