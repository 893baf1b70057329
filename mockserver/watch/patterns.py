"""Patterns of requests: what a test expects of a journal entry, and where an entry differs from it, in words.

A pattern is JSON. A value stands for equality; an object stands for a part of an object, member by member; a list for a
list of the same length; and an object whose members are all operators for a condition:

| operator | holds for |
|---|---|
| `{"=": value}` | exactly this value; an object has no other members |
| `{"<": n}` `{"<=": n}` `{">": n}` `{">=": n}` | numbers |
| `{"contains": text}` | a text with this in it, or a list with this member |
| `{"matches": regex}` | a text that matches from its first to its last character |
| `{"present": true}` or `false` | a member that is there, or is not |
| `{"any-of": [...]}` | whatever one of these patterns holds for |

Several operators in one object all have to hold. Regular expressions are matched in linear time and have neither
look-around nor back references, so no pattern can hang a server.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import jsonschema_rs
import orjson

from mockserver.core.journal import BODY_BYTES, Entry

MAX_REGEX = 200
"""Characters of a regular expression."""
MAX_DEPTH = 32
"""Levels of a pattern."""
MAX_SHOWN = 80
"""Characters of a value that a difference quotes."""

OPERATORS = ("=", "<", "<=", ">", ">=", "contains", "matches", "present", "any-of")
FIELDS = ("operation_id", "method", "path", "status", "query", "headers", "body", "answer")

_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
_WEIGHTS: Mapping[str, float] = {"operation_id": 8, "method": 4, "path": 4}
"""How far away an entry is that differs here; 1 elsewhere: a call of another operation is hardly what was meant."""


class BadPattern(ValueError):
    """A pattern that cannot be read; the message says where and what is expected."""


class _Missing:
    """Stands for a member that is not there."""

    def __repr__(self) -> str:
        return "nothing"


_MISSING = _Missing()


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where an entry is not what a pattern expects.

    Attributes:
        where: `request.steps` in a body, else `status`, `header user-agent`, `query task_id`, `answer.task_id`.
        expected, got: in words.
        weight: how much it counts.
    """

    where: str
    expected: str
    got: str
    weight: float = 1

    def __str__(self) -> str:
        return f"{self.where}: expected {self.expected}, got {self.got}"


_Check = Callable[[object, str], Iterator[Difference]]


class Pattern:
    """A pattern that was read.

    Args:
        source: the JSON object.

    Raises:
        BadPattern: it is none.
    """

    __slots__ = ("_checks",)

    def __init__(self, source: Mapping[str, Any]) -> None:
        unknown = [name for name in source if name not in FIELDS]
        if unknown:
            raise BadPattern(f"no field {_shown(unknown[0])} in a pattern; known: {', '.join(FIELDS)}")
        self._checks: dict[str, _Check] = {}
        for name, expected in source.items():
            if name == "headers":
                expected = _lower_names(expected)
            if name in ("headers", "query") and not isinstance(expected, dict):
                raise BadPattern(f"{name}: expected an object of names and what their values are to be")
            self._checks[name] = _read(expected, name, 0)

    def differences(self, entry: Entry) -> list[Difference]:
        """Where the entry is not what is expected; empty when it matches."""
        found: list[Difference] = []
        for name, check in self._checks.items():
            value = _field(entry, name)
            if isinstance(value, Difference):
                found.append(value)
                continue
            weight = _WEIGHTS.get(name, 1)
            found += (
                one if weight == 1 else Difference(one.where, one.expected, one.got, weight)
                for one in check(value, _START.get(name, name))
            )
        return found

    def matches(self, entry: Entry) -> bool:
        """Whether the entry is what is expected."""
        return not self.differences(entry)


_START = {"body": "", "headers": "header", "query": "query"}
"""How the places in a field are called; those in a body by their path alone."""


def _field(entry: Entry, name: str) -> object:
    """What an entry has in a field of a pattern, as JSON."""
    match name:
        case "operation_id":
            return entry.operation_id or None
        case "query":
            return dict(parse_qsl(entry.query.decode("latin-1"), keep_blank_values=True))
        case "headers":
            return {header.decode("latin-1"): value.decode("latin-1") for header, value in entry.headers}
        case "body":
            return _json(entry.request, entry.request_bytes, "body")
        case "answer":
            return _json(entry.answer, entry.answer_bytes, "answer")
        case _:
            return getattr(entry, name)


def _json(data: bytes, length: int, name: str) -> object:
    if length > BODY_BYTES:
        return Difference(name, "a body that is kept whole", f"only the first {len(data)} of {length} bytes")
    if not data:
        return None
    try:
        return orjson.loads(data)
    except ValueError:
        return data.decode("utf-8", "replace")


def _read(expected: object, where: str, depth: int) -> _Check:
    """The check of a part of a pattern."""
    if depth > MAX_DEPTH:
        raise BadPattern(f"{where}: nested more than {MAX_DEPTH} deep")
    if isinstance(expected, dict):
        operators = [name for name in expected if name in OPERATORS]
        if operators and len(operators) == len(expected):
            return _all([_operator(name, expected[name], where, depth) for name in operators])
        if operators:
            other = next(name for name in expected if name not in OPERATORS)
            raise BadPattern(
                f"{where}: operator {operators[0]!r} beside {_shown(other)}; operators stand alone (write "
                '{"=": {...}} for an object that really has such a member)'
            )
        members = {name: _read(inner, _under(where, name), depth + 1) for name, inner in expected.items()}
        return _members(members, _size(expected))
    if isinstance(expected, list):
        items = [_read(inner, f"{where}[{index}]", depth + 1) for index, inner in enumerate(expected)]
        return _items(items, _size(expected))
    return _equal(expected)


