"""The report as JSON, which `report.schema.json` describes, and back again as far as other commands need it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.report.model import Entry, Report, Script, Try
from conformance.report.shown import Body, Shown
from conformance.verdict import Verdict

FORMAT = "novita-conformance-report"
VERSION = 1
SCHEMA = Path(__file__).parent / "report.schema.json"


class ReportError(ValueError):
    """A file is no report that this version reads."""


def write(report: Report) -> str:
    """The JSON text."""
    return json.dumps(to_json(report), indent=1, ensure_ascii=False) + "\n"


def to_json(report: Report) -> dict[str, Any]:
    """The report as a JSON value."""
    started = report.started
    return {
        "format": FORMAT,
        "version": VERSION,
        "suite": started.suite,
        "contract": started.contract,
        "revision": started.revision,
        "target": started.target,
        "started_at": started.started_at,
        "took_s": round(report.took_s, 3),
        "strict": started.strict,
        "safe": started.safe,
        "seed": started.seed,
        "options": started.options,
        "profiles": list(started.profiles),
        "other_profiles": list(started.other_profiles),
        "left_out": started.left_out,
        "ending": report.ending,
        "stopped": report.stopped,
        "exit_code": int(report.exit_code),
        "exit": report.exit_code.words,
        "verdict": report.verdict,
        "counts": dict(report.counts),
        "stale": list(report.stale),
        "notes": list(report.notes),
        "spent": {
            "requests": report.spent.requests,
            "tasks": report.spent.tasks,
            "images": report.spent.images,
            "usd": round(report.spent.usd, 4),
        },
        "requirements": [_entry(entry) for entry in report.entries],
        "exchanges": [_exchange(exchange) for exchange in report.exchanges.values()],
        "contradictions": {
            number: report.meanings[number]
            for number in sorted(
                {one for entry in report.entries for one in entry.because}, key=lambda one: int(one[1:])
            )
            if number in report.meanings
        },
    }


def _entry(entry: Entry) -> dict[str, Any]:
    row = entry.row
    return {
        "id": row.id,
        "verdict": entry.verdict,
        "level": row.keyword,
        "strength": row.strength,
        "profile": row.profile,
        "area": row.area,
        "text": row.text,
        "tolerated": row.tolerated,
        "sources": [
            {"title": source.page.title, "url": source.page.url, "strength": source.strength} for source in row.sources
        ],
        "message": entry.message,
        "expected": entry.expected,
        "actual": entry.actual,
        "blocked_by": entry.blocked_by,
        "because": list(entry.because),
        "branches": list(entry.branches),
        "exchanges": list(entry.exchanges),
        "took_s": entry.took_s,
        "scored": entry.scored,
        "expected_failure": entry.excuse,
        "stale": entry.stale,
        "first": _try(entry.first),
        "repro": _script(entry.script),
    }


def _try(first: Try | None) -> dict[str, Any] | None:
    if first is None:
        return None
    return {
        "verdict": first.verdict,
        "expected": first.expected,
        "actual": first.actual,
        "exchanges": list(first.exchanges),
    }


def _script(script: Script | None) -> dict[str, Any] | None:
    if script is None:
        return None
    return {"script": script.text, "verified": script.verified, "note": script.note}


def _exchange(exchange: Shown) -> dict[str, Any]:
    answer = {
        "status": exchange.status,
        "headers": [list(one) for one in exchange.headers],
        "body": _body(exchange.answer),
    }
    return {
        "number": exchange.number,
        "operation": exchange.operation,
        "purpose": exchange.purpose,
        "started_s": exchange.started_s,
        "took_s": exchange.took_s,
        "request": {
            "method": exchange.method,
            "url": exchange.url,
            "headers": [list(one) for one in exchange.request_headers],
            "body": _body(exchange.request),
        },
        "answer": None if exchange.status is None else answer,
        "error": exchange.error,
    }


def _body(body: Body) -> dict[str, Any]:
    return {"kind": body.kind, "size": body.size, "cut": body.cut, "text": body.text}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What a written report says of one requirement."""

    id: str
    verdict: Verdict
    level: str
    area: str
    profile: str
    text: str
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A report that was read.

    Attributes:
        name, folder: of its file, without ending, and of the folder it lies in.
        requirements: by id, in the order of the file.
    """

    name: str
    folder: str
    target: str
    started_at: str
    strict: bool
    exit_code: int
    exit: str
    requirements: Mapping[str, Decided]


def read(path: Path) -> Written:
    """A report that was written by this or an earlier version of the suite.

    Raises:
        ReportError: it is none.
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ReportError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise ReportError(f"{path} is no JSON: {error}") from None
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        raise ReportError(f"{path} is no report of this suite (made with --report json=FILE)")
    if raw.get("version") != VERSION:
        raise ReportError(f"{path} has version {raw.get('version')!r}; this suite reads {VERSION}")
    try:
        return _read(path, raw)
    except (KeyError, TypeError, ValueError) as error:
        raise ReportError(f"{path} is not as a report should be: {type(error).__name__} {error}") from None


def _read(path: Path, raw: dict[str, Any]) -> Written:
    decided = [
        Decided(
            id=one["id"],
            verdict=Verdict(one["verdict"]),
            level=one["level"],
            area=one["area"],
            profile=one["profile"],
            text=one["text"],
            said=one["actual"] or one["message"],
        )
        for one in raw["requirements"]
    ]
    return Written(
        name=path.stem,
        folder=path.resolve().parent.name,
        target=raw["target"],
        started_at=raw["started_at"],
        strict=raw["strict"],
        exit_code=raw["exit_code"],
        exit=raw["exit"],
        requirements={one.id: one for one in decided},
    )
