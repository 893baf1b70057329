"""Resources of the journal: list, find, verify, near misses, export. Without a key: the calls that carried none.

What a pattern may say stands in `mockserver.watch.patterns` and on docs/journal.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from mockserver.control.problem import ControlError
from mockserver.control.request_schemas import (
    CLEARED,
    COUNT,
    ENTRIES,
    ENTRY,
    FILTERS,
    HAR,
    LIMIT,
    MAX_LISTED,
    NEAR_MISSES,
    PATTERN,
    UNMATCHED,
    VERDICT,
)
from mockserver.control.resource import Call, Resource, closed
from mockserver.core.journal import BODY_BYTES, Entry, Journal
from mockserver.watch.about import task_of
from mockserver.watch.near import MAX_DIFFERENCES, Comparison, NearMiss, compare, nearest_operation
from mockserver.watch.patterns import BadPattern, Pattern

MOST_NEAR = 3
PICTURE_PREFIXES = ("/prod/", "/v2_prod/")
"""Paths of pictures: they are of no operation, and yet of the contract."""
HAR_BASE_URL = "http://mock"
"""Of the URLs in an archive, where the settings name no public address."""


def describe_entry(entry: Entry) -> dict[str, Any]:
    """A journal entry as JSON; bodies are JSON where they are, else text."""
    return {
        **describe_head(entry),
        "request": _body(entry.request, entry.request_bytes),
        "answer": _body(entry.answer, entry.answer_bytes),
    }


def describe_head(entry: Entry) -> dict[str, Any]:
    """A journal entry without its bodies."""
    return {
        "number": entry.number,
        "at_ms": entry.at_ms,
        "method": entry.method,
        "path": entry.path,
        "query": entry.query.decode("latin-1"),
        "operation_id": entry.operation_id or None,
        "status": entry.status,
        "headers": {name.decode("latin-1"): value.decode("latin-1") for name, value in entry.headers},
        "request_bytes": entry.request_bytes,
        "answer_bytes": entry.answer_bytes,
        "findings": entry.findings,
        "told": [
            {
                "code": finding.code.value,
                "where": finding.where,
                "message": finding.message,
                "because": list(finding.because),
            }
            for finding in entry.told
        ],
        "task_id": task_of(entry),
        "fault": entry.fault or None,
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


def _filtered(call: Call) -> list[Entry]:
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


def _compared(call: Call, pattern: Mapping[str, Any], near: int) -> Comparison:
    try:
        read = Pattern(pattern)
    except BadPattern as error:
        raise ControlError(400, "pattern", str(error)) from None
    return compare(_journal(call), read, near)


def _listed(call: Call, found: list[Entry] | tuple[Entry, ...]) -> dict[str, Any]:
    limit = call.query.get("limit", MAX_LISTED)
    return {"requests": [describe_entry(entry) for entry in found[-limit:]], "total": len(found)}


def _near(miss: NearMiss) -> dict[str, Any]:
    told = [str(one) for one in miss.differences[:MAX_DIFFERENCES]]
    if len(miss.differences) > MAX_DIFFERENCES:
        told.append(f"and {len(miss.differences) - MAX_DIFFERENCES} more")
    return {"request": describe_entry(miss.entry), "distance": miss.distance, "differences": told}


def _list(call: Call) -> dict[str, Any]:
    found = _filtered(call)
    if not call.query.get("brief", False):
        return _listed(call, found)
    limit = call.query.get("limit", MAX_LISTED)
    return {"requests": [describe_head(entry) for entry in found[-limit:]], "total": len(found)}


def _get(call: Call) -> dict[str, Any]:
    wanted = call.path["number"]
    found = next((entry for entry in _journal(call) if str(entry.number) == wanted), None)
    if found is None:
        raise ControlError(
            404, "no-such-request", f"no request {wanted[:20]!r} in the journal; GET /__mock/requests has those kept"
        )
    return describe_entry(found)


def _count(call: Call) -> dict[str, Any]:
    return {"count": len(_filtered(call))}


def _find(call: Call) -> dict[str, Any]:
    return _listed(call, _compared(call, call.body, 0).found)


def _count_matching(call: Call) -> dict[str, Any]:
    return {"count": len(_compared(call, call.body, 0).found)}


def _near_misses(call: Call) -> dict[str, Any]:
    compared = _compared(call, call.body["pattern"], int(call.body.get("limit", MOST_NEAR)))
    return {
        "near_misses": [_near(miss) for miss in compared.near],
        "summary": list(compared.summary),
        "found": len(compared.found),
    }


def _verify(call: Call) -> dict[str, Any]:
    body = call.body
    if "count" in body and ("at_least" in body or "at_most" in body):
        raise ControlError(400, "body", "expected either count, or at_least and at_most")
    least = int(body.get("count", body.get("at_least", 0 if "at_most" in body else 1)))  # 2.0 is an integer in JSON
    most = int(body["count"] if "count" in body else body["at_most"]) if "count" in body or "at_most" in body else None
    if most is not None and most < least:
        raise ControlError(400, "body", f"at_least: {least} is more than at_most, {most}")
    compared = _compared(call, body["pattern"], MOST_NEAR)
    found = len(compared.found)
    verified = found >= least and (most is None or found <= most)
    too_few = found < least
    expected = _range(least, most)
    return {
        "verified": verified,
        "found": found,
        "message": f"{found} found, as expected ({expected})" if verified else _failure(expected, found, compared),
        "near_misses": [_near(miss) for miss in compared.near] if too_few else [],
        "summary": list(compared.summary) if too_few else [],
    }


def _range(least: int, most: int | None) -> str:
    if most == least:
        return f"exactly {least}"
    if most is None:
        return f"at least {least}"
    return f"at most {most}" if not least else f"{least} to {most}"


def _failure(expected: str, found: int, compared: Comparison) -> str:
    message = f"expected {expected} matching, found {found}"
    if compared.near and not found:
        nearest = compared.near[0]
        shown = "; ".join(str(one) for one in nearest.differences[:3])
        message += f"; the nearest is number {nearest.entry.number}: {shown}"
    elif not compared.near and not found:
        message += "; the journal is empty"
    return message


def _unmatched(call: Call) -> dict[str, Any]:
    operations = {name: (one.method, one.path) for name, one in call.mock.document.operations.items()}
    limit = call.query.get("limit", MAX_LISTED)
    found = [
        entry for entry in call.mock.outside if not entry.operation_id and not entry.path.startswith(PICTURE_PREFIXES)
    ]
    told = []
    for entry in found[-limit:]:
        nearest = nearest_operation(entry.method, entry.path, operations)
        method, path = operations[nearest]
        told.append(
            {
                "request": describe_entry(entry),
                "nearest": {"operation_id": nearest, "method": method, "path": path},
                "message": f"no operation {entry.method} {entry.path[:200]}; nearest: {method} {path}",
            }
        )
    return {"requests": told, "total": len(found)}


def _har(call: Call) -> dict[str, Any]:
    from mockserver.watch.har import har  # only an export needs it

    return har(_journal(call), call.mock.settings.public_base_url or HAR_BASE_URL)


def _clear(call: Call) -> dict[str, Any]:
    journal = _journal(call)
    cleared = len(journal)
    journal.clear()
    return {"cleared": cleared}


REQUEST_RESOURCES: tuple[Resource, ...] = (
    Resource(
        method="GET",
        path="/requests",
        operation_id="listRequests",
        summary="The journal, oldest first; without a key, the calls that carried no acceptable one.",
        handler=_list,
        key="optional",
        query={**FILTERS, "limit": LIMIT, "brief": {"type": "boolean", "description": "Without the bodies."}},
        answer=ENTRIES,
    ),
    Resource(
        method="GET",
        path="/requests/count",
        operation_id="countRequests",
        summary="How many journal entries match.",
        handler=_count,
        key="optional",
        query=FILTERS,
        answer=COUNT,
    ),
    Resource(
        method="POST",
        path="/requests/find",
        operation_id="findRequests",
        summary="The journal entries that a JSON pattern matches, oldest first.",
        handler=_find,
        key="optional",
        query={"limit": LIMIT},
        body=PATTERN,
        answer=ENTRIES,
    ),
    Resource(
        method="POST",
        path="/requests/count",
        operation_id="countMatchingRequests",
        summary="How many journal entries a JSON pattern matches.",
        handler=_count_matching,
        key="optional",
        body=PATTERN,
        answer=COUNT,
    ),
    Resource(
        method="POST",
        path="/requests/verify",
        operation_id="verifyRequests",
        summary="Whether a pattern matches as often as expected (at least once unless told); if not, what came near.",
        handler=_verify,
        key="optional",
        body=closed(
            {
                "pattern": PATTERN,
                "count": {"type": "integer", "minimum": 0},
                "at_least": {"type": "integer", "minimum": 0},
                "at_most": {"type": "integer", "minimum": 0},
            },
            "pattern",
        ),
        answer=VERDICT,
    ),
    Resource(
        method="POST",
        path="/requests/near-misses",
        operation_id="nearMisses",
        summary="The entries nearest to a pattern that do not match it, with the differences in words.",
        handler=_near_misses,
        key="optional",
        body=closed({"pattern": PATTERN, "limit": {"type": "integer", "minimum": 1, "maximum": 100}}, "pattern"),
        answer=NEAR_MISSES,
    ),
    Resource(
        method="GET",
        path="/requests/unmatched",
        operation_id="listUnmatchedRequests",
        summary="Calls of paths and methods that no operation has, with the operation that each nearly was.",
        handler=_unmatched,
        key="none",
        query={"limit": LIMIT},
        answer=UNMATCHED,
    ),
    Resource(
        method="GET",
        path="/requests.har",
        operation_id="exportRequests",
        summary="The whole journal as an HTTP archive (HAR 1.2).",
        handler=_har,
        key="optional",
        answer=HAR,
    ),
    Resource(
        method="GET",
        path="/requests/{number}",
        operation_id="getRequest",
        summary="One call with its bodies.",
        handler=_get,
        key="optional",
        answer=ENTRY,
    ),
    Resource(
        method="DELETE",
        path="/requests",
        operation_id="clearRequests",
        summary="Clears the journal.",
        handler=_clear,
        key="optional",
        answer=CLEARED,
    ),
)
