"""The report as JUnit XML, as CI systems show it: whatever is not green is a failure there, never a pass or a skip."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from conformance.report.model import Entry, Report
from conformance.verdict import Verdict

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(report: Report) -> str:
    """The XML text: a suite per profile, a case per requirement."""
    root = ElementTree.Element("testsuites", name=f"novita-conformance {_clean(report.started.target)}")
    totals = [0, 0, 0, 0]
    for profile in dict.fromkeys(entry.row.profile for entry in report.entries):
        entries = [entry for entry in report.entries if entry.row.profile == profile]
        suite = ElementTree.SubElement(root, "testsuite", name=str(profile), timestamp=report.started.started_at[:19])
        numbers = [len(entries), 0, 0, 0]
        for entry in entries:
            numbers[_case(suite, entry, report)] += 1
        numbers[0] = len(entries)
        _count(suite, numbers, sum(entry.took_s for entry in entries))
        totals = [total + number for total, number in zip(totals, numbers, strict=True)]
    if report.exit_code and not any(totals[1:3]):  # red as a whole: nothing was chosen, or a failure is none any more
        suite = ElementTree.SubElement(root, "testsuite", name="run")
        case = ElementTree.SubElement(suite, "testcase", name=report.exit_code.words, classname="run", time="0")
        said = report.stopped or f"exit code {int(report.exit_code)}: {report.exit_code.words}"
        ElementTree.SubElement(case, "failure", type="RUN", message=_clean(said))
        _count(suite, [1, 1, 0, 0], 0.0)
        totals[0] += 1
        totals[1] += 1
    _count(root, totals, report.took_s)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


_FAILED, _BROKE, _LEFT_OUT, _PASSED = 1, 2, 3, 0


def _case(suite: ElementTree.Element, entry: Entry, report: Report) -> int:
    """Adds a case and gives in which column it counts."""
    case = ElementTree.SubElement(
        suite,
        "testcase",
        name=f"{entry.id} {_clean(entry.sentence)}",
        classname=entry.row.area,
        time=f"{entry.took_s:.3f}",
    )
    if entry.verdict is Verdict.NOT_APPLICABLE:
        ElementTree.SubElement(case, "skipped", message=_clean(entry.message))
        return _LEFT_OUT
    if entry.stale:
        said = f"{entry.id} is expected to fail and does not: take it off the list"
        ElementTree.SubElement(case, "failure", type="STALE", message=_clean(said))
        return _FAILED
    if entry.verdict.green:
        if entry.verdict is Verdict.WARN:
            ElementTree.SubElement(case, "system-out").text = _clean(f"WARN {entry.actual or entry.message}")
        return _PASSED
    if not entry.counts:
        why = (entry.excuse and f"expected to fail: {entry.excuse}") or "not scored: newer than the revision"
        ElementTree.SubElement(case, "skipped", message=_clean(f"{entry.verdict}, {why}"))
        return _LEFT_OUT
    kind = "error" if entry.verdict is Verdict.ERROR else "failure"
    message = f"{entry.id} {entry.row.keyword} {entry.sentence}"
    if entry.verdict is not Verdict.FAIL:
        message = f"{entry.verdict}: {message}"
    failure = ElementTree.SubElement(case, kind, type=entry.verdict, message=_clean(message))
    failure.text = _clean("\n".join(_lines(entry, report)))
    return _BROKE if kind == "error" else _FAILED


def _lines(entry: Entry, report: Report) -> list[str]:
    source = entry.row.sources[0]
    lines = [entry.message] if entry.verdict is not Verdict.FAIL else []
    if entry.expected:
        lines += [f"expected: {entry.expected}", f"actual:   {entry.actual}"]
    lines.append(f"source:   {source.page.title} ({source.strength}) {source.page.url}".rstrip())
    for number in entry.exchanges:
        exchange = report.exchanges.get(number)
        if exchange:
            lines.append(f"#{number} {exchange.method} {exchange.url} -> {exchange.status or exchange.error}")
    return lines


def _count(element: ElementTree.Element, numbers: list[int], took_s: float) -> None:
    for name, number in zip(("tests", "failures", "errors", "skipped"), numbers, strict=True):
        element.set(name, str(number))
    element.set("time", f"{took_s:.3f}")


def _clean(text: str) -> str:
    """Without characters that XML cannot hold."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
