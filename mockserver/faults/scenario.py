"""Scenarios: a named situation, read from YAML or JSON. What a world makes of one is `mockserver.staging`.

A file says only what is special about its situation. Everything that is left out is as the server was started.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mockserver.core.clock import ClockMode
from mockserver.core.errors import Reason
from mockserver.faults.effects import Effect, read_effect
from mockserver.faults.kinds import Kind
from mockserver.faults.options import OptionType, Path, PlanError, Value, duration, flag, integer, number, word
from mockserver.faults.points import Point
from mockserver.faults.rules import Match, Rule, read_rules, rule_schema

MAX_TEXT = 2000
MAX_NUMBERS = 64
MAX_WINDOWS = 100
MAX_RETRIES = 20
MAX_TIMEOUT_MS = 120_000
"""Bounds of `mockserver.webhooks.settings`; a test holds them against each other."""
SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"

DOCUMENTED = "documented"
"""The rate limits that a page states."""

ACCOUNT_PROBLEMS = (
    Reason.INVALID_API_KEY, Reason.MISSING_API_KEY, Reason.BILLING_AUTH_FAILED, Reason.BILLING_BALANCE_NOT_ENOUGH,
    Reason.BILLING_FAILED, Reason.FEATURE_NOT_ALLOWED, Reason.API_NOT_ALLOWED, Reason.NEED_REAL_NAME_VERIFY,
)  # fmt: skip
"""Reasons that speak of an account whatever it asks for; a test holds them against `mockserver.money.account`."""
SUBMITS = ("createTxt2imgTask", "createImg2imgTask", "createTxt2imgTaskV2", "createImg2imgTaskV2")
"""Operations that a rate limit can be set for."""

_EFFECT_NAMES = frozenset(kind.value for kind in Kind)
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_GONE = {Kind.STATUS.value: {"code": 404, "reason": Reason.API_NOT_FOUND.value, "message": "v2 has been switched off"}}
_BROWN = {Kind.STATUS.value: {"code": 503, "message": "v2 is switched off for a while, before it goes for good"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What a scenario says of an account; None and False: nothing.

    Attributes:
        documented_rates: the documented limits are in force.
        rate_limits: pictures per minute by operation.
        retry_after: a refusal for the rate says when to try again.
        balance_micro_usd: what the account has.
        concurrency: tasks that may be unfinished.
        problem: answered to every call.
    """

    documented_rates: bool = False
    rate_limits: tuple[tuple[str, int], ...] = ()
    retry_after: bool = False
    balance_micro_usd: int | None = None
    concurrency: int | None = None
    problem: Reason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A situation; None: as the server was started.

    Attributes:
        given: the file as it was read, for people and for another server.
        faults: rules, those of `v2` among them.
        bounded: whether `in_a_row` is said.
        fleet: workers, speed and task_ms, as far as they are said.
        webhooks: retries, spacing_ms (a tuple) and timeout_ms, as far as they are said.
    """

    name: str
    description: str
    given: Mapping[str, Any] = field(repr=False, compare=False)
    faults: tuple[Rule, ...] = ()
    bounded: bool = False
    in_a_row: int | None = None
    clock: ClockMode | None = None
    fleet: tuple[tuple[str, Value], ...] = ()
    nsfw_confidences: tuple[float, ...] | None = None
    link_ttl_s: int | None = None
    webhooks: tuple[tuple[str, Value | tuple[int, ...]], ...] = ()
    account: Account | None = None


Find = Callable[[str], "Mapping[str, Any] | None"]
"""Gives a scenario of the library by its name, as its file has it."""


def _name() -> OptionType:
    def read(value: Any) -> str:
        if not isinstance(value, str) or not _NAME.fullmatch(value) or len(value) > 64:
            raise ValueError(f"expected a name of small letters, digits and single hyphens, came {value!r:.80}")
        return value

    return OptionType(read, {"type": "string", "pattern": f"^{_NAME.pattern}$", "maxLength": 64})


def _prose() -> OptionType:
    def read(value: Any) -> str:
        if not isinstance(value, str) or not value.strip() or len(value) > MAX_TEXT:
            raise ValueError(f"expected text of 1 to {MAX_TEXT} characters, came {value!r:.80}")
        return " ".join(value.split())

    return OptionType(read, {"type": "string", "pattern": r"\S", "maxLength": MAX_TEXT})


def _clock() -> OptionType:
    def read(value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError(f"expected real, manual, auto, or x<N>, came {value!r:.80}")  # noqa: TRY004  # one kind of error
        return str(ClockMode.parse(value))

    return OptionType(read, {"type": "string", "pattern": r"^(real|manual|auto|x[0-9]+(\.[0-9]{1,6})?)$"})


def _speed() -> OptionType:
    def read(value: Any) -> float:
        found = number(0, 1_000_000).read(value)
        if not found:
            raise ValueError(f"expected a number above 0, came {value!r:.80}")
        return float(str(found))

    return OptionType(read, {"type": "number", "exclusiveMinimum": 0, "maximum": 1_000_000})


def _timeout() -> OptionType:
    kind = duration()

    def read(value: Any) -> Value:
        found = kind.read(value)
        assert isinstance(found, int)
        if not 1 <= found <= MAX_TIMEOUT_MS:
            raise ValueError(f"expected 1ms to {MAX_TIMEOUT_MS // 1000}s, came {value!r:.80}")
        return found

    return OptionType(read, kind.schema)


def _nullable(kind: OptionType) -> OptionType:
    return OptionType(
        lambda value: None if value is None else kind.read(value), {"anyOf": [kind.schema, {"type": "null"}]}
    )


Options = Mapping[str, tuple[OptionType, str]]
"""Type and meaning by name."""

_FLEET: Options = {
    "workers": (integer(1, 10_000), "tasks that a world works on at a time"),
    "speed": (_speed(), "of the work; 2 is twice as fast"),
    "task_duration": (_nullable(duration()), "every task works so long; null: by its size"),
}
_WEBHOOKS: Options = {
    "retries": (integer(0, MAX_RETRIES), "how often a delivery is tried again"),
    "timeout": (_timeout(), "how long a receiver has to answer, by the wall; at most two minutes"),
}
_ACCOUNT: Options = {
    "retry_after": (flag(), "refusals for the rate carry Retry-After, which no page documents"),
    "balance": (number(0, 1_000_000_000), "US dollars that the account has"),
    "concurrency": (integer(1, 1_000_000), "tasks that may be unfinished"),
    "problem": (word(*(reason.value for reason in ACCOUNT_PROBLEMS)), "answered to every call"),
}
_WINDOW: Options = {
    "after": (duration(), "when it begins, by the world's clock"),
    "until": (duration(), "when it ends"),
}
_PLAIN: Options = {
    "name": (_name(), "what it is called"),
    "description": (_prose(), "what happens, and what a correct client does"),
    "extends": (_name(), "a scenario of the library that this one adds to and changes"),
    "max_in_a_row": (_nullable(integer(1, 1_000_000)), "faults in a row that an operation may suffer; null: no bound"),
    "clock": (_clock(), "real, manual, auto, or x<N> (N times as fast)"),
    "link_ttl": (duration(), "how long links of pictures live"),
}
WORDS = (
    "name", "description", "extends", "faults", "max_in_a_row", "clock", "fleet", "nsfw_confidences", "link_ttl",
    "webhooks", "account", "v2",
)  # fmt: skip


def read_scenario(given: Any, find: Find) -> Scenario:
    """Reads a scenario.

    Args:
        given: the file's content.
        find: gives the scenario that it extends.

    Raises:
        PlanError: something in it is not what it may be; says where.
    """
    own = _object(given, (), WORDS)
    for needed in ("name", "description"):
        if needed not in own:
            raise PlanError((), f"{needed} is missing; a scenario has a name and a description")
    plain = {name: _read(kind, own[name], (name,)) for name, (kind, _) in _PLAIN.items() if name in own}
    parts = _parts(own, str(plain["name"]))
    base = None
    if "extends" in plain:
        base_given = find(str(plain["extends"]))
        if base_given is None:
            raise PlanError(("extends",), f"no scenario {plain['extends']!r} in the library")
        base = read_scenario(base_given, find)
        parts = _above(base, parts)
    clock, ttl_ms = plain.get("clock"), plain.get("link_ttl")
    bounded = "max_in_a_row" in plain
    in_a_row = plain.get("max_in_a_row")
    assert in_a_row is None or isinstance(in_a_row, int)
    return Scenario(
        name=str(plain["name"]),
        description=str(plain["description"]),
        given=dict(own),
        bounded=bounded or (base is not None and base.bounded),
        in_a_row=in_a_row if bounded or base is None else base.in_a_row,
        clock=ClockMode.parse(str(clock)) if clock is not None else (base.clock if base else None),
        link_ttl_s=_whole_seconds(ttl_ms) if ttl_ms is not None else (base.link_ttl_s if base else None),
        **parts,
    )


def scenario_schema() -> dict[str, Any]:
    """JSON Schema of a scenario's file."""
    windows = {"type": "array", "minItems": 1, "maxItems": MAX_WINDOWS, "items": _closed(_WINDOW, "after", "until")}
    limits = {
        "type": "object",
        "additionalProperties": False,
        "properties": {name: dict(integer(1, 1_000_000).schema) for name in SUBMITS},
    }
    effects: dict[str, Any] = {}
    found = {
        "$schema": SCHEMA_DIALECT,
        "$id": "urn:novita-mock:scenario",
        "title": "A scenario of novita-mock",
        "type": "object",
        "additionalProperties": False,
        "required": ["name", "description"],
        "properties": {
            **{name: {**kind.schema, "description": what} for name, (kind, what) in _PLAIN.items()},
            "faults": {"type": "array", "maxItems": 1000, "items": _shared(rule_schema(), effects)},
            "fleet": {"description": "How fast tasks are.", **_closed(_FLEET)},
            "nsfw_confidences": {
                "description": "What the classifier answers, in picture order, repeated.",
                "type": "array",
                "minItems": 1,
                "maxItems": MAX_NUMBERS,
                "items": {"type": "number", "minimum": 0, "maximum": 100},
            },
            "webhooks": {
                "description": "How webhooks are delivered.",
                **_closed(_WEBHOOKS, spacing={
                    "description": "how long after each attempt the next one comes; the last one goes on to the end",
                    "anyOf": [
                        dict(duration().schema),
                        {"type": "array", "minItems": 1, "maxItems": MAX_RETRIES, "items": dict(duration().schema)},
                    ],
                }),
            },
            "account": {
                "description": "What the account refuses.",
                **_closed(_ACCOUNT, rate_limits={
                    "description": "pictures per minute: as documented, or by operation",
                    "anyOf": [{"const": DOCUMENTED}, limits],
                }),
            },
            "v2": {
                "description": "Whether the deprecated version answers (YAML reads a bare off as false).",
                "anyOf": [
                    {"enum": ["on", "off", True, False]},
                    {
                        "type": "object",
                        "additionalProperties": False,
                        "properties": {
                            "brown_outs": {"description": "times without it", **windows},
                            "off_after": {"description": "when it goes for good", **duration().schema},
                        },
                    },
                ],
            },
        },
    }  # fmt: skip
    return {**found, "$defs": effects}


