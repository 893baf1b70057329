"""The run in a terminal: a bar and a tally while it goes on, then what is broken, the most important last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from conformance.events import CheckFinished, Event, Exchanged, Reproduced, RunFinished, RunStarted
from conformance.report.model import Entry, Report
from conformance.report.shown import Kind
from conformance.verdict import Verdict

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

STYLES = {
    Verdict.PASS: "green",
    Verdict.WARN: "yellow",
    Verdict.NOT_APPLICABLE: "bright_black",
    Verdict.UNSTABLE: "magenta",
    Verdict.BLOCKED: "yellow",
    Verdict.UNTESTABLE: "cyan",
    Verdict.FAIL: "bold red",
    Verdict.ERROR: "bold magenta",
}
EVERY_S = 5.0
"""Between two lines where there is no terminal."""
MOST_WARNINGS = 40
MOST_IDS = 12
LONGEST_SENT, LONGEST_PATH = 400, 100
"""Characters; a result call with a task id fits."""


class Live:
    """A listener that tells how far the run is.

    Args:
        console: where to; a bar if it is a terminal, else a line every few seconds.
        now: monotonic seconds.
    """

    def __init__(self, console: Console, now: Callable[[], float]) -> None:
        self._console = console
        self._now = now
        self._total = 0
        self._requests = 0
        self._scripts = 0
        self._verdicts: dict[str, Verdict] = {}
        self._told_s = now()
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __call__(self, event: Event) -> None:
        """Hears an event."""
        match event:
            case RunStarted():
                self._start(event)
            case Exchanged():
                self._requests += 1
            case CheckFinished(outcome=outcome):
                self._verdicts[outcome.requirement] = outcome.verdict
            case Reproduced():
                self._scripts += 1
            case RunFinished():
                self._stop()
                return
        self._tell()

    def _start(self, event: RunStarted) -> None:
        self._total = len(event.requirements)
        mode = f"{'strict' if event.strict else 'lenient'}{', safe mode' if event.safe else ''}"
        self._console.print(
            f"{self._total} requirements, revision {event.revision}, {mode}: {event.target}",
            markup=False,
            soft_wrap=True,
        )
        if self._console.is_terminal:
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

            self._bar = Progress(
                BarColumn(bar_width=30),
                MofNCompleteColumn(),
                TextColumn("{task.description}"),
                TimeElapsedColumn(),
                console=self._console,
                transient=True,
            )
            self._task = self._bar.add_task("", total=self._total)
            self._bar.start()

    def _tell(self) -> None:
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=len(self._verdicts), description=self._tally())
        elif self._now() - self._told_s >= EVERY_S:
            self._told_s = self._now()
            line = f"{len(self._verdicts)} of {self._total}: {self._tally()}"
            self._console.print(line, markup=False, soft_wrap=True)

    def _tally(self) -> str:
        counted = Counter(self._verdicts.values())
        said = [f"{counted[verdict]} {verdict}" for verdict in Verdict if counted[verdict]]
        scripts = [f"{self._scripts} scripts"] if self._scripts else []
        return ", ".join([*said, f"{self._requests} requests", *scripts])

    def _stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()


def summary(report: Report, console: Console, scripts: Mapping[str, Path]) -> None:
    """Prints what came out, the most important last.

    Args:
        scripts: where the script of a violation was written.
    """
    for verdict in (Verdict.ERROR, Verdict.UNSTABLE, Verdict.FAIL):
        for entry in report.of(verdict):
            _red(entry, report, console, scripts)
    _warnings(report, console)
    _unmeasured(report, console)
    for one in report.stale:
        _line(console, ("STALE ", "bold red"), f"{one} is expected to fail and does not: take it off the list")
    for note in report.notes[:MOST_WARNINGS]:
        _line(console, ("Note: ", "bold"), _short(note))
    _table(report, console)
    started, spent = report.started, report.spent
    if started.other_profiles:
        _line(console, f"Not chosen: {', '.join(started.other_profiles)} (--profile NAME, or all).")
    _line(
        console,
        f"Spent: {spent.requests} requests, {spent.tasks} tasks, {spent.images} pictures, "
        f"about {spent.usd:.3f} USD, {report.took_s:.1f} s.",
    )
    if report.stopped:
        _line(console, ("The run ended early: ", "bold red"), report.stopped)
    elif not report.entries:
        _line(console, ("Nothing was chosen, so nothing is known.", "bold red"))
    code = report.exit_code
    style = "bold green" if code == 0 else "bold red" if code == 1 else "bold yellow"
    alone = report.stale and not any(entry.counts and not entry.verdict.green for entry in report.entries)
    why = ", for the list of expected failures is stale" if alone else ""
    _line(console, (f"{code.words.capitalize()}", style), f"{why} (exit code {int(code)})")


def _red(entry: Entry, report: Report, console: Console, scripts: Mapping[str, Path]) -> None:
    note = f"  [{f'expected: {entry.excuse}' if entry.excuse else 'not scored'}]" if not entry.counts else ""
    _line(console, (f"{entry.verdict} {entry.id}", STYLES[entry.verdict]), f" {entry.row.keyword}{note}")
    _line(console, f"  {entry.sentence}")
    blocked = report.blocks[entry.id]
    if blocked:
        _line(console, f"  {'blocks':<9} {blocked} other{'s' if blocked > 1 else ''}: repair this one first")
    for source in entry.row.sources:
        _line(
            console, (f"  source    {source.page.title} ({source.strength}) {source.page.url}".rstrip(), "bright_black")
        )
    for word, text in (("expected", entry.expected), ("actual", entry.actual)):
        if text:
            _line(console, f"  {word:<9} {text}")
    if entry.verdict is not Verdict.FAIL:
        _line(console, f"  {'because':<9} {entry.message}")
    sent = _sent(report, entry)
    if sent:
        _line(console, f"  {'sent':<9} {sent}")
    if entry.exchanges:
        shown = [_exchange(report, number) for number in entry.exchanges[-3:]]
        _line(console, f"  {'exchanges':<9} {'; '.join(shown)}")
    if entry.id in scripts:
        doubt = _short(entry.script.note) if entry.script and not entry.script.verified else ""
        said = f" ({doubt})" if doubt else ""
        _line(console, f"  {'script':<9} {scripts[entry.id]}{said}")
    console.print()


def _sent(report: Report, entry: Entry) -> str:
    """The last body that was sent, on a line; "" for none."""
    for number in reversed(entry.exchanges):
        found = report.exchanges.get(number)
        if found is not None and found.request.kind in (Kind.JSON, Kind.TEXT):
            flat = " ".join(found.request.text.split())
            longest = LONGEST_SENT if found.request.kind is Kind.JSON else LONGEST_PATH
            return flat if len(flat) <= longest else f"{flat[: longest - 1]}…"
    return ""


def _exchange(report: Report, number: int) -> str:
    found = report.exchanges.get(number)
    if found is None:
        return f"#{number}"
    path = found.url.partition("://")[2].partition("/")[2][:LONGEST_PATH]
    why = f" ({found.purpose})" if found.purpose else ""
    return f"#{number} {found.method} /{path} -> {found.status or found.error}{why}"


def _warnings(report: Report, console: Console) -> None:
    entries = report.of(Verdict.WARN)
    if not entries:
        return
    _line(console, (f"Warnings ({len(entries)})", "bold"), "; novita-conformance explain ID tells the sentence")
    for entry in entries[:MOST_WARNINGS]:
        because = f" [{', '.join(entry.because)}]" if entry.because else ""
        said = entry.actual or entry.message
        if entry.expected not in ("", entry.row.text):  # of a SHOULD; what was tolerated has the sentence there
            said = f"expected {entry.expected}, got {said}"
        _line(console, ("  " + entry.id, STYLES[Verdict.WARN]), f" {_short(said)}{because}")
    if len(entries) > MOST_WARNINGS:
        _line(console, f"  … and {len(entries) - MOST_WARNINGS} more")
    console.print()


def _unmeasured(report: Report, console: Console) -> None:
    groups = report.unmeasured()
    if not groups:
        return
    _line(console, (f"Not measured ({sum(map(len, groups.values()))})", "bold"))
    for reason, entries in groups.items():
        ids = [entry.id for entry in entries]
        more = f" … and {len(ids) - MOST_IDS} more" if len(ids) > MOST_IDS else ""
        _line(console, f"  {_short(reason)}: ", (f"{', '.join(ids[:MOST_IDS])}{more}", "bright_black"))
    console.print()


def _table(report: Report, console: Console) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    used = [verdict for verdict, number in report.counts.items() if number]
    if not used:
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("profile")
    for verdict in used:
        table.add_column(Text(verdict.replace("_", " "), style=STYLES[verdict]), justify="right")
    for profile, counts in report.by_profile().items():
        cells = [Text(str(counts[one] or "·"), style=STYLES[one] if counts[one] else "bright_black") for one in used]
        table.add_row(profile, *cells)
    if len(report.by_profile()) > 1:
        table.add_section()
        table.add_row("all", *(str(report.counts[one]) for one in used))
    console.print(table)


def _line(console: Console, *parts: str | tuple[str, str]) -> None:
    """A line whose text is text, whatever a server put into it."""
    from rich.text import Text

    line = Text()
    for part in parts:
        text, style = (part, "") if isinstance(part, str) else part
        line.append(_clean(text), style)
    console.print(line, soft_wrap=True)


def _clean(text: str) -> str:
    """Without what a terminal would obey."""
    return "".join(one if one.isprintable() or one == "\n" else f"\\x{ord(one):02x}" for one in text)


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= 200 else f"{flat[:199]}…"
