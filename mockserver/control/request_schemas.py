"""What the journal's resources take and give, as JSON Schema."""

from __future__ import annotations

from mockserver.control.resource import Schema, closed

MAX_LISTED = 1000

FILTERS: dict[str, Schema] = {
    "operation_id": {"type": "string"},
    "method": {"type": "string"},
    "path": {"type": "string"},
    "status": {"type": "integer"},
    "contains": {"type": "string", "description": "Text in the request's body or query."},
    "after": {"type": "integer", "minimum": 0, "description": "Only entries with a higher number."},
}
LIMIT: Schema = {"type": "integer", "minimum": 1, "maximum": MAX_LISTED}

EXPECTED: Schema = {"description": 'A value, or a condition such as {"<=": 100}; docs/journal.md has them all.'}
PATTERN: Schema = {
    "type": "object",
    "description": "What a request is expected to be; every field may be a value or a condition.",
    "additionalProperties": False,
    "properties": {
        "operation_id": EXPECTED,
        "method": EXPECTED,
        "path": EXPECTED,
        "status": EXPECTED,
        "query": {"type": "object", "description": "Values of query parameters by name."},
        "headers": {"type": "object", "description": "Values of the headers that the journal keeps, by name."},
        "body": {"description": "A part of the request's JSON body."},
        "answer": {"description": "A part of the answer's JSON body."},
    },
}

ENTRY: Schema = {
    "type": "object",
    "properties": {
        "number": {"type": "integer", "minimum": 1},
        "at_ms": {"type": "integer"},
        "method": {"type": "string"},
        "path": {"type": "string"},
        "query": {"type": "string"},
        "operation_id": {"type": ["string", "null"]},
        "status": {"type": "integer"},
        "headers": {"type": "object", "additionalProperties": {"type": "string"}},
        "request": {"description": "JSON where it is, else text; null: none."},
        "request_bytes": {"type": "integer", "minimum": 0},
        "answer": {"description": "JSON where it is, else text; null: none."},
        "answer_bytes": {"type": "integer", "minimum": 0},
        "findings": {"type": "integer", "minimum": 0},
        "told": {
            "type": "array",
            "description": "The first of them.",
            "items": closed(
                {
                    "code": {"type": "string"},
                    "where": {"type": "string"},
                    "message": {"type": "string"},
                    "because": {"type": "array", "items": {"type": "string"}},
                },
                "code",
                "where",
                "message",
                "because",
            ),
        },
        "task_id": {"type": ["string", "null"], "description": "The task that it made, asked for or downloaded."},
        "fault": {"type": ["string", "null"], "description": "What a fault plan did to the call; null: nothing."},
    },
    "required": ["number", "at_ms", "method", "path", "query", "operation_id", "status", "headers"],
}
TOTAL: Schema = {"type": "integer", "minimum": 0}
ENTRIES = closed({"requests": {"type": "array", "items": ENTRY}, "total": TOTAL}, "requests", "total")
COUNT = closed({"count": TOTAL}, "count")
CLEARED = closed({"cleared": TOTAL}, "cleared")
NEAR_MISS = closed(
    {
        "request": ENTRY,
        "distance": {"type": "number", "minimum": 0},
        "differences": {"type": "array", "items": {"type": "string"}, "minItems": 1},
    },
    "request",
    "distance",
    "differences",
)
LINES: Schema = {"type": "array", "items": {"type": "string"}}
NEAR_MISSES = closed(
    {"near_misses": {"type": "array", "items": NEAR_MISS}, "summary": LINES, "found": TOTAL},
    "near_misses",
    "summary",
    "found",
)
VERDICT = closed(
    {
        "verified": {"type": "boolean"},
        "found": TOTAL,
        "message": {"type": "string"},
        "near_misses": {"type": "array", "items": NEAR_MISS},
        "summary": LINES,
    },
    "verified",
    "found",
    "message",
    "near_misses",
    "summary",
)
UNMATCHED = closed(
    {
        "requests": {
            "type": "array",
            "items": closed(
                {
                    "request": ENTRY,
                    "nearest": closed(
                        {"operation_id": {"type": "string"}, "method": {"type": "string"}, "path": {"type": "string"}},
                        "operation_id",
                        "method",
                        "path",
                    ),
                    "message": {"type": "string"},
                },
                "request",
                "nearest",
                "message",
            ),
        },
        "total": TOTAL,
    },
    "requests",
    "total",
)
HAR = closed(
    {
        "log": {
            "type": "object",
            "properties": {
                "version": {"const": "1.2"},
                "creator": {"type": "object"},
                "entries": {"type": "array", "items": {"type": "object"}},
            },
            "required": ["version", "creator", "entries"],
        }
    },
    "log",
)
