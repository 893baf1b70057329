"""Fixtures of the tests of webhooks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.mockserver.webhooks.lab import Lab


@pytest.fixture
def make_lab(make_server: Any) -> Iterator[Any]:
    """Makes labs with settings of a test's choice."""
    made: list[Lab] = []

    def make(**options: Any) -> Lab:
        lab = Lab(make_server(**options))
        made.append(lab)
        return lab

    yield make
    for lab in made:
        lab.close()


@pytest.fixture
def lab(make_lab: Any) -> Lab:
    """A lenient mock on a manual clock."""
    found: Lab = make_lab()
    return found
