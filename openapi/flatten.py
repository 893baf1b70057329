"""Flattens an operation of an OpenAPI document to its fields, each with what restricts it.

Two documents that say the same flatten to the same, wherever they keep their schemas: references, `allOf`, null in a
type list or as an alternative, `const` and one-word enumerations make no difference. Annotations are left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from openapi.facts import ITEMS, Bounds, Place, dotted
from openapi.spec_errors import FlattenError

Schema = Mapping[str, Any]
Location = tuple[Place, tuple[str, ...]]

MAX_DEPTH = 24
"""Schemas that nest deeper are taken for recursive, which no field of a page can be."""


class Aspect(StrEnum):
    """What can be stated about a field."""

    TYPE = "type"
    NULL = "null"
    REQUIRED = "required"
    RANGE = "range"
    LENGTH = "length"
    COUNT = "count"
    ENUM = "enum"
    DEFAULT = "default"
    PICTURE = "picture limits"
    OTHER = "other keywords"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One aspect of one field.

    Attributes:
        value: comparable: equal exactly when the two sides mean the same; empty when nothing is stated.
        shown: for people.
    """

    value: frozenset[str]
    shown: str = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is stated about one field.

    Attributes:
        source: the nearest `x-source`, empty when there is none.
    """

    aspects: Mapping[Aspect, Fact]
    source: str

    def summary(self) -> str:
        """The stated aspects in one line."""
        words = [self.aspects[Aspect.TYPE].shown]
        words += ["or null"] if self.aspects[Aspect.NULL].value else []
        words += ["required"] if self.aspects[Aspect.REQUIRED].value else []
        return ", ".join(words)


_RANGE = {"minimum": (0, False), "exclusiveMinimum": (0, True), "maximum": (1, False), "exclusiveMaximum": (1, True)}
_COUNTED = {Aspect.LENGTH: ("minLength", "maxLength"), Aspect.COUNT: ("minItems", "maxItems")}
_STRUCTURE = frozenset({"type", "enum", "const", "default", "properties", "required", "items", "x-picture"})
_ANNOTATIONS = frozenset(
    {"title", "description", "examples", "example", "format", "deprecated", "readOnly", "writeOnly", "$comment"}
    | {"externalDocs", "xml", "discriminator", "contentEncoding", "contentMediaType"}
    | {"additionalProperties", "unevaluatedProperties"}
)


def flatten(document: Mapping[str, Any], method: str, path: str) -> dict[Location, Facts] | None:
    """The fields of an operation: parameters, headers, request body and answer of status 200.

    Args:
        document: a whole OpenAPI 3.1 document.
        method: in any case.
        path: as the document's `paths` write it.

    Returns:
        By place and path, parents before children; None when the document lacks the operation.

    Raises:
        FlattenError: a reference leads nowhere or in a circle.
    """
    operation = document.get("paths", {}).get(path, {}).get(method.lower())
    if operation is None:
        return None
    return _Flattener(document).operation(operation)


class _Flattener:
    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        self.found: dict[Location, Facts] = {}

    def operation(self, operation: Mapping[str, Any]) -> dict[Location, Facts]:
        source = str(operation.get("x-source", ""))
        self.headers(operation, source)
        for parameter in map(self.follow, operation.get("parameters", ())):
            place = Place(parameter["in"])
            own = str(parameter.get("x-source", source))
            self.walk(parameter.get("schema", {}), (place, (parameter["name"],)), parameter.get("required", False), own)
        body = self.follow(operation.get("requestBody", {}))
        answer = self.follow(operation.get("responses", {}).get("200", {}))
        for place, holder in ((Place.BODY, body), (Place.RESPONSE, answer)):
            for media in holder.get("content", {}).values():
                self.walk(media.get("schema", {}), (place, ()), True, source)
        return self.found

    def headers(self, operation: Mapping[str, Any], source: str) -> None:
        """Authorization and Content-Type, which OpenAPI says by other means than header parameters."""
        requirements = operation.get("security", self.document.get("security", []))
        schemes = self.document.get("components", {}).get("securitySchemes", {})
        keyed = [
            [name for name in requirement if _is_authorization(schemes.get(name, {}))] for requirement in requirements
        ]
        if any(keyed):
            self.walk({"type": "string"}, (Place.HEADER, ("Authorization",)), all(keyed), source)
        if media_types := list(self.follow(operation.get("requestBody", {})).get("content", {})):
            schema = {"type": "string", "enum": media_types}
            self.walk(schema, (Place.HEADER, ("Content-Type",)), True, source)

    def walk(self, schema: Any, at: Location, required: bool, source: str) -> None:
        """Notes the facts of a schema and of everything inside it."""
        place, path = at
        if len(path) > MAX_DEPTH:
            raise FlattenError(f"{dotted(path)}: nests deeper than {MAX_DEPTH}: a recursive schema?")
        branches = self.branches(schema)
        typed = [(branch, _types(branch)) for branch in branches]
        values = [branch for branch, types in typed if types != {"null"}]
        source = next((branch["x-source"] for branch in branches if "x-source" in branch), source)
        types = {kind for _, kinds in typed for kind in kinds}
        items = self.together(branch["items"] for branch in values if "items" in branch)
        aspects = {
            Aspect.TYPE: self.type_fact(types, items),
            Aspect.NULL: _yes_no("null" in types and types != {"null"}),
            Aspect.REQUIRED: _yes_no(required),
            Aspect.RANGE: _any_of(_range(branch) for branch in values),
            Aspect.LENGTH: _any_of(_counted(branch, Aspect.LENGTH) for branch in values),
            Aspect.COUNT: _any_of(_counted(branch, Aspect.COUNT) for branch in values),
            Aspect.ENUM: _enum(values),
            Aspect.DEFAULT: _any_of(_default(branch) for branch in branches),
            Aspect.PICTURE: _any_of(_stated(branch.get("x-picture")) for branch in values),
            Aspect.OTHER: _any_of(_stated(_others(branch)) for branch in values),
        }
        self.found[at] = Facts(aspects=aspects, source=source)

        holders = [branch for branch in values if "object" in _types(branch)]
        names = dict.fromkeys(name for branch in holders for name in branch.get("properties", {}))
        for name in names:
            child = self.together(
                branch["properties"][name] for branch in holders if name in branch.get("properties", {})
            )
            always = all(name in branch.get("required", ()) for branch in holders)
            self.walk(child, (place, (*path, name)), always, source)
        if items is not None:
            self.walk(items, (place, (*path, ITEMS)), True, source)
            facts = self.found[place, (*path, ITEMS)].aspects
            # The type of the items is part of the array's type; what else restricts them is worth a line of its own.
            if not any(facts[aspect].value for aspect in Aspect if aspect not in {Aspect.TYPE, Aspect.REQUIRED}):
                del self.found[place, (*path, ITEMS)]

    def type_fact(self, types: set[str], items: Any) -> Fact:
        shown = sorted(types - {"null"}) or sorted(types) or ["any"]
        if items is not None and "array" in shown:
            inner = {kind for branch in self.branches(items) for kind in _types(branch)} - {"null"}
            shown[shown.index("array")] = f"{' or '.join(sorted(inner)) or 'any'}{ITEMS}"
        return Fact(value=frozenset(shown), shown=" or ".join(shown))

    @staticmethod
    def together(schemas: Iterable[Any]) -> Any:
        """One schema for what several branches say at the same place."""
        every = list(schemas)
        return {"anyOf": every} if len(every) > 1 else (every[0] if every else None)

    def branches(self, schema: Any, seen: tuple[str, ...] = ()) -> list[dict[str, Any]]:
        """The alternatives of a schema, each without references and combinations."""
        if not isinstance(schema, Mapping):
            return [{}]  # true: anything
        own = {key: value for key, value in schema.items() if key not in {"$ref", "allOf", "anyOf", "oneOf"}}
        found = [own]
        if "$ref" in schema:
            name = schema["$ref"]
            if name in seen:
                raise FlattenError(f"{name} refers to itself")
            found = [_both(other, own) for other in self.branches(self.target(name), (*seen, name))]
        for part in schema.get("allOf", ()):
            found = [_both(one, other) for one in found for other in self.branches(part, seen)]
        for word in ("anyOf", "oneOf"):
            if word in schema:
                others = [branch for part in schema[word] for branch in self.branches(part, seen)]
                found = [_both(other, one) for one in found for other in others]
        return found

    def follow(self, node: Mapping[str, Any]) -> Mapping[str, Any]:
        """A parameter, body or response, its reference resolved."""
        return self.target(node["$ref"]) if "$ref" in node else node

    def target(self, reference: str) -> Mapping[str, Any]:
        node: Any = self.document
        for step in reference.removeprefix("#/").split("/"):
            name = step.replace("~1", "/").replace("~0", "~")
            if not isinstance(node, Mapping) or name not in node:
                raise FlattenError(f"{reference} leads nowhere")
            node = node[name]
        return node  # type: ignore[no-any-return]  # a document is plain JSON, found to be an object by its reader


def _is_authorization(scheme: Mapping[str, Any]) -> bool:
    return scheme.get("type") == "http" or str(scheme.get("name")).lower() == "authorization"


def _both(first: Schema, second: Schema) -> dict[str, Any]:
    """What holds when both schemas hold; annotations and defaults of the second win."""
    merged = {**first, **second}
    if "required" in first and "required" in second:
        merged["required"] = [*first["required"], *second["required"]]
    if "properties" in first and "properties" in second:
        merged["properties"] = {**first["properties"], **second["properties"]}
        for name in first["properties"].keys() & second["properties"].keys():
            merged["properties"][name] = {"allOf": [first["properties"][name], second["properties"][name]]}
    if "items" in first and "items" in second:
        merged["items"] = {"allOf": [first["items"], second["items"]]}
    if "type" in first and "type" in second:
        one, other = set(_types(first)), set(_types(second))
        whole = {"integer"} if {"integer", "number"} <= one | other else set()
        merged["type"] = sorted((one & other) | whole)
    return merged


def _types(branch: Schema) -> set[str]:
    """The types that a schema without combinations allows; empty when any."""
    if "type" in branch:
        return {branch["type"]} if isinstance(branch["type"], str) else set(branch["type"])
    words = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}
    named = [branch["const"]] if "const" in branch else branch.get("enum", [])
    if named:
        return {words.get(type(value), "object") for value in named}
    return {"object"} if "properties" in branch else set()


def _yes_no(value: bool) -> Fact:
    return Fact(value=frozenset({"yes"} if value else ()), shown="yes" if value else "no")


ABSENT = Fact(value=frozenset(), shown="nothing")


def _any_of(facts: Iterable[Fact]) -> Fact:
    """What several alternatives state together."""
    stated = [fact for fact in facts if fact.value]
    if not stated:
        return ABSENT
    shown = dict.fromkeys(fact.shown for fact in stated)
    return Fact(value=frozenset().union(*(fact.value for fact in stated)), shown=" or ".join(shown))


def _stated(value: Any) -> Fact:
    if not value:
        return ABSENT
    text = _canonical(value)
    return Fact(value=frozenset({text}), shown=text)


def _default(branch: Schema) -> Fact:
    if "default" not in branch:
        return ABSENT
    return Fact(value=frozenset({_canonical(branch["default"])}), shown=json.dumps(branch["default"]))


def _range(branch: Schema) -> Fact:
    ends: list[tuple[float | None, bool]] = [(None, False), (None, False)]
    for word, (end, is_open) in _RANGE.items():
        if word in branch:
            ends[end] = (_plain_number(branch[word]), is_open)
    (low, low_open), (high, high_open) = ends
    if low is None and high is None:
        return ABSENT
    shown = str(Bounds(low=low, high=high, low_open=low_open, high_open=high_open))
    if "integer" in _types(branch):  # (0, 50] and [1, 50] are the same whole numbers
        low = None if low is None else low + low_open
        high = None if high is None else high - high_open
        low_open = high_open = False
    same = Bounds(low=low, high=high, low_open=low_open, high_open=high_open)
    return Fact(value=frozenset({str(same)}), shown=shown)


def _counted(branch: Schema, aspect: Aspect) -> Fact:
    low, high = (branch.get(word) for word in _COUNTED[aspect])
    if not low and high is None:  # at least 0 says nothing
        return ABSENT
    shown = str(Bounds(low=low or None, high=high))
    return Fact(value=frozenset({shown}), shown=shown)


def _enum(branches: Sequence[Schema]) -> Fact:
    """The value list of all alternatives; none when one of them takes any value. null is an aspect of its own."""
    values: dict[str, None] = {}
    for branch in branches:
        if "const" in branch:
            values[_canonical(branch["const"])] = None
        elif "enum" in branch:
            values |= {_canonical(value): None for value in branch["enum"] if value is not None}
        else:
            return ABSENT
    return Fact(value=frozenset(values), shown=", ".join(values)) if values else ABSENT


def _others(branch: Schema) -> dict[str, Any]:
    known = _STRUCTURE | _ANNOTATIONS | _RANGE.keys() | {word for words in _COUNTED.values() for word in words}
    return {key: _bare(value) for key, value in branch.items() if key not in known and not key.startswith("x-")}


def _bare(value: Any, names: bool = False) -> Any:
    """A schema inside another keyword (if, not), without its annotations; the keys of `properties` are names."""
    if isinstance(value, dict):
        return {
            key: _bare(inner, names=key == "properties" and not names)
            for key, inner in value.items()
            if names or (key not in _ANNOTATIONS and not key.startswith("x-"))
        }
    return [_bare(inner) for inner in value] if isinstance(value, list) else value


def _plain_number(value: Any) -> Any:
    """1.0 as 1, everything else as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _canonical(value: Any) -> str:
    """JSON in which 1 and 1.0 are one number and the order of keys does not matter."""
    return json.dumps(_plain_number(value), sort_keys=True, ensure_ascii=False)
