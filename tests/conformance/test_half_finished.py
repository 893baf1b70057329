"""A server with many defects at once: each red sentence is one that its docstring explains, and the run ends soon."""

from __future__ import annotations

import json
import runpy
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from click.testing import CliRunner

from conformance.cli import cli
from conformance.exit_codes import ExitCode

EXAMPLE = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "half_finished_server.py"))
RIGHT_WORDS = ("TASK_STATUS_QUEUED", "TASK_STATUS_PROCESSING", "TASK_STATUS_SUCCEED")
KEYS = sorted(EXAMPLE["KEYS"])
TASK_TIMEOUT_S = 1
LONGEST_S = 60
"""For a whole run, on a machine that has other things to do; alone it takes a tenth of that."""

MOST_IMAGES = 300
"""It takes almost everything, and knows no test mode."""

REFUSALS = {
    *(f"V3-TXT2IMG-{number:03}" for number in (3, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 24, 26)),
    *(f"V3-SUBMIT-{number:03}" for number in (8, 9, 10)),
    *("V3-EXTRA-002", "V3-EXTRA-005"),
}
DEFECTS = {
    1: {"V3-SUBMIT-002"},
    2: {"V3-AUTH-002", "V3-AUTH-003", "V3-AUTH-006"},
    3: {"V3-ERROR-001", "V3-RESULT-002", "V3-RESULT-003", "V3-SUBMIT-009", "V3-SUBMIT-010"},
    4: REFUSALS,
    5: {"V3-RESULT-007"},
    6: {"V3-IMAGE-002", "V3-IMAGE-003"},
    7: {"V3-IMAGE-005", "V3-IMAGE-006", "V3-IMAGE-009", "V3-IMAGE-010"},
    8: {"V3-IMAGE-004", "V3-IMAGE-013", "V3-LINK-002", "V3-RESULT-016"},
    9: {"V3-RESULT-008", "V3-RESULT-018", "V3-RESULT-020", "V3-IMAGE-008"},
}
"""The sentences that each defect of the docstring breaks, or may break."""
EXPLAINED = set().union(*DEFECTS.values())
HIDDEN_WITHOUT_AN_END = {6, 7, 8, 9}
"""Defects of what only a task that has ended shows."""


@contextmanager
def served(server: Any) -> Iterator[str]:
    """The address of an example that runs in a thread."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        running = uvicorn.Server(uvicorn.Config(server.app, log_level="critical"))
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            running.should_exit = True
            thread.join(timeout=10)


@pytest.mark.parametrize("ends", [False, True], ids=["no task ends", "tasks end"])
def test_each_red_sentence_is_a_defect_that_is_known(ends: bool, tmp_path: Path) -> None:
    words = {"words": RIGHT_WORDS} if ends else {}
    began_s = time.monotonic()
    with served(EXAMPLE["Server"](work_s=0.2, **words)) as url:
        args = ["run", url, "--profile", "v3-core", "--api-key", KEYS[0], "--second-key", KEYS[1]]
        args += ["--task-timeout", str(TASK_TIMEOUT_S), "--patience", "1", "--no-fuzz", "--no-repro"]
        ran = CliRunner().invoke(cli, [*args, "--report", f"json={tmp_path / 'report.json'}"])
    assert ran.exit_code == ExitCode.VIOLATION, ran.output
    assert time.monotonic() - began_s < LONGEST_S
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["spent"]["images"] <= MOST_IMAGES
    assert any("test mode is not used" in note for note in report["notes"])
    entries = {entry["id"]: entry for entry in report["requirements"]}
    assert any("were not sent" in entry["actual"] for entry in report["requirements"])
    red = {name for name, entry in entries.items() if entry["verdict"] == "FAIL"}
    odd = {name: entry for name, entry in entries.items() if entry["verdict"] in ("ERROR", "UNSTABLE")}
    roots = {entry["blocked_by"] for entry in entries.values() if entry["verdict"] == "BLOCKED"}
    assert not odd
    assert red <= EXPLAINED
    assert roots <= EXPLAINED
    unseen = set() if ends else HIDDEN_WITHOUT_AN_END
    assert {number for number, rows in DEFECTS.items() if number not in unseen | {5, 8} and not rows & red} == set()
    assert ("V3-RESULT-007" in red) is not ends
