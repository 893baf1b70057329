"""docs/prices.md is made from the price table and hides nothing of it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

from mockserver.money.prices import shipped_prices

DOCS = Path(__file__).resolve().parents[3] / "docs"


def maker() -> ModuleType:
    """docs/make_prices.py, which is no module of a package."""
    spec = importlib.util.spec_from_file_location("make_prices", DOCS / "make_prices.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_table_says() -> None:
    """`python docs/make_prices.py` renews it."""
    assert (DOCS / "prices.md").read_text(encoding="utf-8") == maker().page()


def test_the_page_shows_every_number_with_its_basis_and_every_assumption() -> None:
    """Nothing assumed may look documented."""
    lines = (DOCS / "prices.md").read_text(encoding="utf-8").splitlines()

    for row in shipped_prices().rows:
        [line] = [line for line in lines if line.startswith(f"| {row.what} |")]
        assert f"| {row.value} {row.unit} | {row.basis.value} |" in line
        assert row.source in line
        assert row.note in line
    for about, note in shipped_prices().notes:
        assert f"| {about} | {note} |" in lines
