"""Pages whose blocks are files: whoever copies every block into the file that it names has tests that pass."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, blocks
from tests.docs.shell import QUIET
from tests.docs.uses import FILES

SUMMARY = re.compile(r"^novita-mock: \d+ tasks?, \d+ pictures? in \d+ worlds?; the service", re.M)


def commands(page: str) -> list[str]:
    """What the page says to run; installing is left out, for whoever runs this has done so."""
    lines = [line for block in blocks(page, "sh") for line in block.text.splitlines()]
    return [line for line in lines if not line.startswith("pip ")]


@pytest.fixture
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """What somebody has who copied every block of the page."""
    for block in blocks(request.getfixturevalue("page"), "python", "toml"):
        assert block.file_name, f"a block without the name of its file:\n{block.text}"
        (tmp_path / block.file_name).write_text(block.text, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(("page", "command"), [(page, command) for page in FILES for command in commands(page)])
def test_the_commands_end_well(folder: Path, page: str, command: str) -> None:
    """All of them, in one folder with all files; each test that the page shows passes."""
    words = shlex.split(command)
    arguments = ["-m", "pytest", *QUIET, "-q", *words[1:]] if words[0] == "pytest" else words[1:]
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    if words[0] == "pytest":
        assert SUMMARY.search(done.stdout), f"{page}: no closing line:\n{done.stdout}"


@pytest.mark.parametrize("page", FILES)
def test_every_test_of_the_page_is_run(folder: Path, page: str) -> None:
    """A command names the file, or runs the whole folder."""
    said = " ".join(commands(page))
    whole = any(command.startswith("pytest") and ".py" not in command for command in commands(page))
    assert whole or all(path.name in said for path in folder.glob("test_*.py"))


def test_what_respx_lets_through_is_refused_here(tmp_path: Path) -> None:
    """migrate/from-respx.md says that a width of 64 passes the test before and fails the test after."""
    for block in blocks("migrate/from-respx.md", "python"):
        assert block.file_name
        text = block.text.replace('draw("a lighthouse at dawn", ', 'draw("a lighthouse at dawn", width=64, ')
        (tmp_path / block.file_name).write_text(text, encoding="utf-8")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            *QUIET,
            "-q",
            "-k",
            "picture_is_given",
            "test_before_respx.py",
            "test_after.py",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert re.search(r"^FAILED test_after.py::test_the_picture_is_given", done.stdout, re.M), done.stdout
    assert "1 failed, 1 passed" in done.stdout
    assert "400 Bad Request" in done.stdout


def test_the_example_app_passes_its_own_tests() -> None:
    """examples/client_app, with the tests that people will copy."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *QUIET, "-q"],
        cwd=ROOT / "examples" / "client_app",
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "novita-mock: " in done.stdout
