"""Writes docs/cli: a page for each of the three programs, with all its commands and options, from the code.

`python docs/make_cli.py --write` writes the pages; `--check` exits 1 when one is not what the code says. Both need what
the extras `conformance` and `reference` bring, because commands import it.
"""

from __future__ import annotations

import argparse
import inspect
import re
import sys
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import click

import conformance.cli
import mockserver.cli
import reference_impl.cli

FOLDER = Path(__file__).parent / "cli"
HEAD = "<!-- Written by docs/make_cli.py; do not edit. -->\n\n"

MANY = 2**53
"""Bounds from here on are those of a machine."""

PROGRAMS: dict[str, tuple[click.Group, str]] = {
    "novita-mock": (
        mockserver.cli.cli,
        "Exit codes: 0 all is well, 1 findings, 2 wrong usage, 3 it cannot start; a command with codes of its own\n"
        "says so. The options of `serve` can also be written into a file: [settings](../settings.md).",
    ),
    "novita-conformance": (
        conformance.cli.cli,
        "Exit codes: 0 green, 1 red, 2 and above when there is no verdict.\n"
        "[Judging a server](../conformance/README.md) shows them at work.",
    ),
    "novita-reference": (
        reference_impl.cli.main,
        "[Running the reference](../reference/README.md) shows them at work.",
    ),
}


def page(name: str) -> str:
    """The page of a program."""
    group, closing = PROGRAMS[name]
    with _context(group, name, None) as ctx:
        lines = [f"# {name}", "", *_prose(group), closing, "", "Every command has `--help`.", ""]
        found = list(_commands(group, ctx))
        lines += ["| command | what it does |", "|---|---|"]
        for path, command, _ in found:
            lines.append(f"| [`{path}`](#{path.replace(' ', '-')}) | {_cell(command.get_short_help_str(limit=200))} |")
        for path, command, inner in found:
            level = "#" * min(path.count(" ") + 1, 3)
            usage = " ".join(command.collect_usage_pieces(inner))
            lines += ["", f"{level} {path}", "", "```text", f"{path} {usage}".rstrip(), "```", "", *_prose(command)]
            lines += _options(command, inner)
    return HEAD + re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).rstrip() + "\n"


def _context(command: click.Command, name: str, parent: click.Context | None) -> click.Context:
    return command.context_class(command, info_name=name, parent=parent, **command.context_settings)


def _commands(group: click.Group, ctx: click.Context) -> Iterator[tuple[str, click.Command, click.Context]]:
    """Path, command and context of each command below a group, groups before what they hold."""
    for name in group.list_commands(ctx):
        _, command, _ = group.resolve_command(ctx, [name])  # also of programs that import commands when they are called
        if command is None or command.hidden:
            continue
        inner = _context(command, name, ctx)
        yield inner.command_path, command, inner
        if isinstance(command, click.Group):
            yield from _commands(command, inner)


def _prose(command: click.Command) -> Iterator[str]:
    r"""The help of a command in Markdown; what click was told not to wrap (`\b`) is a block."""
    for paragraph in inspect.cleandoc(command.help or "").partition("\f")[0].strip().split("\n\n"):
        if paragraph.startswith("\b"):
            yield from ("```text", paragraph.removeprefix("\b").strip("\n"), "```", "")
        else:
            yield from (_escaped(line) for line in (*paragraph.splitlines(), ""))


def _options(command: click.Command, ctx: click.Context) -> list[str]:
    options = [one for one in command.params if isinstance(one, click.Option) and not one.hidden]
    if not options:
        return []
    rows = [(_names(one, ctx), _variable(one, ctx), _default(one), _what(one)) for one in options]
    columns = [place for place in range(4) if place in (0, 3) or any(row[place] for row in rows)]
    head = ("option", "variable", "default", "what it does")
    table = [head, ("---",) * 4, *rows]
    return ["| " + " | ".join(row[place] for place in columns) + " |" for row in table]


def _names(option: click.Option, ctx: click.Context) -> str:
    names = [*option.opts, *option.secondary_opts]
    if not option.is_flag and not option.count:
        metavar = option.make_metavar(ctx).removesuffix(" RANGE").replace("|", "\\|")
        names[-1] = f"{names[-1]} {metavar}"
    return ", ".join(f"`{name}`" for name in names)


def _variable(option: click.Option, ctx: click.Context) -> str:
    named = [option.envvar] if isinstance(option.envvar, str) else list(option.envvar or ())
    if not named and ctx.auto_envvar_prefix and option.allow_from_autoenv and option.name:
        named = [f"{ctx.auto_envvar_prefix}_{option.name.upper()}"]
    return ", ".join(f"`{name}`" for name in named)


def _default(option: click.Option) -> str:
    if isinstance(option.show_default, str):
        return _cell(option.show_default)
    value: Any = option.to_info_dict()["default"]
    if option.is_flag and option.secondary_opts and value is not None:
        return f"`{(option.opts if value else option.secondary_opts)[0]}`"
    if option.is_flag or value is None or value == "":
        return ""
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, Path) and value.is_absolute():
        raise ValueError(f"{option.name}: a default that is a folder of this machine needs words in `show_default`")
    if isinstance(value, (str, int, float, Path)):
        return f"`{value}`"
    return ", ".join(f"`{one}`" for one in value) if isinstance(value, (list, tuple)) else ""


def _what(option: click.Option) -> str:
    said = option.help or ""
    notes = ["required"] if option.required else []
    if option.multiple and "repeatable" not in said:
        notes.append("repeatable")
    notes += filter(None, [_range(option.type)])
    return _cell(said + (f" ({', '.join(notes)})" if notes else ""))


def _range(kind: click.ParamType[Any]) -> str:
    """What a number may be, in words; a bound that only keeps it within 64 bits is none."""
    low, high = getattr(kind, "min", None), getattr(kind, "max", None)
    if low is None:
        return ""
    below = "above " if getattr(kind, "min_open", False) else ""
    if high is None or high >= MANY:
        return f"{below or 'from '}{low}"
    return f"{below}{low} to {high}"


def _escaped(text: str) -> str:
    """Text in which nothing is taken for a tag or an emphasis; what stands in backticks stays."""
    parts = re.split(r"(`[^`]*`)", text)
    for place in range(0, len(parts), 2):
        parts[place] = re.sub(r"([*\\[\]])", r"\\\1", parts[place]).replace("<", "&lt;")
    return "".join(parts)


def _cell(text: str) -> str:
    return _escaped(" ".join(text.split())).replace("|", "\\|")


def main() -> int:
    """Writes or checks the pages."""
    parser = argparse.ArgumentParser(description=page.__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--write", action="store_true", help="write the pages")
    what.add_argument("--check", action="store_true", help="exit 1 when a page is stale")
    write = parser.parse_args().write
    stale = 0
    for name in PROGRAMS:
        path = FOLDER / f"{name}.md"
        text = page(name)
        if write:
            FOLDER.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            sys.stderr.write(f"{path} is stale; run: python docs/make_cli.py --write\n")
            stale = 1
    return stale


if __name__ == "__main__":
    sys.exit(main())
