"""Directives: words that ask for trouble in a prompt. What there is, and how each is read.

Grammar of what stands between `[[mock:` and `]]` (finding it is `mockserver.faults.magic`):

    ITEMS       ITEM, with commas between several; the last one of a name wins
    ITEM        NAME | NAME=VALUE | CODE | CODExN
    EFFECT      the name of an effect, a status code, or NAME:OPTION; xN behind it: only so often
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mockserver.core.clock import parse_duration_ms
from mockserver.faults.effects import EFFECTS, read_effect
from mockserver.faults.kinds import Kind, Refused
from mockserver.faults.options import PlanError, duration, number
from mockserver.faults.points import COURSE, Point
from mockserver.faults.rules import Rule

SHOWN = 60
"""Characters of an unknown word that a message repeats."""
SURELY_UNSAFE = 99.0
"""What the classifier says when it is told to find something."""

_CODE = re.compile(r"([45][0-9]{2})(?:x([1-9][0-9]{0,5}))?")
_EFFECT = re.compile(r"(?P<name>[A-Za-z0-9_-]+?)(?:[:=](?P<option>.+?))?(?:x(?P<times>[1-9][0-9]{0,5}))?")
_PLACES = {point.value: point for point in COURSE}
_WEBHOOK_WORDS = {"dup": Kind.DUPLICATE.value}
POINTS = (*COURSE, Point.SUBMIT_BEFORE, Point.SUBMIT_AFTER_COMMIT, Point.RESULT, Point.DOWNLOAD,
           Point.WEBHOOK_BEFORE_REPLY, Point.WEBHOOK_ATTEMPT, Point.STORAGE_PUT)  # fmt: skip
"""Points that a request can reach. `auth` is behind it when its prompt is read, and `models` is another operation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spell:
    """What a request asks for.

    Attributes:
        rules: that concern this request and its task.
        lasting: that stay in force in the world.
        link_ttl_s: how long the links of its pictures live.
        nsfw_confidence: what the classifier says of its pictures.
    """

    rules: tuple[Rule, ...] = ()
    lasting: tuple[Rule, ...] = ()
    link_ttl_s: int | None = None
    nsfw_confidence: float | None = None


@dataclass(slots=True, kw_only=True)
class _Asked:
    """A spell in the making.

    Attributes:
        rules: by the name of the item that asks for them.
    """

    source: str
    rules: dict[str, Rule] = field(default_factory=dict)
    lasting: list[Rule] = field(default_factory=list)
    link_ttl_s: int | None = None
    nsfw_confidence: float | None = None
    fail_reason: str | None = None
    fail_at: str | None = None

    def rule(self, name: str, point: Point, effect: Any, times: int | None = None) -> None:
        """Asks for an effect; how often it is counted, it is not held back by the bound of faults in a row."""
        found = read_effect(effect, point, ())
        self.rules.pop(name, None)
        self.rules[name] = Rule(point=point, effect=found, times=times, bounded=times is None, source=self.source)

    def done(self) -> Spell:
        """The spell."""
        if self.fail_reason is not None or self.fail_at is not None:
            self._fail()
        return Spell(
            rules=tuple(self.rules.values()),
            lasting=tuple(self.lasting),
            link_ttl_s=self.link_ttl_s,
            nsfw_confidence=self.nsfw_confidence,
        )

    def _fail(self) -> None:
        point = Point.FINISH
        options: dict[str, object] = {}
        if self.fail_at in _PLACES:
            point = _PLACES[self.fail_at]
        elif self.fail_at is not None:
            point, options = Point.PROGRESS, {"at": float(self.fail_at)}
        if self.fail_reason:
            options["reason"] = self.fail_reason
        self.rule("fail", point, {Kind.FAIL.value: options})


Read = Callable[[_Asked, str, str | None], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Directive:
    """One thing that a prompt can ask for.

    Attributes:
        form: how it is written, for people.
        example: one that works.
        what: what it does.
        read: adds it to a spell.
    """

    form: str
    example: str
    what: str
    read: Read


# How each directive is read


def _needed(name: str, value: str | None, form: str) -> str:
    if not value:
        raise PlanError((), f"{name} needs a value: {form}")
    return value


def _none(name: str, value: str | None) -> None:
    if value is not None:
        raise PlanError((), f"{name} takes no value, came {value[:SHOWN]!r}")


def _time(name: str, value: str | None) -> float | str:
    """A time as effects take it."""
    text = _needed(name, value, f"{name}=TIME, as in {name}=30s")
    time = _as_time(text)
    _option(name, duration().read, time)
    return time


def _as_time(text: str) -> float | str:
    """Seconds as a number, anything else as it stands."""
    return float(text) if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text) else text


def _option(name: str, read: Callable[[Any], Any], value: Any) -> Any:
    try:
        return read(value)
    except (ValueError, OverflowError) as error:
        raise PlanError((), f"{name}: {error}") from None


