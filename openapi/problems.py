"""What is wrong with a value, in words a person can act on: what was expected, what came, what was perhaps meant."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from openapi.vocabulary import JsonObject, escape, resolve

Step = str | int


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong.

    `path` leads to the value in the body or, for a query parameter, is its name; of a field that is missing it is
    where the field should be. `keyword` is the JSON Schema keyword that refused it ("unknown-parameter" and
    "repeated" for queries). `because` are the ids of x-references for which a lenient server takes the value all the
    same; empty when it does not. `cites` are the ids that the description of the place names.
    """

    path: tuple[Step, ...]
    keyword: str
    message: str
    value_repr: str
    because: tuple[str, ...] = ()
    cites: tuple[str, ...] = ()
    where: str = "body"

    @property
    def pointer(self) -> str:
        """The place as a JSON pointer; empty for the whole body."""
        return "".join(f"/{escape(str(step))}" for step in self.path)

    def __str__(self) -> str:
        place = ".".join(str(step) for step in self.path) or "the body"
        return f"{place}: {self.message}"


def describe(document: JsonObject, schema: JsonObject) -> str:
    """What a schema expects, as a noun phrase: "an integer from 1 to 100"."""
    if "$ref" in schema:
        target = resolve(document, schema["$ref"])
        schema = {**target, **{keyword: value for keyword, value in schema.items() if keyword != "$ref"}}
        if "$ref" in target:
            schema["$ref"] = target["$ref"]
            return describe(document, schema)
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            return _either(describe(document, branch) for branch in schema[keyword])
    if "const" in schema:
        return show(schema["const"])
    if "enum" in schema:
        words = [show(word) for word in schema["enum"]]
        return words[0] if len(words) == 1 else f"one of {', '.join(words)}"
    types = schema.get("type", "value")
    return _either(_describe_type(one, schema) for one in ([types] if isinstance(types, str) else types))


def _either(phrases: Any) -> str:
    return " or ".join(dict.fromkeys(phrases))


def _describe_type(name: str, schema: JsonObject) -> str:
    match name:
        case "integer" | "number":
            return f"{'an integer' if name == 'integer' else 'a number'}{_range(schema)}"
        case "string":
            return "a UUID in lower case" if schema.get("format") == "uuid" else f"text{_length(schema)}"
        case "array":
            return f"a list of at most {schema['maxItems']}" if "maxItems" in schema else "a list"
        case "boolean":
            return "true or false"
        case "object":
            return "an empty object" if schema.get("maxProperties") == 0 else "an object"
        case "null":
            return "null"
    return "another value"


def _range(schema: JsonObject) -> str:
    low, above = schema.get("minimum"), schema.get("exclusiveMinimum")
    high, below = schema.get("maximum"), schema.get("exclusiveMaximum")
    if low is not None and high is not None:
        return f" from {low} to {high}"
    parts = [
        *([f"of at least {low}"] if low is not None else []),
        *([f"above {above}"] if above is not None else []),
        *([f"at most {high}"] if high is not None else []),
        *([f"below {below}"] if below is not None else []),
    ]
    return f" {' and '.join(parts)}" if parts else ""


def _length(schema: JsonObject) -> str:
    low, high = schema.get("minLength"), schema.get("maxLength")
    if low is not None and high is not None:
        return f" of {low} to {high} characters"
    if low is not None or high is not None:
        return f" of at least {low} characters" if low is not None else f" of at most {high} characters"
    return f" that matches {schema['pattern']}" if "pattern" in schema else ""


def show(value: object, room: int = 48) -> str:
    """A value in a message: short, and never a whole picture."""
    match value:
        case str():
            if len(value) <= room:
                return json.dumps(value, ensure_ascii=False)
            return f"{json.dumps(value[:room], ensure_ascii=False)}... ({len(value)} characters)"
        case list():
            return "an empty list" if not value else f"a list of {len(value)}"
        case dict():
            return "an empty object" if not value else "an object"
        case bool() | None:
            return json.dumps(value)
    text = str(value)
    return text if len(text) <= room else f"{text[:room]}..."


def perhaps(word: object, known: Sequence[object]) -> str:
    """A hint such as `; perhaps "Euler a" was meant`, or nothing."""
    import difflib  # only wanted when something is wrong

    if not isinstance(word, str) or len(word) > 100:
        return ""
    lower = {one.lower(): one for one in known if isinstance(one, str)}
    close = difflib.get_close_matches(word.lower(), lower, n=1, cutoff=0.7)
    return f"; perhaps {show(lower[close[0]])} was meant" if close else ""
