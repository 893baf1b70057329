"""Every effect at every point, driven over a real socket: each scene checks the bytes and says what the client sees.

The scenes are what docs/fault-table.md is written from, so what they say holds no times, ids or addresses.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import orjson
from PIL import Image

from mockserver.faults.breaks import DEFAULT_FIELDS, EXTRA_FIELD, UNKNOWN_NUMBER, UNKNOWN_STATUS, UNKNOWN_WORD
from mockserver.faults.effects import EFFECTS
from mockserver.faults.kinds import BreakKind, Kind, WrongFile
from mockserver.faults.points import COURSE, Point
from tests.mockserver.faults import outside
from tests.mockserver.faults.stage import MODELS, PATIENCE_S, Ask, Seen, Stage, poll_ask, versions_at

Pair = tuple[Point, Kind]
CALLS = (Point.AUTH, Point.SUBMIT_BEFORE, Point.SUBMIT_AFTER_COMMIT, Point.RESULT, Point.MODELS, Point.DOWNLOAD)
ANSWERED = CALLS[2:]
SUBMITS = CALLS[:3]

PAIRS: tuple[Pair, ...] = tuple(
    (point, kind) for point in Point for kind, about in EFFECTS.items() if point in about.points
)
"""Every pair that makes sense, from the table of effects."""

WAIT_S = 0.2
EARLIER_S = 0.02
"""How much sooner than asked a timer may ring."""
LONGEST_S = 60
"""How long a task's course is looked at; its work takes ten seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What a scene saw.

    Attributes:
        rule: what armed it.
        sees: what the client sees.
    """

    rule: Mapping[str, Any]
    sees: str


Scene = Callable[[Stage, Point, str], Observed]
"""Plays an effect at a point for a version of the contract."""


def strike(stage: Stage, point: Point, version: str, effect: object, *, patience_s: float = 10.0) -> tuple[Seen, str]:
    """Lets an effect happen once, on a connection that has served a call before.

    Then the same call is made again: on the same connection where that is still good, else on a new one.

    Returns:
        What came, and what is to be said of the tasks and of the connection.
    """
    ask = stage.ask_at(point, version)
    before = stage.tasks()
    with stage.wire() as wire:
        assert wire.ask(Ask(path=MODELS)).status == 200
        stage.arm(point, effect, times=1)
        seen = wire.ask(ask, patience_s=patience_s)
        made = stage.tasks() - before
        again = wire.ask(ask) if seen.ending == "whole" else None
    if again is None:
        with stage.wire() as wire:
            again = wire.ask(ask)
    assert (again.status, again.ending) == (200, "whole"), again
    fired = stage.control("GET", "/faults")["fired"][-1]
    assert fired["at"].startswith(f"{point.value}#"), fired
    stage.disarm()
    notes = []
    if point in SUBMITS:
        assert made in (0, 1)
        notes.append("the task is made" if made else "no task is made")
    if seen.ending == "whole":
        notes.append("the connection stays good")
    return seen, "; ".join(notes)


def _said(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def status(stage: Stage, point: Point, version: str) -> Observed:
    """An error answer, in each form it can have."""
    effect = {"status": {"code": 503, "retry_after": "2s"}}
    seen, notes = strike(stage, point, version, effect)
    assert (seen.status, seen.headers["retry-after"]) == (503, "2")
    assert "novita-mock-findings" in seen.headers or version == "v3" or point is Point.DOWNLOAD
    parts = [f"503 {_error_of(seen, point)}, Retry-After: 2"]
    for body, media_type in (("html", "text/html"), ("text", "text/plain"), ("empty", "text/plain")):
        seen, _ = strike(stage, point, version, {"status": {"code": 502, "body": body}})
        assert (seen.status, seen.headers["content-type"].partition(";")[0]) == (502, media_type)
        assert bool(seen.body) == (body != "empty")
        assert (b"<html>" in seen.body) == (body == "html")
    parts.append("or with a body of HTML, text or nothing")
    seen, _ = strike(stage, point, version, {"status": {"reason": "RATE_LIMIT_EXCEEDED", "message": "slower"}})
    assert b"slower" in seen.body
    parts.append(f"with reason RATE_LIMIT_EXCEEDED: {seen.status} {_error_of(seen, point)}")
    if point is Point.DOWNLOAD:
        for code, name in ((403, "AccessDenied"), (404, "NoSuchKey"), (500, "InternalError")):
            seen, _ = strike(stage, point, version, {"status": code})
            assert (seen.status, _error_of(seen, point)) == (code, f"{name} (XML)")
        parts.append("403 AccessDenied, 404 NoSuchKey and 500 InternalError likewise")
    return Observed(rule={"point": point.value, "effect": effect}, sees=_said(*parts, notes))


def _error_of(seen: Seen, point: Point) -> str:
    """What an error's body calls it."""
    if point is Point.DOWNLOAD:
        return f"{ElementTree.fromstring(seen.body).findtext('Code')} (XML)"
    found = seen.json
    return str(found["reason"]) if "reason" in found else f"with code {found['code']}"


