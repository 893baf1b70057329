"""`novita-mock doctor`: what a person runs when something does not work.

Exit codes: 0 nothing to do, 1 warnings, 2 a problem, or wrong usage.
"""

from __future__ import annotations

import json
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from mockserver.doctor.values import Section

KEY = "sk-mock-doctor-"


def _url(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    from urllib.parse import urlsplit

    if value is None:
        return None
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise click.BadParameter(f"{value!r}: {error}", ctx, param) from None
    if parts.scheme not in ("http", "https") or not host or parts.username or parts.query or parts.fragment:
        raise click.BadParameter(f"{value!r}: expected an address such as http://127.0.0.1:4280", ctx, param)
    if parts.path.strip("/"):
        raise click.BadParameter(
            f"{value!r}: expected no path; the mock is at {parts.scheme}://{parts.netloc}", ctx, param
        )
    return f"{parts.scheme}://{parts.netloc}"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--url", callback=_url, metavar="URL", help="Also try the mock that runs there, from submit to webhook.")
@click.option("--key", metavar="KEY", help="API key for that, where the mock takes listed keys only.")
@click.option("--config", metavar="FILE", help="File of settings to read, as serve --config.")
@click.option("-H", "--host", metavar="ADDRESS", help="Where the mock would listen; else as set.")
@click.option("-p", "--port", type=click.IntRange(0, 65535), help="The same for its port.")
@click.option("--json", "as_json", is_flag=True, help="The same as JSON.")
def doctor(
    url: str | None, key: str | None, config: str | None, host: str | None, port: int | None, *, as_json: bool
) -> None:
    """Look at everything around the mock that can be in its way, and say what to do about it.

    Installation, extras, settings, port, proxies, the variables that clients read, names, clock, folders. No key is
    printed, and nothing is sent beyond this machine, except to the mock that --url names.
    """
    if key is not None and url is None:
        raise click.UsageError("--key is for the mock that --url names")
    from mockserver.doctor.report import as_json as json_of
    from mockserver.doctor.report import as_text
    from mockserver.doctor.values import exit_code

    sections = _examined(config, host, port)
    if url is not None:
        sections.append(_tried(url, key))
    if as_json:
        click.echo(json.dumps(json_of(sections), indent=2, ensure_ascii=False))
    else:
        for line in as_text(sections):
            click.echo(line)
    sys.exit(exit_code(sections))


def _examined(config: str | None, host: str | None, port: int | None) -> list[Section]:
    from mockserver.doctor import installation, machine, surroundings
    from mockserver.doctor.asking import ask
    from mockserver.doctor.configuration import configured
    from mockserver.doctor.listening import listening
    from mockserver.doctor.values import Section
    from mockserver.parts.wall import SystemWall
    from mockserver.programs.child import inherited
    from mockserver.programs.names import URI_VARIABLE

    environment = inherited()
    found = configured(environment, config=config, host=host, port=port)
    return [
        Section(title="Installation", lines=tuple(installation.installation(environment.get("PATH", "")))),
        Section(title="Extras", lines=tuple(installation.extras())),
        Section(title="Settings and port", lines=(*found.lines, *listening(found.host, found.port))),
        Section(
            title="What clients read",
            lines=(
                *surroundings.address(environment, ask),
                *surroundings.key(environment),
                *surroundings.proxies(environment),
                *surroundings.localhost(found.host, environment.get(URI_VARIABLE, "")),
                *surroundings.certificates(environment),
            ),
        ),
        Section(
            title="This machine",
            lines=(
                *machine.clock(SystemWall()()),
                *machine.folders(Path.cwd()),
                *machine.files(),
                *machine.authority(environment),
            ),
        ),
    ]


def _tried(url: str, key: str | None) -> Section:
    from mockserver.doctor.trying import tried
    from mockserver.doctor.values import Section
    from mockserver.parts.wall import SystemWall

    used = key or KEY + secrets.token_hex(4)
    return Section(
        title=f"The mock at {url}", lines=tuple(tried(url, key=used, own_world=key is None, wall=SystemWall()))
    )
