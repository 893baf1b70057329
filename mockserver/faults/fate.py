"""What the effects at the points of a task's life make of its plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mockserver.core.course import NEVER_MS, Course
from mockserver.core.fleet import Plan
from mockserver.faults.effects import Effect
from mockserver.faults.kinds import Kind
from mockserver.faults.points import COURSE, Point

_STUCK_AT_THE_END = 0.99


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """The whole life of a task that something happens to.

    Attributes:
        plan: when its work begins and ends.
        reason: why it fails; None when it does not.
        course: what is special about it otherwise.
    """

    plan: Plan
    reason: str | None = None
    course: Course | None = None


def fate_of(plan: Plan, submitted_ms: int, ask: Callable[[Point], Effect | None]) -> Fate:
    """Asks at each point of a task's life, in order, until one decides its end.

    Args:
        plan: its life without trouble.
        submitted_ms: when it was submitted.
        ask: gives the effect at a point.
    """
    for point in COURSE:
        effect = ask(point)
        if effect is None:
            continue
        instant_ms = _instant_ms(point, plan, submitted_ms, effect)
        match effect.kind:
            case Kind.LATE:
                plan = _later(plan, point, effect.time_ms())
            case Kind.FAIL:
                return Fate(
                    plan=Plan(min(plan.started_ms, instant_ms), instant_ms),
                    reason=effect.text("reason"),
                    course=Course(planned_ms=plan.finished_ms),
                )
            case Kind.STUCK:
                return _stuck(plan, point, effect)
            case Kind.VANISH:
                return Fate(plan=plan, course=Course(vanish_ms=instant_ms))
            case Kind.REGRESS:
                return _fallen_back(plan, instant_ms, effect.integer("wait") or 0)
            case _:
                raise AssertionError(f"{effect.kind} is no effect of a task's course")
    return Fate(plan=plan)


def _instant_ms(point: Point, plan: Plan, submitted_ms: int, effect: Effect) -> int:
    """When the effect strikes: somewhere in the wait or in the work, at the beginning or at the end of the work."""
    share = effect.number("at") if "at" in effect.options else 0.5
    match point:
        case Point.QUEUE:
            return submitted_ms + round((plan.started_ms - submitted_ms) * share)
        case Point.START:
            return plan.started_ms
        case Point.PROGRESS:
            return plan.started_ms + round((plan.finished_ms - plan.started_ms) * share)
        case _:
            return plan.finished_ms


def _later(plan: Plan, point: Point, by_ms: int) -> Plan:
    started_ms = plan.started_ms + by_ms if point is Point.QUEUE else plan.started_ms
    return Plan(min(started_ms, NEVER_MS - 1), min(plan.finished_ms + by_ms, NEVER_MS - 1))


def _stuck(plan: Plan, point: Point, effect: Effect) -> Fate:
    at = {Point.QUEUE: 0.0, Point.START: 0.0, Point.FINISH: _STUCK_AT_THE_END}.get(point, effect.number("at"))
    started_ms = NEVER_MS if point is Point.QUEUE else plan.started_ms
    return Fate(plan=Plan(started_ms, NEVER_MS), course=Course(stuck_at=at, planned_ms=plan.finished_ms))


def _fallen_back(plan: Plan, instant_ms: int, wait_ms: int) -> Fate:
    work_ms = plan.finished_ms - plan.started_ms
    again_ms = min(instant_ms + wait_ms, NEVER_MS - 1 - work_ms)
    return Fate(plan=Plan(plan.started_ms, again_ms + work_ms), course=Course(back_ms=instant_ms, again_ms=again_ms))
