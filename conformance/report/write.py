"""Writes a report in the forms that were asked for; one table says which there are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from conformance.report import badge, html, json_report, junit, markdown
from conformance.report.model import Report

KINDS: dict[str, Callable[[Report], str]] = {
    "json": json_report.write,
    "html": html.write,
    "junit": junit.write,
    "badge": badge.write,
    "md": markdown.write,
}


def write_reports(report: Report, wanted: Iterable[tuple[str, Path]]) -> list[Path]:
    """Writes each, folders included, and gives their paths.

    Args:
        wanted: kind and path.

    Raises:
        OSError: a file cannot be written.
    """
    written = []
    for kind, path in wanted:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(KINDS[kind](report), encoding="utf-8")
        written.append(path)
    return written


def write_scripts(report: Report, folder: Path) -> dict[str, Path]:
    """Writes the script of each violation that has one, and gives their paths by requirement."""
    written = {}
    for entry in report.entries:
        if entry.script:
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"{entry.id}.sh"
            path.write_text(entry.script.text, encoding="utf-8")
            path.chmod(0o755)
            written[entry.id] = path
    return written
