"""Public linters accept the document: as it is written, and in both readings."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from openapi_spec_validator import validate

from openapi.document import Reading
from tests.openapi.samples import contract

ROOT = Path(__file__).parents[2]
REDOCLY = shutil.which("redocly", path=str(ROOT / "node_modules" / ".bin")) or shutil.which("redocly")


def test_the_source_is_valid_openapi() -> None:
    """openapi-spec-validator accepts the YAML."""
    validate(yaml.safe_load((ROOT / "openapi" / "openapi.yaml").read_text("utf-8")))


def test_the_compiled_document_is_valid_openapi() -> None:
    """openapi-spec-validator accepts what programs load."""
    validate(contract().raw)


@pytest.mark.parametrize("reading", Reading)
def test_a_reading_is_valid_openapi(reading: Reading) -> None:
    """openapi-spec-validator accepts what users are given."""
    validate(contract().rendered(reading))


def test_every_lint_exception_has_its_reason() -> None:
    """Each group of ignored places stands under a comment, and names a place that exists."""
    path = ROOT / ".redocly.lint-ignore.yaml"
    (file, rules), *rest = yaml.safe_load(path.read_text("utf-8")).items()
    assert (file, rest) == ("openapi/openapi.yaml", [])
    lines = path.read_text("utf-8").splitlines()
    for rule in rules:
        assert lines[lines.index(f"  {rule}:") + 1].strip().startswith("#")
    document = yaml.safe_load((ROOT / file).read_text("utf-8"))
    for pointer in (pointer for places in rules.values() for pointer in places):
        node = document
        for part in pointer.removeprefix("#/").split("/"):
            node = node[part.replace("~1", "/").replace("~0", "~")]


if REDOCLY:  # it comes from npm; `make lint-openapi` runs it where it is not installed

    def test_redocly_has_nothing_to_say() -> None:
        """The strict recommended rules find no error and no warning."""
        command = [str(REDOCLY), "lint", "openapi/openapi.yaml"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
