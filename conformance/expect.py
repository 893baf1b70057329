"""The vocabulary of checks: what an answer should fulfil, said in words and decided by `conformance.predicates`.

    t.expect(answer, status(200), typed("task.status", "string"))

Paths are dotted, `[]` means each element: `images[].image_url`. A claim about a path that is missing fails, unless it
says `optional=True`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from conformance.predicates import judge
from conformance.wire import MISSING, Exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What an answer should fulfil.

    Attributes:
        words: a noun phrase for "expected ...".
        data: the claim as `conformance.predicates` reads it.
    """

    words: str
    data: dict[str, Any]

    def judge(self, exchange: Exchange) -> tuple[bool, str]:
        """Whether it holds, and what was found instead."""
        if exchange.status is None:
            return False, exchange.brief()
        value = exchange.json
        parsed = (None, False) if value is MISSING else (value, True)
        answer = {"status": exchange.status, "headers": exchange.headers, "body": exchange.body, "parsed": parsed}
        holds, found = judge(answer, self.data)
        return bool(holds), str(found)


def status(*allowed: int) -> Claim:
    """One of some HTTP statuses."""
    return Claim(words=f"status {_or(allowed)}", data={"kind": "status", "in": list(allowed)})


def status_between(low: int, high: int) -> Claim:
    """A status from low through high."""
    return Claim(words=f"a status from {low} through {high}", data={"kind": "status-class", "low": low, "high": high})


def an_answer() -> Claim:
    """Any status but a fault of the server's; no answer fulfils no claim."""
    return Claim(words="an answer", data={"kind": "status-class", "low": 100, "high": 499})


def header(name: str, pattern: str, words: str = "") -> Claim:
    """A header whose whole value matches a regular expression."""
    return Claim(
        words=words or f"a header {name} like {pattern}",
        data={"kind": "header", "name": name.lower(), "pattern": pattern},
    )


def json_body(*types: str) -> Claim:
    """A body that is JSON of one of some types; object when none is named."""
    return Claim(
        words=f"a JSON {_or(types or ('object',))}", data={"kind": "json", "types": list(types or ("object",))}
    )


def accepted_v3() -> Claim:
    """A v3 submit was accepted: a status of the class 2xx and a task id."""
    return Claim(words="an accepted submit: status 200 and a task id", data={"kind": "accepted-v3"})


def refused_v3(*statuses: int) -> Claim:
    """A v3 submit was refused: 400 (or one of some statuses) and no task id."""
    allowed = statuses or (400,)
    return Claim(
        words=f"a refusal: status {_or(allowed)} and no task id", data={"kind": "refused-v3", "in": list(allowed)}
    )


def accepted_v2() -> Claim:
    """A v2 submit was accepted."""
    return Claim(words="an accepted submit: status 200, code 0 and a task id", data={"kind": "accepted-v2"})


def refused_v2() -> Claim:
    """A v2 submit was refused."""
    return Claim(words="a refusal: status 200, a code other than 0 and no task id", data={"kind": "refused-v2"})


def present(path: str) -> Claim:
    """The key is there, whatever its value."""
    return Claim(words=f"a key {path}", data={"kind": "present", "path": path})


def absent(path: str) -> Claim:
    """The key is not there."""
    return Claim(words=f"no key {path}", data={"kind": "absent", "path": path})


def typed(path: str, *types: str, optional: bool = False, nullable: bool = False, filled: bool = False) -> Claim:
    """A value of one of some JSON types; `filled`: not empty either."""
    what = _or(types) + (", not empty" if filled else "")
    return Claim(
        words=_maybe(f"{path} as {what}", optional=optional, nullable=nullable),
        data={"kind": "type", "path": path, "types": list(types), **_flags(optional, nullable), "filled": filled},
    )


def one_of(path: str, *allowed: object, optional: bool = False, nullable: bool = False) -> Claim:
    """A value of a list, of the same JSON type."""
    return Claim(
        words=_maybe(f"{path} = {_or([repr(one) for one in allowed])}", optional=optional, nullable=nullable),
        data={"kind": "one-of", "path": path, "values": list(allowed), **_flags(optional, nullable)},
    )


def equals(path: str, value: object, *, optional: bool = False) -> Claim:
    """Exactly this value."""
    return one_of(path, value, optional=optional)


def matches(path: str, pattern: str, words: str = "", *, optional: bool = False, nullable: bool = False) -> Claim:
    """A string that a regular expression matches as a whole."""
    return Claim(
        words=_maybe(words or f"{path} like {pattern}", optional=optional, nullable=nullable),
        data={"kind": "matches", "path": path, "pattern": pattern, **_flags(optional, nullable)},
    )


def between(
    path: str, low: float | None, high: float | None, *, optional: bool = False, nullable: bool = False
) -> Claim:
    """A number within bounds, both included."""
    bounds = (
        f"at least {low:g}" if high is None else f"at most {high:g}" if low is None else f"from {low:g} to {high:g}"
    )
    return Claim(
        words=_maybe(f"{path} as a number {bounds}", optional=optional, nullable=nullable),
        data={"kind": "range", "path": path, "low": low, "high": high, **_flags(optional, nullable)},
    )


def not_null(path: str) -> Claim:
    """Any value but null, or none at all."""
    data = {"kind": "none-of", "path": path, "values": [None], "optional": True}
    return Claim(words=f"{path} other than null", data=data)


def count(path: str, number: int) -> Claim:
    """An array of so many elements."""
    return Claim(words=f"{number} elements in {path}", data={"kind": "count", "path": path, "count": number})


def empty(path: str) -> Claim:
    """Absent, null or empty."""
    return Claim(words=f"{path} absent or empty", data={"kind": "empty", "path": path, "optional": True})


def without_text(text: str, words: str) -> Claim:
    """A body that does not hold a text."""
    return Claim(words=words, data={"kind": "holds-not", "text": text})


def _flags(optional: bool, nullable: bool) -> dict[str, bool]:
    return {"optional": optional, "nullable": nullable}


def _maybe(words: str, *, optional: bool, nullable: bool) -> str:
    return words + (" or null" if nullable else "") + (", where present" if optional else "")


def _or(words: Any) -> str:
    found = [str(word) for word in words]
    return found[0] if len(found) == 1 else f"{', '.join(found[:-1])} or {found[-1]}"
