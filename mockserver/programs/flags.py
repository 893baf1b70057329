"""The flags of commands that start a mock for a program: those of `serve`, without where it listens."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from mockserver.cli import serve, settings_of_flags
from mockserver.completion import files
from mockserver.flags import variables
from mockserver.programs.names import VENDOR_HOST
from mockserver.settings import unknown_variables

if TYPE_CHECKING:
    from mockserver.settings import Settings

NOT_FOR_PROGRAMS = frozenset({"port", "host", "metrics"})
"""Flags of `serve` that make no sense where a program is told the address of a mock that ends with it."""
CLOCK = "auto"
"""The clock of these commands, unless another is asked for: nobody who starts a program this way wants to wait."""

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")


class ProgramCommand(click.Command):
    """A command with a program and its arguments at the end, and most flags of `serve`.

    Attributes:
        passed_over: settings of a file that only `serve` has a use for.
    """

    def __init__(self, *args: Any, without: frozenset[str] = frozenset(), **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        own = {"allow_interspersed_args": False, "help_option_names": ["-h", "--help"]}
        self.context_settings = {**self.context_settings, **own}
        left_out = NOT_FOR_PROGRAMS | without
        self.passed_over = frozenset(name.replace("_", "-") for name in left_out)
        self.params += [_own(option) for option in serve.params if option.name not in left_out]


def _own(option: click.Parameter) -> click.Parameter:
    found = copy.copy(option)
    if found.name == "clock":
        found.default = CLOCK
    return found


def program_argument(command: Callable[..., None]) -> Callable[..., None]:
    """The program, with its own flags untouched; `needed` refuses none."""
    return click.argument("program", metavar="[--] CMD...", nargs=-1, type=click.UNPROCESSED, shell_complete=files)(
        command
    )


def needed(program: tuple[str, ...]) -> tuple[str, ...]:
    """The program.

    Raises:
        click.UsageError: there is none.
    """
    if not program:
        raise click.UsageError("which program? Expected CMD and its arguments, as in: -- python draw.py")
    return program


def intercept_options(command: Callable[..., None]) -> Callable[..., None]:
    """Whether, and for whom, a proxy answers."""
    command = click.option(
        "--answer-for",
        "hosts",
        multiple=True,
        metavar="HOST",
        callback=_hosts,
        help=f"Also answer for this host; with --intercept, repeatable. Always answered: {VENDOR_HOST}.",
    )(command)
    return click.option(
        "--intercept",
        is_flag=True,
        help=f"Reach a program with {VENDOR_HOST} built in: by a proxy, which refuses every other host.",
    )(command)


def _hosts(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    wrong = next((host for host in value if not _HOST.fullmatch(host)), None)
    if wrong is not None:
        raise click.BadParameter(f"{wrong!r} is no host; expected a name such as api.example", ctx, param)
    return value


def intercepted(intercept: bool, hosts: tuple[str, ...]) -> tuple[str, ...]:
    """The hosts that a proxy answers for; none without one.

    Raises:
        click.BadParameter: hosts without a proxy.
    """
    if hosts and not intercept:
        raise click.BadParameter("needs --intercept", param_hint="--answer-for")
    return (VENDOR_HOST, *hosts) if intercept else ()


def settings_and_logs(options: dict[str, Any]) -> Settings:
    """The settings that the flags make; warns of variables that are none, and sets the log up."""
    from mockserver.logs import configure

    configure(options.pop("log_level"), options.pop("log_format"))
    for name in unknown_variables(variables(serve)):
        click.echo(f"novita-mock: warning: {name} is set, but there is no such setting", err=True)
    options.pop("config")
    options["coverage"] = options["coverage"] or options.pop("coverage_file", None) is not None
    return settings_of_flags(**options)
