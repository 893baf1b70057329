"""`novita-conformance list` and `explain`: what there is to decide, and what stands behind one sentence."""

from __future__ import annotations

import json
import textwrap
from typing import Any

import click

from conformance.completion import area_names, profile_names, requirement_ids
from conformance.selection import SelectionError, load_revision, select
from openapi.requirements import Requirement, Requirements, load_requirements

_SETTINGS = {"help_option_names": ["-h", "--help"]}
WIDTH = 100


@click.command("list", context_settings=_SETTINGS)
@click.option(
    "--profile",
    "profiles",
    multiple=True,
    metavar="NAME",
    shell_complete=profile_names,
    help="Of this profile; repeatable. Else of all.",
)
@click.option(
    "--area",
    "areas",
    multiple=True,
    metavar="AREA",
    shell_complete=area_names,
    help="Of this area, such as V3-TXT2IMG; repeatable.",
)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def list_command(profiles: tuple[str, ...], areas: tuple[str, ...], as_json: bool) -> None:
    """List the requirements: id, keyword, profile and sentence."""
    rows = load_requirements()
    try:
        chosen = select(rows, load_revision(), profiles=profiles or ("all",), only=areas).chosen
    except SelectionError as error:
        raise click.UsageError(str(error)) from None
    if as_json:
        click.echo(json.dumps([_told(row) for row in chosen], indent=1, ensure_ascii=False))
        return
    for row in chosen:
        note = " (nobody can observe it)" if row.unobservable else ""
        click.echo(f"{row.id:<15} {row.keyword:<10} {row.profile:<12} {row.text}{note}")
    click.echo(f"{len(chosen)} requirements", err=True)


def _told(row: Requirement) -> dict[str, Any]:
    return {
        "id": row.id,
        "level": row.keyword,
        "profile": row.profile,
        "area": row.area,
        "strength": row.strength,
        "text": row.text,
        "tolerated": row.tolerated,
        "contradictions": list(row.contradictions),
        "unobservable": row.unobservable,
    }


@click.command("explain", context_settings=_SETTINGS)
@click.argument("requirement", metavar="ID", shell_complete=requirement_ids)
def explain_command(requirement: str) -> None:
    """Say everything about one requirement: sentence, tolerated branch, sources, and the check that decides it."""
    rows = load_requirements()
    click.echo("\n".join(explanation(_row(rows, requirement), rows)))


def _row(rows: Requirements, requirement: str) -> Requirement:
    wanted = requirement.upper()
    if wanted in rows.retired:
        raise click.UsageError(f"{wanted} is retired: {rows.retired[wanted]}")
    try:
        return rows[wanted]
    except KeyError:
        near = [row.id for row in rows if row.id.startswith(wanted.rpartition("-")[0] or wanted)]
        hint = f"; there are {near[0]} to {near[-1]}" if near else "; novita-conformance list shows all"
        raise click.UsageError(f"there is no requirement {requirement!r}{hint}") from None


def explanation(row: Requirement, rows: Requirements) -> list[str]:
    """Lines of text."""
    from openapi.document import load

    meanings = load().references
    lines = [f"{row.id}  {row.keyword}  profile {row.profile} ({rows.profiles[row.profile]})", ""]
    lines += _wrapped("", row.text)
    if row.tolerated:
        lines += _wrapped("Tolerated: ", row.tolerated)
    if row.unobservable:
        lines += _wrapped("Not observable: ", row.unobservable)
    lines += ["", "Sources"]
    lines += [f"  {one.strength:<9} {one.page.title} {one.page.url}".rstrip() for one in row.sources]
    if row.contradictions or row.observations:
        lines += ["", "Where the documentation disagrees, or practice does"]
        for number in (*row.contradictions, *row.observations):
            lines += _wrapped(f"  {number:<4} ", meanings.get(number, ""))
    lines += ["", "Speaks of", *(f"  {name}" for name in row.names)]
    return [*lines, "", *_check(row)]


def _check(row: Requirement) -> list[str]:
    from conformance.registry import load_checks

    registry = load_checks()
    if row.id not in registry:
        return ["No check: nobody can observe it." if row.unobservable else "No check is bound to it."]
    check = registry[row.id]
    said = " ".join((check.run.__doc__ or "").split())
    lines = [f"Check: {getattr(check.run, '__name__', 'check')} in {check.run.__module__}"]
    lines += _wrapped("  ", said) if said else []
    lines.append(f"  phase {check.phase.name.lower()}")
    if check.needs:
        lines.append(f"  not judged while one of these is broken: {', '.join(check.needs)}")
    return lines


def _wrapped(first: str, text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=" " * len(first)) or [first.rstrip()]
