"""`novita-mock record`, `replay` and `cassette`: jobs of a service, kept without secrets and played again.

Exit codes: of `record` and `replay` the program's, 2 usage, 3 cannot start; of `cassette audit` 1 when something is
there that should not be.
"""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from mockserver.cli import EXIT_FINDINGS, cannot_start
from mockserver.programs.flags import ProgramCommand, intercept_options, intercepted, settings_and_logs

if TYPE_CHECKING:
    import httpx

    from mockserver.cassettes.recorder import Recorder
    from mockserver.cassettes.rehearsing import Library

LOOPBACK = ("127.0.0.1", "localhost", "::1")
FOLDER = "cassettes"


def _upstream(ctx: click.Context, param: click.Parameter, value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise click.BadParameter(f"{value!r}: expected scheme and host, as in https://api.novita.ai", ctx, param)
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise click.BadParameter("your key would go over the network in the clear; expected https", ctx, param)
    return value.rstrip("/")


def _usd(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    from mockserver.money.amounts import parse_usd

    if value is None:
        return None
    try:
        return parse_usd(value)
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, param) from None


@click.command(context_settings={"help_option_names": ["-h", "--help"], "allow_interspersed_args": False})
@click.argument("program", metavar="[--] [CMD...]", nargs=-1, type=click.UNPROCESSED)
@click.option(
    "--upstream", required=True, callback=_upstream, metavar="URL", help="The service: https://api.novita.ai."
)
@click.option("--live", is_flag=True, help="Yes, this calls the service and costs money. Without it nothing starts.")
@click.option("--max-usd", callback=_usd, metavar="USD", help="Submits that would go beyond this are not sent.")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), default=Path(FOLDER), show_default=True, help="Folder."
)
@click.option("--prompts/--no-prompts", default=True, help="Keep prompts, or only how long they are.")
@click.option("--keep-pictures", is_flag=True, help="Keep the pictures too; else their size and digest.")
@click.option(
    "--public-url",
    metavar="URL",
    help="Where the service reaches this recorder with events, to record them and pass them on. Known on this machine.",
)
@click.option(
    "--allow-target", "targets", multiple=True, metavar="HOST", help="Events may be passed on to this host too."
)
@click.option("-p", "--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="0 picks a free one.")
def record(
    program: tuple[str, ...],
    upstream: str,
    live: bool,
    max_usd: int | None,
    out: Path,
    prompts: bool,
    keep_pictures: bool,
    public_url: str | None,
    targets: tuple[str, ...],
    port: int,
) -> None:
    """Record jobs of a service: run CMD with NOVITA_API_URI set to a recorder that passes its calls on.

    Without CMD the recorder serves until interrupted. The key is the caller's own; it is passed on and never kept.
    """
    if not live or max_usd is None:
        raise click.UsageError(
            f"this sends requests to {upstream} with your key, and they cost money: say --live, and --max-usd with the "
            "most that it may cost, such as --max-usd 0.05"
        )
    from mockserver.cassettes.recorder import Recorder
    from mockserver.cassettes.serving import RecorderThread
    from mockserver.mock import Mock, Parts
    from mockserver.parts.wall import SystemWall
    from mockserver.programs.child import CannotRun, inherited, run_program
    from mockserver.programs.names import URI_VARIABLE
    from mockserver.running import CannotStart
    from mockserver.settings import Settings
    from openapi.catalogue import load_catalogue
    from openapi.document import load

    try:
        settings = Settings(any_model=True, magic=False, allow_targets=frozenset(targets))
        mock = Mock(load(), load_catalogue(), settings, Parts())

        def make(client: httpx.AsyncClient, url: str) -> Recorder:
            known = url if urlsplit(upstream).hostname in LOOPBACK else ""
            return Recorder(
                mock,
                client,
                upstream,
                budget_micro_usd=max_usd,
                folder=out,
                wall=SystemWall(),
                prompts=prompts,
                pictures=keep_pictures,
                public_url=(public_url or known).rstrip("/"),
            )

        thread = RecorderThread(make, port)
        code = 0
        with thread as recorder:
            if program:
                code = run_program(program, {**inherited(), URI_VARIABLE: thread.url})
            else:
                click.echo(f"Ready. {thread.url}")
                _wait_for_the_end()
    except CannotRun as error:
        click.echo(f"novita-mock: {error}", err=True)
        sys.exit(error.exit_code)
    except (CannotStart, ValueError, OSError) as error:
        cannot_start(error)
    _tell_recorded(recorder, out)
    sys.exit(code)


def _tell_recorded(recorder: Recorder, out: Path) -> None:
    from mockserver.cassettes.audit import audit
    from mockserver.money.amounts import counted, usd

    spent, count = usd(recorder.spent_micro_usd), counted(len(recorder.written), "cassette")
    click.echo(f"novita-mock: {count} in {out}; {spent} USD by the price table", err=True)
    if recorder.refused:
        click.echo(f"novita-mock: {counted(recorder.refused, 'submit')} not sent, beyond --max-usd", err=True)
    if not recorder.asked:
        click.echo(
            "novita-mock: no call reached the recorder: a program that does not read NOVITA_API_URI calls the service "
            "itself; that is neither recorded nor bounded by --max-usd",
            err=True,
        )
    words = _names_of_models()
    for path in recorder.written:
        for found in audit(path, words):
            click.echo(f"novita-mock: warning: {path.name}: {found.place}: {found.what}", err=True)


def _wait_for_the_end() -> None:
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    while not ended.wait(3600):
        pass


@click.command(cls=ProgramCommand, without=frozenset({"scenario", "tape"}))
@click.argument("cassettes", type=click.Path(exists=True, path_type=Path))
@click.argument("program", metavar="[--] [CMD...]", nargs=-1, type=click.UNPROCESSED)
@intercept_options
@click.option(
    "--unknown",
    type=click.Choice(["refuse", "simulate"]),
    default="refuse",
    show_default=True,
    help="What becomes of a request that is on no cassette.",
)
@click.option("-p", "--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="0 picks a free one.")
def replay(
    cassettes: Path,
    program: tuple[str, ...],
    intercept: bool,
    hosts: tuple[str, ...],
    unknown: str,
    port: int,
    keys: tuple[str, ...],
    coverage_file: Path | None,
    **options: Any,
) -> None:
    """Play CASSETTES, a file or a folder: run CMD against a mock whose tasks go as the recorded ones went.

    Without CMD the mock serves until interrupted. Times are the recorded ones, on the clock of --clock.
    """
    if program[:1] == ("--",):
        program = program[1:]
    elif program and program[0].startswith("-"):
        raise click.UsageError(f"flags such as {program[0]} stand before CASSETTES")
    answered = intercepted(intercept, hosts)
    if answered and not program:
        raise click.UsageError("--intercept reaches a program that is run here: expected CMD after CASSETTES")
    everything = {**options, "keys": keys, "coverage_file": coverage_file, "scenario": None, "tape": None}
    settings = settings_and_logs({**everything, "any_model": True})
    from mockserver.cassettes.cassette import CassetteError, load_cassettes
    from mockserver.cassettes.rehearsing import KeptPictures, Library
    from mockserver.intercept.authority import InterceptUnavailable
    from mockserver.mock import Parts
    from mockserver.programs.child import CannotRun, inherited, run_program
    from mockserver.programs.closing import closing_lines, sums
    from mockserver.programs.names import KEY
    from mockserver.programs.stage import staged_for
    from mockserver.running import CannotStart
    from openapi.errors import DocumentError

    try:
        library = Library(load_cassettes(cassettes), simulate=unknown == "simulate")
    except CassetteError as error:
        raise click.BadParameter(str(error), param_hint="CASSETTES") from None
    parts = Parts(renderer=KeptPictures(library), rehearse=library.rehearse)
    for name in library.endless:
        click.echo(f"novita-mock: warning: {name} has no end and is not played: its recording stopped before", err=True)
    try:
        if not program:
            _serve(settings, parts, port)
            return
        key = keys[0] if keys else KEY
        with staged_for(settings, inherited(), key=key, intercept=answered, parts=parts) as stage:
            code = run_program(program, stage.environment)
            mock = stage.server.mock
            found = stage.server.call(lambda: sums(mock))
    except CannotRun as error:
        click.echo(f"novita-mock: {error}", err=True)
        sys.exit(error.exit_code)
    except (CannotStart, InterceptUnavailable, DocumentError, OSError) as error:
        cannot_start(error)
    for line in closing_lines(found, stage.proxy):
        click.echo(f"novita-mock: {line}", err=True)
    _tell_unplayed(library)
    sys.exit(code)


def _serve(settings: Any, parts: Any, port: int) -> None:
    from mockserver.app import create_app
    from mockserver.running import address_of, listen, serve

    listening = listen("127.0.0.1", port)
    app = create_app(settings=settings, parts=parts)
    serve(app, listening, lambda: click.echo(f"Ready. {address_of(listening)}"), log_level="warning")


def _tell_unplayed(library: Library) -> None:
    from mockserver.money.amounts import counted

    if library.missed:
        first = f"; the first: {library.first_missed}" if library.first_missed else ""
        click.echo(f"novita-mock: {counted(library.missed, 'submit')} on no cassette{first}", err=True)
    if library.unplayed:
        click.echo(f"novita-mock: not played: {', '.join(library.unplayed)}", err=True)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cassette() -> None:
    """Look after recorded jobs."""


@cassette.command("audit")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(exists=True, path_type=Path))
@click.option("--allow", "allowed", multiple=True, metavar="WORD", help="A word that may stand there; repeatable.")
def audit_command(paths: tuple[Path, ...], allowed: tuple[str, ...]) -> None:
    """Look for keys, tokens, addresses, ids and people in cassettes; exit 1 when there is one."""
    from mockserver.cassettes.audit import audit
    from mockserver.cassettes.cassette import CassetteError, files_of
    from mockserver.money.amounts import counted

    words = {*allowed, *_names_of_models()}
    try:
        files = [file for path in paths for file in files_of(path)]
        found = [one for file in files for one in audit(file, words)]
    except CassetteError as error:
        raise click.BadParameter(str(error), param_hint="PATH") from None
    for one in found:
        click.echo(f"{one.file}: {one.place}: {one.what}" if one.place else f"{one.file}: {one.what}")
    click.echo(f"{counted(len(files), 'cassette')}, {counted(len(found), 'leftover')}")
    if found:
        sys.exit(EXIT_FINDINGS)


def _names_of_models() -> set[str]:
    from openapi.catalogue import load_catalogue

    found = set()
    for model in load_catalogue():
        for name in (model.sd_name, model.sd_name_in_api):
            found |= {name, name.rpartition(".")[0]}
    return found
