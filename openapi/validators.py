"""Validating a value against a schema of the document: fast when it is right, explained when it is wrong.

jsonschema-rs decides; the words, the places and the reasons are ours (`openapi.problems`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from openapi.problems import Problem, Step, describe, perhaps, show
from openapi.readings import Reading
from openapi.vocabulary import JsonObject, resolve

if TYPE_CHECKING:
    from jsonschema_rs import Draft202012Validator, ValidationError

MOST_PROBLEMS = 50
"""A body can be wrong in more places than anybody will read."""

DEPTH = 64
"""No schema of the document looks further down than this; what lies deeper is refused or ignored as a whole."""

_CITED = re.compile(r"\b[CO][0-9]+\b")


class Validator:
    """One schema in one reading.

    Args:
        schema: the schema as the rendered document has it.
        components: `components` of the rendered document, for `$ref`.
        raw: the same schema and components as the document writes them, with `x-tolerated`.
        reading: which reading the rendered ones are in.
    """

    __slots__ = ("_compiled", "_raw", "_reading", "_root")

    def __init__(
        self, schema: JsonObject, components: JsonObject, raw: tuple[JsonObject, JsonObject], reading: Reading
    ) -> None:
        self._root: JsonObject = {**schema, "components": components}
        self._raw: JsonObject = {**raw[0], "components": raw[1]}
        self._reading = reading
        self._compiled: Draft202012Validator | None = None

    def is_valid(self, value: object) -> bool:
        """Whether the value fits. A few microseconds for a request body."""
        compiled = self._compiled or self._compile()
        try:
            return compiled.is_valid(value)
        except UnicodeEncodeError:
            return compiled.is_valid(_without_halves(value))

    def problems(self, value: object) -> list[Problem]:
        """What is wrong with the value, in the order of its places; empty when it fits. At most `MOST_PROBLEMS`."""
        compiled = self._compiled or self._compile()
        try:
            errors = compiled.iter_errors(value)
        except UnicodeEncodeError:
            value = _without_halves(value)
            errors = compiled.iter_errors(value)
        except ValueError:  # it copies what it refuses, but not beyond 255 levels
            value = _pruned(value, DEPTH)
            errors = compiled.iter_errors(value)
        found = islice((problem for error in errors for problem in self._explain(error, value)), MOST_PROBLEMS)
        return sorted(dict.fromkeys(found), key=lambda problem: [str(step) for step in problem.path])

    def _compile(self) -> Draft202012Validator:
        # Compiled at first use: a server that is asked for one operation does not pay for all of them at start.
        from jsonschema_rs import Draft202012Validator

        self._compiled = Draft202012Validator(self._root, mask="...", validate_formats=False)
        return self._compiled

    def _explain(self, error: ValidationError, value: object) -> Iterator[Problem]:
        from jsonschema_rs import ValidationErrorKind as Kind

        path = tuple(error.instance_path)
        schema = self._trail(error)[-1]
        match error.kind:
            case Kind.AnyOf(context=branches) | Kind.OneOfNotValid(context=branches):
                meant = _likeliest(branches, path)
                for inner in meant:
                    yield from self._explain(inner, value)
                if meant:
                    return
            case Kind.Required(property=name):
                message = f"this field is missing; expected {self._field(schema, name)}"
                yield self._problem(error, (*path, name), "nothing", message)
                return
            case Kind.AdditionalProperties(unexpected=names):
                known = list(schema.get("properties", {}))
                for name in names[:MOST_PROBLEMS]:
                    shown = show(_at(value, (*path, name)))
                    yield self._problem(
                        error, (*path, name), shown, f"no such field is documented{perhaps(name, known)}"
                    )
                return
            case Kind.Not() if "required" in schema["not"]:
                for name in schema["not"]["required"]:
                    shown = show(_at(value, (*path, name)))
                    yield self._problem(error, (*path, name), shown, _reason(schema["not"]))
                return
        here = _at(value, path)
        yield self._problem(error, path, show(here), self._expectation(error.kind.name, schema, here))

    def _expectation(self, keyword: str, schema: JsonObject, value: object) -> str:
        if keyword == "not":
            return f"{show(value)} is not taken here: {_reason(schema['not'])}"
        counted = keyword in ("minLength", "maxLength") and isinstance(value, str)
        got = f"{len(str(value))} characters" if counted else show(value)
        return f"expected {describe(self._root, schema)}, got {got}{perhaps(value, schema.get('enum', ()))}"

    def _field(self, schema: JsonObject, name: str) -> str:
        field = schema.get("properties", {}).get(name)
        return describe(self._root, field) if field else "a value"

    def _problem(self, error: ValidationError, path: tuple[Step, ...], shown: str, message: str) -> Problem:
        keyword = error.kind.name
        missing = str(path[-1]) if keyword == "required" else None
        raw = list(_trail(self._raw, error.evaluation_path[:-1])) if self._reading is Reading.DOCUMENTED else []
        return Problem(
            path=path,
            keyword=keyword,
            message=message,
            value_repr=shown,
            because=_because(raw, keyword, missing),
            cites=_cited(self._trail(error), keyword, missing),
        )

    def _trail(self, error: ValidationError) -> list[JsonObject]:
        return list(_trail(self._root, error.evaluation_path[:-1]))


def _reason(refused: JsonObject) -> str:
    """Why a `not` refuses, as a part of a longer message."""
    description: str = refused["description"]
    return description.rstrip(".")


def _pruned(value: Any, depth: int) -> Any:
    """The value without what lies deeper than so many levels."""
    if isinstance(value, dict):
        return {name: _pruned(inner, depth - 1) for name, inner in value.items()} if depth else {}
    if isinstance(value, list):
        return [_pruned(inner, depth - 1) for inner in value] if depth else []
    return value


def _without_halves(value: Any) -> Any:
    """The value with a mark in place of each half of a surrogate pair, which no UTF-8 can hold (RFC 8259, 8.2)."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, dict):
        return {_without_halves(name): _without_halves(inner) for name, inner in value.items()}
    return [_without_halves(inner) for inner in value] if isinstance(value, list) else value


