"""The report as an SVG badge for a README: how many of the decided requirements hold."""

from __future__ import annotations

from html import escape

from conformance.exit_codes import ExitCode
from conformance.report.model import Report
from conformance.verdict import Verdict

_COLOURS = {ExitCode.CONFORMANT: "#1a7f4b", ExitCode.VIOLATION: "#c2293b", ExitCode.INCONCLUSIVE: "#9a6700"}
_OTHER = "#57606a"
_CHARACTER, _PAD, _HEIGHT = 6.6, 8, 20
_LABEL = "novita conformance"


def write(report: Report) -> str:
    """The SVG text."""
    said = message(report)
    colour = _COLOURS.get(report.exit_code, _OTHER)
    left, right = (round(len(text) * _CHARACTER + 2 * _PAD) for text in (_LABEL, said))
    width = left + right
    title = escape(f"{_LABEL}: {said}")
    font = 'font-family="Verdana,DejaVu Sans,Geneva,sans-serif" font-size="11" fill="#fff" text-anchor="middle"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{_HEIGHT}" role="img" aria-label="{title}">'
        f"<title>{title}</title>"
        f'<clipPath id="r"><rect width="{width}" height="{_HEIGHT}" rx="3"/></clipPath>'
        f'<g clip-path="url(#r)"><rect width="{left}" height="{_HEIGHT}" fill="#3b3f46"/>'
        f'<rect x="{left}" width="{right}" height="{_HEIGHT}" fill="{colour}"/></g>'
        f'<g {font}><text x="{left / 2:g}" y="14" textLength="{left - 2 * _PAD}">{_LABEL}</text>'
        f'<text x="{left + right / 2:g}" y="14" textLength="{right - 2 * _PAD}">{escape(said)}</text></g></svg>\n'
    )


def message(report: Report) -> str:
    """Its right half."""
    held = len(report.of(Verdict.PASS, Verdict.WARN))
    asked = sum(entry.verdict is not Verdict.NOT_APPLICABLE for entry in report.entries)
    if report.exit_code not in _COLOURS:
        return report.exit_code.words
    if not asked:
        return "nothing measured"
    share = f"{held}/{asked}"
    return f"{share} {'inconclusive' if report.exit_code is ExitCode.INCONCLUSIVE else 'hold'}"
