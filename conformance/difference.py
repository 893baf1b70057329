"""Two JSON values side by side, after everything was taken out that may differ between two right servers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from conformance.wire import MISSING

ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
URL = re.compile(r"https?://\S+")
TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d\S*")
TIMES = re.compile(r".*(_ms|_time|eta|eta_relative|progress|progress_percent|confidence)$")
"""Keys whose values tell of a moment or of a measurement."""


class Kind(StrEnum):
    """What differs."""

    STATUS = "status"
    HEADER = "header"
    STRUCTURE = "structure"
    """A key, an element or a JSON type."""
    VALUE = "value"
    WORDS = "words"
    """Text for people."""
    PICTURE = "picture"
    TIME = "time"
    """Another order of magnitude."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One place where two answers differ; `left` and `right` are short texts."""

    kind: Kind
    place: str
    left: str
    right: str


def canonical(value: Any, key: str = "") -> Any:
    """The value with ids, URLs, times and drawn numbers replaced by what they are."""
    if isinstance(value, dict):
        return {name: canonical(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [canonical(inner, key) for inner in value]
    if TIMES.fullmatch(key) and not isinstance(value, (type(None), bool)):
        return "<moment>" if isinstance(value, str) else 0
    if isinstance(value, str):
        return TIME.sub("<time>", URL.sub("<url>", ID.sub("<id>", value)))
    return value


def differences(left: Any, right: Any, place: str = "", *, words: frozenset[str] = frozenset()) -> Iterator[Difference]:
    """Where two canonical values differ.

    Args:
        words: keys whose text is for people: a difference there is of the kind WORDS.
    """
    if left is MISSING or right is MISSING:
        if left is not right:
            yield Difference(kind=Kind.STRUCTURE, place=place, left=brief(left), right=brief(right))
        return
    if _json_type(left) != _json_type(right):
        yield Difference(kind=Kind.STRUCTURE, place=place, left=_typed(left), right=_typed(right))
    elif isinstance(left, Mapping):
        for name in dict.fromkeys((*left, *right)):
            inner = f"{place}.{name}".lstrip(".")
            yield from differences(left.get(name, MISSING), right.get(name, MISSING), inner, words=words)
    elif isinstance(left, list):
        if len(left) != len(right):
            yield Difference(
                kind=Kind.STRUCTURE, place=place, left=f"{len(left)} elements", right=f"{len(right)} elements"
            )
        for index, (one, other) in enumerate(zip(left, right, strict=False)):
            yield from differences(one, other, f"{place}[{index}]", words=words)
    elif left != right:
        kind = Kind.WORDS if place.rpartition(".")[2] in words else Kind.VALUE
        yield Difference(kind=kind, place=place, left=brief(left), right=brief(right))


def brief(value: Any) -> str:
    """A value in a few words."""
    text = "nothing" if value is MISSING else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _typed(value: Any) -> str:
    return f"{_json_type(value)} {brief(value)}"


def _json_type(value: Any) -> str:
    names = {bool: "boolean", int: "number", float: "number", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "null")
