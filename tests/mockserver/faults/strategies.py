"""Strategies for rules as people write them, and for anything else that is JSON."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from mockserver.core.errors import Reason
from mockserver.faults.effects import EFFECTS, effects_at
from mockserver.faults.kinds import BreakKind, Kind, Refused, WrongFile
from mockserver.faults.points import Point

Json = st.SearchStrategy[Any]

HOUR_S = 3600


def printable(longest: int) -> st.SearchStrategy[str]:
    """Text without control characters."""
    return st.text(st.characters(codec="utf-8").filter(str.isprintable), min_size=1, max_size=longest)


def durations(longest_s: int) -> Json:
    """A duration in each form."""
    longest_ms = longest_s * 1000
    return st.one_of(
        st.integers(0, longest_s),
        st.floats(0, longest_s),
        st.integers(0, longest_ms).map(lambda ms: f"{ms}ms"),
        st.integers(0, longest_s).map(lambda s: f"{s}s"),
        st.integers(0, longest_s // 60).map(lambda m: f"{m}m"),
        st.tuples(st.integers(0, longest_s // 3600), st.integers(0, 59)).map(
            lambda both: f"{both[0]}h" if both[0] >= longest_s // 3600 else f"{both[0]}h{both[1]}m"
        ),
    )


@st.composite
def _uniform(draw: st.DrawFn) -> Any:
    low, high = sorted(draw(st.tuples(st.integers(0, HOUR_S * 1000), st.integers(0, HOUR_S * 1000))))
    return {"uniform": [f"{low}ms", high / 1000]}


def distributions() -> Json:
    """A time in each form."""
    lognormal = st.fixed_dictionaries({"median": durations(HOUR_S), "sigma": st.floats(0, 5) | st.integers(0, 5)})
    return st.one_of(
        durations(HOUR_S),
        durations(HOUR_S).map(lambda given: {"fixed": given}),
        _uniform(),
        lognormal.map(lambda given: {"lognormal": given}),
    )


_SHARE = st.floats(0, 1) | st.integers(0, 1)
_OPTIONS: dict[str, Json] = {
    "code": st.integers(400, 599),
    "reason": st.sampled_from([reason.value for reason in Reason]) | printable(200),
    "message": printable(200),
    "retry_after": durations(7 * 24 * HOUR_S),
    "body": st.sampled_from(["json", "html", "text", "empty"]),
    "time": distributions(),
    "pieces": st.integers(2, 1000),
    "share": _SHARE,
    "at": _SHARE,
    "wait": durations(24 * HOUR_S),
    "field": printable(200),
    "times": st.integers(2, 20),
}
_WORDS: dict[Kind, list[str]] = {
    Kind.BREAK: [kind.value for kind in BreakKind],
    Kind.WRONG_FILE: [kind.value for kind in WrongFile],
    Kind.REFUSE: [kind.value for kind in Refused],
}


def _option(kind: Kind, name: str) -> Json:
    if name == "kind":
        return st.sampled_from(_WORDS[kind])
    if name == "reason" and kind is Kind.STATUS:
        return st.sampled_from([reason.value for reason in Reason])
    return _OPTIONS[name]


@st.composite
def effects(draw: st.DrawFn, point: Point) -> Any:
    """An effect at a point, in one of the forms in which it can be written."""
    kind = draw(st.sampled_from(effects_at(point)))
    about = EFFECTS[kind]
    options = {name: _option(kind, name) for name in about.options}
    if kind is Kind.STATUS:
        code, reason = draw(st.sampled_from([(True, False), (False, True), (True, True)]))
        needed = {"code": code, "reason": reason}
        given = {name: draw(options[name]) for name, wanted in needed.items() if wanted}
        rest = st.fixed_dictionaries({}, optional={name: options[name] for name in ("message", "retry_after", "body")})
        return {kind.value: given["code"] if code and not reason and draw(st.booleans()) else {**given, **draw(rest)}}
    forms: list[Json] = [st.just(kind.value)]
    if about.options:
        forms.append(st.fixed_dictionaries({}, optional=options).map(lambda given: {kind.value: given}))
    if about.main is not None:
        forms.append(options[about.main].map(lambda given: {kind.value: given}))
    return draw(st.one_of(forms))


_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | printable(20)
)
_MATCH: dict[str, Json] = {
    "operation": printable(40),
    "version": st.sampled_from(["v2", "v3"]),
    "prompt": printable(40),
    "model": printable(40),
    "seed": st.integers(-1, 2**63 - 1),
    "task": st.integers(1, 2**63 - 1),
    "picture": st.integers(0, 1000),
    "attempt": st.integers(1, 1000),
    "body": st.dictionaries(printable(20), _SCALARS, max_size=3),
}
_TRIGGERS: dict[str, Json] = {
    "nth": st.integers(1, 1_000_000),
    "every": st.integers(1, 1_000_000),
    "times": st.integers(1, 1_000_000),
    "probability": _SHARE,
    "after": durations(7 * 24 * HOUR_S),
    "until": durations(7 * 24 * HOUR_S),
    "bounded": st.booleans(),
    "match": st.fixed_dictionaries({}, optional=_MATCH),
}


@st.composite
def rules(draw: st.DrawFn) -> Any:
    """A rule that is good."""
    point = draw(st.sampled_from(Point))
    triggers = draw(st.fixed_dictionaries({}, optional=_TRIGGERS))
    return {"point": point.value, "effect": draw(effects(point)), **triggers}


def anything() -> Json:
    """Any JSON, words of rules among it."""
    words = st.sampled_from(
        [
            *(point.value for point in Point),
            *(kind.value for kind in Kind),
            *_OPTIONS,
            *_TRIGGERS,
            *_MATCH,
            "effect",
            "fixed",
        ]
    )
    scalars = _SCALARS | st.text(max_size=8) | words
    return st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words | st.text(max_size=4), inner, max_size=3),
    )


@st.composite
def spoilt_rules(draw: st.DrawFn) -> Any:
    """A rule of which one place, at any depth, is something else."""
    return _spoilt(draw, draw(rules()))


def _spoilt(draw: st.DrawFn, value: Any) -> Any:
    if isinstance(value, dict) and value and draw(st.integers(0, 4)):
        name = draw(st.sampled_from(sorted(value)))
        return {**value, name: _spoilt(draw, value[name])}
    if isinstance(value, list) and value and draw(st.integers(0, 4)):
        place = draw(st.integers(0, len(value) - 1))
        return [_spoilt(draw, found) if index == place else found for index, found in enumerate(value)]
    return draw(anything())
