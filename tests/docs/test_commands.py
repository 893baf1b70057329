"""Pages whose commands need a service, a runner or minutes: they are not run, but the programs understand them."""

from __future__ import annotations

import re
import shlex

import click
import pytest

import conformance.cli
import mockserver.cli
import reference_impl.cli
from tests.docs.blocks import blocks
from tests.docs.uses import UNDERSTOOD

PROGRAMS: dict[str, click.Group] = {
    "novita-mock": mockserver.cli.cli,
    "novita-conformance": conformance.cli.cli,
    "novita-reference": reference_impl.cli.main,
}


def commands(page: str) -> list[str]:
    """The command lines of a page; backslashes join lines."""
    text = "\n".join(block.text for block in blocks(page, "console", "sh")).replace("\\\n", " ")
    lines = (line.removeprefix("$ ").strip() for line in text.splitlines())
    return [line for line in lines if line.split(" ", 1)[0] in PROGRAMS]


def understood(line: str) -> None:
    """Lets the program read a command line, without doing anything.

    Raises:
        click.UsageError: there is no such command or option.
    """
    name, *arguments = shlex.split(re.sub(r"\s&$", "", line), comments=True)
    arguments = arguments[: next((place for place, word in enumerate(arguments) if word in ("|", ">", "&&")), None)]
    command: click.Command = PROGRAMS[name]
    ctx = click.Context(command, info_name=name)
    while isinstance(command, click.Group):
        if not arguments or arguments[0].startswith("-"):
            arguments = ["serve", *arguments]
        _, found, arguments = command.resolve_command(ctx, arguments)
        assert found is not None
        command, ctx = found, click.Context(found, parent=ctx)
    try:
        command.make_context(command.name, arguments, parent=ctx.parent)
    except click.BadParameter as error:
        if not re.search("does not exist|cannot be read|expected a URL", error.message):  # files of the reader's, `URL`
            raise


@pytest.mark.parametrize("page", UNDERSTOOD)
def test_the_commands_are_understood(page: str) -> None:
    for line in commands(page):
        understood(line)


def test_a_wrong_option_is_seen() -> None:
    with pytest.raises(click.NoSuchOption):
        understood("novita-mock run --clok auto -- pytest")


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_option_has_a_line_of_help(name: str) -> None:
    """docs/cli has a row for each option, and the row says something."""
    silent: list[str] = []

    def look(command: click.Command, path: str, ctx: click.Context) -> None:
        options = [one for one in command.params if isinstance(one, click.Option) and not one.hidden]
        silent.extend(f"{path} {option.opts[0]}" for option in options if not option.help)
        if isinstance(command, click.Group):
            for inner in command.list_commands(ctx):
                _, found, _ = command.resolve_command(ctx, [inner])
                assert found is not None
                look(found, f"{path} {inner}", click.Context(found, parent=ctx))

    look(PROGRAMS[name], name, click.Context(PROGRAMS[name]))
    assert silent == []
