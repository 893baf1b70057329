"""Samples made from the document itself: a full value for any schema, and every place that has a tolerance."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from openapi.document import Document, Reading, load
from openapi.vocabulary import JsonObject, resolve

Accepts = Callable[[object, Reading], bool]


@cache
def contract() -> Document:
    """The shipped document."""
    return load()


def merged(document: JsonObject, schema: JsonObject) -> JsonObject:
    """The schema with its `$ref` followed; keywords beside the reference win, fields of both are joined."""
    if "$ref" not in schema:
        return schema
    base = merged(document, resolve(document, schema["$ref"]))
    beside = {keyword: value for keyword, value in schema.items() if keyword != "$ref"}
    fields = dict(base.get("properties", {}))
    for name, field in beside.get("properties", {}).items():
        fields[name] = {**fields.get(name, {}), **field}
    return {**base, **beside, **({"properties": fields} if fields else {})}


def sample(document: JsonObject, schema: JsonObject) -> Any:
    """A value that fits the documented reading of a schema, with every field of every object."""
    schema = merged(document, schema)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            return sample(document, schema[keyword][0])
    if "examples" in schema:
        return schema["examples"][0]
    types = schema.get("type")
    match types[0] if isinstance(types, list) else types:
        case "object":
            return {name: sample(document, field) for name, field in schema.get("properties", {}).items()}
        case "array":
            return [sample(document, schema["items"])] if "items" in schema else []
        case "integer" | "number":
            return schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
        case "string":
            return "2026-01-02 03:04:05" if " " in schema.get("pattern", "") else "12"
        case "boolean":
            return True
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A body of the document: its name, its schema, and what decides whether a value is accepted."""

    name: str
    schema: JsonObject
    accepts: Accepts


def bodies() -> Iterator[Body]:
    """Every request body, answer and webhook event."""
    document = contract()
    raw = document.raw
    for name, operation in document.operations.items():
        holder = raw["paths"][operation.path][operation.method.lower()]
        if operation.body:
            yield Body(name=f"{name}.request", schema=_schema(raw, holder["requestBody"]), accepts=operation.is_valid)
        for status, response in holder["responses"].items():
            yield Body(
                name=f"{name}.{status}", schema=_schema(raw, response), accepts=_answer(document, name, int(status))
            )
    for name, webhook in document.webhooks.items():
        yield Body(
            name=name, schema=_schema(raw, raw["webhooks"][name]["post"]["requestBody"]), accepts=webhook.is_valid
        )


def _schema(raw: JsonObject, holder: JsonObject) -> JsonObject:
    schema: JsonObject = merged(raw, holder)["content"]["application/json"]["schema"]
    return schema


def _answer(document: Document, name: str, status: int) -> Accepts:
    return lambda value, reading: document.response_validator(name, status, reading).is_valid(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A schema inside a body.

    `build` gives the whole body with a value at this place, `without` the whole body with nothing there (None where
    the place is not a field). `tolerance` is the `x-tolerated` written at the place.
    """

    name: str
    schema: JsonObject
    tolerance: Mapping[str, Any]
    build: Callable[[Any], Any]
    without: Callable[[], Any] | None = None


def places(body: Body) -> Iterator[Place]:
    """Every place of a body, the `$ref` and what it points at apart, since each may have a tolerance."""
    yield from _places(contract().raw, body.schema, body.name, lambda value: value, None)


def _places(
    document: JsonObject,
    schema: JsonObject,
    name: str,
    build: Callable[[Any], Any],
    without: Callable[[], Any] | None,
) -> Iterator[Place]:
    tolerance = schema.get("x-tolerated", {})
    yield Place(name=name, schema=schema, tolerance=tolerance, build=build, without=without)
    if "$ref" in schema:
        yield from _places(document, resolve(document, schema["$ref"]), f"{name}>", build, without)
    for keyword in ("anyOf", "oneOf"):
        for place, branch in enumerate(schema.get(keyword, ())):
            yield from _places(document, branch, f"{name}|{place}", build, None)
    for field, inner in schema.get("properties", {}).items():
        whole = sample(document, schema)
        rest = {key: value for key, value in whole.items() if key != field}
        inside, beside = partial(_put, build, whole, field), partial(build, rest)
        yield from _places(document, inner, f"{name}.{field}", inside, beside)
    if "items" in schema:
        yield from _places(document, schema["items"], f"{name}[]", lambda value: build([value]), None)


def _put(build: Callable[[Any], Any], whole: JsonObject, field: str, value: Any) -> Any:
    return build({**whole, field: value})


def copy_of(value: Any) -> Any:
    """An independent copy of a JSON value."""
    return json.loads(json.dumps(value))
