"""Compiles the YAML sources to the JSON that programs load: `python -m openapi.build [--check]`.

Parsing YAML takes longer than starting a server should. The compiled document is the source with the example files put
in, so that it is complete on its own.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from openapi.errors import BrokenDocument, DocumentError
from openapi.vocabulary import JsonObject, check, rewrite

HERE = Path(__file__).parent
COMPILED = "compiled"


def compile_contract(source: Path) -> JsonObject:
    """The document of a YAML file, its example files put in.

    Raises:
        DocumentError: the document says something unknown, does not hold together, or names a file that is missing.
    """
    raw = _yaml(source)
    check(raw)

    def put_in(kind: str, _old: JsonObject, copy: JsonObject) -> JsonObject:
        if kind not in ("example", "refused-example") or "externalValue" not in copy:
            return copy
        name = copy.pop("externalValue")
        try:
            value = json.loads((source.parent / name).read_text("utf-8"))
        except FileNotFoundError:
            raise BrokenDocument("#", f"the example file {name} is missing") from None
        return {**copy, "x-file": name, "value": value}

    document: JsonObject = rewrite(raw, "document", put_in)
    return document


def outputs(folder: Path = HERE) -> dict[Path, str]:
    """The text of every compiled file, by its path."""
    compiled = {folder / COMPILED / "contract.json": _json(compile_contract(folder / "openapi.yaml"))}
    catalogue = folder / "catalogue.yaml"
    if catalogue.exists():
        compiled[folder / COMPILED / "catalogue.json"] = _json(_yaml(catalogue))
    return compiled


def stale(folder: Path = HERE) -> list[Path]:
    """The compiled files that are missing or do not match their source."""
    return [path for path, text in outputs(folder).items() if not path.exists() or path.read_text("utf-8") != text]


def main(arguments: Sequence[str] | None = None, folder: Path = HERE) -> int:
    """Write the compiled files, or with `--check` only say whether they are right. Exit status 0 or 1, 2 for usage."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given not in ([], ["--check"]):
        print("usage: python -m openapi.build [--check]", file=sys.stderr)  # noqa: T201 - a program for the terminal
        return 2
    try:
        old = stale(folder)
    except DocumentError as error:
        print(error, file=sys.stderr)  # noqa: T201 - a program for the terminal
        return 1
    if given:
        for path in old:
            print(f"{path.name} does not match its source; run: python -m openapi.build", file=sys.stderr)  # noqa: T201
        return 1 if old else 0
    for path, text in outputs(folder).items():
        if path in old:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, "utf-8")
            print(f"wrote {path.name}")  # noqa: T201 - a program for the terminal
    return 0


def _yaml(path: Path) -> Any:
    import yaml  # only the build needs it; no program loads YAML at start

    return yaml.safe_load(path.read_text("utf-8"))


def _json(value: object) -> str:
    # One line per top level would be unreadable anyway; a stable, indented text gives reviewable differences.
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.exit(main())
