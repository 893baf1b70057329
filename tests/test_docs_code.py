"""The pages about testing are true: their blocks are files, and their commands run."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "testing.md"
COMMENT = re.compile(r"# (\S+\.(?:py|toml))\n")
QUIET = ("-p", "no:schemathesis", "-p", "no:hypothesispytest", "-p", "no:cacheprovider", "-q")
"""Other plugins of this environment take time only."""


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What somebody has who copied every block into the file that its first line names."""
    for block in (*blocks("python"), *blocks("toml")):
        named = COMMENT.match(block)
        assert named, f"a block without the name of its file:\n{block}"
        (tmp_path / named[1]).write_text(block, encoding="utf-8")
    return tmp_path


def commands() -> list[list[str]]:
    """What the page says to run; installing is left out, for whoever runs this has done so."""
    found = [shlex.split(line) for block in blocks("sh") for line in block.splitlines()]
    return [command for command in found if command[0] != "pip"]


def test_its_blocks_are_of_kinds_that_are_looked_at() -> None:
    """No block slips through because of its language; `text` is output."""
    kinds = re.findall(r"^```(\w+)$", PAGE.read_text(encoding="utf-8"), re.M)
    assert set(kinds) == {"python", "toml", "sh", "text"}


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_its_commands_end_well(folder: Path, command: list[str]) -> None:
    """All of them, in one folder with all files; each test that the page shows passes."""
    arguments = ["-m", "pytest", *QUIET, *command[1:]] if command[0] == "pytest" else command[1:]
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    if command[0] == "pytest":
        assert re.search(r"^novita-mock: \d+ tasks?, \d+ pictures? in \d+ worlds?; the service", done.stdout, re.M)


def test_every_test_of_the_page_is_run(folder: Path) -> None:
    """The last command runs the whole folder."""
    assert commands()[-1][:1] == ["pytest"]
    assert not any(word.endswith(".py") for word in commands()[-1])
    assert all(path.name.startswith("test_") or path.stem in ("my_app", "conftest") for path in folder.glob("*.py"))


def test_the_example_app_passes_its_own_tests() -> None:
    """examples/client_app, with the tests that people will copy."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *QUIET],
        cwd=ROOT / "examples" / "client_app",
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "novita-mock: " in done.stdout
