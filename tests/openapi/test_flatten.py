"""Flattening: two ways of writing the same contract give the same facts, and different contracts different ones."""

from __future__ import annotations

from typing import Any

import pytest

from openapi.facts import Place
from openapi.flatten import Aspect, Facts, flatten
from openapi.spec_errors import FlattenError

Schema = dict[str, Any]


def document(schema: Any, **components: Any) -> dict[str, Any]:
    """A document with one operation whose body is an object with one field, x."""
    body = {"type": "object", "properties": {"x": schema}}
    operation = {"requestBody": {"content": {"application/json": {"schema": body}}}}
    return {"paths": {"/p": {"post": operation}}, "components": {"schemas": components}}


def facts(schema: Any, **components: Any) -> dict[str, Facts]:
    """Name to facts, below and including the field x."""
    found = flatten(document(schema, **components), "post", "/p")
    assert found is not None
    return {".".join(path): item for (place, path), item in found.items() if place is Place.BODY and path}


def aspects(schema: Any, **components: Any) -> Any:
    return facts(schema, **components)["x"].aspects


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"type": ["string", "null"]}, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        ({"type": ["string", "null"]}, {"oneOf": [{"type": "null"}, {"$ref": "#/components/schemas/S"}]}),
        (
            {"type": "string"},
            {"$ref": "#/components/schemas/S", "description": "words", "x-tolerated": {"values": [1]}},
        ),
        ({"type": "integer", "enum": [0, 1]}, {"enum": [1, 0]}),
        ({"type": ["integer", "null"], "enum": [0, 1, None]}, {"anyOf": [{"enum": [0, 1]}, {"type": "null"}]}),
        ({"const": "a"}, {"type": "string", "enum": ["a"]}),
        ({"type": "integer", "exclusiveMinimum": 0, "maximum": 5}, {"type": "integer", "minimum": 1, "maximum": 5}),
        ({"type": "number", "minimum": 0}, {"allOf": [{"type": "number"}, {"minimum": 0.0}]}),
        ({"type": "integer"}, {"$ref": "#/components/schemas/N", "type": "integer"}),
        ({"type": "string"}, {"type": "string", "minLength": 0, "format": "uri", "examples": ["a"]}),
        (
            {"type": "array", "items": {"type": "string"}},
            {"type": "array", "items": {"$ref": "#/components/schemas/S"}},
        ),
        (
            {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}, "required": ["a"]},
            {
                "allOf": [
                    {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
                    {"properties": {"b": {"$ref": "#/components/schemas/S"}}, "additionalProperties": False},
                ]
            },
        ),
        ({"not": {"enum": ["a"]}}, {"not": {"enum": ["a"], "description": "words"}}),
        (
            {"not": {"properties": {"title": {"const": 1}}}},
            {"not": {"properties": {"title": {"const": 1, "title": "words"}}}},
        ),
    ],
)
def test_the_same_contract_written_twice(one: Schema, other: Schema) -> None:
    """References, combinations, null, const and annotations make no difference."""
    components = {"S": {"type": "string"}, "N": {"type": "number"}}
    first, second = facts(one, **components), facts(other, **components)
    assert {name: item.aspects for name, item in first.items()} == {name: item.aspects for name, item in second.items()}


