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
        return compiled.is_valid(value)

    def problems(self, value: object) -> list[Problem]:
        """What is wrong with the value, in the order of its places; empty when it fits. At most `MOST_PROBLEMS`."""
        compiled = self._compiled or self._compile()
        found = islice(
            (problem for error in compiled.iter_errors(value) for problem in self._explain(error, value)), MOST_PROBLEMS
        )
        return sorted(dict.fromkeys(found), key=lambda problem: [str(step) for step in problem.path])

    def _compile(self) -> Draft202012Validator:
        # Compiled at first use: a server that is asked for one operation does not pay for all of them at start.
        from jsonschema_rs import Draft202012Validator

        self._compiled = Draft202012Validator(self._root, mask="...", validate_formats=False)
        return self._compiled

    def _explain(self, error: ValidationError, value: object) -> Iterator[Problem]:
        keyword = error.kind.name
        path = tuple(error.instance_path)
        here = _at(value, path)
        trail = list(_trail(self._root, error.evaluation_path[:-1]))
        schema = trail[-1]
        if keyword in ("anyOf", "oneOf"):
            branch = _likeliest(getattr(error.kind, "context", ()), path)
            if branch:
                for inner in branch:
                    yield from self._explain(inner, value)
                return
        if keyword == "required":
            name = error.kind.property
            yield self._problem(
                error, (*path, name), None, f"this field is missing; expected {self._field(schema, name)}"
            )
        elif keyword == "additionalProperties":
            known = list(schema.get("properties", {}))
            for name in error.kind.unexpected[:MOST_PROBLEMS]:
                message = f"no such field is documented{perhaps(name, known)}"
                yield self._problem(error, (*path, name), _at(value, (*path, name)), message)
        else:
            yield self._problem(error, path, here, self._expectation(keyword, schema, here))

    def _expectation(self, keyword: str, schema: JsonObject, value: object) -> str:
        if keyword == "not":
            refused = schema["not"]
            if "enum" in refused:
                return f"{show(value)} does not go with the rest of the request; {schema.get('description', '')}".strip(
                    "; "
                )
            return f"this field is not taken: {', '.join(refused.get('required', ()))}"
        got = (
            f"{len(value)} characters"
            if keyword in ("minLength", "maxLength") and isinstance(value, str)
            else show(value)
        )
        hint = perhaps(value, schema.get("enum", ()))
        return f"expected {describe(self._root, schema)}, got {got}{hint}"

    def _field(self, schema: JsonObject, name: str) -> str:
        field = schema.get("properties", {}).get(name)
        return describe(self._root, field) if field else "a value"

    def _problem(self, error: ValidationError, path: tuple[Step, ...], value: object, message: str) -> Problem:
        keyword = error.kind.name
        trail = list(_trail(self._raw, error.evaluation_path[:-1])) if self._reading is Reading.DOCUMENTED else []
        missing = path[-1] if keyword == "required" else None
        described = list(_trail(self._root, error.evaluation_path[:-1]))
        return Problem(
            path=path,
            keyword=keyword,
            message=message,
            value_repr="nothing" if missing is not None else show(value),
            because=_because(trail, keyword, missing),
            cites=tuple(dict.fromkeys(_cited(described))),
        )


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


def _because(trail: Sequence[JsonObject], keyword: str, missing: Step | None) -> tuple[str, ...]:
    """The reasons of the innermost tolerance that answers for a refusal by `keyword`."""
    for distance, schema in enumerate(reversed(trail)):
        field = schema.get("properties", {}).get(missing, {}) if missing is not None and not distance else {}
        tolerance = field.get("x-tolerated", {}) if isinstance(field, dict) else {}
        if tolerance.get("optional"):
            return tuple(tolerance["because"])
        tolerance = schema.get("x-tolerated") or {}
        if not isinstance(tolerance, dict):
            continue
        at_place = not distance and (
            keyword in tolerance.get("keywords", {})
            or (keyword == "additionalProperties" and "unknown-fields" in tolerance)
        )
        if at_place or (keyword != "additionalProperties" and ("values" in tolerance or "also" in tolerance)):
            return tuple(tolerance["because"])
    return ()


def _cited(trail: Sequence[JsonObject]) -> Iterator[str]:
    """The ids that the descriptions nearest to a place name."""
    for schema in reversed(trail):
        text = schema.get("description")
        if isinstance(text, str):
            yield from _CITED.findall(text)
            return
