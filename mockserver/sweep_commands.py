"""`novita-mock sweep`: a program under one failure at a time.

Exit codes: 0 ok, 1 a run did what no program should do, 2 usage, 3 the program does not get through without any
failure, or the mock cannot start.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson

from mockserver.cli import EXIT_CANNOT_START, EXIT_FINDINGS, cannot_start
from mockserver.completion import failures, scenario_names
from mockserver.programs.flags import (
    ProgramCommand,
    intercept_options,
    intercepted,
    needed,
    program_argument,
    settings_and_logs,
)
from mockserver.sweep.place import Place

if TYPE_CHECKING:
    from mockserver.sweep.cases import Case
    from mockserver.sweep.judging import Evidence
    from mockserver.sweep.report import Sweep
    from mockserver.sweep.trial import Setup, Stopper

OUT = "novita-mock-sweep"
REPORT = "sweep.json"
INTERRUPTED = 130
JOBS = min(16, 4 * (os.cpu_count() or 1))
"""Programs that poll wait most of the time."""


@click.command(cls=ProgramCommand, without=frozenset({"scenario", "tape", "coverage_file", "coverage"}))
@program_argument
@intercept_options
@click.option(
    "--only",
    multiple=True,
    metavar="TEXT",
    shell_complete=failures,
    help="Only failures with this in their name; repeatable.",
)
@click.option(
    "--scenario",
    "scenarios",
    multiple=True,
    metavar="NAME",
    shell_complete=scenario_names,
    help="Also run in this scenario of the library; repeatable.",
)
@click.option("--list", "listing", is_flag=True, help="Only say which failures there are.")
@click.option(
    "--timeout",
    type=click.FloatRange(0, 3600, min_open=True),
    help="Seconds that a run may take. Else four times the clean run's, 10 at least and 60 at most.",
)
@click.option("--jobs", type=click.IntRange(1, 64), default=JOBS, show_default=True, help="Runs at the same time.")
@click.option(
    "--workdir",
    "place",
    type=click.Choice([one.value for one in Place]),
    default=Place.COPY.value,
    show_default=True,
    help="Where a run works: a copy of this folder, an empty one, or here, one run after the other.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(OUT),
    show_default=True,
    help="Folder for sweep.json, sweep.html, the tapes, and what each run printed and drew.",
)
@click.option("--weak/--no-weak", default=False, help="Exit 1 also where a run gave up and could have gone on.")
def sweep(
    program: tuple[str, ...],
    intercept: bool,
    hosts: tuple[str, ...],
    only: tuple[str, ...],
    scenarios: tuple[str, ...],
    listing: bool,
    timeout: float | None,
    jobs: int,
    place: str,
    out: Path,
    weak: bool,
    keys: tuple[str, ...],
    **options: Any,
) -> None:
    """Run CMD once without trouble, then once per single failure, and say what became of it each time.

    Survived, failed, hung, paid twice, saved garbage, leaked the key: judged by its exit code, by what it wrote and
    printed, and by the mock's books. Each run has a mock of its own, and a tape that plays it again.
    """
    cases = _chosen(only, scenarios)
    if listing:
        widest = max(len(case.id) for case in cases)
        for case in cases:
            click.echo(f"{case.id:{widest}}  {case.name}")
        return
    needed(program)
    answered = intercepted(intercept, hosts)
    seed = options.pop("seed")
    settings = settings_and_logs(
        {
            **options,
            "keys": keys,
            "seed": 0 if seed is None else seed,
            "scenario": None,
            "tape": None,
            "coverage": False,
            "coverage_file": None,
        }
    )
    from mockserver.programs.child import inherited
    from mockserver.programs.names import KEY
    from mockserver.sweep.trial import Setup, Stopper

    setup = Setup(
        program=program,
        settings=settings,
        environment=inherited(),
        key=keys[0] if keys else KEY,
        hosts=answered,
        place=Place(place),
        source=Path.cwd(),
        out=out.absolute(),
    )
    _make_room(setup)
    stopper = Stopper()
    try:
        found = _play(setup, cases, timeout, jobs, stopper)
    except KeyboardInterrupt:
        stopper.stop()
        sys.exit(INTERRUPTED)
    if found.red or (weak and found.weak):
        sys.exit(EXIT_FINDINGS)


def _chosen(only: tuple[str, ...], scenarios: tuple[str, ...]) -> list[Case]:
    from mockserver.scenarios import ScenarioError
    from mockserver.sweep.cases import CASES, of_scenarios

    try:
        further = of_scenarios(scenarios)
    except ScenarioError as error:
        raise click.BadParameter(str(error), param_hint="--scenario") from None
    found = [case for case in CASES if not only or any(text in case.id or text in case.name for text in only)]
    if only and not found and not further:
        names = ", ".join(case.id for case in CASES)
        raise click.BadParameter(
            f"no failure has {' or '.join(only)} in its name; there are: {names}", param_hint="--only"
        )
    return [*found, *further]


def _make_room(setup: Setup) -> None:
    """Empties the output folder, if what is in it is an older sweep's."""
    from mockserver.sweep.workplace import TooMuch, check_size

    out = setup.out
    if out.exists() and any(out.iterdir()):
        if not (out / "tapes").is_dir():
            raise click.BadParameter(f"{out} holds something else than a sweep; choose another", param_hint="--out")
        shutil.rmtree(out)
    if setup.place is Place.COPY:
        try:
            check_size(setup.source, out)
        except TooMuch as error:
            raise click.BadParameter(str(error), param_hint="--workdir") from None
    (out / "tapes").mkdir(parents=True)
    (out / ".gitignore").write_text("*\n", encoding="utf-8")


