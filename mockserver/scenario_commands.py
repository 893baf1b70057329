"""`novita-mock scenario`: the library of situations, and whether a file of one's own is right.

Exit codes: 0 ok, 1 a file is not what it may be, 2 usage.
"""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import click

from mockserver.completion import scenario_names
from mockserver.scenarios import FOLDER, SCHEMA, ScenarioError, load, names, shipped

EXIT_WRONG = 1
WIDTH = 100


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def scenario() -> None:
    """List, show and check scenarios: named situations for `--scenario` and for the keys of single worlds."""


@scenario.command("list")
def list_command() -> None:
    """The scenarios of the library."""
    widest = max(map(len, names()))
    for name in names():
        first, *more = textwrap.wrap(shipped(name).description, WIDTH - widest - 2)
        click.echo(f"{name:{widest}}  {first}")
        for line in more:
            click.echo(f"{'':{widest}}  {line}")


@scenario.command("show")
@click.argument("name", metavar="NAME", shell_complete=scenario_names)
def show_command(name: str) -> None:
    """The file of a scenario of the library, to begin one of your own with."""
    if name not in names():
        raise click.BadParameter(f"no scenario {name!r}; there are: {', '.join(names())}", param_hint="NAME")
    click.echo((FOLDER / f"{name}.yaml").read_text(encoding="utf-8").rstrip("\n"))


@scenario.command("check")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
def check_command(files: tuple[Path, ...]) -> None:
    """Read scenario files as the server does; exit 1 with the line and the allowed words when one is wrong."""
    wrong = 0
    for path in files:
        try:
            found = load(path)
        except ScenarioError as error:
            click.echo(f"novita-mock: {error}", err=True)
            wrong += 1
        else:
            click.echo(f"{path}: {found.name}, {len(found.faults)} rule{'' if len(found.faults) == 1 else 's'}")
    if wrong:
        sys.exit(EXIT_WRONG)


@scenario.command("schema")
def schema_command() -> None:
    """The JSON Schema of a scenario's file, for editors and other programs."""
    click.echo(SCHEMA.read_text(encoding="utf-8").rstrip("\n"))
