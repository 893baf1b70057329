"""Made-up runs, event by event, for tests of what is written about them."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping

from PIL import Image

from conformance.budget import Cost
from conformance.events import CheckFinished, Ending, Event, Exchanged, Reproduced, RunFinished, RunStarted
from conformance.redaction import Redactor
from conformance.report.model import Report, report_of
from conformance.verdict import Outcome, Verdict
from conformance.wire import Exchange
from openapi.document import load
from openapi.requirements import load_requirements

KEY = "sk-very-secret-key-123456"
SCRIPT_TAG = "<script>alert('from the server')</script>"

ALL_VERDICTS = {
    "V3-AUTH-001": Verdict.PASS,
    "V3-AUTH-002": Verdict.WARN,
    "V3-AUTH-003": Verdict.NOT_APPLICABLE,
    "V3-AUTH-004": Verdict.UNSTABLE,
    "V3-AUTH-005": Verdict.BLOCKED,
    "V3-AUTH-006": Verdict.UNTESTABLE,
    "V3-AUTH-007": Verdict.FAIL,
    "V2-CODE-001": Verdict.ERROR,
}


def png() -> bytes:
    """A small picture."""
    file = io.BytesIO()
    Image.new("RGB", (128, 64), "teal").save(file, "PNG")
    return file.getvalue()


def exchanges() -> list[Exchange]:
    """A refused submit whose answer holds markup and the key, a picture, and no answer at all."""
    headers = (("Authorization", f"Bearer {KEY}"), ("Content-Type", "application/json"))
    return [
        Exchange(
            number=1,
            method="POST",
            url="http://server.example/v3/async/txt2img",
            operation_id="createTxt2imgTask",
            purpose="a submit",
            request_headers=headers,
            request_body=json.dumps({"request": {"image_base64": "A" * 500}}).encode(),
            sent_bytes=600,
            status=400,
            headers={"content-type": "application/json", "set-cookie": "session=1"},
            body=json.dumps({"message": SCRIPT_TAG, "you": KEY, "half": "\ud800"}).encode(),
            asked_by="V3-AUTH-007",
        ),
        Exchange(
            number=2,
            method="GET",
            url=f"http://server.example/a.png?X-Amz-Signature=abcdef&key={KEY}",
            status=200,
            headers={"content-type": "image/png"},
            body=png(),
            asked_by="V3-AUTH-001",
        ),
        Exchange(number=3, method="GET", url="http://server.example/x", error="ReadTimeout", asked_by="V3-AUTH-004"),
    ]


def outcome(requirement: str, verdict: Verdict) -> Outcome:
    """What a check could have said."""
    red = verdict in (Verdict.FAIL, Verdict.UNSTABLE)
    return Outcome(
        requirement=requirement,
        verdict=verdict,
        message=f"said of {requirement}",
        expected="status 403" if red or verdict is Verdict.WARN else "",
        actual=f"status 400 with {SCRIPT_TAG} for {KEY}" if red or verdict is Verdict.WARN else "",
        blocked_by="V3-AUTH-007" if verdict is Verdict.BLOCKED else "",
        because=("C35",) if verdict is Verdict.WARN else (),
        exchanges=(1, 2) if red else (),
        first=Outcome(requirement=requirement, verdict=Verdict.FAIL, actual="boom", exchanges=(3,))
        if verdict is Verdict.UNSTABLE
        else None,
    )


def events(
    verdicts: Mapping[str, Verdict],
    *,
    chosen: Iterable[str] | None = None,
    expected: dict[str, str] | None = None,
    not_scored: tuple[str, ...] = (),
    ending: Ending = Ending.COMPLETE,
) -> list[Event]:
    """A run in which each check came to a verdict."""
    return [
        RunStarted(
            target="http://server.example",
            started_at="2026-11-21T12:00:00Z",
            suite="1",
            contract="1.0.0",
            strict=False,
            seed=1,
            requirements=tuple(verdicts if chosen is None else chosen),
            revision="2026-11",
            profiles=("v3-core",),
            other_profiles=("v3-storage",),
            not_scored=not_scored,
            expected_failures=expected or {},
        ),
        *(Exchanged(exchange=exchange) for exchange in exchanges()),
        *(CheckFinished(outcome=outcome(one, verdict)) for one, verdict in verdicts.items()),
        *(
            Reproduced(requirement=one, script=f"#!/bin/sh\necho '{SCRIPT_TAG}' {KEY}\n", verified=True)
            for one, verdict in verdicts.items()
            if verdict is Verdict.FAIL
        ),
        RunFinished(
            spent=Cost(requests=3, tasks=1, images=1, usd=0.0021),
            took_s=1.5,
            ending=ending,
            stopped="" if ending is Ending.COMPLETE else f"ended: {ending}",
        ),
    ]


def report(
    verdicts: Mapping[str, Verdict],
    *,
    chosen: Iterable[str] | None = None,
    expected: dict[str, str] | None = None,
    not_scored: tuple[str, ...] = (),
    ending: Ending = Ending.COMPLETE,
) -> Report:
    """The report of such a run."""
    log = events(verdicts, chosen=chosen, expected=expected, not_scored=not_scored, ending=ending)
    return report_of(log, load_requirements(), load(), Redactor({"api-key": KEY}))
