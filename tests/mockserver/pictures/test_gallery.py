"""The contact sheet of the documentation."""

from __future__ import annotations

from pathlib import Path

import pytest

from mockserver.pictures.gallery import main
from tests.mockserver.pictures.making import opened

ROOT = Path(__file__).parents[3]


def test_the_sheet_is_made(tmp_path: Path) -> None:
    """One command writes a PNG with all examples."""
    out = tmp_path / "sheet.png"
    assert main([str(out)]) == 0
    assert opened(out.read_bytes()).width > 1000


def test_without_a_path_it_says_how(capsys: pytest.CaptureFixture[str]) -> None:
    """The usage is printed and the status is 2."""
    assert main([]) == 2
    assert "usage" in capsys.readouterr().err


def test_the_example_of_the_documentation_runs() -> None:
    """The Python of docs/pictures.md does what it says."""
    text = (ROOT / "docs" / "pictures.md").read_text()
    block = text.partition("```python\n")[2].partition("```")[0]
    assert "decode(" in block
    exec(compile(block, "docs/pictures.md", "exec"), {})


def test_the_documentation_shows_it() -> None:
    """The committed sheet is below 300 kB."""
    sheet = ROOT / "docs" / "img" / "pictures.png"
    assert 50_000 < sheet.stat().st_size < 300_000
