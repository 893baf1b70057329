"""Resources of a world's findings: list, export as SARIF, clear; and the catalogue of their codes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mockserver.control.resource import Call, Resource, Schema, closed
from mockserver.core.findings import CATALOGUE, Finding, Level
from mockserver.watch.pages import page_of

if TYPE_CHECKING:
    from mockserver.world import World

_LEVEL: Schema = {"enum": [level.value for level in Level]}
_TEXT: Schema = {"type": "string"}
_NUMBER: Schema = {"type": "integer", "minimum": 0}
_FINDING = closed(
    {
        "code": {"type": "string", "pattern": "^NV[0-9]{3}$"},
        "name": _TEXT,
        "level": _LEVEL,
        "where": {"type": "string", "description": "Operation and field, or header."},
        "message": _TEXT,
        "because": {"type": "array", "items": _TEXT, "description": "Contradictions of the documentation (C-numbers)."},
        "count": {"type": "integer", "minimum": 1},
        "page": {"type": "string", "description": "The code's page in the project."},
    },
    "code",
    "name",
    "level",
    "where",
    "message",
    "because",
    "count",
    "page",
)
_ABOUT = closed(
    {
        "code": {"type": "string", "pattern": "^NV[0-9]{3}$"},
        "name": _TEXT,
        "level": _LEVEL,
        "title": _TEXT,
        "what": {"type": "string", "description": "What the mock saw."},
        "why": {"type": "string", "description": "What it costs with the real service."},
        "instead": {"type": "string", "description": "What to do."},
        "page": _TEXT,
    },
    "code",
    "name",
    "level",
    "title",
    "what",
    "why",
    "instead",
    "page",
)
_SARIF = closed(
    {
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "minItems": 1,
            "maxItems": 1,
            "items": {
                "type": "object",
                "properties": {
                    "tool": {"type": "object", "required": ["driver"]},
                    "results": {"type": "array", "items": {"type": "object", "required": ["ruleId", "message"]}},
                },
                "required": ["tool", "results"],
            },
        },
    },
    "version",
    "runs",
)


def _all(world: World) -> list[tuple[Finding, int]]:
    """What single calls showed, then what their sequence shows now."""
    from mockserver.watch.judge import judged  # only who asks for findings needs it

    return [*world.findings.counted(), *judged(world)]


def _list(call: Call) -> dict[str, Any]:
    return {
        "findings": [
            {
                "code": finding.code.value,
                "name": finding.code.label,
                "level": finding.level.value,
                "where": finding.where,
                "message": finding.message,
                "because": list(finding.because),
                "count": count,
                "page": page_of(finding.code),
            }
            for finding, count in _all(call.own)
        ],
        "dropped": call.own.findings.dropped,
    }


def _sarif(call: Call) -> dict[str, Any]:
    from mockserver.watch.sarif import sarif  # only an export needs it

    return sarif(_all(call.own))


def _codes(call: Call) -> dict[str, Any]:
    del call
    return {
        "codes": [
            {
                "code": code.value,
                "name": code.label,
                "level": about.level.value,
                "title": about.title,
                "what": about.what,
                "why": about.why,
                "instead": about.instead,
                "page": page_of(code),
            }
            for code, about in sorted(CATALOGUE.items())
        ]
    }


def _clear(call: Call) -> dict[str, Any]:
    cleared = len(call.own.findings.counted())
    call.mock.forget_findings(call.own)
    return {"cleared": cleared}


FINDING_RESOURCES: tuple[Resource, ...] = (
    Resource(
        method="GET",
        path="/findings",
        operation_id="listFindings",
        summary="What the key's client did that is not documented or not wise, counted.",
        handler=_list,
        answer=closed({"findings": {"type": "array", "items": _FINDING}, "dropped": _NUMBER}, "findings", "dropped"),
    ),
    Resource(
        method="GET",
        path="/findings.sarif",
        operation_id="exportFindings",
        summary="The findings as SARIF 2.1.0.",
        handler=_sarif,
        answer=_SARIF,
    ),
    Resource(
        method="GET",
        path="/findings/codes",
        operation_id="listFindingCodes",
        summary="Every code that a finding can have, and what is to be known about it.",
        handler=_codes,
        key="none",
        answer=closed({"codes": {"type": "array", "items": _ABOUT}}, "codes"),
    ),
    Resource(
        method="DELETE",
        path="/findings",
        operation_id="clearFindings",
        summary="Clears the findings; what is judged from tasks is said again while they are kept.",
        handler=_clear,
        answer=closed({"cleared": _NUMBER}, "cleared"),
    ),
)
