"""A rule of a fault plan: point x trigger x effect, and how one is read and written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mockserver.faults.effects import Effect, effect_schema, read_effect, read_option
from mockserver.faults.facts import Facts
from mockserver.faults.options import OptionType, Path, PlanError, Value, duration, flag, integer, number, text, word
from mockserver.faults.points import Point

if TYPE_CHECKING:
    pass

MAX_RULES = 1000
"""Rules of one plan."""

_TRIGGERS: Mapping[str, OptionType] = {
    "nth": integer(1, 1_000_000),
    "every": integer(1, 1_000_000),
    "times": integer(1, 1_000_000),
    "probability": number(0, 1),
    "after": duration(),
    "until": duration(),
    "bounded": flag(),
}
_MATCHES: Mapping[str, OptionType] = {
    "operation": text(),
    "version": word("v2", "v3"),
    "prompt": text(1024),
    "model": text(1024),
    "seed": integer(-1, 2**63 - 1),
    "task": integer(1, 2**63 - 1),
    "picture": integer(0, 1000),
    "attempt": integer(1, 1000),
}
TRIGGER_WORDS: Mapping[str, str] = {
    "nth": "only the n-th time that everything else fits",
    "every": "each n-th time",
    "times": "at most so often",
    "probability": "by chance, seeded",
    "after": "not before this much of the world's time has passed since the rule was armed",
    "until": "no longer than this much of the world's time after the rule was armed",
    "bounded": "false: also when as many faults in a row as are allowed have just happened",
}
MATCH_WORDS: Mapping[str, str] = {
    "operation": "operationId",
    "version": "v2 or v3",
    "prompt": "text that the prompt holds",
    "model": "the model's name as sent",
    "seed": "the seed as sent",
    "task": "the world's n-th task, from 1",
    "picture": "index of the picture, from 0",
    "attempt": "the n-th attempt of a delivery, from 1",
    "body": "values of the request by dotted path, as in {request.steps: 20}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """What has to hold for a rule to fit; None: anything does."""

    operation: str | None = None
    version: str | None = None
    prompt: str | None = None
    model: str | None = None
    seed: int | None = None
    task: int | None = None
    picture: int | None = None
    attempt: int | None = None
    body: tuple[tuple[str, Value], ...] = ()

    def fits(self, facts: Facts) -> bool:
        """Whether it holds."""
        if self.operation is not None and self.operation != facts.operation_id:
            return False
        if self.version is not None and (self.version == "v2") != facts.operation_id.endswith("V2"):
            return False
        if self.task is not None and (facts.task is None or self.task != facts.task + 1):
            return False
        if self.picture is not None and self.picture != facts.picture:
            return False
        if self.attempt is not None and self.attempt != facts.attempt:
            return False
        if self.prompt is not None and self.prompt not in str(facts.request.get("prompt") or ""):
            return False
        if self.model is not None and self.model != facts.request.get("model_name"):
            return False
        if self.seed is not None and self.seed != facts.request.get("seed"):
            return False
        return all(_at(facts.fields, path) == value for path, value in self.body)

    def as_json(self) -> dict[str, object]:
        """As it is read back."""
        found: dict[str, object] = {name: getattr(self, name) for name in _MATCHES if getattr(self, name) is not None}
        if self.body:
            found["body"] = dict(self.body)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One line of a plan. All its triggers have to hold.

    Attributes:
        source: who armed it: `control`, `scenario NAME`, `prompt`, `model`, `seed`.
        after_ms, until_ms: virtual time since it was armed.
        bounded: whether it keeps to the world's number of faults in a row.
    """

    point: Point
    effect: Effect
    match: Match = field(default_factory=Match)
    nth: int | None = None
    every: int | None = None
    times: int | None = None
    probability: float | None = None
    after_ms: int | None = None
    until_ms: int | None = None
    bounded: bool = True
    source: str = "control"

    def as_json(self) -> dict[str, object]:
        """As `read_rule` reads it back."""
        found: dict[str, object] = {"point": self.point.value, "effect": self.effect.as_json()}
        for name in ("nth", "every", "times", "probability"):
            value = getattr(self, name)
            if value is not None:
                found[name] = value
        for name, value_ms in (("after", self.after_ms), ("until", self.until_ms)):
            if value_ms is not None:
                found[name] = f"{value_ms}ms"
        if not self.bounded:
            found["bounded"] = False
        match = self.match.as_json()
        return {**found, "match": match} if match else found


