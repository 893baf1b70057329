"""The command line: flags, environment and file become settings, then parts become a server.

Exit codes: 0 ok, 1 findings, 2 usage, 3 cannot start.
"""

from __future__ import annotations

import gc
import math
import re
import secrets
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
from click.shell_completion import CompletionItem, add_completion_class

from mockserver import __version__
from mockserver.completion import Bash, clocks, files, scenario_or_file
from mockserver.faults.plan import DEFAULT_IN_A_ROW
from mockserver.flags import CONFIG_NAME, flag, read_file, variables
from mockserver.outside_flags import outside_flags, outside_settings
from mockserver.settings import DEFAULT_PORT, Limits, Settings, unknown_variables

if TYPE_CHECKING:
    from mockserver.faults.tape import Decisions
    from mockserver.mock import Mock

EXIT_FINDINGS = 1
MAX_UNREACHED = 10
"""Faults of a tape that are named when they were not reached."""
EXIT_CANNOT_START = 3

ELSEWHERE = {
    "cassette": "mockserver.cassette_commands",
    "completion": "mockserver.completion_command",
    "coverage": "mockserver.coverage_commands",
    "doctor": "mockserver.doctor_command",
    "explain": "mockserver.explain_command",
    "journal": "mockserver.journal_command",
    "record": "mockserver.cassette_commands",
    "replay": "mockserver.cassette_commands",
    "run": "mockserver.run_commands",
    "scenario": "mockserver.scenario_commands",
    "spec": "mockserver.spec_commands",
    "sweep": "mockserver.sweep_commands",
    "webhook": "mockserver.webhook_commands",
}
"""Commands by name, and the module that has each; imported when it is called."""


class ServeByDefault(click.Group):
    """`novita-mock --port 0` is `novita-mock serve --port 0`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Puts `serve` in front when no command is named; a shell that completes may be about to name one."""
        named = args and (not args[0].startswith("-") or args[0] in ("--help", "-h", "--version"))
        if not named and not (ctx.resilient_parsing and not args):
            args = ["serve", *args]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """Commands by name alone, since their help is in their modules; and the flags of `serve`, which need none."""
        found = [CompletionItem(name) for name in self.list_commands(ctx) if name.startswith(incomplete)]
        found += click.Command.shell_complete(self, ctx, incomplete)
        if incomplete.startswith("-"):
            seen = {item.value for item in found}
            with serve.make_context("serve", [], parent=ctx, resilient_parsing=True) as below:
                found += [item for item in serve.shell_complete(below, incomplete) if item.value not in seen]
        return found

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All commands, those of other modules included."""
        return sorted([*super().list_commands(ctx), *ELSEWHERE])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command."""
        module = ELSEWHERE.get(cmd_name)
        if module is None:
            return super().get_command(ctx, cmd_name)
        found: click.Command = getattr(import_module(module), cmd_name)
        return found


def _print_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    del param
    if value and not ctx.resilient_parsing:
        click.echo(f"novita-mock {__version__}")
        ctx.exit()


@click.group(cls=ServeByDefault, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and exit.",
)
def cli() -> None:
    """A mock of the Novita AI image generation API. Without a command: serve, with the flags of `serve --help`."""


def _clock(ctx: click.Context, param: click.Parameter, value: str) -> Any:
    from mockserver.core.clock import ClockMode

    return _checked(ctx, param, lambda: ClockMode.parse(value))


def _duration(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    from mockserver.core.clock import parse_duration_ms

    if value is None:
        return None
    number = float(value) if re.fullmatch(r"[0-9]+(\.[0-9]+)?", value) else value
    found: int = _checked(ctx, param, lambda: parse_duration_ms(number))
    return found


def _scenario(ctx: click.Context, param: click.Parameter, value: str | None) -> Any:
    if value is None:
        return None
    from mockserver.scenarios import find

    return _checked(ctx, param, lambda: find(value))


def _tape(ctx: click.Context, param: click.Parameter, value: str | None) -> Any:
    if value is None:
        return None
    from mockserver.faults.tape import load_tape

    return _checked(ctx, param, lambda: load_tape(Path(value)))


def _speed(ctx: click.Context, param: click.Parameter, value: float) -> float:
    if not math.isfinite(value):  # the range lets NaN through
        raise click.BadParameter(f"{value:g} is no speed; expected a number above 0", ctx, param)
    return value


def _host(ctx: click.Context, param: click.Parameter, value: str) -> str:
    if not value.strip():  # an empty name would stand for every address of the machine
        raise click.BadParameter("an empty address; expected for example 127.0.0.1, or 0.0.0.0 for all", ctx, param)
    return value


def _checked(ctx: click.Context, param: click.Parameter, read: Callable[[], Any]) -> Any:
    try:
        return read()
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, param) from None


