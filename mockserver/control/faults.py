"""Resources of a world's fault plan: arm, look, disarm; and the tape of the run."""

from __future__ import annotations

from typing import Any

from mockserver.control.problem import ControlError
from mockserver.control.resource import Call, Resource, Schema, closed
from mockserver.faults.effects import EFFECTS, effects_at
from mockserver.faults.options import PlanError
from mockserver.faults.plan import Armed
from mockserver.faults.points import ANSWERS, Point
from mockserver.faults.rules import MAX_RULES, Rule, read_rule, read_rules, rule_schema
from mockserver.faults.tape import FORMAT, tape

_TEXT: Schema = {"type": "string"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_ARMED = closed(
    {
        "id": _COUNT,
        "rule": {"type": "object", "description": "As it can be armed again."},
        "source": _TEXT,
        "asked": {"description": "How often everything it matches was there.", **_COUNT},
        "fired": _COUNT,
        "spent": {"type": "boolean", "description": "It can never happen again."},
    },
    "id",
    "rule",
    "source",
    "asked",
    "fired",
    "spent",
)
_FIRED = closed(
    {
        "at_ms": {"type": "integer"},
        "at": _TEXT,
        "operation_id": _TEXT,
        "rule": {"type": ["integer", "null"]},
        "effect": {"description": "As it can be armed again."},
    },
    "at_ms",
    "at",
    "operation_id",
    "rule",
    "effect",
)
_PLAN = closed(
    {
        "armed": {"type": "array", "items": _ARMED},
        "fired": {"type": "array", "items": _FIRED},
        "total": _COUNT,
        "suppressed": {"description": "Faults that the bound held back.", **_COUNT},
        "max_in_a_row": {"type": ["integer", "null"]},
        "replaying": {"type": "boolean", "description": "A tape decides; rules do nothing."},
    },
    "armed",
    "fired",
    "total",
    "suppressed",
    "max_in_a_row",
    "replaying",
)
_ONE_OF_THEM: Schema = {
    "type": "object",
    "description": "As a single fault is written.",  # its whole form once: it is most of the document already
    "required": ["point", "effect"],
}
_ARM: Schema = {
    "anyOf": [
        rule_schema(),
        {
            **closed(
                {
                    "faults": {"type": "array", "maxItems": MAX_RULES, "items": _ONE_OF_THEM},
                    "max_in_a_row": {"type": ["integer", "null"], "minimum": 1},
                }
            ),
            "minProperties": 1,
        },
    ]
}


def _describe_armed(armed: Armed) -> dict[str, Any]:
    return {
        "id": armed.id,
        "rule": armed.rule.as_json(),
        "source": armed.rule.source,
        "asked": armed.asked,
        "fired": armed.fired,
        "spent": armed.spent,
    }


def _get(call: Call) -> dict[str, Any]:
    plan = call.own.faults
    return {
        "armed": [_describe_armed(armed) for armed in plan.armed],
        "fired": [
            {
                "at_ms": fired.at_ms,
                "at": fired.position,
                "operation_id": fired.operation_id,
                "rule": fired.rule,
                "effect": fired.effect.as_json(),
            }
            for fired in plan.fired
        ],
        "total": plan.total,
        "suppressed": plan.suppressed,
        "max_in_a_row": plan.in_a_row,
        "replaying": plan.replaying,
    }


def _effects(call: Call) -> dict[str, Any]:
    del call
    return {
        "points": [
            {
                "point": point.value,
                "about": point.about,
                "effects": [
                    {
                        "effect": kind.value,
                        "what": EFFECTS[kind].what,
                        "main": EFFECTS[kind].main,
                        "options": {name: dict(option.schema) for name, option in EFFECTS[kind].options.items()},
                    }
                    for kind in effects_at(point)
                ],
            }
            for point in Point
        ]
    }


def _arm(call: Call) -> dict[str, Any]:
    world, body = call.own, call.body
    several = "faults" in body or "max_in_a_row" in body
    further = sorted(body.keys() - {"faults", "max_in_a_row"}) if several else []
    if further:
        raise ControlError(
            400,
            "fault",
            f"expected one fault, or a list of 'faults' and 'max_in_a_row', came {further[0][:40]!r} beside them",
        )
    try:
        rules = read_rules(body.get("faults", []), ("faults",)) if several else [read_rule(body, ())]
    except PlanError as error:
        raise ControlError(400, "fault", str(error)) from None
    if len(world.faults.armed) + len(rules) > MAX_RULES:
        raise ControlError(
            409, "too-many-faults", f"a world has at most {MAX_RULES} faults; DELETE /__mock/faults disarms them"
        )
    if several and "max_in_a_row" in body:
        in_a_row = body["max_in_a_row"]
        if in_a_row is not None and (isinstance(in_a_row, bool) or not isinstance(in_a_row, int) or in_a_row < 1):
            raise ControlError(400, "fault", f"max_in_a_row: expected 1 or more, or null, came {in_a_row!r:.80}")
        world.faults.in_a_row = in_a_row
    armed = world.faults.arm(rules, world.clock.now_ms())
    return {
        "armed": [_describe_armed(one) for one in armed],
        "notes": [note for one in armed for note in _notes(one.id, one.rule, world.faults.in_a_row)]
        + (["a tape decides what happens: these rules do nothing"] if world.faults.replaying else []),
    }


def _notes(id: int, rule: Rule, in_a_row: int | None) -> list[str]:
    if in_a_row is None or rule.point not in ANSWERS or rule.nth is not None:
        return []
    if rule.times is not None and rule.times <= in_a_row:
        return []
    often = f"{rule.times} times" if rule.times is not None else "each time"
    return [
        f"fault {id} is to happen {often}; after {in_a_row} in a row of one operation a call gets through "
        "(max_in_a_row, null for no bound)"
    ]


def _disarm_all(call: Call) -> dict[str, Any]:
    return {"disarmed": call.own.faults.disarm_all()}


def _disarm(call: Call) -> dict[str, Any]:
    text = call.path["id"]
    if not (text.isascii() and text.isdigit() and len(text) < 10 and call.own.faults.disarm(int(text))):
        known = ", ".join(str(armed.id) for armed in call.own.faults.armed) or "none"
        raise ControlError(404, "no-such-fault", f"no fault {text[:40]!r} is armed; armed: {known}")
    return {"disarmed": 1}


def _tape(call: Call) -> dict[str, Any]:
    mock = call.mock
    return tape(mock.settings.seed, mock.told_faults())


_DISARMED = closed({"disarmed": _COUNT}, "disarmed")

FAULT_RESOURCES: tuple[Resource, ...] = (
    Resource(
        method="GET",
        path="/faults",
        operation_id="getFaults",
        summary="The rules in force, and the faults that happened.",
        handler=_get,
        answer=_PLAN,
    ),
    Resource(
        method="POST",
        path="/faults",
        operation_id="armFaults",
        summary="Arms one fault, or a list of them; those already armed stay.",
        handler=_arm,
        body=_ARM,
        checked=False,
        answer=closed(
            {"armed": {"type": "array", "items": _ARMED}, "notes": {"type": "array", "items": _TEXT}},
            "armed",
            "notes",
        ),
    ),
    Resource(
        method="GET",
        path="/faults/effects",
        operation_id="listEffects",
        summary="Every point, and what can be made to happen there.",
        handler=_effects,
        key="none",
    ),
    Resource(
        method="DELETE",
        path="/faults",
        operation_id="disarmFaults",
        summary="Disarms everything, that of single tasks included.",
        handler=_disarm_all,
        answer=_DISARMED,
    ),
    Resource(
        method="DELETE",
        path="/faults/{id}",
        operation_id="disarmFault",
        summary="Disarms one fault.",
        handler=_disarm,
        answer=_DISARMED,
    ),
    Resource(
        method="GET",
        path="/tape",
        operation_id="getTape",
        summary="Every fault that happened, of all worlds; `--tape FILE` makes another run suffer exactly the same.",
        handler=_tape,
        key="none",
        answer=closed(
            {
                "format": {"const": FORMAT},
                "seed": {"type": "integer"},
                "faults": {
                    "type": "object",
                    "description": "By the fingerprint of the world's key; /2 is its second life, after a reset.",
                    "additionalProperties": {
                        "type": "array",
                        "items": closed({"at": _TEXT, "effect": {}}, "at", "effect"),
                    },
                },
            },
            "format",
            "seed",
            "faults",
        ),
    ),
)