def _simple(point: Point, effect: Any, times: int | None = None) -> Read:
    """A directive without a value."""

    def read(asked: _Asked, name: str, value: str | None) -> None:
        _none(name, value)
        asked.rule(name, point, effect, times)

    return read


def _later(point: Point) -> Read:
    """A directive with a time; any other value is an effect at the point of that name."""

    def read(asked: _Asked, name: str, value: str | None) -> None:
        if name in _PLACES and value is not None and not value[:1].isdigit():
            _effect_at(point)(asked, name, value)
        else:
            asked.rule(name, point, {Kind.LATE.value: _time(name, value)})

    return read


def _effect_at(point: Point, words: Mapping[str, str] | None = None) -> Read:
    """A directive whose value is an effect."""

    def read(asked: _Asked, name: str, value: str | None) -> None:
        text = _needed(name, value, f"{name}=EFFECT, as in {name}={_likely(point)}")
        effect, times = _read_effect(text, words or {})
        asked.rule(name, point, effect, times)

    return read


def _read_effect(text: str, words: Mapping[str, str]) -> tuple[Any, int | None]:
    """An effect as plans write it, and how often it happens."""
    match = _EFFECT.fullmatch(text)
    if match is None:
        raise PlanError((), f"{text[:SHOWN]!r} is no effect; expected its name, a status code, or NAME:OPTION")
    name, option, times = match["name"], match["option"], match["times"]
    count = int(times) if times else None
    if option is None and re.fullmatch(r"[0-9]{3}", name):
        return {Kind.STATUS.value: int(name)}, count
    name = words.get(name, name)
    return (name if option is None else {name: _as_value(name, option)}), count


def _as_value(name: str, option: str) -> object:
    """An option's text as the kind's main option takes it."""
    about = next((about for kind, about in EFFECTS.items() if kind.value == name), None)
    wanted = about.options[about.main].schema.get("type", "time") if about is not None and about.main else ""
    if name == Kind.STATUS.value and not option.isdigit():
        return {"reason": option}
    try:
        return _CONVERTED.get(wanted, str)(option)
    except ValueError:
        return option  # the reader of effects says what it expected


_CONVERTED: Mapping[str, Callable[[str], object]] = {"integer": int, "number": float, "time": _as_time}
"""From the text of an option, by the type of its schema; a time has none."""


def _likely(point: Point) -> str:
    return {
        Point.DOWNLOAD: "503x2",
        Point.WEBHOOK_ATTEMPT: "drop",
        Point.STORAGE_PUT: "refuse:denied",
        Point.WEBHOOK_BEFORE_REPLY: "early",
    }.get(point, "stuck" if point in COURSE else "503x2")


def _fail_reason(asked: _Asked, name: str, value: str | None) -> None:
    asked.fail_reason = value or ""


def _fail_at(asked: _Asked, name: str, value: str | None) -> None:
    text = _needed(name, value, "fail-at=queue, start, progress, finish, or a share of the work as in fail-at=0.3")
    if text not in _PLACES:
        try:
            number(0, 1).read(float(text))
        except ValueError:
            raise PlanError(
                (), f"fail-at: expected queue, start, progress, finish or a number from 0 to 1, came {text[:SHOWN]!r}"
            ) from None
    asked.fail_at = text


def _stuck(asked: _Asked, name: str, value: str | None) -> None:
    if value is not None and value not in _PLACES:
        raise PlanError((), f"stuck: expected one of {', '.join(_PLACES)}, came {value[:SHOWN]!r}")
    asked.rule(name, _PLACES[value or Point.PROGRESS.value], Kind.STUCK.value)


def _webhook(asked: _Asked, name: str, value: str | None) -> None:
    if value == Kind.EARLY.value:
        asked.rule(name, Point.WEBHOOK_BEFORE_REPLY, Kind.EARLY.value)
    else:
        _effect_at(Point.WEBHOOK_ATTEMPT, _WEBHOOK_WORDS)(asked, name, value)


def _storage(asked: _Asked, name: str, value: str | None) -> None:
    text = _needed(name, value, f"storage=WORD, one of {', '.join(Refused)}")
    match = _EFFECT.fullmatch(text)
    if match is None or match["name"] not in set(map(str, Refused)):
        raise PlanError((), f"storage: expected one of {', '.join(Refused)}, came {text[:SHOWN]!r}")
    times = match["times"]
    asked.rule(name, Point.STORAGE_PUT, {Kind.REFUSE.value: match["name"]}, int(times) if times else None)