def _play(setup: Setup, cases: list[Case], timeout: float | None, jobs: int, stopper: Stopper) -> Sweep:
    from mockserver.intercept.authority import InterceptUnavailable
    from mockserver.programs.child import CannotRun
    from mockserver.running import CannotStart
    from mockserver.sweep.sweeping import NotClean, NothingCame, clean_run
    from openapi.errors import DocumentError

    try:
        clean = clean_run(setup, timeout_s=timeout, stopper=stopper)
        return _play_cases(setup, clean, cases, timeout, jobs, stopper)
    except CannotRun as error:
        click.echo(f"novita-mock: {error}", err=True)
        sys.exit(error.exit_code)
    except NotClean as error:
        click.echo(f"novita-mock: {error}; a sweep says nothing then. It said:\n{error.evidence.last_words}", err=True)
        sys.exit(EXIT_CANNOT_START)
    except NothingCame:
        click.echo(
            "novita-mock: the program never called the mock. It reads NOVITA_API_URI and NOVITA_API_KEY; one with the "
            "vendor's address built in needs --intercept",
            err=True,
        )
        sys.exit(EXIT_CANNOT_START)
    except (CannotStart, InterceptUnavailable, DocumentError, OSError) as error:
        cannot_start(error)


def _play_cases(
    setup: Setup, clean: Evidence, cases: list[Case], timeout: float | None, jobs: int, stopper: Stopper
) -> Sweep:
    from mockserver.money.amounts import counted
    from mockserver.sweep.html import page
    from mockserver.sweep.report import Sweep, as_json, closing, row
    from mockserver.sweep.sweeping import allowed_s, play

    concerned = [case for case in cases if case.point in clean.points]
    timeout_s = allowed_s(clean) if timeout is None else timeout
    click.echo(
        f"without any failure: exit code 0 after {clean.seconds:.1f} s, {counted(clean.pictures, 'picture')}; "
        f"{counted(len(concerned), 'failure')}, {timeout_s:.0f} s each at most"
    )
    widest = max((len(case.id) for case in concerned), default=0)
    cells = []
    for cell in play(setup, clean, concerned, timeout_s=timeout_s, jobs=jobs, stopper=stopper):
        cells.append(cell)
        text, colour = row(cell, widest)
        click.secho(text, fg=colour)
    found = Sweep(
        setup=setup,
        clean=clean,
        cells=cells,
        left_out=[case for case in cases if case not in concerned],
        timeout_s=timeout_s,
        jobs=jobs,
    )
    for line in closing(found):
        click.echo(line)
    (setup.out / REPORT).write_bytes(orjson.dumps(as_json(found), option=orjson.OPT_INDENT_2) + b"\n")
    (setup.out / "sweep.html").write_text(page(found), encoding="utf-8")
    click.echo(f"{setup.out / 'sweep.html'}, {REPORT}, tapes/")
    return found
