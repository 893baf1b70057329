"""Clients with the vendor's address built in, unmodified, behind `novita-mock run --intercept`."""

from __future__ import annotations

from pathlib import Path

import pytest

from mockserver.pictures import decode, read_parameters
from tests.clients.environments import NPM_OLD, PYTHON_CLI, ROOT
from tests.mockserver.programs.running import novita_mock

pytestmark = pytest.mark.clients

NODE_DRIVER = ROOT / "tests" / "clients" / "drivers" / "node_built_in.mjs"
NPM_DRIVER = ROOT / "tests" / "clients" / "drivers" / "npm_built_in.cjs"


def test_the_vendors_command_line_writes_a_picture_that_is_its_receipt(tmp_path: Path) -> None:
    """`-o` names a folder, whatever its name looks like."""
    PYTHON_CLI.require()
    command = [str(PYTHON_CLI.folder / "bin" / "novita"), "image", "generate", "a dog", "-o", "out.png"]
    done = novita_mock("run", "--intercept", "--", *command, cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    [file] = (tmp_path / "out.png").iterdir()
    assert decode(file.read_bytes()).index == 0
    assert (read_parameters(file.read_bytes()) or "").startswith("a dog\n")
    assert "1 task, 1 picture, 0.0084 USD" in done.stderr


def test_an_old_axios_asks_for_https_in_the_absolute_form_and_is_answered(tmp_path: Path) -> None:
    """Without a tunnel, hence without TLS: what the client never checks, it cannot miss."""
    NPM_OLD.require()
    file = tmp_path / "out.png"
    done = novita_mock(
        "run", "--intercept", "--", NPM_OLD.program, str(NPM_DRIVER), str(file), cwd=NPM_OLD.folder
    )  # Node finds the client by its working folder

    assert done.returncode == 0, done.stderr
    assert decode(file.read_bytes()).seed == 7
    assert "refused" not in done.stderr


def test_a_script_of_node_without_packages_is_led_to_the_mock_whatever_its_version(tmp_path: Path) -> None:
    """Before NODE_USE_ENV_PROXY, Node's own `fetch` and `https` read no variable: calls would go to the service."""
    NPM_OLD.require()  # for its Node
    folder = tmp_path / "with a space"
    folder.mkdir()
    done = novita_mock("run", "--intercept", "--", NPM_OLD.program, str(NODE_DRIVER), "out.png", cwd=folder)

    assert done.returncode == 0, done.stderr
    assert decode((folder / "out.png").read_bytes()).seed == 7
    assert done.stdout.splitlines() == ["models 200", "another host an error"]
    assert "refused: other.example.test:443 (1 time)" in done.stderr
    assert "1 task, 1 picture" in done.stderr
