"""Everything in the document that a requirement can speak of, by reference.

A reference names an operation, a field, a keyword of a field, a status, a reason or a code:

    createTxt2imgTask                           an operation; `webhook:asyncTaskResult` a webhook
    createTxt2imgTask:request.width             a field of its body; `[]` steps into an array, `*` into a map
    createTxt2imgTask:request.width#range       an aspect of the field, see `Aspect`
    createTxt2imgTask:body#media                an aspect of the whole body
    listModels:query.filter.types               a query parameter; `listModels:query#tolerated` the query as a whole
    getTaskResult:200                           a status; `getTaskResult:200.task.status` a field of that answer
    createTxt2imgTask:400:INVALID_REQUEST_BODY  a reason of the error body
    getProgressV2:code:3                        a v2 code
    security:bearerKey                          a form of the key

Written references are shorter: `{a,b}` stands for each of the alternatives, `#range,type` for each aspect, and a
trailing `.**` for a field and everything below it. What requirements do with references is `openapi.requirements`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from itertools import product

from openapi.vocabulary import JsonObject, resolve

BELOW = ".**"

_GROUP = re.compile(r"\{([^{}]*)\}")
_REFERENCE = re.compile(
    r"(?:security|webhook):[A-Za-z0-9]+|[A-Za-z0-9]+"  # what: an operation, a webhook, a form of the key
)
_PLACE = re.compile(r"(?::[A-Za-z0-9_.\[\]*-]+){0,2}(?:#[a-z-]+(?:,[a-z-]+)*)?")


class Aspect(StrEnum):
    """What can be stated about a field, from the keywords of its schema."""

    TYPE = "type"
    REQUIRED = "required"
    NULL = "null"
    RANGE = "range"
    ENUM = "enum"
    LENGTH = "length"
    ITEMS = "items"
    DEFAULT = "default"
    FORMAT = "format"
    PATTERN = "pattern"
    PICTURE = "picture"
    CONDITION = "condition"
    UNKNOWN = "unknown"
    MEDIA = "media"
    TOLERATED = "tolerated"
    RATE_LIMIT = "rate-limit"


_ASPECTS: Mapping[str, Aspect] = {
    "type": Aspect.TYPE,
    "const": Aspect.ENUM,
    "enum": Aspect.ENUM,
    "minimum": Aspect.RANGE,
    "maximum": Aspect.RANGE,
    "exclusiveMinimum": Aspect.RANGE,
    "exclusiveMaximum": Aspect.RANGE,
    "minLength": Aspect.LENGTH,
    "maxLength": Aspect.LENGTH,
    "minItems": Aspect.ITEMS,
    "maxItems": Aspect.ITEMS,
    "default": Aspect.DEFAULT,
    "format": Aspect.FORMAT,
    "pattern": Aspect.PATTERN,
    "x-picture": Aspect.PICTURE,
    "if": Aspect.CONDITION,
    "not": Aspect.CONDITION,
}
_STRUCTURE = frozenset({"$ref", "anyOf", "oneOf", "allOf", "properties", "items", "required", "additionalProperties"})
_SILENT = frozenset({"title", "description", "examples", "deprecated", "x-meanings", "x-tolerated", "then", "else"})


@dataclass(frozen=True, kw_only=True)
class Inventory:
    """What the document holds.

    Attributes:
        things: every reference that exists, spelled out.
        because: for each tolerance (an aspect `tolerated` or `unknown`) the ids of `x-references` that it rests on.
    """

    things: frozenset[str]
    because: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, document: JsonObject) -> Inventory:
        """The inventory of a document (`Document.raw`, or the parsed YAML).

        Raises:
            ValueError: a schema has a keyword of which this module does not know what it states.
        """
        collector = _Collector(document)
        collector.collect()
        return cls(things=frozenset(collector.things), because={k: frozenset(v) for k, v in collector.because.items()})

    @cached_property
    def demanded(self) -> frozenset[str]:
        """What some requirement must name: all things, but each reason and code only once, whichever the operation."""
        return frozenset(shared(thing) for thing in self.things)

    def meant(self, reference: str) -> frozenset[str]:
        """The things that a spelled-out reference names; empty when it names nothing that exists.

        An aspect names its field as well.
        """
        if reference.endswith(BELOW):
            top = reference.removesuffix(BELOW)
            return frozenset(t for t in self.things if t == top or t.startswith((top + ".", top + "[", top + "#")))
        if reference not in self.things:
            return frozenset()
        whole = reference.partition("#")[0]
        return frozenset({reference, whole} & self.things)


def aspect_of(keyword: str) -> Aspect | None:
    """What a keyword of a schema states about a field; None for one that only gives it structure."""
    return _ASPECTS.get(keyword)


def shared(thing: str) -> str:
    """A reason or code without its operation; anything else as it is."""
    parts = thing.split(":")
    is_outcome = len(parts) == 3 and parts[0] != "webhook"
    return ":".join(["*", *parts[1:]]) if is_outcome else thing


def spelled_out(written: str) -> Iterator[str]:
    """The references that a written one stands for.

    Raises:
        ValueError: it is not written as the head of this module says.
    """
    pieces = _GROUP.split(written)
    choices = [[piece] if place % 2 == 0 else piece.split(",") for place, piece in enumerate(pieces)]
    for combination in product(*choices):
        reference = "".join(combination)
        what = _REFERENCE.match(reference)
        if what is None or not _PLACE.fullmatch(reference[what.end() :]):
            raise ValueError(f"{reference!r} is no reference such as createTxt2imgTask:request.width#range")
        place, mark, aspects = reference.partition("#")
        yield from (f"{place}#{aspect}" for aspect in aspects.split(",")) if mark else (place,)


class _Collector:
    """Walks operations, webhooks and forms of the key."""

    def __init__(self, document: JsonObject) -> None:
        self.document = document
        self.things: set[str] = set()
        self.because: dict[str, set[str]] = {}

    def collect(self) -> None:
        for path in self.document["paths"].values():
            for operation in path.values():
                self._operation(operation["operationId"], operation)
        for name, path in self.document["webhooks"].items():
            for operation in path.values():
                self._operation(f"webhook:{name}", operation)
        for name, scheme in self.document["components"]["securitySchemes"].items():
            self._thing(f"security:{name}")
            self._tolerance(f"security:{name}", scheme)

    def _thing(self, reference: str, because: Iterable[str] = ()) -> None:
        self.things.add(reference)
        if because:
            self.because.setdefault(reference, set()).update(because)

    def _tolerance(self, reference: str, node: JsonObject) -> None:
        if because := node.get("x-tolerated", {}).get("because"):
            self._thing(f"{reference}#{Aspect.TOLERATED}", because)

    def _operation(self, name: str, operation: JsonObject) -> None:
        self._thing(name)
        if "x-rate-limit" in operation:
            self._thing(f"{name}#{Aspect.RATE_LIMIT}")
        self._tolerance(f"{name}:query", operation)
        for parameter in operation.get("parameters", ()):
            reference = f"{name}:{parameter['in']}.{parameter['name']}"
            if parameter.get("required"):
                self._thing(f"{reference}#{Aspect.REQUIRED}")
            self._tolerance(reference, parameter)
            self._field(reference, parameter["schema"])
        if body := operation.get("requestBody"):
            self._thing(f"{name}:body#{Aspect.MEDIA}")
            if body.get("required"):
                self._thing(f"{name}:body#{Aspect.REQUIRED}")
            for media in body["content"].values():
                self._field(f"{name}:body", media["schema"], inside=f"{name}:", bare=False)
        for status, response in operation["responses"].items():
            self._response(f"{name}:{status}", response)

    def _response(self, reference: str, response: JsonObject) -> None:
        self._thing(reference)
        if "$ref" in response:
            response = resolve(self.document, response["$ref"])
        for media in response.get("content", {}).values():
            self._field(f"{reference}.body", media["schema"], inside=f"{reference}.", bare=False)
            self._outcomes(reference, list(self._views(media["schema"])))

    def _outcomes(self, reference: str, views: list[JsonObject]) -> None:
        """The reasons of a v3 error, or the codes of a v2 answer; an answer with reasons has the status for a code."""
        fields = [view.get("properties", {}) for view in views]
        reasons = [field["reason"] for field in fields if "reason" in field]
        codes = [field["code"] for field in fields if "code" in field]
        said = reference if reasons else f"{reference.rpartition(':')[0]}:code"
        for schema in reasons or codes:
            for outcome in self._values(schema):
                self._thing(f"{said}:{outcome}")

    def _values(self, schema: JsonObject) -> Iterator[object]:
        for view in self._views(schema):
            yield from view.get("enum", ())
            yield from [view["const"]] if "const" in view else ()
            yield from view.get("x-tolerated", {}).get("values", ())

    def _views(self, schema: JsonObject) -> Iterator[JsonObject]:
        """The schema, what it refers to and its alternatives: everything that can be said about one value."""
        yield schema
        if "$ref" in schema:
            yield from self._views(resolve(self.document, schema["$ref"]))
        for keyword in ("allOf", "anyOf", "oneOf"):
            for part in schema.get(keyword, ()):
                yield from self._views(part)

    def _field(self, reference: str, schema: JsonObject, *, inside: str = "", bare: bool = True) -> None:
        """A field and all below it.

        Args:
            reference: of the field.
            schema: of its value.
            inside: what stands before the name of a field below it.
            bare: whether the field itself is a thing; the whole body is only one by its aspects.
        """
        if bare:
            self._thing(reference)
        inside = inside or f"{reference}."
        views = list(self._views(schema))
        for view in views:
            for aspect in _aspects(view, reference):
                self._thing(f"{reference}#{aspect}")
            self._tolerance(reference, view)
            if reasons := view.get("x-tolerated", {}).get("unknown-fields"):
                self._thing(f"{reference}#{Aspect.UNKNOWN}", reasons)
            for name in view.get("required", ()):
                self._thing(f"{inside}{name}#{Aspect.REQUIRED}")
            for name, child in view.get("properties", {}).items():
                self._field(f"{inside}{name}", child)
            if "items" in view:
                self._field(f"{reference}[]", view["items"])
            if isinstance(view.get("additionalProperties"), dict):
                self._field(f"{inside}*", view["additionalProperties"])


def _aspects(schema: JsonObject, reference: str) -> Iterator[Aspect]:
    """What the schema itself states, apart from what its fields are."""
    if unknown := schema.keys() - _ASPECTS.keys() - _STRUCTURE - _SILENT:
        raise ValueError(f"{reference}: openapi.inventory does not know what {sorted(unknown)[0]!r} states")
    yield from (aspect for keyword, aspect in _ASPECTS.items() if keyword in schema)
    types = schema.get("type", [])
    if "null" in (types if isinstance(types, list) else [types]):
        yield Aspect.NULL
    if schema.get("additionalProperties") is False:
        yield Aspect.UNKNOWN
