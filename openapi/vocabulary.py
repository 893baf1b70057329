"""Which keywords the document may use, and where: one table, from which walking, checking and rewriting follow.

A keyword outside the table is an error at load: a constraint that nobody enforces would be worse than none.
What the keywords of `x-tolerated` do is in `openapi.readings`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from openapi.errors import BrokenDocument, UnknownKeyword

JsonObject = dict[str, Any]
"""A JSON object as the parser gives it. The document's own shape is what this package is about."""

# A rule is the kind of what a keyword holds, or None where the value is data. A prefix tells the container:
# "map:" is an object of such things, "list:" an array of them.
Rule = str | None


def _data(*keywords: str) -> dict[str, Rule]:
    return dict.fromkeys(keywords)


_SCHEMA: dict[str, Rule] = {
    **_data("$ref", "type", "const", "enum", "format", "pattern", "minLength", "maxLength", "required"),
    **_data("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minItems", "maxItems", "maxProperties"),
    **_data("title", "description", "default", "examples", "deprecated", "x-meanings", "x-picture"),
    **dict.fromkeys(("items", "not", "if", "then", "else", "additionalProperties"), "schema"),
    **dict.fromkeys(("anyOf", "oneOf", "allOf"), "list:schema"),
    "properties": "map:schema",
}

KEYWORDS: dict[str, dict[str, Rule]] = {
    "document": {
        **_data("openapi", "jsonSchemaDialect", "security", "x-references"),
        "info": "info",
        "servers": "list:server",
        "tags": "list:tag",
        "paths": "map:path",
        "webhooks": "map:path",
        "components": "components",
    },
    "info": {**_data("title", "version", "summary", "description"), "license": "license", "contact": "contact"},
    "license": _data("name", "identifier"),
    "contact": _data("name", "url"),
    "server": _data("url", "description"),
    "tag": _data("name", "description"),
    "path": dict.fromkeys(("get", "post"), "operation"),
    "operation": {
        **_data("operationId", "tags", "deprecated", "summary", "description", "security", "x-rate-limit"),
        "externalDocs": "link-out",
        "parameters": "list:parameter",
        "requestBody": "body",
        "responses": "map:response",
        "x-tolerated": "operation-tolerance",
    },
    "link-out": _data("url", "description"),
    "parameter": {
        **_data("name", "in", "required", "description", "example"),
        "schema": "schema",
        "x-tolerated": "parameter-tolerance",
    },
    "body": {**_data("required", "description"), "content": "map:media"},
    "media": {"schema": "schema", "examples": "map:example", "x-refused-examples": "map:refused-example"},
    "example": {**_data("summary", "externalValue", "value", "x-file"), "x-tolerated": "example-tolerance"},
    "refused-example": _data("summary", "externalValue", "value", "x-file", "because"),
    "response": {**_data("$ref", "description"), "content": "map:media", "links": "map:link"},
    "link": _data("operationId", "description", "parameters"),
    "components": {
        "securitySchemes": "map:security-scheme",
        "responses": "map:response",
        "schemas": "map:schema",
    },
    "security-scheme": {
        **_data("type", "scheme", "in", "name", "description"),
        "x-tolerated": "security-scheme-tolerance",
    },
    "schema": {**_SCHEMA, "x-tolerated": "schema-tolerance"},
    "schema-tolerance": {
        **_data("because", "values", "optional", "unknown-fields"),
        "also": "list:schema",
        "keywords": "replacement",
    },
    "replacement": _SCHEMA,
    "parameter-tolerance": _data("because", "words", "repeated"),
    "operation-tolerance": _data("because", "unknown-parameters"),
    "example-tolerance": _data("because"),
    "security-scheme-tolerance": _data("because", "stands-for", "paths"),
}