def _size(expected: object) -> float:
    """How far away an entry is that has nothing like this part: a little more than with every value in it wrong."""
    inner: Iterable[object] = ()
    if isinstance(expected, dict):
        inner = expected.values()
    elif isinstance(expected, list):
        inner = expected
    return sum(map(_size, inner)) + 0.5 if inner else 1


def _operator(name: str, operand: Any, where: str, depth: int) -> _Check:
    match name:
        case "=":
            return _equal(operand)
        case "contains":
            return _contains(operand)
        case "matches":
            return _matches(operand, where)
        case "present":
            if not isinstance(operand, bool):
                raise BadPattern(f"{where}: present expects true or false, came {_shown(operand)}")
            return _present(operand)
        case "any-of":
            if not isinstance(operand, list) or not operand:
                raise BadPattern(f"{where}: any-of expects a list of patterns, came {_shown(operand)}")
            return _any([_read(inner, where, depth + 1) for inner in operand], operand)
        case _:
            if not _is_number(operand):
                raise BadPattern(f"{where}: {name} expects a number, came {_shown(operand)}")
            return _compared(name, operand)


def _equal(expected: object) -> _Check:
    def check(value: object, where: str) -> Iterator[Difference]:
        if not _same(value, expected):
            yield _difference(where, _shown(expected), value)

    return check


def _compared(name: str, operand: float) -> _Check:
    def check(value: object, where: str) -> Iterator[Difference]:
        if not (isinstance(value, int | float) and _is_number(value) and _COMPARE[name](value, operand)):
            yield _difference(where, f"{name} {_shown(operand)}", value)

    return check


def _contains(operand: object) -> _Check:
    def check(value: object, where: str) -> Iterator[Difference]:
        if isinstance(value, str):
            holds = isinstance(operand, str) and operand in value
        else:
            holds = isinstance(value, list) and any(_same(item, operand) for item in value)
        if not holds:
            yield _difference(where, f"something with {_shown(operand)} in it", value)

    return check


def _matches(operand: object, where: str) -> _Check:
    if not isinstance(operand, str) or len(operand) > MAX_REGEX:
        raise BadPattern(f"{where}: matches expects a regular expression of at most {MAX_REGEX} characters")
    options = jsonschema_rs.RegexOptions(size_limit=1 << 20)
    try:
        # By itself first: unbalanced parentheses must not close the ones put around it.
        jsonschema_rs.validator_for({"pattern": operand}, pattern_options=options)
        matcher = jsonschema_rs.validator_for({"pattern": rf"\A(?:{operand})\z"}, pattern_options=options)
    except ValueError:
        raise BadPattern(
            f"{where}: {_shown(operand)} is no regular expression that is matched in linear time (no look-around, no "
            "back references, counts not too large)"
        ) from None

    def check(value: object, place: str) -> Iterator[Difference]:
        if not (isinstance(value, str) and matcher.is_valid(value)):
            yield _difference(place, f"a text that matches {_shown(operand)}", value)

    return check


def _present(wanted: bool) -> _Check:
    def check(value: object, where: str) -> Iterator[Difference]:
        if (value is not _MISSING) is not wanted:
            yield _difference(where, "something" if wanted else "nothing", value)

    return check


def _any(checks: Sequence[_Check], operand: object) -> _Check:
    def check(value: object, where: str) -> Iterator[Difference]:
        if all(next(one(value, where), None) is not None for one in checks):
            yield _difference(where, f"any of {_shown(operand)}", value)

    return check


def _all(checks: Sequence[_Check]) -> _Check:
    def check(value: object, where: str) -> Iterator[Difference]:
        for one in checks:
            yield from one(value, where)

    return check


def _members(checks: Mapping[str, _Check], size: float) -> _Check:
    def check(value: object, where: str) -> Iterator[Difference]:
        if not isinstance(value, dict):
            yield _difference(where, "an object", value, size)
            return
        for name, one in checks.items():
            yield from one(value.get(name, _MISSING), _under(where, name))

    return check


def _items(checks: Sequence[_Check], size: float) -> _Check:
    def check(value: object, where: str) -> Iterator[Difference]:
        if not isinstance(value, list):
            yield _difference(where, "a list", value, size)
        elif len(value) != len(checks):
            got = f"a list of {len(value)}"
            yield Difference(where or "body", f"a list of {len(checks)}", got)
        else:
            for index, one in enumerate(checks):
                yield from one(value[index], f"{where}[{index}]")

    return check


def _difference(where: str, expected: str, value: object, weight: float = 1) -> Difference:
    return Difference(where or "body", expected, _shown(value), weight)


def _under(where: str, name: str) -> str:
    if where in ("header", "query"):
        return f"{where} {name}"
    return f"{where}.{name}" if where else name


def _same(value: object, expected: object) -> bool:
    """Equality of JSON: 1 is 1.0 and not true, at any depth."""
    if isinstance(value, bool) or isinstance(expected, bool):
        return value is expected
    if isinstance(value, list) and isinstance(expected, list):
        return len(value) == len(expected) and all(map(_same, value, expected))
    if isinstance(value, dict) and isinstance(expected, dict):
        return value.keys() == expected.keys() and all(_same(value[name], expected[name]) for name in value)
    return value == expected


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _lower_names(headers: object) -> object:
    return {name.lower(): value for name, value in headers.items()} if isinstance(headers, dict) else headers


def _shown(value: object) -> str:
    if isinstance(value, _Missing):
        return repr(value)
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (ValueError, RecursionError):
        text = "a value nested too deeply"
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 3]}..."
