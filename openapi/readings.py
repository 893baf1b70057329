"""The two readings of the document: what the pages say, and what a lenient server accepts as well.

The document is written in the documented reading. `x-tolerated` beside the keywords of a thing says how the lenient
one differs; `rendered` carries that out and gives a plain OpenAPI document without the extension and without the
schemas that this reading has no use for.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Any

from openapi.vocabulary import JsonObject, rewrite

ANNOTATIONS = ("title", "description", "default", "examples", "deprecated", "x-meanings", "x-picture")
"""Keywords that say something about a field as a whole: they stay outside when alternatives are put round a schema."""

_TYPES = {str: "string", int: "integer", type(None): "null"}


class Reading(StrEnum):
    """Which of the two readings is meant."""

    DOCUMENTED = "documented"
    """Strict: what the pages say."""
    TOLERATED = "tolerated"
    """Lenient: the documented reading, and what real clients send or real answers show."""


def rendered(document: JsonObject, reading: Reading) -> JsonObject:
    """A complete OpenAPI document in one reading, without `x-tolerated`.

    Objects are new, plain values (enums, texts, example bodies) are shared with the given document.
    """
    change = _tolerate if reading is Reading.TOLERATED else _document
    copy: JsonObject = rewrite(document, "document", change)
    _drop_unused(copy)
    return copy


def _drop_unused(document: JsonObject) -> None:
    """Drop the schemas that only the other reading refers to."""
    schemas = document["components"]["schemas"]
    used: set[str] = set()
    parts = [part for name, part in document.items() if name != "components"]
    parts += [part for name, part in document["components"].items() if name != "schemas"]
    while parts:
        fresh = {name for part in parts for name in _schemas_named(part)} - used
        used |= fresh
        parts = [schemas[name] for name in fresh]
    document["components"]["schemas"] = {name: schema for name, schema in schemas.items() if name in used}


def _schemas_named(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        reference = node.get("$ref", "")
        if isinstance(reference, str) and reference.startswith("#/components/schemas/"):
            yield reference.rpartition("/")[2]
        for child in node.values():
            yield from _schemas_named(child)
    elif isinstance(node, list):
        for child in node:
            yield from _schemas_named(child)


def _document(kind: str, old: JsonObject, copy: JsonObject) -> Any:
    """Drop what the pages do not say."""
    copy.pop("x-tolerated", None)
    if kind == "media" and "examples" in copy:
        copy["examples"] = {name: example for name, example in copy["examples"].items() if not _lenient(old, name)}
    elif kind == "components" and "securitySchemes" in copy:
        schemes = old["securitySchemes"]
        copy["securitySchemes"] = {
            name: s for name, s in copy["securitySchemes"].items() if not _stands_in(schemes[name])
        }
    return copy


def _tolerate(kind: str, old: JsonObject, copy: JsonObject) -> Any:
    """Put the tolerance of a thing in the place of its documented form."""
    tolerance = copy.pop("x-tolerated", None)
    if kind == "schema":
        return _tolerant_schema(old, copy, tolerance or {})
    if kind == "parameter" and tolerance:
        copy["schema"] = _tolerant_parameter(copy["schema"], tolerance)
    elif kind == "document":
        _tolerant_security(old, copy)
    return copy


def _tolerant_schema(old: JsonObject, copy: JsonObject, tolerance: JsonObject) -> JsonObject:
    optional = {name for name, field in old.get("properties", {}).items() if _optional(field)}
    if optional:
        copy["required"] = [name for name in copy["required"] if name not in optional]
    if tolerance.get("unknown-fields"):
        copy.pop("additionalProperties", None)
    for keyword, value in tolerance.get("keywords", {}).items():
        if value is None:
            copy.pop(keyword, None)
        else:
            copy[keyword] = value
    return _widen(copy, tolerance.get("values", []), tolerance.get("also", []))


def _widen(schema: JsonObject, values: list[Any], also: list[JsonObject]) -> JsonObject:
    """The schema, or one of the values, or one of the other schemas."""
    if not values and not also:
        return schema
    if values and not also and "$ref" not in schema:
        given = schema.get("type", [])
        types = given if isinstance(given, list) else [given]
        if "enum" in schema and (
            not types or values == [None] or all(_TYPES[type(value)] in types for value in values)
        ):
            schema = {**schema, "enum": [*schema["enum"], *values]}
            return {**schema, "type": [*types, "null"]} if types and None in values else schema
        if values == [None] and types:
            return {**schema, "type": [*types, "null"]}
    outside = {keyword: value for keyword, value in schema.items() if keyword in ANNOTATIONS}
    inside = {keyword: value for keyword, value in schema.items() if keyword not in ANNOTATIONS}
    further = [*([_one_of_values(values)] if values else []), *also]
    return {**outside, "anyOf": [inside, *further]}


def _one_of_values(values: list[Any]) -> JsonObject:
    return {"type": "null"} if values == [None] else {"enum": values}


def _tolerant_parameter(schema: JsonObject, tolerance: JsonObject) -> JsonObject:
    if tolerance.get("words"):
        schema = _widen(schema, list(tolerance["words"]), [])
    if tolerance.get("repeated") == "all":
        schema = {"type": "array", "items": schema}
    return schema


def _tolerant_security(old: JsonObject, copy: JsonObject) -> None:
    """Offer the stand-in forms of a key beside the documented one, where they are taken."""
    schemes = old.get("components", {}).get("securitySchemes", {})
    stand_ins = {name: scheme["x-tolerated"] for name, scheme in schemes.items() if _stands_in(scheme)}
    everywhere: list[JsonObject] = [{name: []} for name, form in stand_ins.items() if "paths" not in form]
    copy["security"] = [*copy.get("security", []), *everywhere]
    for path, item in copy.get("paths", {}).items():
        here: list[JsonObject] = [
            {name: []} for name, form in stand_ins.items() if "paths" in form and path.startswith(form["paths"])
        ]
        for operation in item.values() if here else ():
            operation["security"] = [*copy["security"], *here]


def _optional(field: JsonObject) -> bool:
    return bool(field.get("x-tolerated", {}).get("optional"))


def _lenient(media: JsonObject, example: str) -> bool:
    return "x-tolerated" in media["examples"][example]


def _stands_in(scheme: JsonObject) -> bool:
    return "stands-for" in scheme.get("x-tolerated", {})
