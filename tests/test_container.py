"""The container's files: linted, and true to the mock's settings. `make container` carries the Dockerfile out."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import yaml
from dockerfile_parse import DockerfileParser

from mockserver.cli import cli
from mockserver.flags import variables
from mockserver.settings import ENV_PREFIX

ROOT = Path(__file__).resolve().parents[1]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "examples" / "compose.yaml").read_text(encoding="utf-8"))


def known() -> set[str]:
    """The variables that the serving command reads."""
    serve = cli.get_command(click.Context(cli), "serve")
    assert serve is not None
    return set(variables(serve))


def settings_of_the_image() -> Iterator[str]:
    for one in DockerfileParser(str(ROOT / "Dockerfile")).structure:
        if one["instruction"] == "ENV":
            yield from (pair.partition("=")[0] for pair in shlex.split(one["value"]))


def test_the_linter_finds_nothing_in_the_dockerfile() -> None:
    linter = Path(sys.executable).with_name("hadolint")
    told = subprocess.run([linter, ROOT / "Dockerfile"], capture_output=True, text=True, timeout=60, check=False)
    assert (told.returncode, told.stdout) == (0, "")


def test_image_and_sample_name_settings_that_there_are() -> None:
    named = {*settings_of_the_image(), *COMPOSE["services"]["mock"]["environment"]}
    assert named
    assert all(name.startswith(ENV_PREFIX) for name in named)
    assert named <= known()


def test_the_image_takes_in_what_the_wheel_is_made_of_and_nothing_heavy() -> None:
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert {"pyproject.toml", "README.md", "LICENSE", "openapi", "mockserver", "conformance", "reference_impl"} == set(
        allowed
    )


def test_the_sample_waits_for_the_health_check_that_the_image_has() -> None:
    assert COMPOSE["services"]["app"]["depends_on"] == {"mock": {"condition": "service_healthy"}}
    assert "HEALTHCHECK" in (ROOT / "Dockerfile").read_text(encoding="utf-8")
