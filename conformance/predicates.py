"""Does an answer fulfil a claim? Standard library only: the text of this module is put into reproduction scripts.

A claim is a JSON object with a `kind` and what the kind needs; an answer has `status`, `headers` (names in lower case)
and `body` (bytes). `judge` gives whether the claim holds, and what was found in its place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any


def parsed(answer: Mapping[str, Any]) -> tuple[Any, bool]:
    """The body as JSON, and whether it is JSON; whoever has parsed it already says so in `parsed`."""
    if "parsed" in answer:
        value, is_json = answer["parsed"]
        return value, is_json
    try:
        return json.loads(answer["body"]), True
    except (ValueError, RecursionError):
        return None, False


def values(body: Any, path: str) -> list[tuple[str, Any, bool]]:
    """All (place, value, found) that a path such as `images[].image_url` leads to; "" is the whole body."""
    places = [("", body, True)]
    for step in re.findall(r"\[\]|[^.\[\]]+", path):
        reached = []
        for place, value, found in places:
            if step == "[]":
                items = value if found and isinstance(value, list) else []
                reached += [(f"{place}[{index}]", item, True) for index, item in enumerate(items)]
            elif found and isinstance(value, dict) and step in value:
                reached.append((f"{place}.{step}".lstrip("."), value[step], True))
            elif found and isinstance(value, list) and step.isdigit() and int(step) < len(value):
                reached.append((f"{place}[{step}]", value[int(step)], True))
            else:
                reached.append((f"{place}.{step}".lstrip("."), None, False))
        places = reached
    return places


def type_name(value: Any) -> str:
    """The JSON type; a number without fraction is an integer, as JSON Schema counts it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return "integer"
    names = {float: "number", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "nothing")


def has_type(value: Any, types: Sequence[str]) -> bool:
    """Whether a value has one of some JSON types."""
    name = type_name(value)
    return name in types or (name == "integer" and "number" in types)


def task_id_v3(body: Any) -> str | None:
    """The task id of a v3 submit answer, also inside the wrapper `data` (C1)."""
    for holder in (body, body.get("data") if isinstance(body, dict) else None):
        found = holder.get("task_id") if isinstance(holder, dict) else None
        if isinstance(found, str) and found:
            return found
    return None


def holds_of_value(claim: Mapping[str, Any], value: Any, found: bool) -> bool:
    """Whether one value fulfils a claim about values."""
    kind = claim["kind"]
    if kind == "absent":
        return not found
    if not found:
        return bool(claim.get("optional"))
    if value is None and claim.get("nullable"):
        return True
    if kind == "present":
        return True
    if kind == "type":
        return has_type(value, claim["types"]) and not (claim.get("filled") and value in ("", [], {}))
    if kind == "one-of":
        return any(value == one and type_name(value) == type_name(one) for one in claim["values"])
    if kind == "none-of":
        return all(value != one for one in claim["values"])
    if kind == "matches":
        return isinstance(value, str) and re.fullmatch(claim["pattern"], value) is not None
    if kind == "range":
        low, high = claim.get("low"), claim.get("high")
        number = has_type(value, ["number"])
        return number and (low is None or value >= low) and (high is None or value <= high)
    if kind == "count":
        return isinstance(value, list) and len(value) == claim["count"]
    if kind == "empty":
        return value in (None, "", [], {})
    raise ValueError(f"no such kind of claim: {kind}")


def judge(answer: Mapping[str, Any], claim: Mapping[str, Any]) -> tuple[bool, str]:
    """Whether an answer fulfils a claim, and what was found instead, in words."""
    kind, status = claim["kind"], answer["status"]
    body, is_json = parsed(answer)
    if kind == "status":
        return status in claim["in"], f"status {status}"
    if kind == "status-class":
        return claim["low"] <= status <= claim["high"], f"status {status}"
    if kind == "header":
        value = answer["headers"].get(claim["name"])
        return value is not None and re.fullmatch(claim["pattern"], value) is not None, f"{claim['name']}: {value}"
    if kind == "holds-not":
        return claim["text"].encode() not in answer["body"], f"a body with {claim['text']}"
    if kind == "accepted-v3":
        return 200 <= status <= 299 and task_id_v3(body) is not None, shown(status, answer["body"])
    if kind == "refused-v3":
        return status in claim.get("in", [400]) and task_id_v3(body) is None, shown(status, answer["body"])
    if kind in ("accepted-v2", "refused-v2"):
        code = body.get("code") if isinstance(body, dict) else None
        right = status == 200 and type_name(code) == "integer"
        if kind == "accepted-v2":
            return right and code == 0 and task_id_v3(body) is not None, shown(status, answer["body"])
        return right and code != 0 and task_id_v3(body) is None, shown(status, answer["body"])
    if kind == "json":
        return is_json and has_type(body, claim["types"]), shown(status, answer["body"])
    if not is_json:
        return False, shown(status, answer["body"])
    for place, value, found in values(body, claim["path"]):
        if not holds_of_value(claim, value, found):
            where = place or "the body"
            return False, f"{where} = {json.dumps(value)[:200]}" if found else f"no {where}"
    return True, "as expected"


def shown(status: int, body: bytes) -> str:
    """An answer in a few words."""
    text = body[:200].decode("utf-8", "replace")
    return f"status {status} with {text!r}" if text else f"status {status} and no body"
