"""Resources about coverage: what part of the contract the clients of this server have exercised.

It is one count for the whole server, whatever the key: a suite's tests use many keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import HTMLResponse, PlainTextResponse, Response

from mockserver.control.problem import ControlError
from mockserver.control.resource import Call, Resource, closed
from mockserver.coverage.item import Versions

if TYPE_CHECKING:
    from mockserver.coverage.collector import Coverage

_FORMATS = ("json", "text", "html")


def _coverage(call: Call) -> Coverage:
    found: Coverage | None = call.mock.coverage
    if found is None:
        raise ControlError(409, "coverage", "coverage is off; start the server with --coverage")
    return found


def _get(call: Call) -> Response | dict[str, Any]:
    report = _coverage(call).report()
    versions = Versions(call.query.get("versions", Versions.AUTO.value))
    match call.query.get("format", "json"):
        case "text":
            from mockserver.coverage.text import as_text  # what shows a report is loaded when one is shown

            return PlainTextResponse(as_text(report, versions))
        case "html":
            from mockserver.coverage.page import as_html

            return HTMLResponse(as_html(report, versions))
        case _:
            from mockserver.coverage.wire import as_json

            return as_json(report, versions)


def _clear(call: Call) -> dict[str, Any]:
    _coverage(call).clear()
    return {"cleared": True}


COVERAGE_RESOURCES: tuple[Resource, ...] = (
    Resource(
        method="GET",
        path="/coverage",
        operation_id="getCoverage",
        summary="What part of the contract the clients of this server have exercised, and which tests to write next.",
        handler=_get,
        key="none",
        query={
            "format": {"type": "string", "enum": list(_FORMATS)},
            "versions": {"type": "string", "enum": [one.value for one in Versions]},
        },
        also=("text/plain", "text/html"),
        answer={
            "type": "object",
            "description": "A report in the form of mockserver/coverage/report.schema.json.",
            "required": ["kind", "format", "contract", "percent", "dimensions", "next"],
        },
    ),
    Resource(
        method="DELETE",
        path="/coverage",
        operation_id="clearCoverage",
        summary="Forgets what was exercised so far.",
        handler=_clear,
        key="none",
        answer=closed({"cleared": {"type": "boolean"}}, "cleared"),
    ),
)
