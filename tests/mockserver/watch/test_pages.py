"""The pages of findings: one a code, true to the catalogue."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mockserver.core.findings import CATALOGUE, Code
from mockserver.watch.pages import FOLDER, index, page, page_of

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("code", Code)
def test_a_page_says_all_that_is_known_about_a_code(code: Code) -> None:
    """What was seen, why it matters, what to do."""
    about, text = CATALOGUE[code], page(code)

    for part in (code.value, code.label, about.title, about.level, about.what, about.why, about.instead):
        assert part in text


def test_the_index_links_every_page() -> None:
    """By group, in order."""
    places = [index().index(f"]({code.value}.md)") for code in sorted(Code)]
    assert places == sorted(places)


def test_the_pages_in_the_project_are_the_catalogues() -> None:
    """`make generated` asks the same."""
    done = subprocess.run(
        [sys.executable, "docs/make_findings.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert {path.name for path in (ROOT / FOLDER).iterdir()} == {
        "README.md",
        *(Path(page_of(one)).name for one in Code),
    }
