"""`novita-conformance run`: decide, tell, write, and exit with what it means."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from conformance import timing
from conformance.errors import NoClock
from conformance.events import Listener
from conformance.exit_codes import ExitCode
from conformance.job import Job, perform
from conformance.redaction import redactor_for
from conformance.run_options import RunCommand, job_of, run_flags

EXIT_CODES = """\b
Exit codes: 0 conformant, 1 a violation, 2 wrong usage, 3 target unreachable,
4 inconclusive, 5 error of the suite, 130 interrupted.
Where several apply: 130, then 3, 5, 1, 4."""


@click.command(
    "run",
    cls=RunCommand,
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@run_flags
def run_command(**options: Any) -> None:
    """Decide the requirements of the contract against the server at URL."""
    job = job_of(options)
    if options["plan"]:
        _tell_plan(job)
        return
    from rich.console import Console

    from conformance.report.terminal import Live, summary
    from conformance.report.write import write_reports, write_scripts

    colour = options["color"]
    console = Console(highlight=False, no_color=colour is False, force_terminal=True if colour else None)
    try:
        with _events(options["events"], job) as listeners:
            report = perform(job, (Live(console, timing.now), *listeners))
    except NoClock as error:
        raise click.UsageError(str(error)) from None
    failed = False
    try:
        scripts = write_scripts(report, options["repro_dir"]) if job.repro else {}
        written = write_reports(report, options["reports"])
    except OSError as error:
        scripts, written, failed = {}, [], True
        click.echo(f"novita-conformance: a report cannot be written: {error}", err=True)
    summary(report, console, scripts)
    if written:
        click.echo(f"Written: {', '.join(map(str, written))}")
    if failed and report.exit_code is ExitCode.CONFORMANT:
        sys.exit(int(ExitCode.HARNESS_ERROR))
    sys.exit(int(report.exit_code))


@contextmanager
def _events(path: Path | None, job: Job) -> Iterator[tuple[Listener, ...]]:
    """Listeners for the length of a run."""
    if path is None:
        yield ()
        return
    from conformance.report.events_log import EventsLog

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("w", encoding="utf-8")
    except OSError as error:
        raise click.BadParameter(f"cannot write {path}: {error.strerror}", param_hint="--events") from None
    with file:
        yield (EventsLog(file, redactor_for(job.target)),)


def _tell_plan(job: Job) -> None:
    """What a run of these requirements sends to a target that conforms."""
    from conformance.planning import forecast
    from openapi.document import load

    ids = [row.id for row in job.selection.chosen if row.observable]
    found = forecast(ids, load())
    click.echo(f"{len(ids)} requirements; nothing was sent. Against a target that conforms, a run sends about")
    click.echo(f"  {found.requests} requests")
    click.echo(f"  {found.tasks} tasks, {found.all_images} pictures")
    for operation_id, number in sorted(found.images.items()):
        click.echo(f"    {operation_id}: {number}")
    click.echo(f"  up to {found.most_images} pictures, where test mode is not followed or version 2 takes no n_iter 0")
    click.echo(f"  {found.usd:.3f} USD, by the listed price")
    unit = "minute" if found.minutes == 1 else "minutes"
    click.echo(f"  at least {found.minutes} {unit}, under the documented limits of pictures per minute")
    click.echo(f"It stops before {job.limits.max_images} pictures (--max-images), whatever the target accepts.")
    if found.unknown:
        click.echo(f"Not measured yet, so not counted: {', '.join(found.unknown)}")
    if job.target.safe:
        click.echo("Safe mode is on: less than this is sent, and what needs more is not measured (--no-safe).")
