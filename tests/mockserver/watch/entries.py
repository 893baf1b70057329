"""Journal entries for the tests of what is read from a journal."""

from __future__ import annotations

from typing import Any

import orjson

from mockserver.core.journal import Entry, Journal, JournalBudget


def journal_of(*calls: dict[str, Any]) -> Journal:
    """A journal of calls; what a call does not name is a plain accepted submit. `body` and `reply` are JSON."""
    journal = Journal(JournalBudget(), secrets=(b"sk-mock-watch-key",))
    for given in calls:
        call = dict(given)
        call["request"] = orjson.dumps(call.pop("body")) if "body" in call else call.get("request", b"")
        call["answer"] = orjson.dumps(call.pop("reply")) if "reply" in call else call.get("answer", b"")
        plain: dict[str, Any] = {
            "at_ms": 1_709_284_800_123,
            "method": "POST",
            "path": "/v3/async/txt2img",
            "query": b"",
            "operation_id": "createTxt2imgTask",
            "status": 200,
            "headers": ((b"content-type", b"application/json"), (b"user-agent", b"app/1")),
            "findings": 0,
        }
        journal.write(**{**plain, **call})
    return journal


def entry_of(**call: Any) -> Entry:
    """One of them."""
    [entry] = journal_of(call)
    return entry