def read_rules(given: Any, path: Path, *, source: str = "control") -> list[Rule]:
    """Reads the rules of a plan.

    Raises:
        PlanError: something in it is not what it may be; says where.
    """
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise PlanError(path, f"expected a list of faults, came {given!r:.80}")
    if len(given) > MAX_RULES:
        raise PlanError(path, f"expected at most {MAX_RULES} faults, came {len(given)}")
    return [read_rule(rule, (*path, index), source=source) for index, rule in enumerate(given)]


def read_rule(given: Any, path: Path, *, source: str = "control") -> Rule:
    """Reads one rule.

    Raises:
        PlanError: something in it is not what it may be; says where.
    """
    if not isinstance(given, Mapping):
        raise PlanError(
            path, f"expected point and effect, as in {{point: result, effect: no-answer}}, came {given!r:.80}"
        )
    known = ("point", "effect", "match", *_TRIGGERS)
    for name in given:
        if name not in known:
            raise PlanError((*path, str(name)), f"a fault has no {str(name)[:80]!r}; known: {', '.join(known)}")
    for name in ("point", "effect"):
        if name not in given:
            raise PlanError(path, f"{name} is missing; a fault needs a point and an effect")
    point = Point(str(read_option(word(*Point), given["point"], (*path, "point"))))
    found: dict[str, Any] = {
        name: read_option(kind, given[name], (*path, name)) for name, kind in _TRIGGERS.items() if name in given
    }
    times = {"after_ms": found.pop("after", None), "until_ms": found.pop("until", None)}
    return Rule(
        point=point,
        effect=read_effect(given["effect"], point, (*path, "effect")),
        match=_read_match(given["match"], (*path, "match")) if "match" in given else Match(),
        source=source,
        **found,
        **times,
    )


def rule_schema() -> dict[str, Any]:
    """JSON Schema of a rule as it is written."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["point", "effect"],
        "properties": {
            "point": {"enum": [point.value for point in Point]},
            "effect": effect_schema(),
            **{name: {"description": TRIGGER_WORDS[name], **kind.schema} for name, kind in _TRIGGERS.items()},
            "match": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    **{name: {"description": MATCH_WORDS[name], **kind.schema} for name, kind in _MATCHES.items()},
                    "body": {
                        "type": "object",
                        "description": MATCH_WORDS["body"],
                        "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
                    },
                },
            },
        },
        "allOf": [
            {
                "if": {"properties": {"point": {"const": point.value}}, "required": ["point"]},
                "then": {"properties": {"effect": effect_schema(point)}},
            }
            for point in Point
        ],
    }


def _read_match(given: Any, path: Path) -> Match:
    if not isinstance(given, Mapping):
        raise PlanError(path, f"expected what has to match, as in {{prompt: dragon}}, came {given!r:.80}")
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name == "body":
            values["body"] = _read_body(value, (*path, "body"))
        elif name in _MATCHES:
            values[name] = read_option(_MATCHES[name], value, (*path, name))
        else:
            known = ", ".join(MATCH_WORDS)
            raise PlanError((*path, str(name)), f"nothing is matched by {str(name)[:80]!r}; known: {known}")
    return Match(**values)


def _read_body(given: Any, path: Path) -> tuple[tuple[str, Value], ...]:
    if not isinstance(given, Mapping):
        raise PlanError(path, f"expected values by dotted path, as in {{request.steps: 20}}, came {given!r:.80}")
    for name, value in given.items():
        if not isinstance(value, int | float | str | bool | None):
            raise PlanError((*path, str(name)), f"expected text, a number, true, false or null, came {value!r:.80}")
    return tuple((str(name), value) for name, value in given.items())


def _at(fields: Any, path: str) -> object:
    """The value at a dotted path; numbers are positions in lists."""
    found = fields
    for step in path.split("."):
        if isinstance(found, Mapping):
            found = found.get(step)
        elif isinstance(found, Sequence) and not isinstance(found, str) and step.isdigit() and int(step) < len(found):
            found = found[int(step)]
        else:
            return None
    return found
