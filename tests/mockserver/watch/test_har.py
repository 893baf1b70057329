"""The journal as an HTTP archive: what HAR 1.2 asks for, written down here as a JSON Schema."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest

from mockserver.core.journal import BODY_BYTES
from mockserver.watch.har import har
from tests.mockserver.watch.entries import journal_of


def record(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    """A schema of an object; a name that begins with an underscore is anybody's."""
    return {
        "type": "object",
        "properties": {**required, **optional},
        "required": list(required),
        "patternProperties": {"^_": True},
        "additionalProperties": False,
    }


TEXT = {"type": "string"}
SIZE = {"type": "integer", "minimum": -1}
TIME = {"type": "number", "minimum": 0}
PAIR = record({"name": TEXT, "value": TEXT}, comment=TEXT)
PAIRS = {"type": "array", "items": PAIR}
COMMON = {"httpVersion": TEXT, "cookies": PAIRS, "headers": PAIRS, "headersSize": SIZE, "bodySize": SIZE}
HAR = record(
    {
        "log": record(
            {
                "version": {"const": "1.2"},
                "creator": record({"name": TEXT, "version": TEXT}, comment=TEXT),
                "entries": {
                    "type": "array",
                    "items": record(
                        {
                            "startedDateTime": {
                                "type": "string",
                                "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$",
                            },
                            "time": TIME,
                            "request": record(
                                {
                                    "method": TEXT,
                                    "url": {"type": "string", "format": "uri"},
                                    "queryString": PAIRS,
                                    **COMMON,
                                },
                                postData=record({"mimeType": TEXT, "text": TEXT}, comment=TEXT),
                            ),
                            "response": record(
                                {
                                    "status": {"type": "integer"},
                                    "statusText": TEXT,
                                    "content": record({"size": SIZE, "mimeType": TEXT}, text=TEXT, comment=TEXT),
                                    "redirectURL": TEXT,
                                    **COMMON,
                                }
                            ),
                            "cache": {"type": "object"},
                            "timings": record({"send": TIME, "wait": TIME, "receive": TIME}),
                        }
                    ),
                },
            }
        )
    }
)
VALIDATOR = jsonschema_rs.validator_for(HAR, validate_formats=True)

CALLS: list[dict[str, Any]] = [
    {"body": {"prompt": "ein Boot für 5 €"}, "reply": {"task_id": "1"}},
    {"method": "GET", "path": "/v3/async/task-result", "query": b"task_id=1&a=b%20c&d", "reply": {}},
    {"body": {"a": "x" * BODY_BYTES}, "answer": b"y" * (BODY_BYTES + 1)},
    {"path": '/v3/ä b\N{REPLACEMENT CHARACTER}"<>', "query": b'\xff\xfe"<> {}', "operation_id": "", "status": 404},
    {"status": 0, "request": b"\xff\x00"},
    {"status": 599, "headers": ((b"content-type", b"text/plain"), (b"accept", b"\xe9"))},
    {"at_ms": 0},
    {"at_ms": 10**15},
]


@pytest.mark.parametrize("call", CALLS, ids=range(len(CALLS)))
def test_an_archive_is_what_har_asks_for(call: dict[str, Any]) -> None:
    """Every member that must be there is, and no other."""
    VALIDATOR.validate(har(journal_of(call), "http://mock/"))


@pytest.mark.parametrize("place", ["startedDateTime", "time", "request", "response", "cache", "timings"])
def test_the_schema_notices_what_is_missing(place: str) -> None:
    """The check itself."""
    archive = har(journal_of(CALLS[0]), "http://mock")
    del archive["log"]["entries"][0][place]
    assert not VALIDATOR.is_valid(archive)


def test_an_entry_says_what_the_journal_knows() -> None:
    """Instant, URL, query, bodies, sizes."""
    [entry] = har(journal_of({**CALLS[1], "at_ms": 1_709_284_800_123}), "http://mock:4280/")["log"]["entries"]

    assert entry["startedDateTime"] == "2024-03-01T09:20:00.123Z"
    assert entry["request"]["url"] == "http://mock:4280/v3/async/task-result?task_id=1&a=b%20c&d"
    assert entry["request"]["queryString"] == [
        {"name": "task_id", "value": "1"},
        {"name": "a", "value": "b c"},
        {"name": "d", "value": ""},
    ]
    assert "postData" not in entry["request"]
    assert entry["response"]["content"] == {"size": 2, "mimeType": "application/json", "text": "{}"}
    assert (entry["response"]["status"], entry["response"]["statusText"]) == (200, "OK")
    assert (entry["_number"], entry["_operationId"], entry["_findings"]) == (1, "createTxt2imgTask", 0)


def test_bodies_are_told_with_their_length() -> None:
    """A body that is not kept whole says so."""
    [short] = har(journal_of(CALLS[0]), "http://mock")["log"]["entries"]
    [cut] = har(journal_of({"body": {"api_key": "hidden-value"}, "findings": 1}), "http://mock")["log"]["entries"]
    [long] = har(journal_of(CALLS[2]), "http://mock")["log"]["entries"]

    assert short["request"]["postData"] == {"mimeType": "application/json", "text": '{"prompt":"ein Boot für 5 €"}'}
    assert long["request"]["bodySize"] == BODY_BYTES + 8
    assert long["request"]["postData"]["comment"] == f"the journal keeps {BODY_BYTES} of {BODY_BYTES + 8} bytes"
    assert long["response"]["content"]["size"] == BODY_BYTES + 1
    assert "comment" in long["response"]["content"]
    assert cut["request"]["postData"] == {"mimeType": "application/json", "text": '{"api_key":"..."}'}
