"""Resources of a world's clock: look, and the verbs that move it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from mockserver.control.problem import ControlError
from mockserver.control.resource import Call, Resource, Schema, closed
from mockserver.core.clock import ClockMode, parse_duration_ms
from mockserver.world import World

_DURATION: Schema = {"type": "string", "minLength": 1, "maxLength": 64, "examples": ["90s", "2h30m"]}
_ANSWER = closed(
    {
        "now_ms": {"type": "integer"},
        "now": {"type": "string", "format": "date-time"},
        "mode": {"type": "string"},
        "frozen": {"type": "boolean"},
        "next_event_ms": {"type": ["integer", "null"]},
        "events_passed": {"type": "integer"},
    },
    "now_ms",
    "now",
    "mode",
    "frozen",
    "next_event_ms",
)


def describe_clock(world: World) -> dict[str, Any]:
    """A clock as JSON; `next_event_ms` is when something happens next to a task."""
    now_ms = world.clock.now_ms()
    return {
        "now_ms": now_ms,
        "now": datetime.fromtimestamp(now_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{now_ms % 1000:03d}Z",
        "mode": str(world.clock.mode),
        "frozen": world.clock.frozen,
        "next_event_ms": world.next_event_ms(),
    }


def _get(call: Call) -> dict[str, Any]:
    return describe_clock(call.own)


def _change(call: Call) -> dict[str, Any]:
    try:
        call.own.clock.change(ClockMode.parse(call.body["mode"]))
    except ValueError as error:
        raise ControlError(400, "clock", str(error)) from None
    call.own.clock_moved()
    return describe_clock(call.own)


async def _advance(call: Call) -> dict[str, Any]:
    body = call.body
    if ("seconds" in body) == ("duration" in body):
        raise ControlError(400, "body", "expected one of 'seconds' (a number) and 'duration' (text such as '90s')")
    try:
        by_ms = parse_duration_ms(body["seconds"] if "seconds" in body else body["duration"])
        await _move_to(call, call.own.clock.now_ms() + by_ms, late=body.get("under_way") == "late")
    except ValueError as error:
        raise ControlError(400, "clock", str(error)) from None
    return describe_clock(call.own)


async def _move_to(call: Call, instant_ms: int, *, late: bool = False) -> None:
    """Moves the clock, and waits for the webhooks and uploads that fall due on the way.

    Args:
        call: whose clock.
        instant_ms: where to.
        late: receivers that say nothing are not waited for; see `Errands.advance`.

    Raises:
        ValueError: the clock cannot go there.
    """
    errands = call.mock.errands
    await errands.advance(call.own, instant_ms, late=late)
    await (errands.calm_down if late else errands.settle)(call.own)


async def _advance_to_next_event(call: Call) -> dict[str, Any]:
    passed = 0 if await call.mock.errands.advance_to_next_event(call.own) is None else 1
    return {**describe_clock(call.own), "events_passed": passed}


async def _run_until_idle(call: Call) -> dict[str, Any]:
    passed = await call.mock.errands.run_until_idle(call.own)
    return {**describe_clock(call.own), "events_passed": passed}


def _freeze(call: Call) -> dict[str, Any]:
    call.own.clock.freeze()
    call.own.clock_moved()
    return describe_clock(call.own)


def _resume(call: Call) -> dict[str, Any]:
    call.own.clock.resume()
    call.own.clock_moved()
    return describe_clock(call.own)


async def _set(call: Call) -> dict[str, Any]:
    body = call.body
    if ("at" in body) == ("at_ms" in body):
        raise ControlError(400, "body", "expected one of 'at' (an ISO 8601 instant) and 'at_ms' (epoch milliseconds)")
    try:
        instant_ms = int(body["at_ms"]) if "at_ms" in body else _instant_ms(body["at"])
        if instant_ms < call.own.clock.now_ms():
            call.own.clock.set(instant_ms)  # says why it cannot
        await _move_to(call, instant_ms)
    except ValueError as error:
        raise ControlError(400, "clock", str(error)) from None
    return describe_clock(call.own)


def _reset(call: Call) -> dict[str, Any]:
    call.own.clock.reset(keep_time=len(call.own.tasks) > 0)
    call.own.clock_moved()
    return describe_clock(call.own)


def _instant_ms(text: str) -> int:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"not an instant: {text!r:.80}; expected ISO 8601, as in 2026-01-31T12:00:00Z") from None
    if instant.tzinfo is None:
        raise ValueError(f"{text!r:.80} names no zone; expected for example 2026-01-31T12:00:00Z")
    return round(instant.timestamp() * 1000)


CLOCK_RESOURCES: tuple[Resource, ...] = (
    Resource(
        method="GET",
        path="/clock",
        operation_id="getClock",
        summary="The world's instant, and when something happens next.",
        handler=_get,
        answer=_ANSWER,
    ),
    Resource(
        method="PUT",
        path="/clock",
        operation_id="changeClock",
        summary="Goes on from the present instant in another mode: real, manual, auto or x<N>.",
        handler=_change,
        body=closed({"mode": {"type": "string"}}, "mode"),
        answer=_ANSWER,
    ),
    Resource(
        method="POST",
        path="/clock/advance",
        operation_id="advanceClock",
        summary="Moves the clock forward by a duration; `under_way: late` waits for no silent webhook receiver.",
        handler=_advance,
        body=closed(
            {
                "seconds": {"type": "number", "minimum": 0},
                "duration": _DURATION,
                "under_way": {"enum": ["wait", "late"], "default": "wait"},
            }
        ),
        answer=_ANSWER,
    ),
    Resource(
        method="POST",
        path="/clock/advance-to-next-event",
        operation_id="advanceToNextEvent",
        summary="Moves the clock to the next start or end of a task; stays when all tasks have ended.",
        handler=_advance_to_next_event,
        answer=_ANSWER,
    ),
    Resource(
        method="POST",
        path="/clock/run-until-idle",
        operation_id="runUntilIdle",
        summary="Moves the clock to the end of the last task.",
        handler=_run_until_idle,
        answer=_ANSWER,
    ),
    Resource(
        method="POST",
        path="/clock/freeze",
        operation_id="freezeClock",
        summary="Stops the clock; the verbs still move it.",
        handler=_freeze,
        answer=_ANSWER,
    ),
    Resource(
        method="POST",
        path="/clock/resume",
        operation_id="resumeClock",
        summary="Lets a frozen clock run again.",
        handler=_resume,
        answer=_ANSWER,
    ),
    Resource(
        method="POST",
        path="/clock/set",
        operation_id="setClock",
        summary="Sets the instant; it only moves forward.",
        handler=_set,
        body=closed({"at": {"type": "string"}, "at_ms": {"type": "integer", "minimum": 0}}),
        answer=_ANSWER,
    ),
    Resource(
        method="POST",
        path="/clock/reset",
        operation_id="resetClock",
        summary="Back to the mode that the server was started with; the instant never goes back behind a task.",
        handler=_reset,
        answer=_ANSWER,
    ),
)
