"""One browser and one mock for the tests of a module; a world and a page for each test."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Browser

from mockserver.running import ServerThread
from tests.mockserver.inspector.visiting import Client, Visit, Visiting, chromium, serving, visiting


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Headless Chromium. Not for the whole session: its event loop would be in the way of tests with one."""
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def site() -> Iterator[ServerThread]:
    """A mock whose clocks move when told."""
    with serving(coverage=True) as server:
        yield server


@pytest.fixture
def client(site: ServerThread, request: pytest.FixtureRequest) -> Client:
    """A client with a world of its own."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")
    return Client(site.url, f"sk-{name}"[:120])


@pytest.fixture
def visit(browser: Browser, site: ServerThread) -> Iterator[Visiting]:
    """Opens pages; none of them may have complained in the end."""
    with ExitStack() as stack:
        made: list[Visit] = []

        def make(url: str = "", **options: Any) -> Visit:
            found = stack.enter_context(visiting(browser, url or site.url, **options))
            made.append(found)
            return found

        yield make
        assert [one.troubles for one in made if one.troubles] == []
