"""Deliveries and events as JSON, for people and tests: no secret of a URL, no key, no signature."""

from __future__ import annotations

from typing import Any

import orjson

from mockserver.core.redaction import Redactor
from mockserver.webhooks.courier import clean
from mockserver.webhooks.delivery import Attempt, Delivery
from mockserver.webhooks.inbox import Received


def describe_delivery(delivery: Delivery) -> dict[str, Any]:
    """A delivery without its attempts."""
    last = delivery.attempts[-1] if delivery.attempts else None
    return {
        "id": delivery.id,
        "number": delivery.number,
        "task_id": delivery.task_id,
        "operation_id": delivery.operation_id,
        "url": delivery.shown,
        "origin": delivery.origin.value,
        "test_mode": bool(delivery.test),
        "state": delivery.state.value,
        "note": delivery.note,
        "owed_since_ms": delivery.since_ms,
        "next_attempt_ms": delivery.due_ms,
        "attempts": delivery.made,
        "last": None if last is None else last.verdict,
        "attempted": [{"at_ms": attempt.at_ms, "ok": attempt.ok} for attempt in delivery.attempts],
    }


def describe_whole(delivery: Delivery, redactor: Redactor) -> dict[str, Any]:
    """A delivery with its event and its attempts, the oldest first."""
    body = None if delivery.body is None else redactor.text(clean(delivery.body, delivery))
    return {
        **describe_delivery(delivery),
        "body": None if body is None else _json_or_text(body),
        "body_bytes": 0 if delivery.body is None else len(delivery.body),
        "history": [describe_attempt(attempt) for attempt in delivery.attempts],
    }


def describe_attempt(attempt: Attempt) -> dict[str, Any]:
    """An attempt."""
    return {
        "number": attempt.number,
        "cause": attempt.cause.value,
        "at_ms": attempt.at_ms,
        "sent_ms": attempt.sent_ms,
        "took_ms": attempt.took_ms,
        "request": {"headers": dict(attempt.headers), "bytes": attempt.sent_bytes},
        "answer": None
        if attempt.status is None
        else {
            "status": attempt.status,
            "headers": dict(attempt.answer_headers),
            "beginning": attempt.answer.decode("utf-8", "replace"),
        },
        "error": attempt.error,
        "message": attempt.message,
        "effect": attempt.effect,
        "ok": attempt.ok,
        "verdict": attempt.verdict,
    }


def describe_received(received: Received) -> dict[str, Any]:
    """An event that came to the inbox."""
    return {
        "number": received.number,
        "at_ms": received.at_ms,
        "received_ms": received.received_ms,
        "delivery_id": received.delivery_id,
        "event_type": received.event_type,
        "headers": dict(received.headers),
        "signed": received.signed,
        "body": _json_or_text(received.body),
        "answered": received.answered,
    }


def _json_or_text(body: bytes) -> Any:
    try:
        found = orjson.loads(body)
        orjson.dumps(found)  # reading goes deeper (1,024 levels) than writing (254): such a body is shown as text
    except (ValueError, TypeError):
        return body.decode("utf-8", "replace")
    return found
