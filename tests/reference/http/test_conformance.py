"""The conformance suite against the whole server, over a socket; only the pictures are painted instead of diffused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from reference_impl.shelf import Shelf
from tests.reference.servers import running

KEYS = ("a-key-of-the-suite", "another-key-of-the-suite")
LONGEST_S = 300
"""For one run on a machine that has other things to do; alone it takes a tenth of that."""


def judged(models: Path, data: Path, flags: tuple[str, ...], suite: tuple[str, ...]) -> tuple[int, str]:
    """Exit code and words of a run against a server with these flags."""
    keys = [part for key in KEYS for part in ("--api-key", key)]
    with running(models, data, *keys, "--test-clock", *flags) as server:
        command = [sys.executable, "-m", "conformance", "run", server.url, "--clock", "/__test", "--no-repro"]
        command += ["--api-key", KEYS[0], "--second-key", KEYS[1], *suite]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_S, check=False)
    return ran.returncode, ran.stdout + ran.stderr


def test_the_suite_finds_nothing_broken(shelf: Shelf, tmp_path: Path) -> None:
    code, words = judged(shelf.folder, tmp_path, (), ("--no-fuzz", "--profile", "v3-core", "--profile", "v2-core"))
    assert code == 0, words


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flags", "suite"),
    [
        ((), ("--no-fuzz",)),
        (("--strict",), ("--strict", "--no-fuzz")),
        ((), ("--only", "ROBUST", "--fuzz")),
        (("--strict",), ("--strict", "--only", "ROBUST", "--fuzz")),
        (("--pictures-per-minute", "0"), ("--profile", "v3-limits", "--no-fuzz")),
        (("--strict", "--pictures-per-minute", "0"), ("--strict", "--profile", "v3-limits", "--no-fuzz")),
    ],
    ids=["lenient", "strict", "made-up input", "strict made-up input", "limits", "strict limits"],
)
def test_the_suite_finds_nothing_broken_in_any_profile(
    shelf: Shelf, tmp_path: Path, flags: tuple[str, ...], suite: tuple[str, ...]
) -> None:
    code, words = judged(shelf.folder, tmp_path, flags, suite)
    assert code == 0, words
