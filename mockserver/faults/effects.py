"""What can happen at a point: the table of effects, and how one is read.

An effect is written as its name (`no-answer`), as its name and its main option (`{status: 429}`), or with all its
options (`{status: {code: 429, retry_after: 2s}}`). The connection's four are named as WireMock names them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mockserver.core.errors import Reason
from mockserver.faults.kinds import BreakKind, Kind, Refused, WrongFile
from mockserver.faults.options import (
    Distribution,
    Draw,
    Option,
    OptionType,
    Path,
    PlanError,
    distribution,
    duration,
    integer,
    number,
    text,
    word,
)
from mockserver.faults.points import COURSE, Point


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What one kind of effect is.

    Attributes:
        points: where it makes sense.
        what: one sentence for people.
        main: the option that a bare value stands for.
        options: types by name.
        defaults: values of options that are left out; others are None.
        needs_answer: the call is carried out first, and its answer is what the effect works on.
        only: why it makes no sense at the other points.
    """

    points: tuple[Point, ...]
    what: str
    main: str | None = None
    options: Mapping[str, OptionType] = field(default_factory=dict)
    defaults: Mapping[str, Option] = field(default_factory=dict)
    needs_answer: bool = False
    only: str = ""


_CALLS = (Point.AUTH, Point.SUBMIT_BEFORE, Point.SUBMIT_AFTER_COMMIT, Point.RESULT, Point.MODELS, Point.DOWNLOAD)
_JSON_ANSWERS = (Point.SUBMIT_AFTER_COMMIT, Point.RESULT, Point.MODELS, Point.WEBHOOK_ATTEMPT)
_AT = number(0, 1)

_NO_CALL = "no client waits for an answer there"
_DELAYED = "no client waits there by its own time; a task or a delivery is made late by `late`, on the world's clock"
_NO_BODY = "nothing with a body has been made there yet, or no client reads it"
_NO_JSON = "no answer in JSON has been made there"
_NO_FILE = "only a download gives a file"
_NOT_LATER = "it concerns what happens on the world's clock; an answer is made late by `delay`"
_NO_LIFE = "it concerns the life of a task; a call has none"
_NO_WORK = "only work that has begun can fall back"
_NO_RACE = "the race it makes is the one between a webhook and the answer of its submit"
_NO_DELIVERY = "only webhooks are delivered"
_NO_BUCKET = "only an upload goes into a bucket"