def delay(stage: Stage, point: Point, version: str) -> Observed:
    """Nothing for a while, then the answer as it is."""
    effect = {"delay": "200ms"}
    seen, notes = strike(stage, point, version, effect)
    assert seen.pieces[0][0] >= WAIT_S - EARLIER_S, "nothing comes before"
    assert (seen.status, seen.ending) == (200, "whole")
    return Observed(
        rule={"point": point.value, "effect": {"delay": "2s"}},
        sees=_said("nothing for so long, then the right answer", notes),
    )


def no_answer(stage: Stage, point: Point, version: str) -> Observed:
    """Nothing at all, however long one waits."""
    seen, notes = strike(stage, point, version, "no-answer", patience_s=PATIENCE_S)
    assert (seen.raw, seen.ending) == (b"", "silent")
    return Observed(
        rule={"point": point.value, "effect": "no-answer"},
        sees=_said("not a byte until its own patience ends; the connection stays open", notes),
    )


def connection_reset(stage: Stage, point: Point, version: str) -> Observed:
    """RST, which is an error of its own to a client."""
    seen, notes = strike(stage, point, version, Kind.CONNECTION_RESET.value)
    assert (seen.raw, seen.ending) == (b"", "reset")
    return Observed(
        rule={"point": point.value, "effect": Kind.CONNECTION_RESET.value},
        sees=_said("connection reset (RST), not a byte before", notes),
    )


def empty_response(stage: Stage, point: Point, version: str) -> Observed:
    """An orderly end of a connection that said nothing."""
    seen, notes = strike(stage, point, version, Kind.EMPTY_RESPONSE.value)
    assert (seen.raw, seen.ending) == (b"", "closed")
    return Observed(
        rule={"point": point.value, "effect": Kind.EMPTY_RESPONSE.value},
        sees=_said("connection closed (FIN), not a byte before", notes),
    )


def malformed_chunk(stage: Stage, point: Point, version: str) -> Observed:
    """A good head, and a chunk whose length is no number."""
    seen, notes = strike(stage, point, version, Kind.MALFORMED_CHUNK.value)
    assert (seen.status, seen.headers["transfer-encoding"], seen.ending) == (200, "chunked", "closed")
    size = seen.body.partition(b"\r\n")[0]
    assert size
    assert not set(size) <= set(b"0123456789abcdefABCDEF;"), size
    return Observed(
        rule={"point": point.value, "effect": Kind.MALFORMED_CHUNK.value},
        sees=_said(
            f"200, chunked; the first chunk's length is {size.decode()!r}; then the connection is closed", notes
        ),
    )


def random_data(stage: Stage, point: Point, version: str) -> Observed:
    """Bytes that no HTTP begins with."""
    seen, notes = strike(stage, point, version, Kind.RANDOM_DATA.value)
    assert seen.ending == "closed"
    assert len(seen.raw) > 100
    assert seen.raw[0] >= 0x80, "no method and no version begins like this"
    return Observed(
        rule={"point": point.value, "effect": Kind.RANDOM_DATA.value},
        sees=_said("bytes that are no HTTP; then the connection is closed", notes),
    )


def truncate(stage: Stage, point: Point, version: str) -> Observed:
    """A right Content-Length, and half of the body."""
    seen, notes = strike(stage, point, version, "truncate")
    assert (seen.status, seen.ending) == (200, "closed")
    assert len(seen.body) == seen.announced // 2 > 0
    small, _ = strike(stage, point, version, {"truncate": 1})
    assert len(small.body) == small.announced - 1, "even all of it lacks the last byte"
    return Observed(
        rule={"point": point.value, "effect": "truncate"},
        sees=_said("200, Content-Length, and half of that; then the connection is closed", notes),
    )


def dribble(stage: Stage, point: Point, version: str) -> Observed:
    """The right answer, in pieces over a time."""
    seen, notes = strike(stage, point, version, {"dribble": {"time": "200ms", "pieces": 5}})
    assert (seen.status, seen.ending, len(seen.body)) == (200, "whole", seen.announced)
    instants_s = [at_s for at_s, _ in seen.pieces]
    assert instants_s[-1] >= WAIT_S - EARLIER_S
    assert instants_s[-1] - instants_s[0] >= WAIT_S / 2, "the head came at once"
    assert 2 <= len(instants_s) <= 7, "a head and five pieces, some may have met on the way"
    _is_right(seen, point)
    return Observed(
        rule={"point": point.value, "effect": {"dribble": {"time": "5s", "pieces": 10}}},
        sees=_said("the head at once, the body piece by piece over so long, whole in the end", notes),
    )


