"""`pytest --pyargs conformance --target URL`: loaded in every pytest run, and nothing unless this package is asked for.

What it then does is in `conformance.pytest_items`. Flags are not offered to other suites, whose own might be named
alike, and nothing of the suite is imported for them.
"""

from __future__ import annotations

import pytest

PACKAGE = "conformance"


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> None:
    """Adds the plugin that knows the flags, before pytest reads the command line for good."""
    if "--pyargs" in args and PACKAGE in args:
        early_config.pluginmanager.import_plugin("conformance.pytest_items")
