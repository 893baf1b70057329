"""What tests of programs share: the commands, the drawing program, and a process of the command line."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from mockserver.cli import cli

DRAWING = (sys.executable, str(Path(__file__).with_name("drawing.py")))
WAITING = (sys.executable, str(Path(__file__).with_name("waiting.py")))
TIMEOUT_S = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What came of a command in this process."""

    returncode: int
    stdout: str
    stderr: str


def called(*arguments: str, cwd: Path, env: Mapping[str, str] | None = None) -> Done:
    """The same as `novita_mock`, without a process for the command itself: a second less each time.

    What its program prints goes past it.
    """
    with contextlib.chdir(cwd):
        done = CliRunner().invoke(cli, arguments, env=dict(env or {}), prog_name="novita-mock")
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Done(returncode=done.exit_code, stdout=done.stdout, stderr=done.stderr)


def novita_mock(*arguments: str, cwd: Path, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Runs `novita-mock` to its end in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "mockserver", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, **(env or {})},  # noqa: TID251  # a child inherits the environment
        timeout=TIMEOUT_S,
        check=False,
    )
