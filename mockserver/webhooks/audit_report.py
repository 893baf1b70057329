"""An audit's report for people, for programs and for code scanning (SARIF 2.1.0)."""

from __future__ import annotations

from typing import Any

from mockserver import __version__
from mockserver.webhooks.audit import Report, Result, Verdict
from mockserver.webhooks.audit_checks import CHECKS

PAGE = "docs/webhook-audit.md"

_SHOWN = {Verdict.PASS: "pass", Verdict.FAIL: "FAIL", Verdict.NOTE: "note", Verdict.UNDECIDED: "?"}


def as_text(report: Report) -> str:
    """A table, and what to do about what failed."""
    rows = [
        (_SHOWN[result.verdict], result.check.code, result.check.title, result.check.clause, result.message)
        for result in report.results
    ]
    wide = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [f"{report.url}: {len(report.attempts)} requests, {report.allowed_s:g} s allowed for each answer", ""]
    lines += ["  ".join([*(text.ljust(wide[at]) for at, text in enumerate(row[:4])), row[4]]) for row in rows]
    told = [result for result in report.results if result.verdict in (Verdict.FAIL, Verdict.NOTE)]
    if told:
        lines += ["", "What to do:"]
        lines += [f"{result.check.code}  {result.check.advice}" for result in told]
    count = len(report.findings)
    undecided = sum(result.verdict is Verdict.UNDECIDED for result in report.results)
    lines += ["", f"{count} finding{'' if count == 1 else 's'}" + (f", {undecided} undecided" if undecided else "")]
    return "\n".join(lines)


def as_json(report: Report) -> dict[str, Any]:
    """Everything, with every request."""
    return {
        "format": 1,
        "url": report.url,
        "allowed_s": report.allowed_s,
        "findings": len(report.findings),
        "checks": [
            {
                "code": result.check.code,
                "title": result.check.title,
                "clause": result.check.clause,
                "verdict": result.verdict.value,
                "message": result.message,
                "attempts": [
                    {
                        "method": attempt.method,
                        "bytes": attempt.size,
                        "status": attempt.outcome.status,
                        "error": attempt.outcome.error.value if attempt.outcome.error else None,
                        "elapsed_ms": attempt.outcome.elapsed_ms,
                    }
                    for attempt in result.attempts
                ],
            }
            for result in report.results
        ],
    }


def as_sarif(report: Report) -> dict[str, Any]:
    """Findings and notes as results, checks as rules."""
    rules = [
        {
            "id": check.code,
            "shortDescription": {"text": f"A webhook receiver {check.title}"},
            "help": {"text": f"{check.advice} See {PAGE}."},
        }
        for check in CHECKS
    ]
    driver = {"name": "novita-mock webhook audit", "version": __version__, "rules": rules}
    told = [result for result in report.results if result.verdict in (Verdict.FAIL, Verdict.NOTE)]
    return {
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": [_sarif_result(result, report.url) for result in told]}],
    }


def _sarif_result(result: Result, url: str) -> dict[str, Any]:
    return {
        "ruleId": result.check.code,
        "level": "error" if result.verdict is Verdict.FAIL else "note",
        "message": {"text": f"{result.check.title}: {result.message}. {result.check.advice}"},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": url}}}],
    }
