"""`novita-mock spec`: what documentation pages state, and whether the contract still agrees with them.

For the contract's keepers: `derive` shows the facts of pages, `drift` compares them with the document. Exit codes:
0 ok, 1 drift, 2 something cannot be read.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from openapi.derive import Derivation, as_table, derive
from openapi.document import load
from openapi.drift import as_text, compare
from openapi.facts import Page
from openapi.overlay import read_overlay
from openapi.pages import read_page
from openapi.spec_errors import SpecError

EXIT_DRIFT = 1
EXIT_UNREADABLE = 2


class Unreadable(click.ClickException):
    """A page, an overlay or a document that cannot be read."""

    exit_code = EXIT_UNREADABLE


_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_PAGES = click.argument("pages", nargs=-1, required=True, type=_FILE)
_OVERLAY = click.option("--overlay", type=_FILE, help="Overlay in place of the contract's own.")
_NO_OVERLAY = click.option("--no-overlay", is_flag=True, help="Only what the pages state.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def spec() -> None:
    """Derive the contract from documentation pages, and watch for drift."""


@spec.command("derive")
@_PAGES
@_OVERLAY
@_NO_OVERLAY
@click.option(
    "--format",
    "form",
    type=click.Choice(["yaml", "json", "table"]),
    default="yaml",
    show_default=True,
    help="table: one field a line.",
)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="File in place of the terminal.")
def derive_command(
    pages: Sequence[Path], overlay: Path | None, no_overlay: bool, form: str, output: Path | None
) -> None:
    """Make an OpenAPI document of what PAGES state (Markdown in the vendor's format).

    The overlay adds what no page states, with a reason for each addition; a table shows the pages alone.
    """
    derivation = _derivation(pages, overlay, no_overlay)
    match form:
        case "table":
            text = as_table(derivation.pages)
        case "json":
            text = json.dumps(derivation.document, indent=2, ensure_ascii=False)
        case _:
            text = _yaml(derivation.document)
    if output is None:
        click.echo(text.rstrip("\n"))
        return
    try:
        output.write_text(text.rstrip("\n") + "\n", encoding="utf-8")
    except OSError as error:
        raise Unreadable(f"{output}: cannot be written ({error.strerror})") from None


@spec.command("drift")
@_PAGES
@_OVERLAY
@_NO_OVERLAY
@click.option("--document", type=_FILE, help="OpenAPI document in place of the contract (YAML or JSON).")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="For people, or for programs.",
)
def drift_command(
    pages: Sequence[Path], overlay: Path | None, no_overlay: bool, document: Path | None, form: str
) -> None:
    """Compare what PAGES state with the contract, field by field; exit 1 when they disagree.

    Each difference shows what the page says, with file and line, and what the document says. A departure that is
    meant belongs into the overlay, with its reason.
    """
    derivation = _derivation(pages, overlay, no_overlay)
    try:
        comparison = compare(derivation, _contract(document))
    except SpecError as error:
        raise Unreadable(str(error)) from None
    click.echo(as_text(comparison) if form == "text" else json.dumps(comparison.as_json(), indent=2))
    if comparison.differences:
        sys.exit(EXIT_DRIFT)


def _derivation(paths: Sequence[Path], overlay: Path | None, no_overlay: bool) -> Derivation:
    """The derived document; sentences that could not be read go to the terminal's error stream."""
    if overlay and no_overlay:
        raise click.UsageError("--overlay and --no-overlay exclude each other")
    try:
        pages: list[Page] = [read_page(path) for path in paths]
        derivation = derive(pages, None if no_overlay else read_overlay(overlay))
    except SpecError as error:
        raise Unreadable(str(error)) from None
    for page in pages:
        for note in page.notes:
            click.echo(f"note: {note}", err=True)
    return derivation


def _contract(path: Path | None) -> Any:
    if path is None:
        return load().raw
    import yaml  # a JSON document is YAML too

    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise Unreadable(f"{path}: cannot be read: {error}") from None
    if not isinstance(document, dict) or not isinstance(document.get("paths"), dict):
        raise Unreadable(f"{path}: expected an OpenAPI document with paths")
    return document


def _yaml(document: Any) -> str:
    import yaml

    class Dumper(yaml.SafeDumper):
        """Without anchors: a derived document is for reading."""

        def ignore_aliases(self, data: Any) -> bool:
            return True

    return yaml.dump(document, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=120)
