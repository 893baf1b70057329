"""`novita-mock run`: a program beside a mock of its own.

Exit codes: the program's; 127 when there is no such command, 2 for wrong usage, 3 when the mock cannot start.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

import click

from mockserver.cli import cannot_start, tell_unreached, write_coverage
from mockserver.programs.flags import (
    ProgramCommand,
    intercept_options,
    intercepted,
    needed,
    program_argument,
    settings_and_logs,
)


@click.command(cls=ProgramCommand)
@program_argument
@intercept_options
@click.option("--quiet", is_flag=True, help="Say nothing at the end.")
def run(
    program: tuple[str, ...],
    intercept: bool,
    hosts: tuple[str, ...],
    quiet: bool,
    keys: tuple[str, ...],
    coverage_file: Path | None,
    **options: Any,
) -> None:
    """Start a mock, run CMD with NOVITA_API_URI and NOVITA_API_KEY set to it, and end with CMD's exit code.

    At the end a line says what the service would have taken, and what CMD did that it should not.
    """
    needed(program)
    answered = intercepted(intercept, hosts)
    settings = settings_and_logs({**options, "keys": keys, "coverage_file": coverage_file})
    from mockserver.intercept.authority import InterceptUnavailable
    from mockserver.programs.child import CannotRun, inherited, run_program
    from mockserver.programs.closing import closing_lines, sums
    from mockserver.programs.names import KEY
    from mockserver.programs.stage import staged_for
    from mockserver.running import CannotStart
    from openapi.errors import DocumentError

    try:
        with staged_for(settings, inherited(), key=keys[0] if keys else KEY, intercept=answered) as stage:
            mock = stage.server.mock
            try:
                code = run_program(program, stage.environment)
            except CannotRun as error:
                click.echo(f"novita-mock: {error}", err=True)
                sys.exit(error.exit_code)
            replay = settings.replay
            if replay is not None:
                stage.server.call(partial(tell_unreached, mock, replay))
            found = stage.server.call(lambda: sums(mock))
    except (CannotStart, InterceptUnavailable, DocumentError, ValueError, OSError) as error:
        cannot_start(error)
    if not quiet:
        for line in closing_lines(found, stage.proxy):
            click.echo(f"novita-mock: {line}", err=True)
    if coverage_file is not None:
        write_coverage(mock, coverage_file)
    sys.exit(code)
