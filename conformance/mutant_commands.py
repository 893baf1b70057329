"""`novita-conformance mutant`: starts a server with one defect by hand."""

from __future__ import annotations

import socket

import click

from conformance.completion import mutant_names


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("name", required=False, shell_complete=mutant_names)
@click.option("--upstream", metavar="URL", help="A correct server; needed with NAME.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    default=4281,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Where to listen; 0 picks a free port.",
)
@click.option("--list", "list_them", is_flag=True, help="List all mutants: name, requirement that it breaks, defect.")
def mutant(name: str | None, upstream: str | None, host: str, port: int, list_them: bool) -> None:
    """Serve a mutant: a correct server with exactly one defect, made by a proxy in front of it.

    For those who want to see a check turn red, or how their client copes.
    """
    from conformance.mutants.catalogue import load_mutants
    from conformance.mutants.values import FAITHFUL

    catalogue = {FAITHFUL.name: FAITHFUL, **load_mutants()}
    if list_them:
        width = max(map(len, catalogue))
        for one in catalogue.values():
            click.echo(f"{one.name:<{width}}  {one.breaks:<15} {one.text}")
        return
    if name is None or not upstream:
        raise click.UsageError("tell NAME and --upstream URL, or --list")
    if name not in catalogue:
        raise click.UsageError(f"no mutant is named {name}; --list shows them")
    chosen = catalogue[name]
    from conformance.mutants.serving import serve
    from openapi.document import load

    try:
        door = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise click.ClickException(
            f"cannot listen on {host}, port {port}: {error.strerror}; --port 0 picks a free one"
        ) from None
    here = f"http://{f'[{host}]' if ':' in host else host}:{door.getsockname()[1]}"
    click.echo(f"Ready. {here} is {upstream}, but: {chosen.text} ({chosen.breaks or 'nothing broken'})")
    if chosen.needs_bucket:
        click.echo(
            f"It shows in a bucket alone: {upstream} must put pictures into one, and --s3-* tell the suite of it."
        )
    serve(chosen, upstream, load(), door)