def _url_ttl(asked: _Asked, name: str, value: str | None) -> None:
    asked.link_ttl_s = max(1, parse_duration_ms(_time(name, value)) // 1000)


def _nsfw(asked: _Asked, name: str, value: str | None) -> None:
    if value is None:
        asked.nsfw_confidence = SURELY_UNSAFE
        return
    try:
        asked.nsfw_confidence = float(_option(name, number(0, 100).read, float(value)))
    except ValueError as error:
        if isinstance(error, PlanError):
            raise
        raise PlanError((), f"nsfw: expected a number from 0 to 100, came {value[:SHOWN]!r}") from None


DIRECTIVES: Mapping[str, Directive] = {
    "fail": Directive(
        form="fail, fail=REASON",
        example="fail=out of memory",
        what="the task fails at the end of its work, with this reason",
        read=_fail_reason,
    ),
    "fail-at": Directive(
        form="fail-at=queue|start|progress|finish, fail-at=SHARE",
        example="fail-at=0.3",
        what="the task fails there, or when this share of its work is done",
        read=_fail_at,
    ),
    "slow": Directive(
        form="slow=TIME", example="slow=90s", what="its work takes so much longer", read=_later(Point.PROGRESS)
    ),
    "queue": Directive(
        form="queue=TIME, queue=EFFECT",
        example="queue=30s",
        what="it waits so much longer in the queue, or something else happens to it there",
        read=_later(Point.QUEUE),
    ),
    "stuck": Directive(
        form="stuck, stuck=queue|start|progress|finish",
        example="stuck",
        what="the task never ends; it stops half-way through its work, or there",
        read=_stuck,
    ),
    "vanish": Directive(
        form="vanish",
        example="vanish",
        what="half-way through its work the task is unknown (TASK_NOT_FOUND)",
        read=_simple(Point.PROGRESS, Kind.VANISH.value),
    ),
    "regress": Directive(
        form="regress",
        example="regress",
        what="half-way through its work the task falls back into the queue",
        read=_simple(Point.PROGRESS, Kind.REGRESS.value),
    ),
    "lost-ack": Directive(
        form="lost-ack",
        example="lost-ack",
        what="the task is made and paid for, and the connection is reset before the answer; the same request sent "
        "again makes a second task and is answered",
        read=_simple(Point.SUBMIT_AFTER_COMMIT, Kind.CONNECTION_RESET.value, 1),
    ),
    "delay": Directive(
        form="delay=TIME",
        example="delay=2s",
        what="the answer of the submit comes late, by the client's own time",
        read=lambda asked, name, value: asked.rule(
            name, Point.SUBMIT_AFTER_COMMIT, {Kind.DELAY.value: _time(name, value)}
        ),
    ),
    "result": Directive(
        form="result=EFFECT, result=EFFECTxN",
        example="result=503x2",
        what="something happens to the polls of its task",
        read=_effect_at(Point.RESULT),
    ),
    "download": Directive(
        form="download=EFFECT, download=EFFECTxN",
        example="download=truncatex1",
        what="something happens to the downloads of its pictures",
        read=_effect_at(Point.DOWNLOAD),
    ),
    "webhook": Directive(
        form="webhook=drop|dup|late:TIME|hold|conflict|reorder|early",
        example="webhook=late:30s",
        what="something happens to the webhook of its task; early: it arrives before the submit is answered",
        read=_webhook,
    ),
    "storage": Directive(
        form=f"storage={'|'.join(Refused)}, storage=WORDxN",
        example="storage=denied",
        what="the bucket does not take its pictures",
        read=_storage,
    ),
    "url-ttl": Directive(
        form="url-ttl=TIME",
        example="url-ttl=1s",
        what="the links of its pictures live so long, from each poll",
        read=_url_ttl,
    ),
    "nsfw": Directive(
        form="nsfw, nsfw=CONFIDENCE",
        example="nsfw",
        what=f"the classifier gives each of its pictures {SURELY_UNSAFE:g}, or this number from 0 to 100; "
        "seen where NSFW detection was asked for",
        read=_nsfw,
    ),
    **{
        point.value: Directive(
            form=f"{point.value}=EFFECT, {point.value}=EFFECTxN",
            example=f"{point.value}={_likely(point)}",
            what=f"any effect of the point: {point.about}",
            read=_effect_at(point),
        )
        for point in POINTS
        if point.value not in ("queue", "result", "download")
    },
}
"""By name; a bare status code is one more (`CODE_FORM`)."""

CODE_FORM = "CODE, CODExN"
CODE_EXAMPLE = "429x2"
CODE_WHAT = "the submit is answered so, once or N times, before a task is made; the next try of the same is accepted"


def cast(items: str, source: str) -> Spell:
    """The spell of items with commas between them.

    Args:
        items: what stands between `[[mock:` and `]]`.
        source: what its rules say of where they come from.

    Raises:
        PlanError: an item that there is not.
    """
    asked = _Asked(source=source)
    for item in filter(None, map(str.strip, items.split(","))):
        code = _CODE.fullmatch(item)
        if code is not None:
            asked.rule(code[1], Point.SUBMIT_BEFORE, {Kind.STATUS.value: int(code[1])}, int(code[2] or 1))
            continue
        name, equals, value = (part.strip() for part in item.partition("="))
        directive = DIRECTIVES.get(name)
        if directive is None:
            known = ", ".join((*DIRECTIVES, CODE_EXAMPLE))
            raise PlanError((), f"unknown directive {name[:SHOWN]!r}; known: {known}")
        directive.read(asked, name, value if equals else None)
    return asked.done()
