"""Query parameters: text from a URL becomes typed values, or a problem that says what was expected."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from openapi.problems import Problem, perhaps, show
from openapi.readings import Reading
from openapi.validators import Validator

QueryValue = str | int | bool | tuple[str, ...]

_DIGITS = re.compile(r"-?[0-9]{1,18}")
_BOOLEANS: Mapping[str, bool] = MappingProxyType({"true": True, "false": False})


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of an operation.

    `type` is the JSON type of its value: string, integer or boolean. `repeated` says what several values mean to a
    lenient server: "no" (refused), "first" (the others are ignored) or "all" (a tuple of text).
    """

    name: str
    location: str
    required: bool
    type: str
    description: str
    default: QueryValue | None = None
    repeated: str = "no"
    words: Mapping[str, bool] = field(default_factory=dict)
    because: tuple[str, ...] = ()
    validator: Validator

    def read(self, texts: Sequence[str], reading: Reading) -> tuple[QueryValue | None, list[Problem]]:
        """The value of one or more texts; None beside what is wrong with them."""
        lenient = reading is Reading.TOLERATED
        if len(texts) > 1 and not (lenient and self.repeated != "no"):
            because = self.because if self.repeated != "no" else ()
            return None, [self._problem("repeated", "given more than once; expected one value", texts, because)]
        if self.repeated == "all":
            kept = tuple(dict.fromkeys(texts))
            return kept, [problem for text in kept for problem in self._refusals(text)]
        return self._read_one(texts[0], lenient)

    def _read_one(self, text: str, lenient: bool) -> tuple[QueryValue | None, list[Problem]]:
        value: QueryValue = text
        if self.type == "boolean":
            if text in _BOOLEANS:
                value = _BOOLEANS[text]
            elif lenient and text in self.words:
                value = self.words[text]
            else:
                because = self.because if text in self.words else ()
                return None, [self._problem("type", f"expected true or false, got {show(text)}", [text], because)]
        elif self.type == "integer" and _DIGITS.fullmatch(text):
            value = int(text)
        problems = self._refusals(value)
        return (None if problems else value), problems

    def _refusals(self, value: QueryValue) -> list[Problem]:
        found = self.validator.problems(value)
        return [replace(problem, path=(self.name,), where=self.location) for problem in found]

    def _problem(self, keyword: str, message: str, texts: Sequence[str], because: tuple[str, ...]) -> Problem:
        shown = show(texts[0]) if len(texts) == 1 else show(list(texts))
        return Problem(
            path=(self.name,), keyword=keyword, message=message, value_repr=shown, because=because, where=self.location
        )


def read_query(
    parameters: Sequence[Parameter],
    query: Mapping[str, Sequence[str]],
    reading: Reading,
    unknown_because: tuple[str, ...] = (),
) -> tuple[dict[str, QueryValue], list[Problem]]:
    """Typed values by parameter name, and what is wrong.

    Args:
        parameters: the parameters of the operation.
        query: every value of every name, in the order they stand in the URL, percent-decoded.
        reading: the documented one also reports names that no page lists; the lenient one ignores them.
        unknown_because: the reasons for ignoring those names.
    """
    values: dict[str, QueryValue] = {}
    problems: list[Problem] = []
    for parameter in parameters:
        texts = query.get(parameter.name, ())
        if texts:
            value, found = parameter.read(texts, reading)
            problems += found
            if value is not None and not found:
                values[parameter.name] = value
        elif parameter.required:
            message = "this query parameter is missing"
            problems.append(
                Problem(
                    path=(parameter.name,),
                    keyword="required",
                    message=message,
                    value_repr="nothing",
                    where=parameter.location,
                )
            )
        elif parameter.default is not None:
            values[parameter.name] = parameter.default
    if reading is Reading.DOCUMENTED:
        problems += _unknown([parameter.name for parameter in parameters], query, unknown_because)
    return values, problems


def _unknown(known: Sequence[str], query: Mapping[str, Sequence[str]], because: tuple[str, ...]) -> Iterator[Problem]:
    for name in query:
        if name not in known:
            yield Problem(
                path=(name,),
                keyword="unknown-parameter",
                message=f"no such query parameter is documented{perhaps(name, known)}",
                value_repr=show(list(query[name])),
                because=because,
                where="query",
            )
