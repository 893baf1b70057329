"""Resources about worlds: list, look at, change, forget."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mockserver.control.problem import ControlError
from mockserver.control.resource import Call, Resource, closed
from mockserver.core.clock import ClockMode, parse_duration_ms
from mockserver.core.fleet import FleetSettings
from mockserver.money.reading import ACCOUNT_SCHEMA, describe_account, read_account
from mockserver.webhooks.reading import WEBHOOKS_SCHEMA, describe_webhooks, read_webhooks
from mockserver.world import World

_SETTINGS = closed(
    {
        "clock": {"type": "string", "description": "real, manual, auto or x<N>."},
        "fleet": closed(
            {
                "workers": {"type": "integer", "minimum": 1, "maximum": 10_000},
                "speed": {"type": "number", "exclusiveMinimum": 0},
                "task_duration": {
                    "description": "How long every task works: seconds, or text such as '60s'; null: by its size.",
                    "type": ["number", "string", "null"],
                },
            }
        ),
        "nsfw_confidences": {
            "description": "What the classifier answers, in picture order, repeated; null: by prompt and seed.",
            "type": ["array", "null"],
            "minItems": 1,
            "maxItems": 64,
            "items": {"type": "number", "minimum": 0, "maximum": 100},
        },
        "link_ttl": {
            "description": "How long links of pictures live: seconds, or text such as '90s'; null: as documented.",
            "type": ["number", "string", "null"],
        },
        "account": ACCOUNT_SCHEMA,
        "webhooks": WEBHOOKS_SCHEMA,
    }
)


def describe(world: World) -> dict[str, Any]:
    """A world as JSON; its key is not in it."""
    fleet = world.settings.fleet
    return {
        "id": world.id,
        "key": world.label,
        "now_ms": world.clock.now_ms(),
        "clock": str(world.clock.mode),
        "frozen": world.clock.frozen,
        "seed": world.seed,
        "tasks": {"held": len(world.tasks), "created": world.created, "forgotten": world.dropped},
        "requests": {"held": len(world.journal), "written": world.journal.written},
        "findings": len(world.findings.counted()),
        "fleet": {
            "workers": fleet.workers,
            "speed": fleet.speed,
            "task_duration": None if fleet.task_ms is None else fleet.task_ms / 1000,
        },
        "nsfw_confidences": world.settings.nsfw_confidences,
        "link_ttl": world.settings.link_ttl_s,
        "scenario": None if world.settings.scenario is None else world.settings.scenario.name,
        "account": describe_account(world.account),
        "webhooks": describe_webhooks(world.settings.webhooks),
    }


def _list(call: Call) -> dict[str, Any]:
    mock = call.mock
    return {
        "worlds": [describe(world) for world in mock.worlds],
        "limit": mock.settings.limits.worlds,
        "forgotten": mock.forgotten_worlds,
    }


def _of_task(call: Call) -> dict[str, Any]:
    world = call.mock.owner(call.path["task_id"])
    if world is None:
        raise ControlError(404, "no-such-task", f"no world has a task {call.path['task_id'][:64]!r}")
    return describe(world)


def _current(call: Call) -> dict[str, Any]:
    return describe(call.own)


def _change(call: Call) -> dict[str, Any]:
    settings, body = call.own.settings, call.body
    try:
        if "clock" in body:
            settings = replace(settings, clock=ClockMode.parse(body["clock"]))
        if "fleet" in body:
            settings = replace(settings, fleet=_fleet(settings.fleet, body["fleet"]))
        if "link_ttl" in body:
            ttl = body["link_ttl"]
            settings = replace(settings, link_ttl_s=None if ttl is None else max(1, parse_duration_ms(ttl) // 1000))
        if "account" in body:
            account = read_account(body["account"], settings.account, call.mock.document)
            settings = replace(settings, account=account)
        if "webhooks" in body:
            settings = replace(settings, webhooks=read_webhooks(settings.webhooks, body["webhooks"]))
    except ValueError as error:
        raise ControlError(400, "body", str(error)) from None
    if "nsfw_confidences" in body:
        given = body["nsfw_confidences"]
        settings = replace(settings, nsfw_confidences=tuple(map(float, given)) if given else None)
    call.own.change(settings)
    return describe(call.own)


def _fleet(fleet: FleetSettings, fields: dict[str, Any]) -> FleetSettings:
    changes: dict[str, Any] = {name: fields[name] for name in ("workers", "speed") if name in fields}
    if "workers" in changes:
        changes["workers"] = int(changes["workers"])
    if "task_duration" in fields:
        duration = fields["task_duration"]
        changes["task_ms"] = None if duration is None else parse_duration_ms(duration)
    return replace(fleet, **changes)


def _forget(call: Call) -> dict[str, Any]:
    call.mock.forget(call.own)
    return {"forgotten": call.own.id}


WORLD_RESOURCES: tuple[Resource, ...] = (
    Resource(
        method="GET",
        path="/worlds",
        operation_id="listWorlds",
        summary="Every world there is; keys are shown shortened.",
        handler=_list,
        key="none",
    ),
    Resource(
        method="GET",
        path="/worlds/current",
        operation_id="getWorld",
        summary="The world of the key.",
        handler=_current,
    ),
    Resource(
        method="GET",
        path="/worlds/of/{task_id}",
        operation_id="getWorldOfTask",
        summary="The world that a task belongs to.",
        handler=_of_task,
        key="none",
    ),
    Resource(
        method="PATCH",
        path="/worlds/current",
        operation_id="changeWorld",
        summary="Changes the world's clock, fleet, classifier or account; tasks already planned keep their plans.",
        handler=_change,
        body=_SETTINGS,
    ),
    Resource(
        method="DELETE",
        path="/worlds/current",
        operation_id="forgetWorld",
        summary="Forgets the world; the key's next call makes a new one.",
        handler=_forget,
        answer=closed({"forgotten": {"type": "string"}}, "forgotten"),
    ),
)
