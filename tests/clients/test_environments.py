"""The lists that the clients' environments are made from."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest

from tests.clients.environments import (
    ENVIRONMENTS,
    LOCKS,
    PYTHON_CLI,
    PYTHON_V2,
    PYTHON_V3,
    SET_UP,
    Environment,
    Language,
    MissingEnvironment,
    main,
)


@pytest.fixture(params=ENVIRONMENTS, ids=lambda environment: environment.name)
def environment(request: pytest.FixtureRequest) -> Environment:
    chosen: Environment = request.param
    return chosen


def test_each_client_is_pinned_to_its_version(environment: Environment) -> None:
    """The list names the client at exactly the version of the environment."""
    if environment.language is Language.PYTHON:
        assert f"{environment.package}=={environment.version}\n" in environment.locks[0].read_text()
    else:
        lock = json.loads(environment.locks[1].read_text())
        assert json.loads(environment.locks[0].read_text())["dependencies"] == {"novita-sdk": environment.version}
        assert lock["packages"]["node_modules/novita-sdk"]["version"] == environment.version


def test_every_python_requirement_is_pinned() -> None:
    """No line of a requirements list leaves a version open, and the serializer stays below 1.0."""
    for path in LOCKS.glob("requirements-*.txt"):
        lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
        assert all(re.fullmatch(r"[A-Za-z0-9_-]+==[0-9.]+", line) for line in lines)
        if any(line.startswith("novita-client==") for line in lines):
            assert any(line.startswith("dataclass-wizard==0.") for line in lines)


def test_package_locks_name_no_host() -> None:
    """Packages are pinned by version and digest; where they come from is the user's setting."""
    for path in LOCKS.glob("npm-*/package-lock.json"):
        text = path.read_text()
        assert '"resolved"' not in text
        assert "://" not in text
        packages = json.loads(text)["packages"]
        assert all("integrity" in package for name, package in packages.items() if name)


@pytest.mark.clients
@pytest.mark.parametrize("environment", [PYTHON_V3, PYTHON_V2, PYTHON_CLI], ids=lambda environment: environment.name)
def test_the_python_clients_are_unmodified(environment: Environment) -> None:
    """Every file of the client has the digest that its published wheel records."""
    environment.require()
    package = environment.package.replace("-", "_")
    (record,) = environment.folder.glob(f"lib/python3.*/site-packages/{package}-{environment.version}.dist-info/RECORD")
    with record.open(newline="") as lines:
        digests = {name: digest for name, digest, _ in csv.reader(lines) if name.endswith(".py") and digest}
    assert {"novita_client/novita.py", "novita_cli/core/client.py"} & digests.keys()
    for name, digest in digests.items():
        content = (record.parents[1] / name).read_bytes()
        assert digest == "sha256=" + urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")


def test_a_missing_environment_names_the_command_that_makes_it(tmp_path: Path) -> None:
    """The sentence that a test fails with tells what to run."""
    absent = Environment(language=Language.PYTHON, version="0.7.1", folder=tmp_path / "absent", package="novita-client")
    with pytest.raises(MissingEnvironment, match=re.escape(SET_UP)):
        absent.require()


def test_an_environment_made_from_another_list_is_out_of_date(tmp_path: Path) -> None:
    """The mark holds the digest of the lists, so a changed list asks for a new installation."""
    (tmp_path / ".made-from").write_text("something else")
    with pytest.raises(MissingEnvironment, match="out of date"):
        Environment(language=Language.NPM, version="3.1.3", folder=tmp_path, package="novita-sdk").require()


def test_other_arguments_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """The command takes `--check` or nothing."""
    assert main(["--force"]) == 2
    assert "usage" in capsys.readouterr().err