@cli.command()
@flag(
    "--config",
    is_eager=True,
    callback=read_file,
    metavar="FILE",
    shell_complete=files,
    help=f"File of settings, 'flag: value' a line; else {CONFIG_NAME} here, if there is one.",
)
@flag(
    "-p", "--port", type=click.IntRange(0, 65535), default=DEFAULT_PORT, help="Port to listen on; 0 picks a free one."
)
@flag("-H", "--host", default="127.0.0.1", callback=_host, help="Address to listen on; any other lets others in.")
@flag(
    "--clock",
    default="real",
    callback=_clock,
    metavar="MODE",
    shell_complete=clocks,
    help="real, x<N> (N times as fast), manual or auto.",
)
@flag("--strict/--lenient", default=False, help="Refuse what the documentation does not state, or accept and tell it.")
@flag(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    help="Repeats a run: ids, drawn seeds, jitter. Else drawn; GET /__mock/version tells it.",
)
@flag("--workers", type=click.IntRange(1, 10_000), default=4, help="Tasks that a world works on at a time.")
@flag(
    "--speed",
    type=click.FloatRange(0, min_open=True),
    default=1.0,
    callback=_speed,
    help="Of the work; 2 is twice as fast.",
)
@flag("--task-duration", callback=_duration, metavar="TIME", help="Every task works so long, as 60s; else by its size.")
@flag("--key", "keys", multiple=True, metavar="KEY", help="Accept only this API key; repeatable. Else any key.")
@flag("--any-model/--known-models", default=False, help="Accept model names that are not in the list, or refuse them.")
@flag("--illegal-word", "illegal_words", multiple=True, metavar="WORD", help="Refuse prompts with it; repeatable.")
@flag(
    "--scenario",
    callback=_scenario,
    metavar="NAME|FILE",
    shell_complete=scenario_or_file,
    help="Situation that every world starts in: a name (novita-mock scenario list) or a file.",
)
@flag(
    "--magic/--no-magic",
    default=True,
    help="Prompts, models, seeds, keys and the header Prefer can ask for trouble (docs/magic.md), or cannot.",
)
@flag(
    "--max-faults-in-a-row",
    type=click.IntRange(0),
    default=DEFAULT_IN_A_ROW,
    help="That an operation of a world may suffer, so that a client that tries again gets through; 0: no bound.",
)
@flag(
    "--tape",
    callback=_tape,
    metavar="FILE",
    shell_complete=files,
    help="Repeats the faults of a run, as GET /__mock/tape gave them; rules do nothing then.",
)
@flag("--public-base-url", metavar="URL", help="Scheme and host of picture links; else those that the client called.")
@outside_flags
@flag("--max-worlds", type=click.IntRange(1), default=Limits().worlds, help="API keys with state; see docs/limits.md.")
@flag("--max-tasks", type=click.IntRange(1), default=Limits().tasks, help="Tasks held, of all worlds.")
@flag("--journal-entries", type=click.IntRange(0), default=Limits().journal_entries, help="Calls kept per world.")
@flag(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="warning",
    help="info: each call.",
)
@flag("--log-format", type=click.Choice(["text", "json"]), default="text", help="Of the log on stderr.")
def serve(
    config: str | None,
    port: int,
    host: str,
    keys: tuple[str, ...],
    illegal_words: tuple[str, ...],
    seed: int | None,
    log_level: str,
    log_format: str,
    coverage: bool,
    coverage_file: Path | None,
    **options: Any,
) -> None:
    """Serve the mock until interrupted."""
    del config
    from mockserver.logs import configure

    configure(log_level, log_format)
    for name in unknown_variables(variables(serve)):
        click.echo(f"novita-mock: warning: {name} is set, but there is no such setting", err=True)
    counting = coverage or coverage_file is not None
    settings = settings_of_flags(keys=keys, illegal_words=illegal_words, seed=seed, coverage=counting, **options)
    from mockserver.app import create_app
    from mockserver.running import CannotStart, address_of, is_loopback, listen
    from mockserver.running import serve as run
    from openapi.errors import DocumentError

    def ready() -> None:
        gc.freeze()  # what was loaded stays: later collections need not look at it
        gc.enable()
        click.echo(f"Ready. {address_of(listening)}")

    try:
        listening = listen(host, port)
        app = create_app(settings=settings)
    except (CannotStart, DocumentError, ValueError, OSError) as error:  # the contract is missing or broken
        cannot_start(error)
    if not is_loopback(listening):
        click.echo(f"novita-mock: warning: {host} lets everybody in who reaches this machine", err=True)
    try:
        run(app, listening, ready, log_level=log_level)
    except CannotStart as error:
        cannot_start(error)
    if settings.replay is not None:
        tell_unreached(app.state.mock, settings.replay)
    if coverage_file is not None:
        write_coverage(app.state.mock, coverage_file)


