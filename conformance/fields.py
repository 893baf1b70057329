"""What the document says of each field of a request, as tables for checks: nothing that it states is written twice.

    fields = await fields_of(t, TXT2IMG)
    width = fields["request.width"]
    width.ends()                    # (128, 2048): both are accepted
    width.outside()                 # (127, 2049): just not
    width.wrong_types()             # ("128", True, [128], {}, 128.5): in range, but of another type
    fields["request.sampler_name"].words
    changed(body, width.path, 127)  # paths fit `conformance.bodies`; a step into a list leads to its first entry

Fields are found by the names that requirements use, `[]` for an entry of a list. What a field means beyond its schema
(a name that a model must have, base64 that must be a picture) is not told here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from conformance.bodies import Path
from openapi.document import Document, Reading
from openapi.vocabulary import JsonObject, resolve

if TYPE_CHECKING:
    from conformance.trial import Trial

STEP = 0.01
"""How far outside a bound of a number that need not be whole a value is put."""

_NAMES: Mapping[type, str] = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a request, or an entry of a list in it.

    Attributes:
        name: as requirements write it, `request.loras[].strength`.
        path: into a body, ("request", "loras", 0, "strength").
        types: JSON types of the documented reading, without null.
        tolerated_types: those of the tolerated reading, without null; never fewer.
        required: by the object that holds it; never of an entry of a list.
        nullable, tolerates_null: whether null is accepted in the documented reading, and in the tolerated one.
        low, high: bounds; themselves accepted unless `above_low` or `below_high` says that they are not.
        words: the enumeration without null; () where there is none.
    """

    name: str
    path: Path
    types: frozenset[str]
    tolerated_types: frozenset[str]
    required: bool
    nullable: bool
    tolerates_null: bool
    low: float | None = None
    high: float | None = None
    above_low: bool = False
    below_high: bool = False
    min_length: int | None = None
    max_length: int | None = None
    min_items: int | None = None
    max_items: int | None = None
    words: tuple[Any, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether it is an integer, as documented."""
        return "integer" in self.types and "number" not in self.types

    @property
    def numeric(self) -> bool:
        """Whether it is a number of any kind."""
        return bool(self.types & {"integer", "number"})

    def ends(self) -> tuple[float, ...]:
        """The least and the greatest number that is accepted, those of them that are stated."""
        step = 1 if self.whole else STEP
        found = []
        if self.low is not None:
            found.append(self.low + step if self.above_low else self.low)
        if self.high is not None:
            found.append(self.high - step if self.below_high else self.high)
        return tuple(found)

    def outside(self) -> tuple[float, ...]:
        """Numbers just beyond the bounds that are stated."""
        step = 1 if self.whole else STEP
        found = []
        if self.low is not None:
            found.append(self.low if self.above_low else round(self.low - step, 6))
        if self.high is not None:
            found.append(self.high if self.below_high else round(self.high + step, 6))
        return tuple(found)

    def wrong_types(self, good: object = None) -> tuple[object, ...]:
        """One value of each JSON type that neither reading accepts, null apart, otherwise as right as can be.

        A number in a string and a boolean for a flag lie in the range, so that a server that converts them takes them.

        Args:
            good: a value that is right, to be dressed up as another type; made from the bounds when not given.

        Returns:
            In the order string, boolean, array, object, number. A number is a whole one for what takes no numbers,
            a broken one for an integer, and stands in for nothing else: 2.0 is an integer in JSON.
        """
        right = self._right() if good is None else good
        number = right if isinstance(right, int | float) and not isinstance(right, bool) else 1
        accepted = self.types | self.tolerated_types
        # A single entry where a list of them belongs is what clients get wrong.
        entry = right[0] if isinstance(right, list) and right and isinstance(right[0], dict) else {}
        values = {"string": _as_text(right), "boolean": True, "array": [right], "object": entry}
        if "integer" not in accepted and "number" not in accepted:
            values["integer"] = int(number)
        elif "number" not in accepted:
            values["number"] = number + 0.5
        return tuple(value for kind, value in values.items() if kind not in accepted)

    def _right(self) -> object:
        if self.words:
            return self.words[0]
        if not self.numeric:
            return True if "boolean" in self.types else "text"
        if self.low is None:
            return 1 if self.high is None else self.high - 1
        return self.ends()[0]


def _as_text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else "text"


async def fields_of(t: Trial, operation_id: str) -> Mapping[str, Field]:
    """The fields of an operation's body by name, parents before children; made once in a run."""

    async def make() -> Mapping[str, Field]:
        return fields_in(t.document, operation_id)

    return await t.once(f"fields {operation_id}", make)


def fields_in(document: Document, operation_id: str) -> Mapping[str, Field]:
    """The same, from a document.

    Raises:
        KeyError: no such operation, or it has no body.
    """
    documented, tolerated = (_schemas(document, operation_id, reading) for reading in Reading)
    return {
        name: _field(name, path, schema, tolerated[name][1], required=required)
        for name, (path, schema, required) in documented.items()
    }


def _field(name: str, path: Path, schema: JsonObject, lenient: JsonObject, *, required: bool) -> Field:
    types, tolerated = _types(schema), _types(lenient)
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    return Field(
        name=name,
        path=path,
        types=types - {"null"},
        tolerated_types=(types | tolerated) - {"null"},
        required=required,
        nullable="null" in types,
        tolerates_null="null" in types | tolerated,
        low=low if above is None else above,
        high=high if below is None else below,
        above_low=above is not None,
        below_high=below is not None,
        min_length=schema.get("minLength"),
        max_length=schema.get("maxLength"),
        min_items=schema.get("minItems"),
        max_items=schema.get("maxItems"),
        words=tuple(word for word in schema.get("enum", ()) if word is not None),
    )


def _types(schema: JsonObject) -> frozenset[str]:
    given = schema.get("type")
    if given is None:
        return frozenset(_NAMES[type(word)] for word in schema.get("enum", ()))
    return frozenset(given if isinstance(given, list) else [given])


Found = tuple[Path, JsonObject, bool]


def _schemas(document: Document, operation_id: str, reading: Reading) -> dict[str, Found]:
    operation = document.operations[operation_id]
    whole = document.shared(reading)
    body = whole["paths"][operation.path][operation.method.lower()]["requestBody"]
    schema = _merged(whole, body["content"]["application/json"]["schema"])
    return dict(_below(whole, schema, "", ()))


def _below(whole: JsonObject, schema: JsonObject, name: str, path: Path) -> Iterator[tuple[str, Found]]:
    """The fields and entries below a schema whose references are followed."""
    for key, child in schema.get("properties", {}).items():
        inner = _merged(whole, child)
        label = f"{name}.{key}".lstrip(".")
        yield label, ((*path, key), inner, key in schema.get("required", ()))
        yield from _below(whole, inner, label, (*path, key))
    if "items" in schema:
        inner = _merged(whole, schema["items"])
        yield f"{name}[]", ((*path, 0), inner, False)
        yield from _below(whole, inner, f"{name}[]", (*path, 0))


def _merged(whole: JsonObject, schema: JsonObject) -> JsonObject:
    """All that is said of one value: a reference followed, what stands beside it on top, alternatives put together.

    Of alternatives the types add up, and of everything else the first that says it counts: the documented form comes
    before null and before tolerated ones.
    """
    found: JsonObject = {}
    if "$ref" in schema:
        found |= _merged(whole, resolve(whole, schema["$ref"]))
    found |= {keyword: value for keyword, value in schema.items() if keyword not in ("$ref", "anyOf")}
    branches = [_merged(whole, branch) for branch in schema.get("anyOf", ())]
    if branches:
        types = frozenset[str]().union(*(_types(branch) for branch in branches))
        for branch in reversed(branches):
            found |= branch
        found["type"] = sorted(types)
    return found
