"""The contact sheet of the documentation."""

from __future__ import annotations

from pathlib import Path

import pytest

from mockserver.pictures.gallery import main
from tests.mockserver.pictures.making import opened


def test_the_sheet_is_made(tmp_path: Path) -> None:
    """One command writes a PNG with all examples."""
    out = tmp_path / "sheet.png"
    assert main([str(out)]) == 0
    assert opened(out.read_bytes()).width > 1000


def test_without_a_path_it_says_how(capsys: pytest.CaptureFixture[str]) -> None:
    """The usage is printed and the status is 2."""
    assert main([]) == 2
    assert "usage" in capsys.readouterr().err


def test_the_documentation_shows_it() -> None:
    """The committed sheet is below 300 kB."""
    sheet = Path(__file__).parents[3] / "docs" / "img" / "pictures.png"
    assert 50_000 < sheet.stat().st_size < 300_000
