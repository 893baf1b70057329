"""Options of effects and rules: what a value may be, read with a message that names what was expected.

Every option says itself as JSON Schema, so that the schema of scenario files and what is read cannot differ.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mockserver.core.clock import parse_duration_ms

Value = int | float | str | bool | None
Draw = Callable[[], float]
"""Gives a number in [0, 1)."""

LONGEST_WAIT_MS = 3_600_000
"""No answer is held back for more than an hour."""


class PlanError(ValueError):
    """Something in a plan cannot be read.

    Attributes:
        path: where: names and positions from the outermost in.
        detail: what was expected and what came.
    """

    def __init__(self, path: tuple[str | int, ...], detail: str) -> None:
        place = "".join(f"[{step}]" if isinstance(step, int) else f".{step:.80}" for step in path).lstrip(".")
        super().__init__(f"{place}: {detail}" if place else detail)
        self.path = path
        self.detail = detail


Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """A time that is drawn anew each time, in milliseconds.

    Attributes:
        kind: `fixed` (a), `uniform` (from a to b) or `lognormal` (median a, sigma b).
    """

    kind: str
    a: float
    b: float = 0.0

    def draw_ms(self, draw: Draw) -> int:
        """A time of it, at most an hour."""
        match self.kind:
            case "uniform":
                found = self.a + (self.b - self.a) * draw()
            case "lognormal":
                from statistics import NormalDist  # a slow import that few plans need

                found = self.a * math.exp(self.b * NormalDist().inv_cdf(min(max(draw(), 1e-9), 1 - 1e-9)))
            case _:
                found = self.a
        return round(min(found, LONGEST_WAIT_MS))

    def as_json(self) -> object:
        """As it is read back."""
        match self.kind:
            case "uniform":
                return {"uniform": [f"{round(self.a)}ms", f"{round(self.b)}ms"]}
            case "lognormal":
                return {"lognormal": {"median": f"{round(self.a)}ms", "sigma": self.b}}
            case _:
                return f"{round(self.a)}ms"


Option = Value | Distribution


@dataclass(frozen=True, slots=True)
class OptionType:
    """What an option may be.

    Attributes:
        read: gives the value of what stands there; raises ValueError saying what was expected.
        schema: the same as JSON Schema.
    """

    read: Callable[[Any], Option]
    schema: Mapping[str, Any]


def integer(low: int, high: int) -> OptionType:
    """A whole number within bounds."""

    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"expected an integer from {low} to {high}, came {value!r:.80}")
        return value

    return OptionType(read, {"type": "integer", "minimum": low, "maximum": high})


def number(low: float, high: float) -> OptionType:
    """A number within bounds."""

    def read(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise ValueError(f"expected a number from {low:g} to {high:g}, came {value!r:.80}")
        return float(value)

    return OptionType(read, {"type": "number", "minimum": low, "maximum": high})


def text(longest: int = 200) -> OptionType:
    """Printable text."""

    def read(value: Any) -> str:
        if not isinstance(value, str) or not value.isprintable() or not 0 < len(value) <= longest:
            raise ValueError(f"expected text of 1 to {longest} characters, came {value!r:.80}")
        return value

    return OptionType(read, {"type": "string", "minLength": 1, "maxLength": longest})


def word(*allowed: str) -> OptionType:
    """One of a list of words."""

    def read(value: Any) -> str:
        if value not in allowed:
            raise ValueError(f"unknown word {value!r:.80}; expected one of {', '.join(allowed)}")
        return str(value)

    return OptionType(read, {"type": "string", "enum": list(allowed)})


def flag() -> OptionType:
    """True or false."""

    def read(value: Any) -> bool:
        if not isinstance(value, bool):
            raise ValueError(f"expected true or false, came {value!r:.80}")  # noqa: TRY004  # one kind of error for readers
        return value

    return OptionType(read, {"type": "boolean"})


_DURATION_SCHEMA: Mapping[str, Any] = {
    "oneOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": r"^(\d+(\.\d+)?(ms|s|m|h|d|w))+$"}],
    "description": "Seconds, or text such as 300ms, 90s or 2h30m.",
}


def duration() -> OptionType:
    """A duration, kept in milliseconds."""
    return OptionType(_duration_ms, _DURATION_SCHEMA)


def distribution() -> OptionType:
    """A duration, or a way to draw one; at most an hour."""

    def read(value: Any) -> Distribution:
        if not isinstance(value, Mapping):
            return Distribution(kind="fixed", a=_wait_ms(value))
        match dict(value):
            case {"fixed": fixed, **rest} if not rest:
                return Distribution(kind="fixed", a=_wait_ms(fixed))
            case {"uniform": [low, high], **rest} if not rest:
                found = Distribution(kind="uniform", a=_wait_ms(low), b=_wait_ms(high))
                if found.a > found.b:
                    raise ValueError(f"expected uniform: [shortest, longest], came {value!r:.80}")
                return found
            case {"lognormal": {"median": median, "sigma": sigma, **more}, **rest} if not rest and not more:
                spread = number(0, 5).read(sigma)
                assert isinstance(spread, float)
                return Distribution(kind="lognormal", a=_wait_ms(median), b=spread)
        raise ValueError(
            "expected a duration, {fixed: 2s}, {uniform: [100ms, 2s]} or {lognormal: {median: 300ms, sigma: 0.5}}, "
            f"came {value!r:.80}"
        )

    wait = _DURATION_SCHEMA
    lognormal = {
        "type": "object",
        "additionalProperties": False,
        "required": ["median", "sigma"],
        "properties": {"median": wait, "sigma": {"type": "number", "minimum": 0, "maximum": 5}},
    }
    ways = {
        "fixed": wait,
        "uniform": {"type": "array", "items": wait, "minItems": 2, "maxItems": 2},
        "lognormal": lognormal,
    }
    drawn: list[Mapping[str, Any]] = [
        {"type": "object", "additionalProperties": False, "required": [name], "properties": {name: schema}}
        for name, schema in ways.items()
    ]
    return OptionType(read, {"oneOf": [*wait["oneOf"], *drawn]})


def _duration_ms(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float | str) or value != value:
        raise ValueError(f"expected a duration such as 90s or 300ms, came {value!r:.80}")
    return parse_duration_ms(value)


def _wait_ms(value: Any) -> float:
    found = _duration_ms(value)
    if found > LONGEST_WAIT_MS:
        raise ValueError(f"expected a wait of at most an hour, came {value!r:.80}")
    return found
