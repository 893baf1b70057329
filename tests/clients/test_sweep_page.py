"""The matrix of docs/sweep.md, played again: five minutes, since silence is waited for as long as clients wait."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.clients.environments import ROOT

pytestmark = [pytest.mark.clients, pytest.mark.slow]


def test_the_page_says_what_was_seen() -> None:
    """`python docs/make_sweep.py --write` writes it anew."""
    done = subprocess.run(
        [sys.executable, "docs/make_sweep.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
