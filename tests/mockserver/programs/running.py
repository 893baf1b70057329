"""What tests of programs share: the commands, the drawing program, and a process of the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

DRAWING = (sys.executable, str(Path(__file__).with_name("drawing.py")))
WAITING = (sys.executable, str(Path(__file__).with_name("waiting.py")))
TIMEOUT_S = 120


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
