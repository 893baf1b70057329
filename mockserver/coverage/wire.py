"""A report as JSON, and back. The form is a contract: `report.schema.json`, and `format` for its version."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from mockserver.coverage.item import Dimension, Item, Scope, Versions
from mockserver.coverage.model import digest_of
from mockserver.coverage.report import Judgement, Report, percent

if TYPE_CHECKING:
    from jsonschema_rs import Draft202012Validator

FORMAT = 1
"""Version of the form. A reader takes its own version only."""
KIND = "novita-mock coverage"
SCHEMA = Path(__file__).parent / "report.schema.json"
NEXT_TESTS = 20


class ReportError(ValueError):
    """No report, or not one that can be used; the message says what was expected and what to do."""


def as_json(report: Report, versions: Versions = Versions.AUTO) -> dict[str, Any]:
    """The report with its counts, and what they say for some versions.

    `percent`, `covered` and `next` are for readers; whoever adds reports up uses the counts alone.
    """
    judged = Judgement(report, versions)
    counts = dict(zip((item.key for item in report.items), report.counts, strict=True))
    dimensions = []
    for dimension in Dimension:
        total = judged.total(dimension)
        dimensions.append(
            {
                "name": dimension.value,
                "title": dimension.heading,
                "weight": dimension.weight,
                "percent": percent(total.share) if total else None,
                "covered": total.covered if total else 0,
                "total": len(total.rows) if total else 0,
                "items": [
                    {
                        "key": item.key,
                        "count": counts[item.key],
                        "scope": item.scope.value,
                        "group": item.group,
                        "label": item.label,
                        "share": item.share,
                        "needs": item.needs,
                        "test": item.test,
                        "example": item.example,
                    }
                    for item in report.items
                    if item.dimension is dimension
                ],
            }
        )
    return {
        "kind": KIND,
        "format": FORMAT,
        "contract": report.contract,
        "universe": digest_of(report.items),
        "reports": report.merged,
        "calls": report.calls,
        "versions": judged.versions,
        "percent": percent(judged.share),
        "dimensions": dimensions,
        "next": [
            {
                "key": one.item.key,
                "test": one.item.test,
                "example": one.item.example,
                "gain": float(round(one.gain * 100, 3)),
                "alike": len(one.alike),
            }
            for one in judged.next_tests(NEXT_TESTS)
        ],
        "happened": dict(sorted(report.happened.items())),
        "findings": dict(sorted(report.findings.items())),
    }


def dump(report: Report, versions: Versions = Versions.AUTO) -> bytes:
    """The report as JSON text; equal reports give equal bytes."""
    return orjson.dumps(as_json(report, versions), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def read_report(data: bytes, source: str) -> Report:
    """A report from its JSON text.

    Args:
        data: the text.
        source: where it came from, for messages.

    Raises:
        ReportError: it is none, or one of another form.
    """
    try:
        given = orjson.loads(data)
    except ValueError as error:
        raise ReportError(f"{source}: expected a coverage report as JSON, came something else ({error})") from None
    if not isinstance(given, dict) or given.get("kind") != KIND:
        raise ReportError(f'{source}: expected a coverage report, with "kind": "{KIND}"; make one with --format json')
    if given.get("format") != FORMAT:
        raise ReportError(
            f"{source}: a report of format {given.get('format')!r}; this novita-mock reads format {FORMAT}. "
            "Make all reports with one version of it"
        )
    try:
        problem = next(iter(_validator().iter_errors(given)), None)
    except ValueError:  # it goes 255 levels down
        raise ReportError(f"{source}: nested too deeply to be a coverage report") from None
    if problem is not None:
        where = ".".join(str(step) for step in problem.instance_path) or "report"
        raise ReportError(f"{source}: {where}: {problem.message[:200]}")
    report = _report(given)
    if digest_of(report.items) != given["universe"]:
        raise ReportError(f"{source}: its items are not those that it was made with; it was changed or cut")
    return report


def _report(given: Mapping[str, Any]) -> Report:
    items, counts = [], []
    for dimension in given["dimensions"]:
        for one in dimension["items"]:
            counts.append(one["count"])
            items.append(
                Item(
                    key=one["key"],
                    dimension=Dimension(dimension["name"]),
                    scope=Scope(one["scope"]),
                    group=one["group"],
                    label=one["label"],
                    share=one["share"],
                    needs=one["needs"],
                    test=one["test"],
                    example=one["example"],
                )
            )
    return Report(
        contract=given["contract"],
        items=tuple(items),
        counts=tuple(counts),
        happened=given["happened"],
        findings=given["findings"],
        calls=given["calls"],
        merged=given["reports"],
    )


@cache
def _validator() -> Draft202012Validator:
    import jsonschema_rs  # only where reports are read

    return jsonschema_rs.Draft202012Validator(orjson.loads(SCHEMA.read_bytes()))