@pytest.mark.parametrize(
    ("one", "other", "aspect"),
    [
        ({"type": "integer"}, {"type": "number"}, Aspect.TYPE),
        ({"type": "array", "items": {"type": "string"}}, {"type": "array", "items": {"type": "integer"}}, Aspect.TYPE),
        ({"type": "string"}, {"type": ["string", "null"]}, Aspect.NULL),
        ({"type": "number", "minimum": 0}, {"type": "number", "exclusiveMinimum": 0}, Aspect.RANGE),
        ({"type": "integer", "maximum": 5}, {"type": "integer", "maximum": 6}, Aspect.RANGE),
        ({"type": "string", "maxLength": 5}, {"type": "string"}, Aspect.LENGTH),
        ({"type": "array", "maxItems": 5}, {"type": "array", "maxItems": 5, "minItems": 1}, Aspect.COUNT),
        ({"enum": ["a", "b"]}, {"enum": ["a"]}, Aspect.ENUM),
        ({"anyOf": [{"enum": ["a"]}, {"type": "string"}]}, {"enum": ["a"]}, Aspect.ENUM),
        ({"enum": ["1"]}, {"type": "string", "enum": ["2"]}, Aspect.ENUM),
        ({"type": "string", "default": "a"}, {"type": "string"}, Aspect.DEFAULT),
        ({"type": "boolean", "default": False}, {"type": "boolean"}, Aspect.DEFAULT),
        ({"type": "string", "x-picture": {"max-bytes": 1}}, {"type": "string"}, Aspect.PICTURE),
        ({"type": "string", "pattern": "a"}, {"type": "string"}, Aspect.OTHER),
    ],
)
def test_different_contracts(one: Schema, other: Schema, aspect: Aspect) -> None:
    """Every aspect can differ, and only the one that was changed does."""
    first, second = aspects(one), aspects(other)
    assert [name for name in Aspect if first[name] != second[name]] == [aspect]


def test_a_field_is_required_when_every_alternative_requires_it() -> None:
    """One alternative that leaves a field out makes it optional."""
    both = {"oneOf": [{"properties": {"a": True}, "required": ["a"]}, {"properties": {"a": True}, "required": ["a"]}]}
    one = {"oneOf": [{"properties": {"a": True}, "required": ["a"]}, {"properties": {"b": True}}]}
    assert facts(both)["x.a"].aspects[Aspect.REQUIRED].shown == "yes"
    assert facts(one)["x.a"].aspects[Aspect.REQUIRED].shown == "no"


def test_what_restricts_the_items_of_an_array() -> None:
    """Items have facts of their own when more than their type is stated."""
    assert set(facts({"type": "array", "items": {"type": "string"}})) == {"x"}
    assert set(facts({"type": "array", "items": {"type": "string", "maxLength": 3}})) == {"x", "x.[]"}


def test_headers_are_found_where_openapi_says_them() -> None:
    """A bearer scheme is the header Authorization; a media type is the header Content-Type."""
    raw = document({"type": "string"})
    raw["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    raw["security"] = [{"key": []}]
    found = flatten(raw, "POST", "/p")
    assert found is not None
    assert found[Place.HEADER, ("Authorization",)].aspects[Aspect.REQUIRED].shown == "yes"
    assert found[Place.HEADER, ("Content-Type",)].aspects[Aspect.ENUM].shown == '"application/json"'
    raw["paths"]["/p"]["post"]["security"] = []
    found = flatten(raw, "POST", "/p")
    assert found is not None
    assert (Place.HEADER, ("Authorization",)) not in found


def test_an_operation_that_is_not_there() -> None:
    """Neither another path nor another method is found."""
    assert flatten(document({}), "POST", "/q") is None
    assert flatten(document({}), "GET", "/p") is None


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"$ref": "#/components/schemas/Nowhere"}, "#/components/schemas/Nowhere leads nowhere"),
        ({"$ref": "#/components/schemas/Loop"}, "#/components/schemas/Loop refers to itself"),
        ({"$ref": "#/components/schemas/Tree"}, "nests deeper than 24: a recursive schema"),
    ],
)
def test_references_that_do_not_end(schema: Schema, message: str) -> None:
    """A reference to nothing, to itself, or without end is an error that names it."""
    loop = {"allOf": [{"$ref": "#/components/schemas/Loop"}]}
    tree = {"properties": {"child": {"$ref": "#/components/schemas/Tree"}}}
    with pytest.raises(FlattenError, match=message):
        facts(schema, Loop=loop, Tree=tree)