def _is_right(seen: Seen, point: Point) -> None:
    if point is Point.DOWNLOAD:
        Image.open(io.BytesIO(seen.body)).load()
    else:
        assert isinstance(seen.json, dict)


def contract_break(stage: Stage, point: Point, version: str) -> Observed:
    """Each way in which an answer can break the contract, at the field that matters most."""
    parts = []
    for kind in BreakKind:
        ask = stage.ask_at(point, version)
        whole = stage.json(ask)
        seen, notes = strike(stage, point, version, {"break": kind.value})
        assert (seen.status, seen.ending) == (200, "whole")
        field = DEFAULT_FIELDS[_operation(point, version)]
        parts.append(f"{kind.value}: {how_broken(kind, seen.json, whole, field)}")
    return Observed(rule={"point": point.value, "effect": "break"}, sees=_said(f"200; {', '.join(parts)}", notes))


def _operation(point: Point, version: str) -> str:
    match point:
        case Point.RESULT:
            return "getProgressV2" if version == "v2" else "getTaskResult"
        case Point.MODELS:
            return "listModels"
        case _:
            return "createTxt2imgTaskV2" if version == "v2" else "createTxt2imgTask"


def how_broken(kind: BreakKind, found: Any, whole: Any, field: str) -> str:
    """Says how a document differs from a right one, and makes sure that it does."""
    *steps, last = field.split(".")
    if kind is BreakKind.WRAPPED:
        assert set(found) == {"code", "msg", "data"}
        assert set(found["data"]) == set(whole)
        return "the answer stands in `data`"
    for step in steps:
        found, whole = found[step], whole[step]
    match kind:
        case BreakKind.MISSING:
            assert set(whole) - set(found) == {last}
            return f"no `{field}`"
        case BreakKind.NULL:
            assert found[last] is None
            return f"`{field}` is null"
        case BreakKind.TYPE:
            assert type(found[last]) is not type(whole[last])
            return f"`{field}` is {_json_type(found[last])}"
        case BreakKind.UNKNOWN_VALUE:
            assert found[last] in (UNKNOWN_NUMBER, UNKNOWN_STATUS, UNKNOWN_WORD)
            return f"`{field}` is {found[last]}"
        case _:
            assert set(found) - set(whole) == {EXTRA_FIELD}
            return f"`{EXTRA_FIELD}` beside `{field}`"


def _json_type(value: object) -> str:
    return {str: "text", int: "a number", float: "a number", list: "a list", dict: "an object"}[type(value)]


def wrong_file(stage: Stage, point: Point, version: str) -> Observed:
    """Each thing that a client can get instead of its picture."""
    right = stage.plain(stage.ask_at(point, version))[1]
    parts = []
    for kind in WrongFile:
        seen, notes = strike(stage, point, version, {"wrong-file": kind.value})
        assert (seen.status, seen.ending) == (200, "whole")
        parts.append(f"{kind.value}: {_how_wrong(kind, seen, right)}")
    return Observed(rule={"point": point.value, "effect": "wrong-file"}, sees=_said(f"200; {', '.join(parts)}", notes))


def _how_wrong(kind: WrongFile, seen: Seen, right: bytes) -> str:
    media_type = seen.headers["content-type"].partition(";")[0]
    match kind:
        case WrongFile.XML:
            return f"{media_type}, {ElementTree.fromstring(seen.body).findtext('Code')}"
        case WrongFile.HTML:
            assert seen.body.startswith(b"<!doctype html>")
            return f"{media_type}, a page to sign in"
        case WrongFile.EMPTY:
            assert seen.announced == 0
            return f"{media_type}, 0 bytes"
        case WrongFile.CONTENT_TYPE:
            Image.open(io.BytesIO(seen.body)).load()
            return f"{media_type}, and the picture all the same"
        case WrongFile.CORRUPT:
            assert seen.body[:32] == right[:32] or len(seen.body) == seen.announced
            assert seen.headers["etag"].strip('"') != hashlib.md5(seen.body, usedforsecurity=False).hexdigest()
            try:
                Image.open(io.BytesIO(seen.body)).load()
            except (OSError, SyntaxError):
                return f"{media_type} of the right length that cannot be decoded and is not what its ETag says"
            raise AssertionError("a corrupt picture was decoded")


def course(stage: Stage, point: Point, version: str, effect: object) -> str:
    """What a client that polls a task once per second sees of its life, from status to status."""
    stage.arm(point, effect, times=1)
    task_id = stage.submit(version)
    parts: list[str] = []
    last, highest = "", 0
    for second in range(LONGEST_S + 1):
        now, share = _state(stage, version, task_id)
        if now != last:
            if last and highest:
                parts[-1] += f" (up to {highest} %)"
            parts.append(now if not second else f"from {second} s {now}")
            last, highest = now, 0
        highest = max(highest, share if share < 100 else 0)
        stage.advance(1)
    if highest:
        parts[-1] += f" (up to {highest} %)"
    stage.disarm()
    return ", ".join(parts) + ("" if last.startswith(_ENDS) else ", and so for ever")


