"""`novita-mock webhook`: tools for whoever writes a webhook receiver.

Exit codes of `audit`: 0 ok, 1 findings, 2 usage (no URL, or a target that is not allowed), 3 nobody there.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from mockserver.outbound.guard import Targets
from mockserver.outbound.sender import OWN_HEADERS, HttpSender
from mockserver.parts.wall import SystemWall
from mockserver.webhooks.audit import ALLOWED_S, Audit, NotAllowed, Report, Unreachable
from mockserver.webhooks.audit_report import as_json, as_sarif, as_text
from mockserver.webhooks.signature import BadSecret, Signer, SigningUnavailable

EXIT_FINDINGS = 1
EXIT_NOBODY_THERE = 3
SECRET_VARIABLE = "NOVITA_MOCK_WEBHOOK_SECRET"  # the name of a variable, not a secret

_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x20-\x7e]*)")
_TASK_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class NobodyThere(click.ClickException):
    """The receiver could not be reached."""

    exit_code = EXIT_NOBODY_THERE


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def webhook() -> None:
    """Try a webhook receiver."""


def _targets(ctx: click.Context, param: click.Parameter, value: Sequence[str]) -> Targets:
    try:
        return Targets(value)
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, param) from None


def _signer(ctx: click.Context, param: click.Parameter, value: str | None) -> Signer | None:
    try:
        return Signer(value) if value else None
    except (BadSecret, SigningUnavailable) as error:
        raise click.BadParameter(str(error), ctx, param) from None


def _headers(ctx: click.Context, param: click.Parameter, value: Sequence[str]) -> dict[str, str]:
    found = {}
    for header in value:
        if not (parts := _HEADER.fullmatch(header)):  # its text is not repeated: it may be a password
            raise click.BadParameter("expected 'Name: value' in visible ASCII characters", ctx, param)
        if parts[1].lower() in OWN_HEADERS:
            raise click.BadParameter(f"{parts[1]} is written by the audit itself", ctx, param)
        found[parts[1]] = parts[2]
    return found


def _timeout(ctx: click.Context, param: click.Parameter, value: float) -> float:
    if not math.isfinite(value):  # the range lets NaN through
        raise click.BadParameter(f"{value:g} is no time; expected seconds", ctx, param)
    return value


def _task_id(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value is not None and not _TASK_ID.fullmatch(value):
        raise click.BadParameter("expected a UUID in lower case, as task ids are", ctx, param)
    return value


@webhook.command()
@click.argument("url")
@click.option(
    "--timeout",
    type=click.FloatRange(0, 600, min_open=True),
    default=ALLOWED_S,
    show_default=True,
    callback=_timeout,
    help="Seconds that an answer may take.",
)
@click.option(
    "--allow-target",
    "targets",
    multiple=True,
    metavar="HOST",
    callback=_targets,
    help="Host, address, network or host:port that may be called; repeatable. Without it only this machine.",
)
@click.option(
    "--secret",
    "signer",
    metavar="WHSEC",
    envvar=SECRET_VARIABLE,
    callback=_signer,
    help=f"Sign events by Standard Webhooks; also read from {SECRET_VARIABLE}. Needs the extra `signing`.",
)
@click.option("--header", "headers", multiple=True, metavar="'NAME: VALUE'", callback=_headers, help="Send it along.")
@click.option("--task-id", metavar="UUID", callback=_task_id, help="Use this task in every event; else made-up ones.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "sarif"]),
    default="text",
    show_default=True,
    help="sarif: for code scanning.",
)
@click.option("--json", "file", type=click.Path(dir_okay=False, path_type=Path), help="Write the JSON to a file too.")
def audit(
    url: str,
    timeout: float,
    targets: Targets,
    signer: Signer | None,
    headers: dict[str, str],
    task_id: str | None,
    form: str,
    file: Path | None,
) -> None:
    """Send real events to the receiver at URL and judge its answers; exit 1 when it has findings.

    Point it at a test system: the events name tasks that never were.
    """
    wall = SystemWall()
    made = Audit(
        url=url,
        sender=HttpSender(targets, wall=wall),
        wall=wall,
        seed=secrets.randbits(32),
        allowed_s=timeout,
        headers=headers,
        signer=signer,
        task_id=task_id,
    )
    try:
        report = asyncio.run(made.run())
    except NotAllowed as error:
        raise click.BadParameter(str(error), param_hint="URL") from None
    except Unreachable as error:
        raise NobodyThere(f"nobody there: {error}") from None
    if file is not None:
        _write(file, report)
    match form:
        case "json":
            click.echo(json.dumps(as_json(report), indent=2))
        case "sarif":
            click.echo(json.dumps(as_sarif(report), indent=2))
        case _:
            click.echo(as_text(report))
    if report.findings:
        sys.exit(EXIT_FINDINGS)


def _write(file: Path, report: Report) -> None:
    try:
        file.write_text(json.dumps(as_json(report), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise click.BadParameter(f"{file}: cannot be written ({error.strerror})", param_hint="--json") from None
