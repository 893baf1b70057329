"""A fleet on a local Ray: two servers, a store that they share, two replicas, one of which is killed at work.

Ray lives in a process of its own, with all that it starts, so that nothing of it is in this one.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.reference.databases import database
from tests.reference.fakes import make_shelf
from tests.reference.fleet import Accepted, in_hand
from tests.reference.receiver import receiving
from tests.reference.servers import running, until

pytestmark = pytest.mark.ray

START_S = 240.0
TOKEN = {"RAY_AUTH_TOKEN": "0123456789abcdef" * 2}
"""What a local Ray demands of who connects; otherwise it would leave one of its own in the user's home."""
ROOT = Path(__file__).resolve().parents[3]


def test_a_replica_that_is_killed_at_work_takes_no_task_along(tmp_path: Path) -> None:
    shelf = make_shelf(tmp_path / "models")
    with database() as tasks, ray_replicas(shelf.folder, 2) as address, receiving() as receiver:
        shared = ("--store", tasks.url, "--ray", address, "--ray-batches", "2", "--verbose")
        with (
            running(shelf.folder, tmp_path / "data", *shared, env=TOKEN) as first,
            running(shelf.folder, tmp_path / "data", *shared, env=TOKEN) as second,
        ):
            until(lambda: second.client.get("/ready").status_code == 200, START_S)
            accepted = Accepted(shelf=shelf, receiver=receiver)
            task_ids = accepted.submit([first, second], 12, steps=40)
            until(lambda: len(in_hand(first, task_ids)) >= 2, START_S)
            pids = [int(mark.stem) for mark in shelf.folder.glob("*.pid")]
            assert len(pids) == 2
            os.kill(pids[0], signal.SIGKILL)
            accepted.all_end_well(second)
            logs = first.stop() + second.stop()
            assert "batch.lost" in logs
            assert "Traceback" not in logs
            assert "SIGTERM" not in logs


@contextmanager
def ray_replicas(models: Path, count: int) -> Iterator[str]:
    """The address of a Ray of the test's own, on loopback; all of its processes have ended with the block."""
    # Sockets lie in it, whose paths may be no longer than 107 letters: not below pytest's folder.
    folder = Path(tempfile.mkdtemp(prefix="ray-"))
    flags = ("--models", str(models), "--min", str(count), "--ray-folder", str(folder))
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "reference_impl",
            "replicas",
            "--engine",
            "tests.reference.fakes:patient_painter",
            *flags,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, **TOKEN, "PYTHONPATH": str(ROOT)},  # noqa: TID251  # a child inherits the environment
    )
    assert process.stdout is not None
    too_late = threading.Timer(START_S, process.terminate)
    too_late.start()
    family: set[int] = set()
    try:
        line = process.stdout.readline()
        too_late.cancel()
        if not line.startswith("Ready. 2 to 2 replicas."):
            process.terminate()
            raise AssertionError(f"{line!r} {process.communicate(timeout=START_S)}")
        family = descendants(process.pid)
        yield line.split("--ray ")[1].strip()
        family |= descendants(process.pid)
    finally:
        too_late.cancel()
        process.terminate()
        process.communicate(timeout=START_S)
        until(lambda: not {pid for pid in family if lives(pid)}, START_S)
        shutil.rmtree(folder)


def descendants(pid: int) -> set[int]:
    """All processes that this one has started, and those that they have."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(status.parent.name)] = int(status.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended meanwhile
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def lives(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not waited for does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"
