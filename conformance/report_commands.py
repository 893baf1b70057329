"""`novita-conformance compare` and `matrix`: what several reports say together."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from conformance.compare import Change, compare
from conformance.exit_codes import ExitCode
from conformance.report.json_report import ReportError, Written, read

_SETTINGS = {"help_option_names": ["-h", "--help"]}
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def _read(path: Path) -> Written:
    try:
        return read(path)
    except ReportError as error:
        raise click.UsageError(str(error)) from None


@click.command("compare", context_settings=_SETTINGS)
@click.argument("before", type=_FILE)
@click.argument("after", type=_FILE)
def compare_command(before: Path, after: Path) -> None:
    """Say what became better and what became worse from report BEFORE to AFTER.

    Exits with 1 if anything is worse. What is broken and was blocked or not measured before is listed on its own:
    nobody knows whether it was better then.
    """
    first, then = _read(before), _read(after)
    found = compare(first, then)
    if first.strict != then.strict:
        modes = ["strict" if one.strict else "lenient" for one in (first, then)]
        click.echo(f"The runs read the contract differently: {modes[0]}, then {modes[1]}.")
    kinds = (
        ("Worse", found.worse),
        ("Broken, and not decided before", found.decided),
        ("Better", found.better),
        ("Other changes", found.other),
    )
    for title, changes in kinds:
        if changes:
            click.echo(f"{title} ({len(changes)})")
            for change in changes:
                click.echo(_line(change))
    decided = f"{len(found.decided)} broken and not decided before, " if found.decided else ""
    click.echo(
        f"{len(found.worse)} worse, {decided}{len(found.better)} better, {len(found.other)} other changes, "
        f"{found.same} the same"
    )
    sys.exit(int(ExitCode.VIOLATION if found.worse else ExitCode.CONFORMANT))


def _line(change: Change) -> str:
    one = change.after or change.before
    assert one is not None, "a change is one of something"
    said = f"\n    {one.said}" if change.after and not change.after.verdict.green and one.said else ""
    return f"  {change.id:<15} {change.words}: {one.text}{said}"


@click.command("matrix", context_settings=_SETTINGS)
@click.argument("reports", type=_FILE, nargs=-1, required=True, metavar="REPORT...")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write an HTML page.")
@click.option("--md", type=click.Path(dir_okay=False, path_type=Path), help="Write Markdown; else it is printed.")
def matrix_command(reports: tuple[Path, ...], html: Path | None, md: Path | None) -> None:
    """Set several servers side by side, from their JSON reports."""
    from conformance.matrix import as_html, as_markdown, matrix

    found = matrix([_read(path) for path in reports])
    try:
        if html:
            html.write_text(as_html(found), encoding="utf-8")
        if md:
            md.write_text(as_markdown(found), encoding="utf-8")
    except OSError as error:
        raise click.UsageError(f"cannot write {error.filename}: {error.strerror}") from None
    if not html and not md:
        click.echo(as_markdown(found), nl=False)
