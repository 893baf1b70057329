"""A sweep as one HTML file that needs nothing else: no script, no address. What a program said is put in as text."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from html import escape
from pathlib import Path

from mockserver import __version__
from mockserver.money.amounts import counted, usd
from mockserver.sweep.judging import Evidence, Mark, Rating
from mockserver.sweep.report import Sweep, marks_of, repeat, tape_of
from mockserver.sweep.sweeping import Cell

STYLE = Path(__file__).with_name("report.css")
COLUMNS = (Mark.SURVIVED, Mark.FAILED, Mark.HUNG, Mark.PAID_TWICE, Mark.SAVED_GARBAGE, Mark.LEAKED_KEY)
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
WORDS = {
    Rating.GOOD: "as well as can be",
    Rating.WEAK: "gave up where it could have gone on",
    Rating.BAD: "what no program should do",
    Rating.NONE: "not reached",
}


def page(sweep: Sweep) -> str:
    """The HTML text."""
    title = f"Sweep of {shlex.join(sweep.setup.program)}"
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title>",
            f"<style>{STYLE.read_text(encoding='utf-8')}</style></head><body><main>",
            *_head(sweep),
            *_matrix(sweep),
            *_foot(sweep),
            "</main></body></html>",
            "",
        ]
    )


def _head(sweep: Sweep) -> Iterator[str]:
    setup, clean = sweep.setup, sweep.clean
    yield f"<header><p class=kind>novita-mock sweep</p><h1><code>{escape(shlex.join(setup.program))}</code></h1>"
    yield (
        f"<p>{counted(len(sweep.cells), 'run')}, each with one failure, at most {sweep.timeout_s:g} s. Without any: "
        f"exit code {clean.exit_code} after {clean.seconds:.1f} s, {counted(clean.tasks, 'task')}, "
        f"{counted(clean.pictures, 'picture')}, {usd(clean.micro_usd)} USD.</p>"
    )
    yield '<ul class="counts">'
    for mark, count in sweep.counts().items():
        if count:
            yield f'<li class="{_class(mark)}"><b>{count}</b> {escape(mark.value)}</li>'
    yield "</ul></header>"


def _matrix(sweep: Sweep) -> Iterator[str]:
    yield '<div class="scroll" tabindex="0" role="region" aria-label="The matrix"><table>'
    yield '<thead><tr><th scope="col">failure</th>'
    yield "".join(f'<th scope="col" class="mark">{escape(mark.value)}</th>' for mark in COLUMNS)
    yield "</tr></thead>"
    for cell in sweep.cells:
        yield from _row(sweep, cell)
    yield "</table></div>"


def _row(sweep: Sweep, cell: Cell) -> Iterator[str]:
    case, verdict = cell.case, cell.verdict
    yield f'<tbody class="{verdict.rating.value}"><tr id="{escape(case.id)}"><th scope="row">'
    yield f"<details><summary>{escape(case.name)}</summary></details></th>"
    for mark in COLUMNS:
        given = mark in verdict.marks
        yield f'<td class="{_class(mark)}">{_sign(cell, mark)}</td>' if given else "<td></td>"
    yield f'</tr><tr class="story"><td colspan="{len(COLUMNS) + 1}">'
    yield from _story(sweep, cell)
    yield "</td></tr></tbody>"


def _story(sweep: Sweep, cell: Cell) -> Iterator[str]:
    case, seen = cell.case, cell.evidence
    rules = [json.dumps(dict(rule)) for rule in case.rules] or [f"scenario {case.scenario}"]
    yield f"<dl><dt>{escape(marks_of(cell))}</dt><dd>{escape(cell.verdict.detail or 'nothing else to say')}</dd>"
    yield f"<dt>rating</dt><dd>{WORDS[cell.verdict.rating]}; the best here: {escape(case.best.value)}</dd>"
    yield f"<dt>what went wrong</dt><dd><code>{'<br>'.join(map(escape, rules))}</code></dd>"
    yield f"<dt>where</dt><dd>{escape(', '.join(seen.fired) or 'as the scenario says')}</dd>"
    yield f"<dt>the run</dt><dd>{escape(_ran(seen))}</dd>"
    if seen.findings:
        yield f"<dt>findings</dt><dd>{escape(', '.join(code.value for code in seen.findings))}</dd>"
    if seen.files:
        shown = "<br>".join(f"{escape(one.path)}: {escape(one.what)} ({one.kind.value})" for one in seen.files[:20])
        yield f"<dt>files</dt><dd>{shown}</dd>"
    if seen.last_words.strip():
        yield f"<dt>its last words</dt><dd><pre>{escape(seen.last_words.strip()[-800:])}</pre></dd>"
    yield (
        f"<dt>play it again</dt><dd><code>{escape(repeat(sweep, case))}</code><br>"
        f'<a href="{tape_of(case)}">tape</a></dd></dl>'
    )


def _foot(sweep: Sweep) -> Iterator[str]:
    yield "<footer>"
    if sweep.left_out:
        names = "; ".join(f"{case.name} ({case.point.value})" for case in sweep.left_out)
        yield f"<p>Left out, since the program never came there: {escape(names)}.</p>"
    settings = sweep.setup.settings
    yield f"<p>novita-mock {__version__}, seed {settings.seed}, clock {settings.clock}</p></footer>"


def _ran(seen: Evidence) -> str:
    ended = "stopped" if seen.exit_code is None else f"exit code {seen.exit_code}"
    return f"{ended} after {seen.seconds:.1f} s; {counted(seen.tasks, 'task')}, {usd(seen.micro_usd)} USD"


def _sign(cell: Cell, mark: Mark) -> str:
    """What stands in a column, so that nobody depends on the colours."""
    verdict = cell.verdict
    if mark is not Mark.FAILED:
        return "yes"
    return (
        "silently" if verdict.silent else {Rating.GOOD: "as it must", Rating.WEAK: "gave up"}.get(verdict.rating, "yes")
    )


def _class(mark: Mark) -> str:
    return mark.value.replace(" ", "-")
