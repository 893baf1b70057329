"""The fields of a request as the documented reading has them: one tree per operation, with the values worth trying.

It follows `$ref`, and `anyOf` with null. What a client sent of it is counted in `mockserver.coverage.collector`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Schema = Mapping[str, Any]

_SAMPLES: Mapping[str, Any] = {"string": "text", "integer": 1, "number": 0.5, "boolean": True, "null": None}
_FORMAT_SAMPLES = {"base64-image": "<picture in base64>", "uri": "<address of your receiver>"}


class Limit(StrEnum):
    """What makes a value worth a test of its own."""

    VALUE = "value"
    """One of the listed values, true or false, or null where the document allows it."""
    MINIMUM = "minimum"
    MAXIMUM = "maximum"
    SHORTEST = "shortest"
    LONGEST = "longest"
    FEWEST = "fewest"
    MOST = "most"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A value at a limit of a field: the value itself, a length of text, or a number of entries."""

    limit: Limit
    value: str | int | float | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field of a request.

    Attributes:
        name: as in the JSON object, or of the query parameter.
        path: from the body's root, `request.loras[].strength`.
        required: whether the object that holds it must have it.
        types: JSON types.
        format: as the document names it; empty for none.
        edges: the values worth trying.
        fields: members of an object, or of the entries of an array.
        many: whether it is an array.
        sample: a value that shows how the field looks; text in angle brackets stands for what a caller has to fill in.
    """

    name: str
    path: str
    required: bool
    types: tuple[str, ...]
    format: str
    edges: tuple[Edge, ...]
    fields: tuple[Field, ...]
    many: bool
    sample: Any

    def walk(self) -> Iterator[Field]:
        """It and everything in it, parents first."""
        yield self
        for field in self.fields:
            yield from field.walk()


def flat(document: Schema, schema: Schema) -> dict[str, Any]:
    """A schema with its references followed and its alternatives joined; `type` is a list.

    Alternatives beside null are read as one schema that has them all: no request of the contract has two.
    """
    merged: dict[str, Any] = {}
    if "$ref" in schema:
        merged.update(flat(document, referred(document, schema["$ref"])))
    for alternative in schema.get("anyOf", ()):
        found = flat(document, alternative)
        types = [*merged.get("type", ()), *(one for one in found.get("type", ()) if one not in merged.get("type", ()))]
        merged.update({**found, "type": types})
    merged.update({key: value for key, value in schema.items() if key not in ("$ref", "anyOf")})
    given = merged.get("type", [])
    merged["type"] = list(given) if isinstance(given, list) else [given]
    return merged


def referred(document: Schema, reference: str) -> Schema:
    """What a local `$ref` points at."""
    node: Any = document
    for part in reference.removeprefix("#/").split("/"):
        node = node[part]
    found: Schema = node
    return found


def members(document: Schema, schema: Schema, prefix: str = "") -> tuple[Field, ...]:
    """The fields of an object, or of an array's entries."""
    return tuple(
        read_field(document, child, name=name, path=f"{prefix}{name}", required=name in schema.get("required", ()))
        for name, child in schema.get("properties", {}).items()
    )


def read_field(document: Schema, raw: Schema, *, name: str, path: str, required: bool) -> Field:
    """One field from its schema."""
    schema = flat(document, raw)
    many = "array" in schema["type"]
    entries = flat(document, schema.get("items", {})) if many else schema
    fields = members(document, entries, f"{path}[]." if many else f"{path}.")
    return Field(
        name=name,
        path=path,
        required=required,
        types=tuple(schema["type"]),
        format=schema.get("format", ""),
        edges=tuple(_edges(schema)),
        fields=fields,
        many=many,
        sample=[_sample(entries, fields)] if many else _sample(schema, fields),
    )


def _edges(schema: Schema) -> Iterator[Edge]:
    types = schema["type"]
    if "enum" in schema:
        yield from (Edge(limit=Limit.VALUE, value=value) for value in schema["enum"])
    elif "const" in schema:
        yield Edge(limit=Limit.VALUE, value=schema["const"])
    elif "boolean" in types:
        yield from (Edge(limit=Limit.VALUE, value=value) for value in (True, False))
    if "minimum" in schema:
        yield Edge(limit=Limit.MINIMUM, value=schema["minimum"])
    elif "exclusiveMinimum" in schema and "integer" in types:  # other numbers have no first one above it
        yield Edge(limit=Limit.MINIMUM, value=schema["exclusiveMinimum"] + 1)
    if "maximum" in schema:
        yield Edge(limit=Limit.MAXIMUM, value=schema["maximum"])
    for keyword, limit in (
        ("minLength", Limit.SHORTEST),
        ("maxLength", Limit.LONGEST),
        ("minItems", Limit.FEWEST),
        ("maxItems", Limit.MOST),
    ):
        if keyword in schema:
            yield Edge(limit=limit, value=schema[keyword])
    if "null" in types and None not in schema.get("enum", ()) and len(types) > 1:
        yield Edge(limit=Limit.VALUE, value=None)


def _sample(schema: Schema, fields: tuple[Field, ...]) -> Any:
    if fields:
        return {field.name: field.sample for field in fields if field.required} or {fields[0].name: fields[0].sample}
    if schema.get("examples"):
        return schema["examples"][0]
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("format") in _FORMAT_SAMPLES:
        return _FORMAT_SAMPLES[schema["format"]]
    if "minimum" in schema:
        return schema["minimum"]
    return _SAMPLES.get(schema["type"][0]) if schema["type"] else "text"