def _shared(schema: Any, effects: dict[str, Any]) -> Any:
    """A schema in which each effect's form stands once, under `$defs`: every point repeats those that it takes."""
    if isinstance(schema, list):
        return [_shared(one, effects) for one in schema]
    if not isinstance(schema, Mapping):
        return schema
    needed = schema.get("required", ())
    if len(needed) == 1 and needed[0] in _EFFECT_NAMES:
        effects[needed[0]] = dict(schema)
        return {"$ref": f"#/$defs/{needed[0]}"}
    return {name: _shared(value, effects) for name, value in schema.items()}


def _parts(own: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The parts of a scenario that are lists or objects."""
    found: dict[str, Any] = {}
    source = f"scenario {name}"
    rules = read_rules(own["faults"], ("faults",), source=source) if "faults" in own else []
    found["faults"] = (*rules, *(_v2(own["v2"], ("v2",), source) if "v2" in own else ()))
    if "fleet" in own:
        values = _options(own["fleet"], ("fleet",), _FLEET)
        if "task_duration" in values:
            values["task_ms"] = values.pop("task_duration")
        found["fleet"] = tuple(values.items())
    if "webhooks" in own:
        found["webhooks"] = _webhooks(own["webhooks"], ("webhooks",))
    if "nsfw_confidences" in own:
        found["nsfw_confidences"] = _numbers(own["nsfw_confidences"], ("nsfw_confidences",))
    if "account" in own:
        found["account"] = _account(own["account"], ("account",))
    return found


def _above(base: Scenario, parts: dict[str, Any]) -> dict[str, Any]:
    """The parts of a scenario with those of the one that it extends; rules of both, its own first."""
    found = dict(parts, faults=(*parts["faults"], *base.faults))
    for name in ("fleet", "webhooks"):
        found[name] = tuple({**dict(getattr(base, name)), **dict(parts.get(name, ()))}.items())
    for name in ("nsfw_confidences", "account"):
        found.setdefault(name, getattr(base, name))
    return found


def _account(given: Any, path: Path) -> Account:
    fields = _object(given, path, ("rate_limits", *_ACCOUNT))
    limits = fields.get("rate_limits")
    by_operation: tuple[tuple[str, int], ...] = ()
    if "rate_limits" in fields and limits != DOCUMENTED:
        inside = (*path, "rate_limits")
        if not isinstance(limits, Mapping):
            raise PlanError(inside, f"expected {DOCUMENTED}, or pictures per minute by operation, came {limits!r:.80}")
        _object(limits, inside, SUBMITS)
        by_operation = tuple(
            (str(name), int(str(_read(integer(1, 1_000_000), value, (*inside, name)))))
            for name, value in limits.items()
        )
    values = _options({name: value for name, value in fields.items() if name != "rate_limits"}, path, _ACCOUNT)
    balance, problem, concurrency = values.get("balance"), values.get("problem"), values.get("concurrency")
    return Account(
        documented_rates=limits == DOCUMENTED,
        rate_limits=by_operation,
        retry_after=values.get("retry_after") is True,
        balance_micro_usd=None if balance is None else round(float(str(balance)) * 1_000_000),
        concurrency=None if concurrency is None else int(str(concurrency)),
        problem=None if problem is None else Reason(str(problem)),
    )


def _webhooks(given: Any, path: Path) -> tuple[tuple[str, Value | tuple[int, ...]], ...]:
    fields = _object(given, path, ("spacing", *_WEBHOOKS))
    found: dict[str, Value | tuple[int, ...]] = {}
    values = _options({name: value for name, value in fields.items() if name != "spacing"}, path, _WEBHOOKS)
    for name, value in values.items():
        found["timeout_ms" if name == "timeout" else name] = value
    if "spacing" in fields:
        inside, spacing = (*path, "spacing"), fields["spacing"]
        times = spacing if isinstance(spacing, list) else [spacing]
        if not 0 < len(times) <= MAX_RETRIES:
            raise PlanError(inside, f"expected 1 to {MAX_RETRIES} durations, came {len(times)}")
        several = isinstance(spacing, list)
        found["spacing_ms"] = tuple(
            int(str(_read(duration(), value, (*inside, index) if several else inside)))
            for index, value in enumerate(times)
        )
    return tuple(found.items())


def _v2(given: Any, path: Path, source: str) -> list[Rule]:
    """The rules that switch v2 off. It is a state and no fault: the bound of faults in a row is not for it."""

    def rule(effect: Any, **when: int) -> Rule:
        found: Effect = read_effect(effect, Point.AUTH, path)
        return Rule(point=Point.AUTH, effect=found, match=Match(version="v2"), bounded=False, source=source, **when)

    if given == "on" or given is True:
        return []
    if given == "off" or given is False:
        return [rule(_GONE)]
    fields = _object(given, path, ("brown_outs", "off_after"), "on, off, or when: {brown_outs: [...], off_after: 1h}")
    windows = fields.get("brown_outs", [])
    if not isinstance(windows, list) or not (0 < len(windows) <= MAX_WINDOWS or "brown_outs" not in fields):
        raise PlanError((*path, "brown_outs"), f"expected a list of 1 to {MAX_WINDOWS} times, came {windows!r:.80}")
    found = []
    for index, window in enumerate(windows):
        inside = (*path, "brown_outs", index)
        times = _options(window, inside, _WINDOW)
        if times.keys() != {"after", "until"}:
            raise PlanError(inside, "expected after and until, as in {after: 10s, until: 20s}")
        after_ms, until_ms = int(str(times["after"])), int(str(times["until"]))
        found.append(rule(_BROWN, after_ms=after_ms, until_ms=until_ms))
    if "off_after" in fields:
        found.append(rule(_GONE, after_ms=int(str(_read(duration(), fields["off_after"], (*path, "off_after"))))))
    return found


def _options(given: Any, path: Path, known: Options) -> dict[str, Value]:
    fields = _object(given, path, tuple(known))
    return {name: _read(known[name][0], value, (*path, name)) for name, value in fields.items()}


def _object(given: Any, path: Path, known: tuple[str, ...], expected: str = "") -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise PlanError(path, f"expected {expected or 'an object with ' + ', '.join(known)}, came {given!r:.80}")
    for name in given:
        if name not in known:
            raise PlanError((*path, str(name)), f"unknown word {str(name)[:80]!r}; known: {', '.join(known)}")
    return given


def _read(kind: OptionType, value: Any, path: Path) -> Value:
    try:
        found = kind.read(value)
    except PlanError:
        raise
    except (ValueError, OverflowError) as error:
        raise PlanError(path, str(error)) from None
    assert found is None or isinstance(found, int | float | str | bool)
    return found


def _numbers(given: Any, path: Path) -> tuple[float, ...]:
    if not isinstance(given, list) or not 0 < len(given) <= MAX_NUMBERS:
        raise PlanError(path, f"expected 1 to {MAX_NUMBERS} numbers from 0 to 100, came {given!r:.80}")
    return tuple(float(str(_read(number(0, 100), value, (*path, index)))) for index, value in enumerate(given))


def _whole_seconds(ms: Value) -> int:
    return max(1, int(str(ms)) // 1000)


def _closed(options: Options, *required: str, **more: Mapping[str, Any]) -> dict[str, Any]:
    properties = {name: {**kind.schema, "description": what} for name, (kind, what) in options.items()}
    found: dict[str, Any] = {"type": "object", "additionalProperties": False, "properties": {**properties, **more}}
    return {**found, "required": list(required)} if required else found
