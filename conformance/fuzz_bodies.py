"""Generated bodies made fit to be sent: what is valid by the schema alone becomes a body that every server must take.

A schema cannot say that a model must exist, that an adapter fits the checkpoint, or that a bucket is ours to write to.
`Tamer.valid` puts that right in a body that was made to be valid, asks for no work, and leaves out what no page
defines. `Tamer.harmless` does the same to everything but the wrong part of a body that was made to be refused.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from conformance.bodies import PROMPT, Body, picture
from conformance.names import Names
from openapi.document import Operation, Reading
from openapi.problems import Step

SMALLEST_SIDE = 64
"""v2 allows sides from 1 pixel; which of the tiny ones a model can draw, no page says."""
MOST_SEED = 2**31 - 1
NOWHERE = "http://127.0.0.1:9/"
SD15_UNIT = "control_v11p_sd15_canny"
SD15_ADAPTER = "ip-adapter_sd15.bin"

_RANGES: dict[str, tuple[float, float]] = {
    "seed": (-1, MOST_SEED),
    "clip_skip": (1, 12),
    "mask_blur": (0, 64),
    "image_cfg_scale": (1, 30),
    "inpaint_full_res_padding": (0, 256),
    "initial_noise_multiplier": (0, 1),
    "hr_resize_x": (SMALLEST_SIDE, 2048),
    "hr_resize_y": (SMALLEST_SIDE, 2048),
    "weight": (0, 2),
    "processor_res": (64, 2048),
    "threshold_a": (1, 255),
    "threshold_b": (1, 255),
    "guidance_start": (0, 1),
    "guidance_end": (0, 1),
}
"""Numbers for which the document has no end, or none that is plain: what is sent of them lies well inside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tamer:
    """What it takes to make a body acceptable at one target.

    Attributes:
        webhook: `extra.webhook` of a v3 submit that orders no work; None where the target has no test mode.
        zero_runs: whether the target takes `n_iter` 0 of v2.
    """

    names: Names
    webhook: Body | None
    zero_runs: bool

    def is_free(self, operation_id: str) -> bool:
        """Whether a valid submit can be sent without ordering pictures."""
        return self.zero_runs if operation_id.endswith("V2") else self.webhook is not None

    def valid(self, operation_id: str, body: Any) -> Any:
        """A body that must be accepted, as like the given one as may be; what is no object stays as it is."""
        found = _whole_numbers(copy.deepcopy(body))
        if not isinstance(found, dict):
            return found
        if operation_id.endswith("V2"):
            self._v2(found)
        else:
            if isinstance(found.get("request"), dict):
                self._request(found["request"])
            self._extra(found)
        return found

    def harmless(self, operation: Operation, body: Any) -> Any:
        """The body with everything put right but the places that the document finds wrong."""
        problems = operation.problems(body, Reading.DOCUMENTED)
        tamed = self.valid(operation.operation_id, body)
        try:
            for problem in problems:
                _restore(tamed, body, problem.path)
        except (KeyError, IndexError, TypeError):
            return self._with_our_address(body)
        still = {problem.path for problem in operation.problems(tamed, Reading.DOCUMENTED)}
        # What two fields break together may be gone by now; as long as something is wrong, that is all the better.
        fit = still and still <= {problem.path for problem in problems}
        return tamed if fit else self._with_our_address(body)

    def _with_our_address(self, body: Any) -> Any:
        """Whatever is wrong: if it is accepted after all, no stranger's address gets an event."""
        found = copy.deepcopy(body)
        extra = found.get("extra") if isinstance(found, dict) else None
        webhook = extra.get("webhook") if isinstance(extra, dict) else None
        if isinstance(webhook, dict) and isinstance(webhook.get("url"), str):
            webhook["url"] = self.webhook["url"] if self.webhook else NOWHERE
        return found

    def _request(self, request: Body) -> None:
        request["model_name"] = self.names.checkpoint
        _text(request, "prompt", "negative_prompt")
        _clamped(request)
        self._add_ons(request)
        if request.get("enable_transparent_background"):
            request["enable_transparent_background"] = False  # it needs an SDXL checkpoint
        hires = request.get("hires_fix")
        if isinstance(hires, dict):
            for side, target in (("width", "target_width"), ("height", "target_height")):
                hires[target] = max(_number(hires.get(target), 128), _number(request.get(side), 128))
        if "image_base64" in request:
            _pictured(request, "image_base64")
        control = request.get("controlnet")
        if isinstance(control, dict) and isinstance(control.get("units"), list):
            control["units"] = [unit for unit in control["units"] if isinstance(unit, dict)][:1]
            for unit in control["units"]:
                _sd15_unit(unit, "model_name", "image_base64")
            if not control["units"]:
                del request["controlnet"]
        for adapter in request.get("ip_adapters") or ():
            if isinstance(adapter, dict):
                adapter["model_name"] = SD15_ADAPTER
                _pictured(adapter, "image_base64")

    def _add_ons(self, request: Body) -> None:
        if "sd_vae" in request:
            _set_or_drop(request, "sd_vae", self.names.vae)
        for key, name in (("loras", self.names.lora), ("embeddings", self.names.embedding)):
            entries = request.get(key)
            if isinstance(entries, list) and entries:
                kept = [entry for entry in entries if isinstance(entry, dict)][:1]
                if name and kept:
                    request[key] = [{**kept[0], "model_name": name}]
                else:
                    del request[key]

    def _extra(self, body: Body) -> None:
        extra = body.setdefault("extra", {}) if self.webhook is not None else body.get("extra")
        if not isinstance(extra, dict):
            return
        extra.pop("webhook", None)
        if self.webhook is not None:
            extra["webhook"] = copy.deepcopy(self.webhook)
        if isinstance(extra.get("custom_storage"), dict):
            extra["custom_storage"] = {}  # no bucket of ours is there
        if isinstance(extra.get("enterprise_plan"), dict):
            extra["enterprise_plan"].pop("enabled", None)  # an account without a plan may be refused

    def _v2(self, body: Body) -> None:
        body["model_name"] = self.names.checkpoint_in_api
        _text(body, "prompt", "negative_prompt")
        _clamped(body)
        if body.get("batch_size") == 0:
            body["batch_size"] = 1  # what no pictures mean, no page says (C17)
        if self.zero_runs:
            body["n_iter"] = 0
        for side in ("width", "height"):
            body[side] = max(_number(body.get(side), SMALLEST_SIDE), SMALLEST_SIDE)
        if body.get("sd_vae") is not None:
            body["sd_vae"] = self.names.vae or None
        if (body.get("hr_resize_x") is None) != (body.get("hr_resize_y") is None):
            body["hr_resize_x"] = body["hr_resize_y"] = None
        for side, target in (("width", "hr_resize_x"), ("height", "hr_resize_y")):
            if body.get(target) is not None:
                body[target] = max(_number(body[target], SMALLEST_SIDE), body[side])
        if body.get("init_images"):
            body["init_images"] = [_good_picture(body["init_images"])]
        if "mask" in body:
            _pictured(body, "mask")
        units = body.get("controlnet_units")
        if isinstance(units, list):
            body["controlnet_units"] = [unit for unit in units if isinstance(unit, dict)][:1]
            for unit in body["controlnet_units"]:
                _sd15_unit(unit, "model", "input_image")
                if unit.get("mask") is not None:
                    _pictured(unit, "mask")


