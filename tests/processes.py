"""Starts the command line in a process of its own, and ends it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

START_TIMEOUT_S = 60.0


def start(
    *flags: str,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    program: Sequence[str] = ("mockserver",),
) -> tuple[subprocess.Popen[str], str]:
    """A server of ours on a free port, once it says `Ready.`, and its address; whoever calls ends it.

    Args:
        flags: of the program, besides the port.
        env: what its environment has besides ours.
        cwd: the folder that it works in.
        program: the package that is run, and its command if it needs one.

    Raises:
        RuntimeError: it ended, or said nothing in time; with what it printed.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", *program, "--port", "0", *flags],
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
    line = process.stdout.readline()
    too_late.cancel()
    if not line.startswith("Ready. "):
        process.kill()
        _, error = process.communicate()
        raise RuntimeError(f"{program[0]} did not start: {line!r} {error!r}")
    return process, line.removeprefix("Ready. ").strip()


@contextmanager
def mock_process(*flags: str, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Iterator[str]:
    """The address of a mock that is ended with the block; see `start`."""
    process, url = start(*flags, env=env, cwd=cwd)
    try:
        yield url
    finally:
        process.terminate()
        process.communicate(timeout=START_TIMEOUT_S)