def walk(node: object, kind: str = "document", pointer: str = "#") -> Iterator[tuple[str, str, JsonObject]]:
    """Every object of the document that has keywords, as (pointer, kind, object), parents first.

    Raises:
        UnknownKeyword: an object has a keyword that the table does not list for its kind.
    """
    if not isinstance(node, dict):  # `additionalProperties: false`, and null in a replacement
        return
    yield pointer, kind, node
    rules = KEYWORDS[kind]
    for keyword, value in node.items():
        if keyword not in rules:
            raise UnknownKeyword(f"{pointer}/{escape(keyword)}", keyword, kind)
        rule = rules[keyword]
        if rule is None:
            continue
        inside = f"{pointer}/{escape(keyword)}"
        if rule.startswith("map:"):
            for name, child in value.items():
                yield from walk(child, rule[4:], f"{inside}/{escape(name)}")
        elif rule.startswith("list:"):
            for place, child in enumerate(value):
                yield from walk(child, rule[5:], f"{inside}/{place}")
        else:
            yield from walk(value, rule, inside)


def rewrite(node: Any, kind: str, change: Callable[[str, JsonObject, JsonObject], Any]) -> Any:
    """A copy of the document in which `change(kind, old, copy)` gave each object, children first."""
    if not isinstance(node, dict):
        return node
    rules = KEYWORDS[kind]
    copy: JsonObject = {}
    for keyword, value in node.items():
        rule = rules[keyword]
        if rule is None:
            copy[keyword] = value
        elif rule.startswith("map:"):
            copy[keyword] = {name: rewrite(child, rule[4:], change) for name, child in value.items()}
        elif rule.startswith("list:"):
            copy[keyword] = [rewrite(child, rule[5:], change) for child in value]
        else:
            copy[keyword] = rewrite(value, rule, change)
    return change(kind, node, copy)


def check(document: JsonObject) -> None:
    """Refuse a document that says something we do not understand, or that does not hold together.

    Raises:
        UnknownKeyword: a keyword outside the table.
        BrokenDocument: a `$ref` that leads nowhere, a reason without an entry in `x-references`, a meaning for a value
            that is not in the enum, a `not` without a description, `optional` on a field that is not required, an
            operationId used twice.
    """
    references = document.get("x-references", {})
    operations: set[str] = set()
    for pointer, kind, node in walk(document):
        if "$ref" in node:
            resolve(document, node["$ref"], pointer)
        for keyword in ("because", "unknown-fields"):
            for cited in node.get(keyword, ()):
                if cited not in references:
                    raise BrokenDocument(f"{pointer}/{keyword}", f"{cited} is not in x-references")
        if node.get("not") is not None and "description" not in node["not"]:
            raise BrokenDocument(f"{pointer}/not", "must say in its description why such a value is refused")
        if "x-meanings" in node:
            words = {str(value) for value in node.get("enum", ()) if value is not None}
            if words != set(node["x-meanings"]):
                raise BrokenDocument(f"{pointer}/x-meanings", "must name exactly the values of enum")
        for name, field in node.get("properties", {}).items() if kind == "schema" else ():
            if field.get("x-tolerated", {}).get("optional") and name not in node.get("required", ()):
                raise BrokenDocument(f"{pointer}/properties/{escape(name)}", "tolerated as optional, but not required")
        if kind == "operation":
            if node["operationId"] in operations:
                raise BrokenDocument(f"{pointer}/operationId", f"{node['operationId']} is used twice")
            operations.add(node["operationId"])


def resolve(document: JsonObject, reference: str, pointer: str = "#") -> JsonObject:
    """What a local `$ref` points at.

    Raises:
        BrokenDocument: nothing is there; carries the place of the reference.
    """
    node: Any = document
    for part in reference.removeprefix("#/").split("/"):
        try:
            node = node[part.replace("~1", "/").replace("~0", "~")]
        except (KeyError, TypeError):
            raise BrokenDocument(pointer, f"{reference} leads nowhere") from None
    assert isinstance(node, dict), f"{reference} is not an object"
    return node


def escape(part: str) -> str:
    """A key as a part of a JSON pointer (RFC 6901)."""
    return part.replace("~", "~0").replace("/", "~1")
