"""The settings that `serve` would start with: every file and variable that is wrong, not only the first."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource, iter_params_for_processing

from mockserver.cli import serve, settings_of_flags
from mockserver.doctor.values import Line, note, ok, problem, warning
from mockserver.flags import CONFIG_NAME, variables
from mockserver.settings import DEFAULT_PORT, Settings, unknown_variables

NOT_SETTINGS = ("config", "host", "port", "log_level", "log_format", "coverage_file")


@dataclass(frozen=True, slots=True, kw_only=True)
class Configured:
    """What files and variables say.

    Attributes:
        settings: of the server; None: there are none, because something is wrong.
        host, port: where it would listen.
        lines: what was seen.
    """

    settings: Settings | None
    host: str
    port: int
    lines: tuple[Line, ...]


def configured(environment: Mapping[str, str], *, config: str | None, host: str | None, port: int | None) -> Configured:
    """Reads the settings as `serve` does.

    Args:
        environment: its variables.
        config: file of the command line, where given.
        host: the same.
        port: the same.
    """
    given = {"--config": config, "--host": host, "--port": port}
    args = [word for flag, value in given.items() if value is not None for word in (flag, str(value))]
    lines: list[Line] = []
    params: dict[str, Any] = {}
    settings = None
    try:
        with serve.make_context("serve", args) as ctx:
            params = ctx.params
            settings = settings_of_flags(**{name: value for name, value in params.items() if name not in NOT_SETTINGS})
            lines += _file(ctx)
    except click.UsageError as error:
        lines += _all_wrong(args, environment) or [problem("setting", error.format_message(), "change what it names")]
    known = variables(serve)
    lines += _variables(known, environment)
    lines += [_unknown(name, known) for name in unknown_variables(known, environment)]
    return Configured(
        settings=settings,
        host=str(params.get("host") or host or "127.0.0.1"),
        port=_number(params.get("port"), port),
        lines=tuple(lines),
    )


def _all_wrong(args: list[str], environment: Mapping[str, str]) -> list[Line]:
    """Every setting that is wrong by itself: one after the other, where `serve` ends at the first."""
    found = []
    ctx = click.Context(serve, info_name="serve")
    with ctx:
        opts, _, order = serve.make_parser(ctx).parse_args(args=list(args))
        for param in iter_params_for_processing(order, serve.get_params(ctx)):
            try:
                param.handle_parse_result(ctx, opts, [])
            except click.UsageError as error:
                found.append(_wrong(param, error, environment))
    return found


def _wrong(param: click.Parameter, error: click.UsageError, environment: Mapping[str, str]) -> Line:
    name = param.envvar if isinstance(param.envvar, str) else ""
    where = f"change or unset {name}" if environment.get(name) else f"change it in {CONFIG_NAME}"
    return problem("setting", error.format_message(), where)


def _unknown(name: str, known: list[str]) -> Line:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
    do = f"did you mean {near[0]}?" if near else "unset it; docs/settings.md lists all"
    return warning("variable", f"{name} is set, but there is no such setting", do)


def _variables(known: list[str], environment: Mapping[str, str]) -> list[Line]:
    """Which variables set something. Values are not shown: keys and secrets are among them."""
    named = sorted(set(known) & environment.keys())
    if not named:
        return [ok("variables", "no NOVITA_MOCK_* variable sets anything")]
    return [note("variables", f"set by variables: {', '.join(named)}")]


def _file(ctx: click.Context) -> list[Line]:
    """Which file sets something."""
    path = ctx.params.get("config")
    if path is None:
        return [ok("file", f"no file of settings ({CONFIG_NAME} in {Path.cwd()})")]
    names = [
        param.opts[-1].removeprefix("--")
        for param in serve.params
        if param.name and ctx.get_parameter_source(param.name) is ParameterSource.DEFAULT_MAP
    ]
    return [note("file", f"set by {path}: {', '.join(names) or 'nothing'}")]


def _number(*candidates: object) -> int:
    return next((one for one in candidates if isinstance(one, int)), DEFAULT_PORT)
