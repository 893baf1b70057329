"""Starts a server by its command and waits until it says where it listens; the suite knows servers by URL alone."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

START_TIMEOUT_S = 60.0
READY = re.compile(r"https?://[\w.:\[\]-]+")


class DidNotStart(Exception):
    """A server's command ended, or named no address in time."""


@contextmanager
def started(command: str) -> Iterator[str]:
    """The address of a server that ends with the block.

    Args:
        command: as in a shell, without its features; the first line that it prints must hold its address. A program
            beside the running Python is found also when it is not on the PATH.

    Raises:
        DidNotStart: it ended, or said nothing in time; with what it printed.
    """
    words = shlex.split(command)
    beside = Path(sys.executable).parent / words[0]
    if beside.exists():
        words[0] = str(beside)
    try:
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    except OSError as error:
        raise DidNotStart(f"{command!r}: {error.strerror or error}") from None
    assert process.stdout is not None
    too_late = threading.Timer(START_TIMEOUT_S, process.kill)
    too_late.start()
    line = process.stdout.readline()
    too_late.cancel()
    address = READY.search(line)
    if address is None:
        process.kill()
        _, said = process.communicate()
        raise DidNotStart(f"{command!r} named no address: {line.strip()!r} {said.strip()[-500:]}")
    drain = threading.Thread(target=process.stderr.read if process.stderr else str, daemon=True)
    drain.start()  # a full pipe would stop it
    try:
        yield address.group()
    finally:
        process.terminate()
        try:
            process.wait(timeout=START_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
