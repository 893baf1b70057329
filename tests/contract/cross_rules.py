"""Rules between fields, which a JSON Schema cannot say: which bodies break one, and how such a body is repaired.

A generated body is valid by the schema alone, so it may ask for an SDXL picture prompt beside an SD 1.5 checkpoint. The
contract refuses that by rule, not by schema. `broken_rule` tells such bodies apart, so that the oracle expects the
refusal; `repaired` makes the nearest body that breaks none, so that a tool that knows only the schema may take it for
acceptable. Both expect a body that fits the schema. Everything here reads the contract and the catalogue, no server.

The rules (facts of the pages, C-numbers of docs/contradictions.md):

    model family      an IP-Adapter fits the base model of the checkpoint; in the strict reading a control unit does too
    transparency      needs an SDXL checkpoint (C46; that it needs png is in the schema)
    storage path      a path inside a bucket: not empty, printable, at most 900 bytes, no `.` or `..` step, no URL
    storage names     a bucket and a region that a host and a path can hold
    init_images       names at least one picture
    empty picture     "" is no picture; only a v2 mask may be empty (C52)
    hr_resize         a hires target has no negative side
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from openapi.catalogue import Catalogue, Kind

SD15_CHECKPOINT = "dreamshaper_8_93211.safetensors"
SDXL_CHECKPOINT = "sd_xl_base_1.0.safetensors"

_BUCKET = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,255}")
_REGION = re.compile(r"(?=.*[A-Za-z-])[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossRules:
    """The rules of one reading.

    Attributes:
        catalogue: which model belongs to which family.
        strict: the documented reading, in which a control unit of another family is refused.
    """

    catalogue: Catalogue
    strict: bool

    def broken_rule(self, body: Json) -> str | None:
        """The name of the first rule that a submit body breaks, or None."""
        picture = body.get("request", body)
        is_sdxl = self._is_sdxl(picture["model_name"])
        if any(family != is_sdxl for family, refused in _families(picture) if refused or self.strict):
            return "model family"
        if picture.get("enable_transparent_background") and not is_sdxl:
            return "transparency"
        storage = _storage(body)
        if storage and not _is_path(storage["path"]):
            return "storage path"
        if storage and not (_BUCKET.fullmatch(storage["bucket"]) and _REGION.fullmatch(storage["region"])):
            return "storage names"
        if picture.get("init_images") == []:
            return "init_images"
        if any(holder[key] == "" for holder, key in _pictures(picture)):
            return "empty picture"
        if picture.get("enable_hr") and any((picture.get(side) or 0) < 0 for side in ("hr_resize_x", "hr_resize_y")):
            return "hr_resize"
        return None

    def repaired(self, body: Json, picture_base64: str) -> Json:
        """The body changed as little as it takes to break no rule.

        The first IP-Adapter, else the first control unit, else transparency chooses the family; the checkpoint follows
        and what belongs to the other family is left out.
        """
        body = copy.deepcopy(body)
        picture = body.get("request", body)
        families = sorted(_families(picture), key=lambda found: not found[1])
        wanted = families[0][0] if families else self._is_sdxl(picture["model_name"])
        if not families and picture.get("enable_transparent_background"):
            wanted = True
        if wanted != self._is_sdxl(picture["model_name"]):
            picture["model_name"] = SDXL_CHECKPOINT if wanted else SD15_CHECKPOINT
        if picture.get("enable_transparent_background") and not wanted:
            picture["enable_transparent_background"] = False
        _keep_family(picture, wanted)
        storage = _storage(body)
        if storage and not _is_path(storage["path"]):
            storage["path"] = "/"
        if storage and not _BUCKET.fullmatch(storage["bucket"]):
            storage["bucket"] = "pictures"
        if storage and not _REGION.fullmatch(storage["region"]):
            storage["region"] = "us-east-2"
        if picture.get("init_images") == []:
            picture["init_images"] = [picture_base64]
        for holder, key in _pictures(picture):
            holder[key] = holder[key] or picture_base64
        for side in ("hr_resize_x", "hr_resize_y"):
            if (picture.get(side) or 0) < 0:
                picture[side] = -picture[side] % 2048
        return body

    def _is_sdxl(self, name: str) -> bool:
        found = self.catalogue.find(name, Kind.CHECKPOINT)
        return found is not None and found.model.is_sdxl


def _pictures(picture: Json) -> Iterator[tuple[Any, Any]]:
    """Every place that must hold a picture, as what holds it and the key; rows left blank (C20) are none."""
    if "image_base64" in picture:
        yield picture, "image_base64"
    sources: list[str] = picture.get("init_images") or []
    for index in range(len(sources)):
        yield sources, index
    for holder in (*(picture.get("ip_adapters") or ()), *_units(picture)):
        yield holder, "image_base64" if "image_base64" in holder else "input_image"


def _units(picture: Json) -> list[Json]:
    """The control units of either version, blank rows left out; v2 tolerates one bare object (C26)."""
    given = picture.get("controlnet_units") or (picture.get("controlnet") or {}).get("units") or []
    units = [given] if isinstance(given, dict) else given
    return [unit for unit in units if unit.get("model") or unit.get("model_name")]


def _families(picture: Json) -> Iterator[tuple[bool, bool]]:
    """For each add-on that is bound to a family: whether that is SDXL, and whether every reading refuses another."""
    for adapter in picture.get("ip_adapters") or ():
        yield "sdxl" in adapter["model_name"], True
    for unit in _units(picture):
        yield _is_sdxl_unit(unit), False


def _is_sdxl_unit(unit: Json) -> bool:
    return "xl" in (unit.get("model") or unit.get("model_name") or "")


def _keep_family(picture: Json, is_sdxl: bool) -> None:
    if picture.get("ip_adapters"):
        picture["ip_adapters"] = [one for one in picture["ip_adapters"] if ("sdxl" in one["model_name"]) == is_sdxl]
    for holder, key in ((picture, "controlnet_units"), (picture.get("controlnet") or {}, "units")):
        if isinstance(holder.get(key), list):
            bound = [unit for unit in _units({"controlnet_units": holder[key]}) if _is_sdxl_unit(unit) != is_sdxl]
            holder[key] = [unit for unit in holder[key] if unit not in bound]
        elif isinstance(holder.get(key), dict) and _is_sdxl_unit(holder[key]) != is_sdxl:
            holder[key] = None


def _storage(body: Json) -> Json:
    """The `aws_s3` of a v3 body, changed in place by `repaired`; empty where there is none."""
    found: Json = ((body.get("extra") or {}).get("custom_storage") or {}).get("aws_s3") or {}
    return found


def _is_path(path: str) -> bool:
    steps = path.split("/")
    if not path or "://" in path or "." in steps or ".." in steps or not path.isprintable():
        return False
    return len(path.encode()) <= 900
