"""What is said of Python, the package and its extras."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest

from mockserver.doctor.installation import EXTRAS, Needed, extras, installation, needed, within
from mockserver.doctor.values import Level

ROOT = Path(__file__).parents[3]
FOR_DEVELOPERS = {"dev", "docs"}


@pytest.mark.parametrize(
    ("found", "bounds", "fits"),
    [
        ("8.5.1", ">=8.1.7", True),
        ("8.1.7", ">=8.1.7", True),
        ("8.1", ">=8.1.7", False),
        ("10.0", ">=9", True),
        ("2.13.0+cpu", "<=2.13.0,>=2.8", True),
        ("4.33.0", ">=4.32,<4.33", False),
        ("1.0", "", True),
        ("1.0", "!=1.0", False),
        ("1.0", "~=1.4", True),
    ],
)
def test_versions_are_held_to_bounds(found: str, bounds: str, fits: bool) -> None:
    """A bound that is written in another way is not held against a version."""
    assert within(found, bounds) is fits


def test_requirements_are_read_as_metadata_writes_them() -> None:
    written = [
        "click>=8.1.7",
        "uvloop>=0.21; sys_platform != 'win32' and platform_python_implementation == 'CPython'",
        'schemathesis<4.33,>=4.32; extra == "conformance"',
        "ray[serve]>=2.60,<2.61; extra == 'ray'",
        "novita-mock[conformance,s3]; extra == 'dev'",
    ]
    found = list(needed(written, {"click": "8.0", "uvloop": "0.23"}.get))
    assert [(one.name, one.extra, one.only_where, one.found, one.fits) for one in found] == [
        ("click", "", False, "8.0", False),
        ("uvloop", "", True, "0.23", True),
        ("schemathesis", "conformance", False, None, False),
        ("ray", "ray", False, None, False),
    ]


def test_every_extra_for_users_is_explained() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(EXTRAS) == set(project["optional-dependencies"]) - FOR_DEVELOPERS


def test_an_extra_is_there_or_says_how_to_get_it() -> None:
    def brings(name: str, extra: str, found: str | None) -> Needed:
        return Needed(name=name, bounds=">=1.2", extra=extra, only_where=False, found=found)

    asked = [brings("trustme", "intercept", "1.2.1"), brings("boto3", "s3", None), brings("signer", "signing", "1.0")]
    told = {line.id: line for line in extras(asked)}
    assert told["extra-intercept"].level is Level.OK
    assert told["extra-s3"].level is Level.NOTE
    assert "pip install 'novita-mock[s3]'" in told["extra-s3"].do
    assert told["extra-signing"].level is Level.WARNING
    assert "1.0, expected >=1.2" in told["extra-signing"].text


def test_another_command_of_the_same_name_is_told(tmp_path: Path) -> None:
    other = tmp_path / "novita-mock"
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    told = {line.id: line for line in installation(str(tmp_path))}
    assert told["command"].level is Level.WARNING
    assert str(other) in told["command"].text
    assert {line.id: line.level for line in installation(str(Path(sys.executable).parent))}["command"] is Level.OK
    assert {line.id: line.level for line in installation("")}["command"] is Level.NOTE