def _at(value: Any, path: Sequence[Step]) -> object:
    for step in path:
        value = value[step]
    return value


def _trail(root: JsonObject, path: Sequence[Step]) -> Iterator[JsonObject]:
    """The schemas that an evaluation path goes through, `$ref` followed, outermost first."""
    node: Any = root
    yield root
    for step in path:
        node = resolve(root, node["$ref"]) if step == "$ref" else node[step]
        if isinstance(node, dict) and step != "properties":
            yield node


def _likeliest(branches: Iterable[Sequence[ValidationError]], path: tuple[Step, ...]) -> Sequence[ValidationError]:
    """The branch of an anyOf or oneOf that the sender meant: the first that the value does not miss as a whole.

    Empty when it misses every one, so that the alternatives are named instead.
    """

    def rank(branch: Sequence[ValidationError]) -> tuple[bool, int]:
        marks = [e for e in branch if e.kind.name in ("const", "enum") and len(e.instance_path) == len(path) + 1]
        return any(_misses(error, path) for error in branch), len(marks)

    ranked = sorted(branches, key=rank)
    if not ranked or any(_misses(error, path) for error in ranked[0]):
        return ()
    return ranked[0]


def _misses(error: ValidationError, path: tuple[Step, ...]) -> bool:
    return tuple(error.instance_path) == path and error.kind.name in ("type", "enum", "const")


def _because(trail: Sequence[JsonObject], keyword: str, missing: str | None) -> tuple[str, ...]:
    """The reasons of the innermost tolerance that answers for a refusal by `keyword`."""
    for distance, schema in enumerate(reversed(trail)):
        tolerance = schema.get("x-tolerated", {})
        if not distance:
            field = schema.get("properties", {}).get(missing, {}).get("x-tolerated", {})
            if field.get("optional"):
                return tuple(field["because"])
            if keyword == "additionalProperties":
                return tuple(tolerance.get("unknown-fields", ()))
            if keyword in tolerance.get("keywords", {}):
                return tuple(tolerance["because"])
        if "values" in tolerance or "also" in tolerance:
            return tuple(tolerance["because"])
    return ()


def _cited(trail: Sequence[JsonObject], keyword: str, missing: str | None) -> tuple[str, ...]:
    """The ids that the nearest description names; of an unknown field there is none."""
    if keyword == "additionalProperties":
        return ()
    field = trail[-1].get("properties", {}).get(missing, {})
    refusal = trail[-1].get("not", {}) if keyword == "not" else {}
    for schema in (field, refusal, *reversed(trail)):
        if "description" in schema:
            return tuple(dict.fromkeys(_CITED.findall(schema["description"])))
    return ()