_ENDS = ("SUCCEED", "FAILED", "status 2", "status 3")


def _state(stage: Stage, version: str, task_id: str) -> tuple[str, int]:
    """Status and percent done."""
    code, body = stage.plain(poll_ask(version, task_id))
    found = orjson.loads(body)
    if version == "v2":
        assert code == 200
        if found["code"]:
            return f"code {found['code']} (unknown task)", 0
        data = found["data"]
        why = f" {data['failed_reason']!r}" if data["failed_reason"] else ""
        return f"status {data['status']}{why}", int(data["progress"] * 100)
    if code != 200:
        return f"{code} {found['reason']}", 0
    task = found["task"]
    why = f" {task['reason']!r}" if task["reason"] else ""
    return task["status"].removeprefix("TASK_STATUS_") + why, int(task["progress_percent"])


def _course(effect: object) -> Scene:
    def scene(stage: Stage, point: Point, version: str) -> Observed:
        return Observed(rule={"point": point.value, "effect": effect}, sees=course(stage, point, version, effect))

    return scene


def _outside(effect: object, play: Callable[[Stage, Kind], str]) -> Scene:
    """A scene of which somebody else sees the effect."""
    kind = Kind(effect if isinstance(effect, str) else next(iter(effect)))  # type: ignore[call-overload]

    def scene(stage: Stage, point: Point, version: str) -> Observed:
        assert version == "v3"
        return Observed(rule={"point": point.value, "effect": effect}, sees=play(stage, kind))

    return scene


SCENES: Mapping[Pair, Scene] = {
    **{(point, Kind.STATUS): status for point in CALLS},
    **{(point, Kind.DELAY): delay for point in CALLS},
    **{(point, Kind.NO_ANSWER): no_answer for point in CALLS},
    **{(point, Kind.CONNECTION_RESET): connection_reset for point in CALLS},
    **{(point, Kind.EMPTY_RESPONSE): empty_response for point in CALLS},
    **{(point, Kind.MALFORMED_CHUNK): malformed_chunk for point in CALLS},
    **{(point, Kind.RANDOM_DATA): random_data for point in CALLS},
    **{(point, Kind.TRUNCATE): truncate for point in ANSWERED},
    **{(point, Kind.DRIBBLE): dribble for point in ANSWERED},
    **{(point, Kind.BREAK): contract_break for point in (Point.SUBMIT_AFTER_COMMIT, Point.RESULT, Point.MODELS)},
    (Point.DOWNLOAD, Kind.WRONG_FILE): wrong_file,
    **{(point, Kind.LATE): _course({"late": "30s"}) for point in COURSE},
    **{(point, Kind.FAIL): _course("fail") for point in COURSE},
    **{(point, Kind.STUCK): _course("stuck") for point in COURSE},
    **{(point, Kind.VANISH): _course("vanish") for point in COURSE},
    (Point.PROGRESS, Kind.REGRESS): _course("regress"),
    (Point.WEBHOOK_BEFORE_REPLY, Kind.EARLY): _outside("early", lambda stage, _: outside.early(stage)),
    **{
        (Point.WEBHOOK_ATTEMPT, kind): _outside({"late": "30s"} if kind is Kind.LATE else kind.value, outside.attempt)
        for kind in (
            Kind.TRUNCATE, Kind.BREAK, Kind.LATE, Kind.DROP, Kind.HOLD, Kind.DUPLICATE, Kind.REORDER, Kind.CONFLICT,
        )
    },
    (Point.STORAGE_PUT, Kind.DELAY): _outside({"delay": "2s"}, outside.put),
    (Point.STORAGE_PUT, Kind.REFUSE): _outside("refuse", outside.put),
}  # fmt: skip
"""The scene of each pair."""


def observe(stage_of: Callable[[str], Stage], point: Point, kind: Kind) -> Observed:
    """Plays a pair for every version, each in a world of its own; says what differs.

    Args:
        stage_of: gives the stage of a key.
        point: where it strikes.
        kind: what happens.
    """
    found: dict[str, Observed] = {}
    for version in versions_at(point):
        stage = stage_of(f"sk-{point.value}-{kind.value}-{version}".lower().replace("_", "-"))
        try:
            found[version] = SCENES[point, kind](stage, point, version)
        finally:
            stage.close()
    rule = found["v3"].rule
    sees = {version: one.sees for version, one in found.items()}
    if len(set(sees.values())) == 1:
        return Observed(rule=rule, sees=sees["v3"])
    return Observed(rule=rule, sees=" **v2:** ".join((f"**v3:** {sees['v3']}.", sees["v2"])))
