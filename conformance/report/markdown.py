"""The report as Markdown: the summary of a CI job or a comment. What a server said is set as code, never as markup."""

from __future__ import annotations

from conformance.report.model import Entry, Report
from conformance.verdict import Verdict

MOST_ROWS = 100
LONGEST_CELL = 240
_SHOWN = (Verdict.ERROR, Verdict.FAIL, Verdict.UNSTABLE)
SIGNS = {
    Verdict.PASS: "✅",
    Verdict.WARN: "⚠️",
    Verdict.NOT_APPLICABLE: "⚪",
    Verdict.UNSTABLE: "🔀",
    Verdict.BLOCKED: "⛔",
    Verdict.UNTESTABLE: "❔",
    Verdict.FAIL: "❌",
    Verdict.ERROR: "💥",
}


def write(report: Report) -> str:
    """The Markdown text."""
    started = report.started
    sign = {0: "✅", 1: "❌"}.get(int(report.exit_code), "❔")
    lines = [
        f"## {sign} Conformance: {report.exit_code.words}",
        "",
        f"{code(started.target)} · revision {started.revision} · "
        f"{'strict' if started.strict else 'lenient'}{', safe' if started.safe else ''} · {report.took_s:.1f} s · "
        f"{report.spent.requests} requests, {report.spent.tasks} tasks, {report.spent.images} pictures, "
        f"about {report.spent.usd:.3f} USD",
        "",
        *([f"The run ended early: {code(report.stopped)}", ""] if report.stopped else []),
        *_profiles(report),
        "",
    ]
    red = [entry for verdict in _SHOWN for entry in report.of(verdict)]
    if red:
        lines += ["### What is broken", "", "| | Requirement | Expected | Actual |", "|---|---|---|---|"]
        lines += [_row(entry) for entry in red[:MOST_ROWS]]
        lines += [f"| | … and {len(red) - MOST_ROWS} more | | |"] if len(red) > MOST_ROWS else []
        lines.append("")
    if report.stale:
        lines += ["### Expected to fail, but does not", "", *(f"- {one}" for one in report.stale), ""]
    lines += _details("What was not measured", _unmeasured(report))
    lines += _details("Warnings", [_warning(entry) for entry in report.of(Verdict.WARN)])
    lines += _details("Notes", [f"- {plain(note)}" for note in report.notes])
    if started.other_profiles:
        lines += [f"Not chosen: {', '.join(started.other_profiles)}.", ""]
    return "\n".join(lines)


def _profiles(report: Report) -> list[str]:
    used = [verdict for verdict, number in report.counts.items() if number]
    if not used:
        return ["No requirement was chosen."]
    lines = [f"| Profile | {' | '.join(f'{SIGNS[one]} {one}' for one in used)} |", "|---|" + "---:|" * len(used)]
    lines += [
        f"| {profile} | {' | '.join(str(counts[one] or '') for one in used)} |"
        for profile, counts in report.by_profile().items()
    ]
    return [*lines, f"| **all** | {' | '.join(f'**{report.counts[one]}**' for one in used)} |"]


def _row(entry: Entry) -> str:
    source = entry.row.sources[0].page
    where = f" [{source.title}]({source.url})" if source.url else ""
    note = " *(does not count)*" if not entry.counts else ""
    said = f"**{entry.id}** {entry.row.keyword}: {plain(entry.sentence)}{where}{note}"
    return f"| {SIGNS[entry.verdict]} | {said} | {plain(entry.expected)} | {code(entry.actual or entry.message)} |"


def _unmeasured(report: Report) -> list[str]:
    return [
        f"- {plain(reason)}: {', '.join(entry.id for entry in entries)}"
        for reason, entries in report.unmeasured().items()
    ]


def _warning(entry: Entry) -> str:
    because = f" ({', '.join(entry.because)})" if entry.because else ""
    return f"- {entry.id}{because}: {code(entry.actual or entry.message)}"


def _details(title: str, lines: list[str]) -> list[str]:
    if not lines:
        return []
    return [f"<details><summary>{title} ({len(lines)})</summary>", "", *lines, "", "</details>", ""]


def plain(text: str) -> str:
    """Text in a cell: characters that mean something to Markdown or HTML stand for themselves."""
    short = text if len(text) <= LONGEST_CELL else f"{text[: LONGEST_CELL - 1]}…"
    return "".join(f"\\{one}" if one in "\\`*_[]|#~" else _HTML.get(one, one) for one in " ".join(short.split()))


def code(text: str) -> str:
    """Text of a server as code: whatever it holds, it is no markup."""
    short = " ".join(text.split())
    short = short if len(short) <= LONGEST_CELL else f"{short[: LONGEST_CELL - 1]}…"
    return f"<code>{''.join(_HTML.get(one, one) for one in short)}</code>" if short else ""


_HTML = {"<": "&lt;", ">": "&gt;", "&": "&amp;", "|": "&#124;", "`": "&#96;", "*": "&#42;", "_": "&#95;", "[": "&#91;"}
