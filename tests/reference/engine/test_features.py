"""The page about what needs weights says what the tables say, and torch is not needed to write it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_the_page_is_what_the_tables_say() -> None:
    done = subprocess.run(
        [sys.executable, "docs/make_features.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_table_of_preprocessors_needs_no_torch() -> None:
    program = "import sys, reference_impl.engine.preprocessors; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0
