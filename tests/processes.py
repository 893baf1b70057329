"""Starts the command line in a process of its own, and ends it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

START_TIMEOUT_S = 60.0


@contextmanager
def mock_process(*flags: str, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Iterator[str]:
    """A mock on a free port; gives its address once it says `Ready.`.

    Raises:
        RuntimeError: it ended, or said nothing in time; with what it printed.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "mockserver", "--port", "0", *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(env or {})},  # noqa: TID251  # a child inherits the environment
        cwd=cwd,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    too_late = threading.Timer(START_TIMEOUT_S, process.kill)
    too_late.start()
    try:
        line = process.stdout.readline()
        if not line.startswith("Ready. "):
            raise RuntimeError(f"the mock did not start: {line!r} {process.stderr.read()!r}")
        too_late.cancel()
        yield line.removeprefix("Ready. ").strip()
    finally:
        too_late.cancel()
        process.terminate()
        process.wait(START_TIMEOUT_S)
        process.stdout.close()
        process.stderr.close()
