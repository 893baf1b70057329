"""A report as one HTML file that needs nothing else: no script, no address outside, light and dark."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from pathlib import Path

from mockserver.coverage.item import Versions
from mockserver.coverage.report import Judgement, Next, Report, Row, Total, percent
from mockserver.coverage.text import counted, headline, not_judged, notes, points

STYLE = Path(__file__).parent / "page.css"
NEXT_TESTS = 15
GOOD, FAIR = 80, 40
"""Percentages from which on a bar is green, and amber."""


def as_html(report: Report, versions: Versions = Versions.AUTO) -> str:
    """The report as a page; texts of the report are shown as text, whatever they hold."""
    return "\n".join(_page(report, Judgement(report, versions))) + "\n"


def _page(report: Report, judged: Judgement) -> Iterator[str]:
    share = percent(judged.share)
    yield "<!doctype html>"
    yield '<html lang="en">'
    yield "<head>"
    yield '<meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    yield '<meta name="color-scheme" content="light dark">'
    yield f"<title>Contract coverage {share} %</title>"
    yield f"<style>\n{STYLE.read_text(encoding='utf-8')}</style>"
    yield "</head>"
    yield "<body>"
    yield "<main>"
    yield "<header>"
    yield "<div>"
    yield "<h1>Contract coverage</h1>"
    yield f"<p>{escape(headline(report, judged))}</p>"
    yield "</div>"
    yield f'<p class="overall {_grade(share)}"><strong>{share}</strong><span>%</span></p>'
    yield "</header>"
    yield from _overview(judged)
    yield from _next(judged.next_tests(NEXT_TESTS))
    yield from _findings(report)
    yield "<section>"
    yield "<h2>Everything there is to cover</h2>"
    for total in judged.totals:
        yield from _details(total)
    yield "</section>"
    yield "<footer>"
    yield "<p>A dimension counts what was seen at least once. The values of a field weigh as one thing, and so do the"
    yield "operations of an error reason. The overall figure is the mean of the dimensions by their weights.</p>"
    yield "</footer>"
    yield "</main>"
    yield "</body>"
    yield "</html>"


def _overview(judged: Judgement) -> Iterator[str]:
    yield "<section>"
    yield "<h2>Dimensions</h2>"
    yield '<ul class="dimensions">'
    for total in judged.totals:
        share = percent(total.share)
        weight = f"weight {total.dimension.weight}" if total.dimension.weight else "not weighed"
        yield "<li>"
        yield f'<a href="#{total.dimension.value}">{escape(total.dimension.heading)}</a>'
        yield f"<b>{share} %</b>"
        yield _bar(share)
        yield f"<small>{total.covered} of {len(total.rows)}</small><small>{weight}</small>"
        yield "</li>"
    yield "</ul>"
    missing = not_judged(judged)
    if missing:
        yield f'<p class="note">Not judged, since nothing of it was called: {escape(", ".join(missing))}.</p>'
    yield "</section>"


def _next(tests: list[Next]) -> Iterator[str]:
    if not tests:
        return
    yield "<section>"
    yield "<h2>Next best tests</h2>"
    yield '<ol class="next">'
    for one in tests:
        yield "<li>"
        yield f'<span class="gain" title="points of the overall percentage">{escape(points(one))}</span>'
        yield "<div>"
        yield f"<p>{escape(one.item.test)}</p>"
        if one.item.example:
            yield f"<pre>{escape(one.item.example)}</pre>"
        for note in notes(one):
            yield f"<small>{escape(note)}</small>"
        yield "</div>"
        yield "</li>"
    yield "</ol>"
    yield "</section>"


def _findings(report: Report) -> Iterator[str]:
    if report.findings:
        yield "<section>"
        yield "<h2>Findings</h2>"
        yield '<p class="note">What clients did that the documentation does not state. It changes no percentage.</p>'
        yield '<p class="items">'
        for code, count in sorted(report.findings.items()):
            yield f'<span class="item told">{escape(code)}<i>{count}</i></span>'
        yield "</p>"
        yield "</section>"


def _details(total: Total) -> Iterator[str]:
    share = percent(total.share)
    yield f'<details id="{total.dimension.value}">'
    yield "<summary>"
    yield f"<span>{escape(total.dimension.heading)}</span>"
    yield f'<span class="{_grade(share)}">{share} %</span>'
    yield "</summary>"
    yield f'<p class="note">{escape(_sentence(total.dimension.question))}</p>'
    yield "<table>"
    for heading, groups in _by_operation(total).items():
        if heading:
            yield f'<tr class="heading"><th colspan="2">{escape(heading)}</th></tr>'
        for name, rows in groups.items():
            yield f'<tr><th scope="row">{_breakable(name)}</th><td class="items">'
            yield from map(_item, rows)
            yield "</td></tr>"
    yield "</table>"
    yield "</details>"


def _by_operation(total: Total) -> dict[str, dict[str, list[Row]]]:
    """Rows by field, fields by operation; other groups stand alone."""
    found: dict[str, dict[str, list[Row]]] = {}
    for group, rows in total.groups.items():
        operation, _, field = group.partition(" ")
        fields = rows[0].item.key.partition(":")[0] in ("parameters", "values")
        heading, name = (operation, field) if fields and field else ("", group)
        found.setdefault(heading, {})[name] = rows
    return found


def _item(row: Row) -> str:
    state, told = ("seen", counted(row.count, "time")) if row.count else ("missing", "never")
    count = f"<i>{row.count}</i>" if row.count else ""
    return f'<span class="item {state}" title="{told}">{_breakable(row.item.label)}{count}</span>'


def _bar(share: float) -> str:
    return f'<span class="bar"><span class="{_grade(share)}" style="width:{share}%"></span></span>'


def _grade(share: float) -> str:
    return "good" if share >= GOOD else "fair" if share >= FAIR else "poor"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _breakable(text: str) -> str:
    """Text that may be broken after the marks that join its words: a phone is narrow."""
    shown = escape(text)
    for mark in (".", "_", "/"):
        shown = shown.replace(mark, f"{mark}<wbr>")
    return shown
