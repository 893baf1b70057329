"""Starts correct servers for mutants to stand in front of, by a command line, and ends them."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue

from conformance import timing
from conformance.mutants import bucket as buckets
from conformance.target import Bucket

DEFAULT = "novita-mock --port 0 --clock manual"
S3 = "{s3}"
"""In a command: the address of an S3 server that is there as long as the server is."""
STORING = f"{DEFAULT} --s3 {S3}"
READY_S = 60.0
_URL = re.compile(r"https?://[\w.\[\]:-]+:\d+")


class NoUpstream(Exception):
    """The command did not tell a URL."""


@contextmanager
def storing(command: str) -> Iterator[tuple[str, Bucket | None]]:
    """An `upstream` and the bucket that it can put pictures into; None when its command has no place for one.

    Raises:
        NoUpstream: it ended, or printed no URL in time.
    """
    if S3 not in command:
        with upstream(command) as url:
            yield url, None
        return
    with buckets.served() as bucket:
        keys = {"AWS_ACCESS_KEY_ID": bucket.access_key, "AWS_SECRET_ACCESS_KEY": bucket.secret_key}
        with upstream(command.replace(S3, bucket.endpoint), keys) as url:
            yield url, bucket


@contextmanager
def upstream(command: str, env: Mapping[str, str] | None = None) -> Iterator[str]:
    """A server that runs for the length of the block; gives the first URL that it prints.

    Args:
        env: what its environment has besides ours.

    Raises:
        NoUpstream: it ended, or printed none in time.
    """
    words = shlex.split(command)
    beside = Path(sys.executable).parent / words[0]  # a path of its own stays what it is
    process = subprocess.Popen(
        [str(beside) if beside.exists() else words[0], *words[1:]],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **(env or {})},  # noqa: TID251  # a child inherits the environment
    )
    lines: Queue[str] = Queue()
    reader = threading.Thread(target=_read, args=(process, lines), daemon=True)
    reader.start()
    try:
        yield _first_url(process, lines)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        reader.join(10)
        if process.stdout:
            process.stdout.close()


def _read(process: subprocess.Popen[str], lines: Queue[str]) -> None:
    """Reads to the end, so that the server never waits for us."""
    for line in process.stdout or ():
        if lines.qsize() < 1000:
            lines.put(line)


def _first_url(process: subprocess.Popen[str], lines: Queue[str]) -> str:
    started_s = timing.now()
    said: list[str] = []
    while timing.now() - started_s < READY_S:
        try:
            line = lines.get(timeout=0.1)
        except Empty:
            if process.poll() is not None:
                break
            continue
        said.append(line)
        found = _URL.search(line)
        if found:
            return found.group()
    raise NoUpstream(f"{shlex.join(map(str, process.args))}: no URL in {''.join(said)[-500:]!r}")  # type: ignore[arg-type]
