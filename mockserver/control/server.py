"""Resources about the server itself: they need no key."""

from __future__ import annotations

from typing import Any

from mockserver import __version__
from mockserver.control.resource import Call, Resource, closed
from openapi.document import Reading


def _health(call: Call) -> dict[str, Any]:
    del call
    return {"status": "ok"}


def _ready(call: Call) -> dict[str, Any]:
    return {"status": "ready", "operations": len(call.mock.document.operations), "models": len(call.mock.catalogue)}


def _version(call: Call) -> dict[str, Any]:
    settings = call.mock.settings
    return {
        "name": "novita-mock",
        "version": __version__,
        "contract": call.mock.document.version,
        "seed": settings.seed,
        "clock": str(settings.clock),
        "strict": settings.strict,
    }


def _contract(call: Call) -> dict[str, Any]:
    in_force = Reading.DOCUMENTED if call.mock.settings.strict else Reading.TOLERATED
    return call.mock.document.rendered(Reading(call.query.get("reading", in_force.value)))


def _reset_all(call: Call) -> dict[str, Any]:
    mock = call.mock
    if call.query.get("all", False):
        forgotten = mock.worlds
        for world in forgotten:
            mock.forget(world)
        mock.outside.clear()
        mock.lives.clear()
        return {"reset": "all", "worlds": len(forgotten)}
    mock.reset(call.own)
    return {"reset": call.own.id, "worlds": 1}


_STATUS = closed({"status": {"type": "string"}}, "status")

SERVER_RESOURCES: tuple[Resource, ...] = (
    Resource(
        method="GET",
        path="/health",
        operation_id="getHealth",
        summary="Whether the process answers.",
        handler=_health,
        key="none",
        answer=_STATUS,
    ),
    Resource(
        method="GET",
        path="/ready",
        operation_id="getReady",
        summary="Whether the contract and the models are loaded; the server answers nothing before they are.",
        handler=_ready,
        key="none",
        answer=closed(
            {"status": {"type": "string"}, "operations": {"type": "integer"}, "models": {"type": "integer"}},
            "status",
            "operations",
            "models",
        ),
    ),
    Resource(
        method="GET",
        path="/version",
        operation_id="getVersion",
        summary="Versions of the program and of the contract, and the settings that repeat this run.",
        handler=_version,
        key="none",
        answer=closed(
            {
                "name": {"type": "string"},
                "version": {"type": "string"},
                "contract": {"type": "string"},
                "seed": {"type": "integer"},
                "clock": {"type": "string"},
                "strict": {"type": "boolean"},
            },
            "name",
            "version",
            "contract",
            "seed",
            "clock",
            "strict",
        ),
    ),
    Resource(
        method="GET",
        path="/contract.json",
        operation_id="getContract",
        summary="The contract's OpenAPI document, in the reading in force or in the one asked for.",
        handler=_contract,
        key="none",
        query={"reading": {"type": "string", "enum": [reading.value for reading in Reading]}},
    ),
    Resource(
        method="POST",
        path="/reset",
        operation_id="reset",
        summary="Starts the key's world again as if the key had not been used; with all=true forgets every world.",
        handler=_reset_all,
        query={"all": {"type": "boolean"}},
        answer=closed({"reset": {"type": "string"}, "worlds": {"type": "integer"}}, "reset", "worlds"),
    ),
)
