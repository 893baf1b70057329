"""A report for the terminal: a line per dimension, the tests to write next, and what else happened."""

from __future__ import annotations

import re
from collections.abc import Iterator
from textwrap import wrap

from mockserver.coverage.item import Dimension, Versions
from mockserver.coverage.report import Judgement, Next, Report, Total, percent

BAR = 24
WIDTH = 100
NEXT_TESTS = 10
SHOWN_ALIKE = 4

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def as_text(report: Report, versions: Versions = Versions.AUTO) -> str:
    """The report as lines of plain text."""
    return "\n".join(_clean(line).rstrip() for line in _lines(report, Judgement(report, versions))) + "\n"


def headline(report: Report, judged: Judgement) -> str:
    """What the percentage is about: `v3, contract 1.0.0, 214 calls, 3 reports`."""
    told = [" and ".join(judged.versions), f"contract {report.contract}", counted(report.calls, "call")]
    return ", ".join([*told, counted(report.merged, "report")] if report.merged > 1 else told)


def counted(number: int, noun: str) -> str:
    """`1 call`, `2 calls`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def points(one: Next) -> str:
    """What a test adds to the overall percentage."""
    gain = float(one.gain * 100)
    return f"+{gain:.2f}" if gain >= 0.01 else "<0.01"


def notes(one: Next) -> list[str]:
    """What else is to be said of a test."""
    found = []
    if one.happened:
        times = "once" if one.happened == 1 else f"{one.happened} times"
        found.append(f"This fault happened {times}, and the client was not seen to get through it.")
    if one.alike:
        rest = len(one.alike) - SHOWN_ALIKE
        more = f" and {rest} more" if rest > 0 else ""
        found.append(f"Also missing: {', '.join(one.alike[:SHOWN_ALIKE])}{more}.")
    return found


def not_judged(judged: Judgement) -> list[str]:
    """Titles of dimensions without anything to judge."""
    seen = {total.dimension for total in judged.totals}
    return [dimension.heading for dimension in Dimension if dimension not in seen]


def _lines(report: Report, judged: Judgement) -> Iterator[str]:
    yield f"Contract coverage  {percent(judged.share)} %   ({headline(report, judged)})"
    yield ""
    for total in judged.totals:
        yield _line(total)
    missing = not_judged(judged)
    if missing:
        yield f"  not judged: {', '.join(missing)}"
    tests = judged.next_tests(NEXT_TESTS)
    if tests:
        yield ""
        yield "Next best tests, with the points that each adds"
        for number, one in enumerate(tests, start=1):
            yield from _test(number, one)
    if report.findings:
        told = ", ".join(f"{code} x{count}" for code, count in sorted(report.findings.items()))
        yield ""
        yield from wrap(f"Findings, which change no percentage: {told}", WIDTH)


def _line(total: Total) -> str:
    full = int(total.share * BAR)
    bar = "#" * full + "." * (BAR - full)
    weight = f"weight {total.dimension.weight}" if total.dimension.weight else "not weighed"
    share = f"{percent(total.share):5.1f} %"
    return f"  {total.dimension.heading:<17} {bar} {share}  {total.covered:>4} of {len(total.rows):<4} {weight}"


def _test(number: int, one: Next) -> Iterator[str]:
    first, indent = f"{number:>4}. {points(one):>6}  ", " " * 14
    yield from wrap(one.item.test, WIDTH, initial_indent=first, subsequent_indent=indent)
    if one.item.example:
        yield f"{indent}{one.item.example}"
    for note in notes(one):
        yield from wrap(note, WIDTH, initial_indent=indent, subsequent_indent=indent)


def _clean(line: str) -> str:
    """Without control characters: a report file may come from anywhere, and a terminal obeys them."""
    return _CONTROL.sub("?", line)