def _sd15_unit(unit: Body, model: str, image: str) -> None:
    """A control unit for the checkpoint, its span not empty."""
    if not isinstance(unit.get(model), str) or "xl" in unit[model] or not unit[model]:
        unit[model] = SD15_UNIT
    _pictured(unit, image)
    _clamped(unit)
    begin, end = unit.get("guidance_start"), unit.get("guidance_end")
    if isinstance(begin, int | float) and isinstance(end, int | float) and begin >= end:
        unit["guidance_start"], unit["guidance_end"] = 0, 1
    if unit.get("guidance_start") == 1:
        unit["guidance_start"] = 0
    if unit.get("guidance_end") == 0:
        unit["guidance_end"] = 1


def _text(holder: Body, *keys: str) -> None:
    """Plain letters in place of the others: whether those are taken is a row of its own (ROBUST-005)."""
    for key in keys:
        text = holder.get(key)
        if isinstance(text, str):
            plain = "".join(letter if letter.isascii() and letter.isprintable() else "a" for letter in text)
            holder[key] = plain if plain.strip() else "a" * len(plain) or (PROMPT if key == "prompt" else "")


def _clamped(holder: Body) -> None:
    for key, (low, high) in _RANGES.items():
        value = holder.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            holder[key] = type(value)(min(max(value, low), high))


def _pictured(holder: Body, key: str) -> None:
    holder[key] = _good_picture([holder.get(key)])


def _good_picture(given: Sequence[Any]) -> str:
    """The first of ours among some, else the usual one."""
    return next((text for text in given if text in pool()), picture())


def pool() -> tuple[str, ...]:
    """Source pictures that generated bodies use."""
    return (picture(), picture(96, 64, (0, 90, 200), "JPEG"), picture(40, 80, (20, 160, 90)))


def _set_or_drop(holder: Body, key: str, value: str) -> None:
    if value:
        holder[key] = value
    else:
        del holder[key]


def _number(value: Any, default: int) -> Any:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else default


def _whole_numbers(value: Any) -> Any:
    """2 in place of 2.0: whether that is an integer is a row of its own (ROBUST-002)."""
    if isinstance(value, dict):
        return {key: _whole_numbers(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_whole_numbers(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _restore(target: Any, source: Any, path: tuple[Step, ...]) -> None:
    """Puts what stands at a place of one body into another, or takes it away where the one has nothing."""
    if not path:
        raise KeyError("the whole body")
    for step in path[:-1]:
        target, source = target[step], source[step]
    last = path[-1]
    if isinstance(source, dict) and last not in source:
        target.pop(last, None)
    else:
        target[last] = copy.deepcopy(source[last])
