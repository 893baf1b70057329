"""Resources of a world's journal and findings. Without a key: the calls that carried no acceptable one."""

from __future__ import annotations

from typing import Any

import orjson

from mockserver.control.resource import Call, Resource, Schema
from mockserver.core.journal import BODY_BYTES, Entry, Journal

MAX_LISTED = 1000

_FILTERS: dict[str, Schema] = {
    "operation_id": {"type": "string"},
    "method": {"type": "string"},
    "path": {"type": "string"},
    "status": {"type": "integer"},
    "contains": {"type": "string", "description": "Text in the request's body or query."},
    "after": {"type": "integer", "minimum": 0, "description": "Only entries with a higher number."},
}


def describe_entry(entry: Entry) -> dict[str, Any]:
    """A journal entry as JSON; bodies are JSON where they are, else text."""
    return {
        "number": entry.number,
        "at_ms": entry.at_ms,
        "method": entry.method,
        "path": entry.path,
        "query": entry.query.decode("latin-1"),
        "operation_id": entry.operation_id or None,
        "status": entry.status,
        "headers": {name.decode("latin-1"): value.decode("latin-1") for name, value in entry.headers},
        "request": _body(entry.request, entry.request_bytes),
        "request_bytes": entry.request_bytes,
        "answer": _body(entry.answer, entry.answer_bytes),
        "answer_bytes": entry.answer_bytes,
        "findings": entry.findings,
    }


def _body(data: bytes, length: int) -> object:
    if not data:
        return None
    if length <= BODY_BYTES:
        try:
            return orjson.Fragment(orjson.dumps(orjson.loads(data)))
        except (ValueError, TypeError):
            pass  # no JSON, or nested deeper than can be written again: shown as text
    return data.decode("utf-8", "replace")


def _journal(call: Call) -> Journal:
    return call.world.journal if call.world is not None else call.mock.outside


def _found(call: Call) -> list[Entry]:
    wanted = call.query
    contains = wanted["contains"].encode() if "contains" in wanted else None
    return [
        entry
        for entry in _journal(call)
        if wanted.get("operation_id") in (None, entry.operation_id)
        and wanted.get("method") in (None, entry.method)
        and wanted.get("path") in (None, entry.path)
        and wanted.get("status") in (None, entry.status)
        and entry.number > wanted.get("after", 0)
        and (contains is None or contains in entry.request or contains in entry.query)
    ]


def _list(call: Call) -> dict[str, Any]:
    found = _found(call)
    limit = call.query.get("limit", MAX_LISTED)
    return {"requests": [describe_entry(entry) for entry in found[-limit:]], "total": len(found)}


def _count(call: Call) -> dict[str, Any]:
    return {"count": len(_found(call))}


def _clear(call: Call) -> dict[str, Any]:
    journal = _journal(call)
    cleared = len(journal)
    journal.clear()
    return {"cleared": cleared}


def _findings(call: Call) -> dict[str, Any]:
    findings = call.own.findings
    return {
        "findings": [
            {
                "code": finding.code.value,
                "name": finding.code.name.lower().replace("_", "-"),
                "where": finding.where,
                "message": finding.message,
                "because": list(finding.because),
                "count": count,
            }
            for finding, count in findings.counted()
        ],
        "dropped": findings.dropped,
    }


def _clear_findings(call: Call) -> dict[str, Any]:
    cleared = len(call.own.findings.counted())
    call.own.findings.clear()
    return {"cleared": cleared}


REQUEST_RESOURCES: tuple[Resource, ...] = (
    Resource(
        method="GET",
        path="/requests",
        operation_id="listRequests",
        summary="The journal, oldest first; without a key, the calls that carried no acceptable one.",
        handler=_list,
        key="optional",
        query={**_FILTERS, "limit": {"type": "integer", "minimum": 1, "maximum": MAX_LISTED}},
    ),
    Resource(
        method="GET",
        path="/requests/count",
        operation_id="countRequests",
        summary="How many journal entries match.",
        handler=_count,
        key="optional",
        query=_FILTERS,
    ),
    Resource(
        method="DELETE",
        path="/requests",
        operation_id="clearRequests",
        summary="Clears the journal.",
        handler=_clear,
        key="optional",
    ),
    Resource(
        method="GET",
        path="/findings",
        operation_id="listFindings",
        summary="What the key's client did that is not documented, counted.",
        handler=_findings,
    ),
    Resource(
        method="DELETE",
        path="/findings",
        operation_id="clearFindings",
        summary="Clears the findings.",
        handler=_clear_findings,
    ),
)
