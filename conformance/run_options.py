"""The flags of `run`, and the one place where they and the environment become a job.

Each flag is also NOVITA_CONFORMANCE_<FLAG>; keys have the names that the vendor's own clients use.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
from click.core import ParameterSource

from conformance.budget import Limits
from conformance.completion import clocks, ids_or_areas, profile_names, reports, revision_names
from conformance.job import Job
from conformance.names import Names
from conformance.report.write import KINDS
from conformance.selection import SelectionError, load_revision, select
from conformance.target import Bucket, Target, is_loopback

ENV_PREFIX = "NOVITA_CONFORMANCE"
LOCAL_CONTROL = "/__mock"
"""Where a server on this machine is asked for a virtual clock when nothing else is said."""
MODEL_NAMES = tuple(field.name for field in fields(Names) if field.type == "str")
NOT_TOLD = frozenset({"api_key", "second_key", "s3_access_key", "s3_secret_key", "url"})
"""Options that no report repeats: secrets, and what stands elsewhere in it."""

NAME_HELP = "A model that the target has, such as checkpoint=NAME; repeatable."

Decorator = Callable[[Any], Any]


def flag(*declarations: str, **attributes: Any) -> Decorator:
    """A `click.option` that also reads NOVITA_CONFORMANCE_<FLAG>, unless `envvar` says otherwise."""
    long = next(text for text in declarations if text.startswith("--")).partition("/")[0]
    variable = f"{ENV_PREFIX}_{long.removeprefix('--').replace('-', '_').upper()}"
    shown = attributes.get("default") not in (None, "")
    return click.option(*declarations, **{"envvar": variable, "show_default": shown, **attributes})


class RunCommand(click.Command):
    """Takes several reports after one flag: `--report json=a.json html=b.html`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Repeats the flag in front of each."""
        spread: list[str] = []
        listing = False
        for arg in args:
            is_report = re.match(rf"({'|'.join(KINDS)})=", arg) is not None
            if listing and is_report and spread[-1] != "--report":
                spread.append("--report")
            listing = arg == "--report" or arg.startswith("--report=") or (listing and is_report)
            spread.append(arg)
        return super().parse_args(ctx, spread)


def _report(ctx: click.Context, param: click.Parameter, values: Iterable[str]) -> tuple[tuple[str, Path], ...]:
    found = []
    for value in values:
        kind, equals, path = value.partition("=")
        if kind not in KINDS or not equals or not path:
            raise click.BadParameter(f"{value!r}: expected KIND=FILE with KIND one of {', '.join(KINDS)}", ctx, param)
        found.append((kind, Path(path)))
    return tuple(found)


def given_names(ctx: click.Context, param: click.Parameter, values: Iterable[str]) -> dict[str, str]:
    """What `--name` says, several times over."""
    found = {}
    for value in values:
        field, equals, model = value.partition("=")
        if field not in MODEL_NAMES or not equals or not model:
            known = ", ".join(MODEL_NAMES)
            raise click.BadParameter(f"{value!r}: expected FIELD=MODEL with FIELD one of {known}", ctx, param)
        found[field] = model
    return found


def _url(ctx: click.Context, param: click.Parameter, value: str) -> str:
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise click.BadParameter(f"{value!r}: {error}", ctx, param) from None
    if parts.scheme not in ("http", "https") or not host:
        raise click.BadParameter(f"{value!r}: expected a URL such as http://127.0.0.1:4280", ctx, param)
    if parts.query or parts.fragment:
        raise click.BadParameter(f"{value!r}: expected no query and no fragment", ctx, param)
    return value.rstrip("/")


_COUNT = click.IntRange(0)
_SECONDS = click.FloatRange(0, min_open=True)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_NEW_FILE = click.Path(dir_okay=False, path_type=Path)

_FLAGS: tuple[Decorator, ...] = (
    click.argument("url", callback=_url, metavar="URL"),
    flag(
        "--api-key", envvar="NOVITA_API_KEY", show_envvar=True, required=True, metavar="KEY", help="Key of an account."
    ),
    flag(
        "--second-key",
        envvar="NOVITA_SECOND_API_KEY",
        show_envvar=True,
        default="",
        metavar="KEY",
        help="Key of another account: whether accounts see each other.",
    ),
    flag(
        "--profile",
        "profiles",
        multiple=True,
        metavar="NAME",
        shell_complete=profile_names,
        help="What to decide; repeatable, or all.",
    ),
    flag(
        "--only",
        multiple=True,
        metavar="ID",
        shell_complete=ids_or_areas,
        help="Only this id or area (V3-TXT2IMG); repeatable.",
    ),
    flag(
        "--exclude",
        multiple=True,
        metavar="ID",
        shell_complete=ids_or_areas,
        help="Without this id or area; repeatable.",
    ),
    flag(
        "--revision",
        default="",
        metavar="YEAR-MONTH",
        shell_complete=revision_names,
        help="Frozen profiles to score by; else the newest.",
    ),
    flag("--strict", is_flag=True, help="Accept the documented reading alone; a warning is a failure."),
    flag("--seed", type=_COUNT, default=1, help="Repeats everything that is drawn."),
    flag("--workers", type=click.IntRange(1, 256), default=32, help="Checks under way at the same time."),
    flag("--timeout", type=_SECONDS, default=10.0, help="Seconds that one answer may take."),
    flag("--task-timeout", type=_SECONDS, default=60.0, help="Seconds that a task may take."),
    flag("--patience", type=_SECONDS, default=30.0, help="Seconds to wait where nothing says how long."),
    flag("--safe/--no-safe", default=None, help="Send only what costs next to nothing; default unless on loopback."),
    flag("--webhook-host", default="", metavar="HOST", help="Name at which the target reaches this machine."),
    flag("--webhook-port", type=click.IntRange(0, 65535), default=0, help="Port for its events; 0 picks one."),
    flag(
        "--clock",
        default="auto",
        metavar="PREFIX|auto|none",
        shell_complete=clocks,
        help=f"Path of the target's control of virtual time; auto: {LOCAL_CONTROL} on loopback.",
    ),
    flag("--name", "names", multiple=True, callback=given_names, metavar="FIELD=MODEL", help=NAME_HELP),
    flag("--capabilities", type=_FILE, help="YAML: what the target offers; claimed and absent is a violation."),
    flag("--expected-failures", type=_FILE, help="YAML of 'ID: reason': known failures, which do not count."),
    flag("--max-requests", type=_COUNT, help="Stop before more requests."),
    flag("--max-tasks", type=_COUNT, help="Stop before more accepted tasks."),
    flag("--max-images", type=_COUNT, help="Stop before more pictures; default by --plan."),
    flag("--max-usd", type=click.FloatRange(0), help="Stop before more US dollars, by the listed price."),
    flag("--max-time", type=_SECONDS, help="Stop sending after so many seconds."),
    flag("--s3-endpoint", default="", metavar="URL", help="S3 server that the target may write to."),
    flag("--s3-region", default="us-east-1", metavar="NAME", help="Its region."),
    flag("--s3-bucket", default="", metavar="NAME", help="The bucket."),
    flag("--s3-access-key", default="", metavar="KEY", help="For reading the bucket."),
    flag("--s3-secret-key", default="", metavar="KEY", help="For reading the bucket."),
    flag("--fuzz/--no-fuzz", default=None, help="Made-up input after the checks; default unless --only is given."),
    flag("--fuzz-examples", type=click.IntRange(1), default=20, help="Made-up inputs per operation."),
    flag("--repro/--no-repro", default=True, help="A script for each violation, in --repro-dir."),
    flag(
        "--repro-dir",
        type=click.Path(file_okay=False, path_type=Path),
        default=Path("conformance-repro"),
        help="Folder for the scripts; made when there is one to write.",
    ),
    flag(
        "--report",
        "reports",
        multiple=True,
        callback=_report,
        metavar="KIND=FILE...",
        shell_complete=reports,
        help="; ".join(KINDS),
    ),
    flag("--events", type=_NEW_FILE, help="Event log as JSON lines, written as it happens."),
    flag("--plan", is_flag=True, help="Say what would be sent, and send nothing."),
    flag("--color/--no-color", default=None, help="Default: in a terminal."),
)


def run_flags(function: Any) -> Any:
    """All arguments and flags of `run`."""
    for decorate in reversed(_FLAGS):
        function = decorate(function)
    return function


def is_given(option: str) -> bool:
    """Whether an option of the running command was set, and is not its default."""
    return click.get_current_context().get_parameter_source(option) is not ParameterSource.DEFAULT


def job_of(options: dict[str, Any]) -> Job:
    """The job that some options ask for.

    Raises:
        click.UsageError: they contradict each other or name what does not exist.
    """
    from conformance.capabilities import CapabilitiesError, read_claims
    from conformance.expected import ExpectedError, read_expected
    from conformance.planning import forecast
    from openapi.document import load
    from openapi.requirements import load_requirements

    rows = load_requirements()
    try:
        selection = select(
            rows,
            load_revision(options["revision"]),
            profiles=options["profiles"],
            only=options["only"],
            exclude=options["exclude"],
        )
        expected = read_expected(options["expected_failures"], rows) if options["expected_failures"] else {}
        capabilities = options["capabilities"]
        claims = read_claims(capabilities, load().operations) if capabilities else {}
    except (SelectionError, ExpectedError, CapabilitiesError) as error:
        raise click.UsageError(str(error)) from None
    chosen = [row.id for row in selection.chosen]
    return Job(
        target=_target(options, claims),
        selection=selection,
        limits=Limits(
            max_requests=options["max_requests"],
            max_tasks=options["max_tasks"],
            max_images=forecast(chosen, load()).stop_at if options["max_images"] is None else options["max_images"],
            max_usd=options["max_usd"],
            max_time_s=options["max_time"],
        ),
        workers=options["workers"],
        seed=options["seed"],
        expected=expected,
        repro=options["repro"],
        fuzz=not options["only"] if options["fuzz"] is None else options["fuzz"],
        fuzz_examples=options["fuzz_examples"],
        options=_told(options),
    )


def _target(options: dict[str, Any], claims: dict[str, bool]) -> Target:
    local = is_loopback(urlsplit(options["url"]).hostname or "")
    clock = options["clock"]
    return Target(
        url=options["url"],
        key=options["api_key"],
        second_key=options["second_key"],
        strict=options["strict"],
        safe=not local if options["safe"] is None else options["safe"],
        timeout_s=options["timeout"],
        task_timeout_s=options["task_timeout"],
        patience_s=options["patience"],
        control="" if clock == "none" else ((LOCAL_CONTROL if local else "") if clock == "auto" else _prefix(clock)),
        clock_named=clock not in ("auto", "none"),
        webhook_host=options["webhook_host"],
        webhook_port=options["webhook_port"],
        bucket=_bucket(options),
        names=options["names"],
        claims=claims,
    )


def _prefix(clock: str) -> str:
    if not re.fullmatch(r"(/[\w.~-]+)+/?", clock):
        raise click.UsageError(f"--clock {clock}: expected auto, none, or a path such as {LOCAL_CONTROL}")
    return clock.rstrip("/")


def _bucket(options: dict[str, Any]) -> Bucket | None:
    wanted = ("s3_endpoint", "s3_bucket", "s3_access_key", "s3_secret_key")
    missing = [f"--{name.replace('_', '-')}" for name in wanted if not options[name]]
    if len(missing) == len(wanted):
        return None
    if missing:
        raise click.UsageError(f"a bucket needs {', '.join(missing)} too")
    return Bucket(
        endpoint=options["s3_endpoint"],
        region=options["s3_region"],
        bucket=options["s3_bucket"],
        access_key=options["s3_access_key"],
        secret_key=options["s3_secret_key"],
    )


def _told(options: dict[str, Any]) -> dict[str, object]:
    """Options for the report: as JSON, without secrets and without what was not set."""

    def plain(value: Any) -> Any:
        if isinstance(value, Path):
            return str(value)
        if isinstance(value, list | tuple):
            return [plain(one) for one in value]
        return value

    kept = {name: plain(value) for name, value in options.items() if name not in NOT_TOLD and value not in (None, "")}
    return {name: value for name, value in kept.items() if value not in ([], {})}
