"""`novita-conformance probe`: writes a capabilities file."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click

from conformance.budget import Limits
from conformance.errors import CheckEnd, NoClock, Unreachable
from conformance.opening import opened
from conformance.probe import Capabilities
from conformance.probe import probe as probed
from conformance.run_options import NAME_HELP, given_names, is_given
from conformance.target import Target
from conformance.timing import utc
from openapi.document import load

MOST_REQUESTS = 60
EXIT_UNREACHABLE = 3
EXIT_INCONCLUSIVE = 4


@click.command()
@click.argument("url")
@click.option("--api-key", envvar="NOVITA_API_KEY", required=True, help="Key of an account.  [env: NOVITA_API_KEY]")
@click.option("--timeout", type=click.FloatRange(0.1, 600), default=10.0, show_default=True, help="Seconds per answer.")
@click.option("--name", "names", multiple=True, callback=given_names, metavar="FIELD=MODEL", help=NAME_HELP)
@click.option("--clock", default="/__mock", show_default=True, help="Prefix of a control interface; none for none.")
@click.option(
    "--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="File to write; - or none: print."
)
def probe(url: str, api_key: str, timeout: float, names: dict[str, str], clock: str, output: Path | None) -> None:
    """Write what the server at URL offers into a file.

    About thirty requests, most of them to be refused. A server that ignores an option is sent up to four tiny tasks.
    """
    target = Target(
        url=url.rstrip("/"),
        key=api_key,
        timeout_s=timeout,
        names=names,
        control="" if clock == "none" else clock,
        clock_named=clock != "none" and is_given("clock"),
    )
    try:
        found = asyncio.run(_probe(target))
    except Unreachable as error:
        click.echo(f"novita-conformance: {error}", err=True)
        sys.exit(EXIT_UNREACHABLE)
    except NoClock as error:
        raise click.UsageError(str(error)) from None
    except CheckEnd as end:
        click.echo(f"novita-conformance: {end}", err=True)
        sys.exit(EXIT_INCONCLUSIVE)
    text = found.as_file(target.url, utc())
    if output is None or str(output) == "-":
        click.echo(text, nl=False)
        return
    output.write_text(text, encoding="utf-8")
    click.echo(f"Written: {output}")


async def _probe(target: Target) -> Capabilities:
    async with opened(target, load(), limits=Limits(max_requests=MOST_REQUESTS)) as session:
        return await probed(session)
