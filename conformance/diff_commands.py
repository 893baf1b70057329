"""`novita-conformance diff URL URL`: two servers side by side."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click

from conformance.diff import Compared, compare
from conformance.difference import Kind
from conformance.errors import NoClock, Unreachable
from conformance.opening import opened
from conformance.run_options import NAME_HELP, given_names, is_given
from conformance.target import Target
from openapi.document import load

EXIT_DIFFERENT, EXIT_UNREACHABLE, EXIT_INCONCLUSIVE = 1, 3, 4
QUIET = (Kind.TIME, Kind.WORDS)
"""What alone does not make two servers different."""


@click.command()
@click.argument("left")
@click.argument("right")
@click.option("--api-key", envvar="NOVITA_API_KEY", required=True, help="Key of an account.  [env: NOVITA_API_KEY]")
@click.option("--other-key", help="Key of an account of the second server, when it is another one.")
@click.option("--timeout", type=click.FloatRange(0.1, 600), default=10.0, show_default=True, help="Seconds per answer.")
@click.option(
    "--task-timeout", type=click.FloatRange(0.1, 36000), default=60.0, show_default=True, help="Seconds per task."
)
@click.option("--name", "names", multiple=True, callback=given_names, metavar="FIELD=MODEL", help=NAME_HELP)
@click.option(
    "--other-name",
    "other_names",
    multiple=True,
    callback=given_names,
    metavar="FIELD=MODEL",
    help="The same for the second server alone.",
)
@click.option("--clock", default="/__mock", show_default=True, help="Prefix of a control interface; none for none.")
@click.option(
    "--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="File for all of it as JSON."
)
def diff(
    left: str,
    right: str,
    api_key: str,
    other_key: str | None,
    timeout: float,
    task_timeout: float,
    names: dict[str, str],
    other_names: dict[str, str],
    clock: str,
    json_file: Path | None,
) -> None:
    """Send the same seeded requests to LEFT and RIGHT, and show where their answers differ.

    About thirty requests and eight small pictures for each. Ids, links and moments are taken out first; texts for
    people and times are shown, but do not count. Exit codes: 0 no difference, 1 differences, 3 not reachable, 4
    something could not be compared.
    """
    first = Target(
        url=left.rstrip("/"),
        key=api_key,
        timeout_s=timeout,
        task_timeout_s=task_timeout,
        names=names,
        control="" if clock == "none" else clock,
        clock_named=clock != "none" and is_given("clock"),
    )
    second = replace(first, url=right.rstrip("/"), key=other_key or api_key, names=names | other_names)
    try:
        found = asyncio.run(_diff(first, second))
    except Unreachable as error:
        click.echo(f"novita-conformance: {error}", err=True)
        sys.exit(EXIT_UNREACHABLE)
    except NoClock as error:
        raise click.UsageError(str(error)) from None
    if json_file is not None:
        json_file.write_text(json.dumps([_as_json(one) for one in found], indent=2) + "\n", encoding="utf-8")
    _print(found, first.url, second.url)
    counted = any(difference.kind not in QUIET for one in found for difference in one.differences)
    troubled = any(one.trouble for one in found)
    sys.exit(EXIT_DIFFERENT if counted else EXIT_INCONCLUSIVE if troubled else 0)


async def _diff(first: Target, second: Target) -> list[Compared]:
    document = load()
    async with opened(first, document) as left, opened(second, document) as right:
        return await compare(left, right)


def _as_json(one: Compared) -> dict[str, Any]:
    return {
        "name": one.vector.name,
        "operation": one.vector.operation_id,
        "left": one.left,
        "right": one.right,
        "trouble": one.trouble,
        "differences": [asdict(difference) for difference in one.differences],
    }


def _print(found: list[Compared], left: str, right: str) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=f"{left}  |  {right}", title_justify="left", show_lines=True)
    for heading in ("asked", "left", "right", "differences"):
        table.add_column(heading, overflow="fold")
    for one in found:
        if one.trouble:
            table.add_row(escape(one.vector.name), "", "", f"[red]could not be compared: {escape(one.trouble)}[/red]")
            continue
        lines = [
            f"{_colour(each.kind)}{each.kind}[/] {escape(each.place)}: {escape(each.left)} | {escape(each.right)}"
            for each in one.differences
        ]
        table.add_row(
            escape(one.vector.name), escape(one.left), escape(one.right), "\n".join(lines) or "[green]none[/green]"
        )
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(table)
    counts = Counter(difference.kind for one in found for difference in one.differences)
    summary = ", ".join(f"{kind} {number}" for kind, number in sorted(counts.items())) or "none"
    console.print(f"{len(found)} things asked of both; differences: {summary}", highlight=False)


def _colour(kind: Kind) -> str:
    return "[dim]" if kind in QUIET else "[yellow]"
