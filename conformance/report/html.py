"""The report as one HTML file that needs nothing else: no address is loaded, and it reads without its script.

Whatever came from a server is put in as text by the template engine's escaping, which is on for everything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from conformance.exit_codes import ExitCode
from conformance.report.model import Entry, Report
from conformance.verdict import Verdict

TEMPLATE = "report.html.j2"

SIGNS = {
    Verdict.PASS: "\u2713",
    Verdict.WARN: "!",
    Verdict.NOT_APPLICABLE: "\u2013",
    Verdict.UNSTABLE: "~",
    Verdict.BLOCKED: "\u2298",
    Verdict.UNTESTABLE: "?",
    Verdict.FAIL: "\u2715",
    Verdict.ERROR: "\u203c",
}
WORDS = {
    Verdict.PASS: "holds",
    Verdict.WARN: "warning",
    Verdict.NOT_APPLICABLE: "not applicable",
    Verdict.UNSTABLE: "unstable",
    Verdict.BLOCKED: "blocked",
    Verdict.UNTESTABLE: "not measured",
    Verdict.FAIL: "broken",
    Verdict.ERROR: "error of the suite",
}
_SECTIONS = (
    ("Broken", Verdict.FAIL, "The server does not do what these sentences demand."),
    ("Unstable", Verdict.UNSTABLE, "Red at first, not red when tried again with a fresh task."),
    ("Errors of the suite", Verdict.ERROR, "Mistakes of ours; they say nothing about the server."),
    ("Not measured", Verdict.UNTESTABLE, "Nothing can be said here, for the reason that each one gives."),
    ("Blocked", Verdict.BLOCKED, "These rest on a sentence that is broken; repair that one first."),
    ("Warnings", Verdict.WARN, "A SHOULD that was not followed, or a MUST done in the tolerated way."),
    ("Holds", Verdict.PASS, ""),
    ("Not applicable", Verdict.NOT_APPLICABLE, "The server does not offer these, and need not."),
)
_MOODS = {ExitCode.CONFORMANT: "good", ExitCode.VIOLATION: "bad"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Entries of one verdict."""

    title: str
    verdict: Verdict
    words: str
    entries: tuple[Entry, ...]


def write(report: Report) -> str:
    """The HTML text."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    engine = Environment(
        loader=PackageLoader("conformance", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    engine.filters["sign"] = SIGNS.__getitem__
    engine.filters["words"] = WORDS.__getitem__
    engine.filters["css"] = lambda verdict: f"v-{verdict.lower().replace('_', '-')}"
    engine.filters["operations"] = operations
    engine.filters["path"] = _path
    return engine.get_template(TEMPLATE).render(**_context(report)).lstrip()


def _context(report: Report) -> dict[str, Any]:
    sections = tuple(
        Section(title=title, verdict=verdict, words=words, entries=report.of(verdict))
        for title, verdict, words in _SECTIONS
    )
    areas: dict[str, list[Entry]] = {}
    for entry in report.entries:
        areas.setdefault(entry.row.area, []).append(entry)
    return {
        "report": report,
        "started": report.started,
        "mood": _MOODS.get(report.exit_code, "open"),
        "counts": {verdict: number for verdict, number in reversed(report.counts.items()) if number},
        "profiles": report.by_profile(),
        "areas": areas,
        "blocks": report.blocks,
        "sections": [section for section in sections if section.entries],
        "all_operations": sorted({one for entry in report.entries for one in operations(entry)}),
        "Verdict": Verdict,
        "loud_verdicts": (Verdict.FAIL, Verdict.UNSTABLE, Verdict.ERROR),
    }


def operations(entry: Entry) -> list[str]:
    """What the sentence is about: operations by id, and `webhook`."""
    return sorted({name.partition(":")[0] for name in entry.row.names} - {"security"})


def _path(url: str) -> str:
    """A URL without scheme and host, for headlines."""
    scheme, found, rest = url.partition("://")
    return f"/{rest.partition('/')[2]}" if found else scheme
