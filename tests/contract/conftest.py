"""Long runs wait until they are asked for: `pytest -m slow tests/contract`."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out the slow tests of this folder unless the command line speaks of them."""
    if "slow" in config.option.markexpr:
        return
    long = [item for item in items if item.path.is_relative_to(HERE) and item.get_closest_marker("slow")]
    if long:
        items[:] = [item for item in items if item not in long]
        config.hook.pytest_deselected(items=long)
