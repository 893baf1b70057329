"""What the plugin costs a suite that does not use it: two more modules, and a look at each test's markers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from time import process_time

import pytest

from mockserver.handles import Running
from mockserver.testing import novita_mock_server, novita_mock_world

RUNS = 3
TESTS = 1000
PROGRAM = """
import sys
from time import process_time
import pytest
code = pytest.main(["--collect-only", "-q", "-p", "no:cacheprovider", *sys.argv[1:]])
print(code.value, process_time())
"""
ALONE = (
    "-p",
    "no:schemathesis",
    "-p",
    "no:hypothesispytest",
    "-p",
    "no:anyio",
    "-p",
    "no:xdist",
    "-p",
    "no:novita_conformance",
)


def collecting_s(folder: Path, *arguments: str) -> float:
    """Processor time of a Python that collects a suite, seconds."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *ALONE, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    code, seconds = done.stdout.split()[-2:]
    assert code == "0", done.stdout
    return float(seconds)


def test_collecting_a_suite_takes_hardly_longer(tmp_path: Path) -> None:
    """docs/testing.md names the share; the bound leaves room for a busy machine, and none for importing a server."""
    tests = "\n".join(f"def test_{number}(): pass" for number in range(TESTS))
    (tmp_path / "test_many.py").write_text(tests, encoding="utf-8")
    collecting_s(tmp_path)  # writes what Python caches
    pairs = [(collecting_s(tmp_path, "-p", "no:novita_mock"), collecting_s(tmp_path)) for _ in range(RUNS)]
    without, beside = (min(column) for column in zip(*pairs, strict=True))
    assert beside < 1.4 * without, f"{beside:.3f} s with the plugin, {without:.3f} s without"


def test_a_world_is_there_at_once(novita_mock: Running) -> None:
    """Opening and forgetting one takes less than 5 ms of the processor, at the median of a hundred."""
    took = []
    for _ in range(100):
        began = process_time()
        with novita_mock_world(novita_mock):
            pass
        took.append(process_time() - began)
    assert sorted(took)[50] < 0.005


@pytest.mark.parametrize("socket", [True, False])
def test_a_server_is_ready_soon(socket: bool) -> None:
    """Within 300 ms of the processor, in a process that has its modules."""
    began = process_time()
    with novita_mock_server(socket=socket):
        assert process_time() - began < 0.3
