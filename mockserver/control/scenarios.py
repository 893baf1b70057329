"""Resources of scenarios: the library, and the one that a world is in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mockserver.control.problem import ControlError
from mockserver.control.resource import Call, Resource, Schema, closed
from mockserver.faults.options import PlanError
from mockserver.faults.scenario import Scenario
from mockserver.scenarios import ScenarioError, from_json, names, shipped
from mockserver.staging import staged

_TEXT: Schema = {"type": "string"}
_CURRENT = closed(
    {
        "name": {"type": ["string", "null"], "description": "null: the world is in none."},
        "description": {"type": ["string", "null"]},
        "scenario": {"type": ["object", "null"], "description": "As its file has it; `PUT /scenario` takes it again."},
        "faults": {"type": "array", "items": {"type": "object"}, "description": "The rules that came with it."},
    },
    "name",
    "description",
    "scenario",
    "faults",
)
_PUT: Schema = {
    **closed(
        {
            "name": {"type": "string", "description": "One of the library.", "examples": ["slow-queue"]},
            "scenario": {
                "type": "object",
                "description": "One of your own; `novita-mock scenario schema` says its form.",
            },
        }
    ),
    "minProperties": 1,
    "maxProperties": 1,
}


def _list(call: Call) -> dict[str, Any]:
    del call
    return {"scenarios": [{"name": name, "description": shipped(name).description} for name in names()]}


def _describe(scenario: Scenario | None) -> dict[str, Any]:
    if scenario is None:
        return {"name": None, "description": None, "scenario": None, "faults": []}
    return {
        "name": scenario.name,
        "description": scenario.description,
        "scenario": dict(scenario.given),
        "faults": [rule.as_json() for rule in scenario.faults],
    }


def _get(call: Call) -> dict[str, Any]:
    return _describe(call.own.settings.scenario)


def _put(call: Call) -> dict[str, Any]:
    scenario = _asked(call.body)
    _enact(call, scenario)
    return _describe(scenario)


def _delete(call: Call) -> dict[str, Any]:
    _enact(call, None)
    return _describe(None)


def _asked(body: Any) -> Scenario:
    if body.keys() not in ({"name"}, {"scenario"}):
        raise ControlError(
            400,
            "body",
            "expected one of 'name' (of the library, see GET /__mock/scenarios) and 'scenario' (an object), "
            f"came {', '.join(map(repr, body)) or 'nothing'}",
        )
    try:
        if "scenario" in body:
            return from_json(body["scenario"])
        return shipped(str(body["name"]))
    except PlanError as error:
        raise ControlError(400, "scenario", f"scenario: {error}") from None
    except ScenarioError as error:
        raise ControlError(404, "no-such-scenario", str(error)) from None


def _enact(call: Call, scenario: Scenario | None) -> None:
    """Puts a world into a scenario, or out of any. Its clock keeps its way unless the scenario names another."""
    world, mock = call.own, call.mock
    plain = replace(mock.plain_settings(), clock=world.settings.clock)
    world.enact(plain if scenario is None else staged(scenario, plain, mock.document))


SCENARIO_RESOURCES: tuple[Resource, ...] = (
    Resource(
        method="GET",
        path="/scenarios",
        operation_id="listScenarios",
        summary="The scenarios of the library.",
        handler=_list,
        key="none",
        answer=closed(
            {
                "scenarios": {
                    "type": "array",
                    "items": closed({"name": _TEXT, "description": _TEXT}, "name", "description"),
                }
            },
            "scenarios",
        ),
    ),
    Resource(
        method="GET",
        path="/scenario",
        operation_id="getScenario",
        summary="The scenario that the world is in.",
        handler=_get,
        answer=_CURRENT,
    ),
    Resource(
        method="PUT",
        path="/scenario",
        operation_id="putScenario",
        summary="Puts the world into a scenario: its settings and rules take the place of the earlier one's. "
        "Tasks already planned keep their plans.",
        handler=_put,
        body=_PUT,
        checked=False,
        answer=_CURRENT,
    ),
    Resource(
        method="DELETE",
        path="/scenario",
        operation_id="deleteScenario",
        summary="Takes the world out of its scenario: it goes on as the server was started, without one.",
        handler=_delete,
        answer=_CURRENT,
    ),
)
