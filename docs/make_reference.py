"""Writes the reference pages from the code: docs/settings.md from the flags, docs/control.md from the control table.

`python docs/make_reference.py` writes them; with `--check` it exits 1 when one is not what the code says.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import click

from mockserver.cli import serve
from mockserver.control.table import RESOURCES

HERE = Path(__file__).parent
HEAD = "<!-- Written by docs/make_reference.py; do not edit. -->\n\n"


def escaped(text: str) -> str:
    """Text in which `x<N>` is no tag."""
    return text.replace("<", "&lt;")


def settings_page() -> str:
    """Every flag of `novita-mock serve` with its variable and default."""
    lines = [
        "# Settings",
        "",
        "A flag wins over its variable, a variable over the file, the file over the default. The file is",
        "`--config FILE`, or `novita-mock.yaml` in the working directory: a `flag: value` a line, without dashes.",
        "A repeatable flag takes a list in the file, and values with spaces between them in its variable.",
        "",
        "| flag | variable | default | what it does |",
        "|---|---|---|---|",
    ]
    for option in serve.params:
        if isinstance(option, click.Option) and option.name:
            flags = ", ".join(f"`{flag}`" for flag in (*option.opts, *option.secondary_opts))
            default = f"`{option.default}`" if isinstance(option.default, str | int | float) else ""
            if option.name == "seed":
                default = "drawn; `GET /__mock/version` tells it"
            choices = f" One of {', '.join(option.type.choices)}." if isinstance(option.type, click.Choice) else ""
            lines.append(f"| {flags} | `{option.envvar}` | {default} | {escaped(option.help or '')}{choices} |")
    return HEAD + "\n".join(lines) + "\n"


def control_page() -> str:
    """Every resource of the control interface."""
    lines = [
        "# Control interface",
        "",
        "Same port, prefix `/__mock`. A call acts on the world of the API key it is made with. Errors are RFC 9457",
        "problem+json. The schemas are in `GET /__mock/openapi.json`.",
        "",
        "| call | key | what it does | arguments |",
        "|---|---|---|---|",
    ]
    for resource in RESOURCES:
        body = resource.body or {}
        names = [f"`{name}`" for name in body.get("properties", {})]
        names += [f"`?{name}=`" for name in resource.query]
        if resource.binary:
            names.append("the file")
        call = f"`{resource.method} {resource.path}`"
        lines.append(f"| {call} | {resource.key} | {escaped(resource.summary)} | {', '.join(names)} |")
    return HEAD + "\n".join(lines) + "\n"


def main() -> int:
    """Writes or checks both pages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit 1 when a page is stale")
    check = parser.parse_args().check
    stale = 0
    for name, text in (("settings.md", settings_page()), ("control.md", control_page())):
        page = HERE / name
        if not check:
            page.write_text(text, encoding="utf-8")
        elif not page.exists() or page.read_text(encoding="utf-8") != text:
            sys.stderr.write(f"{page} is stale; run: python docs/make_reference.py\n")
            stale = 1
    return stale


if __name__ == "__main__":
    sys.exit(main())