EFFECTS: Mapping[Kind, About] = {
    Kind.STATUS: About(
        points=_CALLS,
        what="an error answer in the contract's form (a picture's in S3's), or as another body a gateway might send",
        main="code",
        options={
            "code": integer(400, 599),
            "reason": word(*(reason.value for reason in Reason)),
            "message": text(),
            "retry_after": duration(),
            "body": word("json", "html", "text", "empty"),
        },
        defaults={"body": "json"},
        only=_NO_CALL,
    ),
    Kind.DELAY: About(
        points=(*_CALLS, Point.STORAGE_PUT),
        what="the answer comes late, by the client's own time",
        main="time",
        options={"time": distribution()},
        defaults={"time": Distribution(kind="fixed", a=1000)},
        needs_answer=True,
        only=_DELAYED,
    ),
    Kind.NO_ANSWER: About(points=_CALLS, what="the connection stays open and nothing is ever sent", only=_NO_CALL),
    Kind.CONNECTION_RESET: About(
        points=_CALLS, what="the connection is reset (TCP RST) before anything is sent", only=_NO_CALL
    ),
    Kind.EMPTY_RESPONSE: About(points=_CALLS, what="the connection is closed before anything is sent", only=_NO_CALL),
    Kind.MALFORMED_CHUNK: About(
        points=_CALLS, what="status 200 and headers, then a chunk that is none, then the end", only=_NO_CALL
    ),
    Kind.RANDOM_DATA: About(points=_CALLS, what="bytes that are no HTTP, then the end", only=_NO_CALL),
    Kind.TRUNCATE: About(
        points=(*_CALLS[2:], Point.WEBHOOK_ATTEMPT),
        what="the body ends before its announced length; a webhook's is cut so that it is no JSON",
        main="share",
        options={"share": _AT},
        defaults={"share": 0.5},
        needs_answer=True,
        only=_NO_BODY,
    ),
    Kind.DRIBBLE: About(
        points=_CALLS[2:],
        what="the body comes in small pieces over a time",
        main="time",
        options={"time": distribution(), "pieces": integer(2, 1000)},
        defaults={"time": Distribution(kind="fixed", a=5000), "pieces": 10},
        needs_answer=True,
        only=_NO_BODY,
    ),
    Kind.BREAK: About(
        points=_JSON_ANSWERS,
        what="the answer breaks the contract: a field is missing, null, of another type, has an unknown value, one is "
        "added, or the answer of a v3 submit is wrapped as v2's (C1)",
        main="kind",
        options={"kind": word(*BreakKind), "field": text()},
        defaults={"kind": BreakKind.MISSING.value},
        needs_answer=True,
        only=_NO_JSON,
    ),
    Kind.WRONG_FILE: About(
        points=(Point.DOWNLOAD,),
        what="status 200, and something else than the picture: S3's error text, a web page, another Content-Type, "
        "changed bytes, nothing",
        main="kind",
        options={"kind": word(*WrongFile)},
        defaults={"kind": WrongFile.XML.value},
        needs_answer=True,
        only=_NO_FILE,
    ),
    Kind.LATE: About(
        points=(*COURSE, Point.WEBHOOK_ATTEMPT),
        what="it happens later, by the world's clock",
        main="time",
        options={"time": distribution()},
        defaults={"time": Distribution(kind="fixed", a=30_000)},
        only=_NOT_LATER,
    ),
    Kind.FAIL: About(
        points=COURSE,
        what="the task fails there",
        main="reason",
        options={"reason": text(), "at": _AT},
        defaults={"reason": "the mock was told to fail this task", "at": 0.5},
        only=_NO_LIFE,
    ),
    Kind.STUCK: About(
        points=COURSE,
        what="the task goes no further, ever",
        main="at",
        options={"at": _AT},
        defaults={"at": 0.5},
        only=_NO_LIFE,
    ),
    Kind.VANISH: About(
        points=COURSE,
        what="from there on the task is unknown (TASK_NOT_FOUND)",
        main="at",
        options={"at": _AT},
        defaults={"at": 0.5},
        only=_NO_LIFE,
    ),
    Kind.REGRESS: About(
        points=(Point.PROGRESS,),
        what="the task falls back into the queue, progress 0, and starts again",
        main="at",
        options={"at": _AT, "wait": duration()},
        defaults={"at": 0.5, "wait": 10_000},
        only=_NO_WORK,
    ),
    Kind.EARLY: About(
        points=(Point.WEBHOOK_BEFORE_REPLY,),
        what="the task ends at once and its webhook is delivered before the submit is answered",
        only=_NO_RACE,
    ),
    Kind.DROP: About(
        points=(Point.WEBHOOK_ATTEMPT,),
        what="the delivery is lost: neither this attempt nor another",
        only=_NO_DELIVERY,
    ),
    Kind.HOLD: About(
        points=(Point.WEBHOOK_ATTEMPT,), what="the delivery waits until it is released", only=_NO_DELIVERY
    ),
    Kind.DUPLICATE: About(
        points=(Point.WEBHOOK_ATTEMPT,),
        what="the same event is sent several times, the same id",
        main="times",
        options={"times": integer(2, 20)},
        defaults={"times": 2},
        only=_NO_DELIVERY,
    ),
    Kind.REORDER: About(
        points=(Point.WEBHOOK_ATTEMPT,),
        what="the delivery waits until the next one of its world has been sent",
        only=_NO_DELIVERY,
    ),
    Kind.CONFLICT: About(
        points=(Point.WEBHOOK_ATTEMPT,),
        what="after the event a second one says the opposite of the same task",
        only=_NO_DELIVERY,
    ),
    Kind.REFUSE: About(
        points=(Point.STORAGE_PUT,),
        what="the bucket does not take the picture",
        main="kind",
        options={"kind": word(*Refused)},
        defaults={"kind": Refused.DENIED.value},
        only=_NO_BUCKET,
    ),
}
"""Every effect."""


def effects_at(point: Point) -> list[Kind]:
    """The effects that make sense at a point."""
    return [kind for kind, about in EFFECTS.items() if point in about.points]


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """An effect with its options; every option of its kind has a value or None."""

    kind: Kind
    options: Mapping[str, Option] = field(default_factory=dict)

    def resolved(self, draw: Draw) -> Effect:
        """The same with every drawn time decided, so that it can be written on the tape."""
        if not any(isinstance(value, Distribution) and value.kind != "fixed" for value in self.options.values()):
            return self
        decided: dict[str, Option] = {
            name: Distribution(kind="fixed", a=value.draw_ms(draw)) if isinstance(value, Distribution) else value
            for name, value in self.options.items()
        }
        return Effect(kind=self.kind, options=decided)

    def text(self, name: str) -> str | None:
        """An option that is text or a word."""
        value = self.options.get(name)
        assert value is None or isinstance(value, str), name
        return value

    def integer(self, name: str) -> int | None:
        """An option that is a whole number, or a duration in milliseconds."""
        value = self.options.get(name)
        assert value is None or isinstance(value, int), name
        return value

    def number(self, name: str) -> float:
        """An option that is a number and has a default."""
        value = self.options[name]
        assert isinstance(value, int | float), name
        return float(value)

    def time_ms(self) -> int:
        """The option `time`, in milliseconds; its effect must have been resolved."""
        value = self.options["time"]
        assert isinstance(value, Distribution), value
        return round(value.a)

    def as_json(self) -> object:
        """As `read_effect` reads it back: the name alone, or with the options that differ from their defaults."""
        about = EFFECTS[self.kind]
        given = {
            name: _as_json(value, about.options[name])
            for name, value in self.options.items()
            if value is not None and value != about.defaults.get(name)
        }
        return {self.kind.value: given} if given else self.kind.value

    def __str__(self) -> str:
        about = EFFECTS[self.kind]
        shown = [
            str(value.as_json() if isinstance(value, Distribution) else value)
            for name, value in self.options.items()
            if value is not None and (name == about.main or value != about.defaults.get(name))
        ]
        return f"{self.kind.value} {' '.join(shown)}".strip()


