"""Adding reports up: of several workers, shards or servers. The order never matters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from mockserver.coverage.model import digest_of
from mockserver.coverage.report import Report
from mockserver.coverage.wire import ReportError


def merge(reports: Sequence[Report], sources: Sequence[str] = ()) -> Report:
    """One report with the counts of all.

    Args:
        reports: at least one.
        sources: where each came from, for messages.

    Raises:
        ReportError: none was given, or two are about different contracts.
    """
    if not reports:
        raise ReportError("no report to add up; expected at least one")
    names = sources or [f"report {number}" for number in range(1, len(reports) + 1)]
    first = reports[0]
    universe = digest_of(first.items)
    for report, name in zip(reports[1:], names[1:], strict=True):
        if report.contract != first.contract:
            raise ReportError(
                f"{name} is about contract {report.contract}, {names[0]} about {first.contract}: they cannot be added "
                "up. Make all reports with one version of novita-mock"
            )
        if digest_of(report.items) != universe:
            raise ReportError(
                f"{name} and {names[0]} list different items of contract {first.contract}: they cannot be added up. "
                "Make all reports with one version of novita-mock"
            )
    places = [{item.key: place for place, item in enumerate(report.items)} for report in reports]
    return Report(
        contract=first.contract,
        items=first.items,
        counts=tuple(
            sum(report.counts[found[item.key]] for report, found in zip(reports, places, strict=True))
            for item in first.items
        ),
        happened=_summed([report.happened for report in reports]),
        findings=_summed([report.findings for report in reports]),
        calls=sum(report.calls for report in reports),
        merged=sum(report.merged for report in reports),
    )


def _summed(counts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return dict(sorted(total.items()))