def write_coverage(mock: Mock, path: Path) -> None:
    """Writes what was covered; exits when it cannot."""
    from mockserver.coverage.file import write_report
    from mockserver.coverage.wire import ReportError

    assert mock.coverage is not None, "a file is written only where something was counted"
    try:
        write_report(mock.coverage.report(), path)
    except ReportError as error:
        click.echo(f"novita-mock: {error}", err=True)
        sys.exit(EXIT_FINDINGS)


def tell_unreached(mock: Mock, replay: Decisions) -> None:
    """A run that is not the one of its tape is told so."""
    from mockserver.faults.tape import unreached

    left = unreached(replay, mock.told_faults())
    if left:
        more = f", and {len(left) - MAX_UNREACHED} more" if len(left) > MAX_UNREACHED else ""
        click.echo(
            f"novita-mock: warning: {len(left)} of the tape's faults were not reached: "
            f"{', '.join(left[:MAX_UNREACHED])}{more}",
            err=True,
        )


def cannot_start(error: Exception) -> NoReturn:
    """Says why the server cannot start, and exits."""
    click.echo(f"novita-mock: {error}", err=True)
    sys.exit(EXIT_CANNOT_START)


def settings_of_flags(
    *,
    clock: Any,
    strict: bool,
    seed: int | None,
    workers: int,
    speed: float,
    task_duration: int | None,
    keys: tuple[str, ...],
    any_model: bool,
    illegal_words: tuple[str, ...],
    scenario: Any,
    magic: bool,
    max_faults_in_a_row: int,
    tape: Any,
    public_base_url: str | None,
    max_worlds: int,
    max_tasks: int,
    journal_entries: int,
    **outside: Any,
) -> Settings:
    """The settings that the flags of `serve` make, by their names.

    Raises:
        click.BadParameter: flags that cannot be together, or a value that cannot be.
    """
    from mockserver.core.fleet import FleetSettings

    if public_base_url is not None and not public_base_url.startswith(("http://", "https://")):
        raise click.BadParameter(
            f"{public_base_url!r}: expected scheme and host, as in https://pictures.example",
            param_hint="--public-base-url",
        )
    replay = None
    if tape is not None:
        seed_of_tape, replay = tape
        if seed not in (None, seed_of_tape):
            raise click.BadParameter(
                f"{seed} is not the seed of the tape, which is {seed_of_tape}; leave it out", param_hint="--seed"
            )
        seed = seed_of_tape
    return Settings(
        clock=clock,
        strict=strict,
        seed=secrets.randbits(32) if seed is None else seed,
        fleet=FleetSettings(workers=workers, speed=speed, task_ms=task_duration),
        keys=frozenset(keys),
        any_model=any_model,
        illegal_words=tuple(word.lower() for word in illegal_words),
        magic=magic,
        scenario=scenario,
        in_a_row=max_faults_in_a_row or None,
        replay=replay,
        public_base_url=public_base_url.rstrip("/") if public_base_url else None,
        limits=Limits(worlds=max_worlds, tasks=max_tasks, journal_entries=journal_entries),
        **outside_settings(**outside),
    )


@cli.command()
@click.argument("picture", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def decode(picture: Path) -> None:
    """Read the receipt in a PICTURE that this mock drew, also after JPEG, WebP or scaling down."""
    from mockserver.pictures import NotAReceipt, read_parameters
    from mockserver.pictures import decode as read

    data = picture.read_bytes()
    try:
        receipt = read(data)
    except NotAReceipt as error:
        click.echo(f"novita-mock: {picture}: {error}", err=True)
        sys.exit(1)
    click.echo(f"digest  {receipt.digest.hex()}\nindex   {receipt.index}\nseed    {receipt.seed}")
    parameters = read_parameters(data)
    if parameters:
        click.echo(f"\n{parameters}")


add_completion_class(Bash)


def main() -> None:
    """The entry point."""
    cli(prog_name="novita-mock")