def read_effect(given: Any, point: Point, path: Path) -> Effect:
    """Reads an effect.

    Args:
        given: a name, or an object with one name.
        point: where it is to happen.
        path: where it stands, for the error.

    Raises:
        PlanError: not an effect, one that makes no sense there, or an option that is not what it may be.
    """
    name, options = _parts(given, point, path)
    try:
        kind = Kind(name)
    except ValueError:
        raise PlanError(path, f"unknown effect {name!r:.80}; {_known(effects_at(point), point)}") from None
    about = EFFECTS[kind]
    if point not in about.points:
        known = _known(effects_at(point), point)
        raise PlanError(path, f"{name} makes no sense at {point.value}: {about.only}; {known}")
    inside = (*path, name) if isinstance(given, Mapping) else path
    if not isinstance(options, Mapping) or (about.main is not None and _is_main(options, about)):
        if about.main is None:
            if options is not None and options is not True:
                raise PlanError(inside, f"{name} has no options, came {options!r:.80}")
            options = {}
        else:
            options = {} if options is None or options is True else {about.main: options}  # 1 == True
    values: dict[str, Option] = {**dict.fromkeys(about.options), **about.defaults}
    for option, value in options.items():
        if option not in about.options:
            words = ", ".join(about.options) or "none"
            raise PlanError((*inside, str(option)), f"{name} has no option {option!r:.80}; its options: {words}")
        values[option] = read_option(about.options[option], value, (*inside, option))
    if kind is Kind.STATUS and values["code"] is None and values["reason"] is None:
        raise PlanError(inside, "expected a status code or a reason, as in {status: 429}")
    return Effect(kind=kind, options=values)


def read_option(kind: OptionType, value: Any, path: Path) -> Option:
    """Reads one option.

    Raises:
        PlanError: it is not what it may be.
    """
    try:
        return kind.read(value)
    except PlanError:
        raise
    except (ValueError, OverflowError) as error:
        raise PlanError(path, str(error)) from None


def effect_schema(point: Point | None = None) -> dict[str, Any]:
    """JSON Schema of an effect as it is written, at a point or at any."""
    forms: list[dict[str, Any]] = []
    bare = []
    for kind, about in EFFECTS.items():
        if point is not None and point not in about.points:
            continue
        if kind is not Kind.STATUS:
            bare.append(kind.value)
        options: dict[str, Any] = {
            "type": "object",
            "additionalProperties": False,
            "properties": {name: dict(option.schema) for name, option in about.options.items()},
        }
        ways = [dict(about.options[about.main].schema), options] if about.main else [options]
        if kind is Kind.STATUS:
            options["anyOf"] = [{"required": ["code"]}, {"required": ["reason"]}]
        else:
            ways.append({"enum": [None, True]})
        value = {"anyOf": ways}
        forms.append(
            {
                "type": "object",
                "additionalProperties": False,
                "required": [kind.value],
                "properties": {kind.value: {"description": about.what, **value}},
            }
        )
    return {"anyOf": [{"enum": bare}, *forms]}


def _parts(given: Any, point: Point, path: Path) -> tuple[str, Any]:
    if isinstance(given, str):
        return given, None
    if isinstance(given, Mapping) and len(given) == 1:
        name, options = next(iter(given.items()))
        return str(name), options
    raise PlanError(
        path, f"expected one effect, as in {{status: 429}} or no-answer; {_known(effects_at(point), point)}"
    )


def _is_main(options: Mapping[Any, Any], about: About) -> bool:
    """Whether an object is the main option's value (a way to draw a time) rather than a set of options."""
    assert about.main is not None
    return bool(options) and set(options) <= {"fixed", "uniform", "lognormal"} and "time" in about.options


def _known(kinds: Iterable[Kind], point: Point) -> str:
    return f"effects at {point.value}: {', '.join(kind.value for kind in kinds)}"


def _as_json(value: Option, kind: OptionType) -> object:
    if isinstance(value, Distribution):
        return value.as_json()
    if "oneOf" in kind.schema and isinstance(value, int):  # a duration
        return f"{value}ms"
    return value
