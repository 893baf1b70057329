"""`novita-mock coverage`: reports of running servers and of files, added up, shown, and held to a threshold.

Exit codes: 0 ok, 1 below a threshold, 2 usage, or a report that cannot be read.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import click

from mockserver.completion import dimensions
from mockserver.coverage.item import Dimension, Versions
from mockserver.coverage.merge import merge
from mockserver.coverage.report import Judgement, Report, percent
from mockserver.coverage.wire import ReportError, dump, read_report

EXIT_BELOW = 1
EXIT_UNREADABLE = 2
TIMEOUT_S = 10.0

_RESOURCE = "/__mock/coverage"


class Unreadable(click.ClickException):
    """A report that cannot be fetched, read, added up or written."""

    exit_code = EXIT_UNREADABLE


def _percentage(text: str) -> Fraction:
    """A number from 0 to 100.

    Raises:
        ValueError: it is none.
    """
    number = float(text.removesuffix("%"))
    if not math.isfinite(number) or not 0 <= number <= 100:
        raise ValueError(f"{text!r} is outside 0 to 100")
    return Fraction(text.removesuffix("%").strip())


def _fail_under(ctx: click.Context, param: click.Parameter, value: str | None) -> Fraction | None:
    try:
        return None if value is None else _percentage(value)
    except ValueError:
        raise click.BadParameter(f"expected a percentage from 0 to 100, got {value!r}", ctx, param) from None


def _minimums(ctx: click.Context, param: click.Parameter, values: Sequence[str]) -> dict[Dimension, Fraction]:
    found: dict[Dimension, Fraction] = {}
    for value in values:
        name, equals, text = value.partition("=")
        try:
            dimension = Dimension(name)
        except ValueError:
            known = ", ".join(Dimension)
            raise click.BadParameter(f"{name!r} is no dimension; expected one of {known}", ctx, param) from None
        try:
            found[dimension] = _percentage(text)
        except ValueError:
            came = value if equals else f"{value!r} without '='"
            raise click.BadParameter(f"expected DIMENSION=PERCENT, as errors=80; got {came}", ctx, param) from None
    return found


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("sources", nargs=-1, required=True, metavar="URL_OR_FILE...")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "html"]),
    default="text",
    show_default=True,
    help="For people, for programs, or a page.",
)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="File in place of the terminal.")
@click.option(
    "--versions",
    type=click.Choice([one.value for one in Versions]),
    default=Versions.AUTO.value,
    show_default=True,
    help="Versions of the contract that are judged; auto: those that were called.",
)
@click.option("--fail-under", callback=_fail_under, metavar="PERCENT", help="Exit 1 when the overall figure is below.")
@click.option(
    "--min",
    "minimums",
    multiple=True,
    callback=_minimums,
    metavar="DIMENSION=PERCENT",
    shell_complete=dimensions,
    help="Exit 1 when a dimension is below; repeatable.",
)
def coverage(
    sources: Sequence[str],
    form: str,
    output: Path | None,
    versions: str,
    fail_under: Fraction | None,
    minimums: dict[Dimension, Fraction],
) -> None:
    """Show what part of the contract tests exercised, and which tests to write next.

    Each source is the address of a mock that runs with --coverage, or a JSON report; several are added up.
    """
    try:
        report = merge([_read(source) for source in sources], sources)
    except ReportError as error:
        raise Unreadable(str(error)) from None
    chosen = Versions(versions)
    _show(_rendered(report, chosen, form), output)
    failures = _failures(Judgement(report, chosen), fail_under, minimums)
    for failure in failures:
        click.echo(f"novita-mock: {failure}", err=True)
    if failures:
        sys.exit(EXIT_BELOW)


def _read(source: str) -> Report:
    if source.startswith(("http://", "https://")):
        return read_report(_fetched(source), source)
    try:
        return read_report(Path(source).read_bytes(), source)
    except OSError as error:
        raise ReportError(f"{source}: cannot be read ({error.strerror}); expected a file or an address") from None


def _fetched(url: str) -> bytes:
    import httpx  # only where a server is asked

    address = url.rstrip("/")
    if not address.endswith(_RESOURCE):
        address += _RESOURCE
    try:
        # Not through a proxy of the environment: the mock is on this machine or beside it.
        answer = httpx.get(address, timeout=TIMEOUT_S, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ReportError(f"{url}: no answer ({error}); is a novita-mock running there?") from None
    if answer.status_code != 200:
        raise ReportError(f"{url}: {_detail(answer)}")
    return answer.content


def _detail(answer: object) -> str:
    """What a control problem says, or the bare status."""
    import httpx

    assert isinstance(answer, httpx.Response)
    try:
        told = answer.json()
    except ValueError:
        told = None
    if isinstance(told, dict) and isinstance(told.get("detail"), str):
        return str(told["detail"])
    return f"status {answer.status_code}; expected the address of a novita-mock"


def _rendered(report: Report, versions: Versions, form: str) -> str:
    match form:
        case "json":
            return dump(report, versions).decode()
        case "html":
            from mockserver.coverage.page import as_html

            return as_html(report, versions)
        case _:
            from mockserver.coverage.text import as_text

            return as_text(report, versions)


def _show(text: str, output: Path | None) -> None:
    if output is None:
        click.echo(text.rstrip("\n"))
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Unreadable(f"{output}: cannot be written ({error.strerror})") from None


def _failures(judged: Judgement, overall: Fraction | None, minimums: dict[Dimension, Fraction]) -> list[str]:
    found = []
    if overall is not None and judged.share * 100 < overall:
        found.append(f"coverage is {percent(judged.share)} %, below --fail-under {float(overall):g}")
    for dimension, wanted in minimums.items():
        total = judged.total(dimension)
        if total is None:
            found.append(f"{dimension.value} has nothing to judge in {' and '.join(judged.versions)}; see --versions")
        elif total.share * 100 < wanted:
            found.append(f"{dimension.value} is {percent(total.share)} %, below --min {dimension}={float(wanted):g}")
    return found
