"""pytest fixtures: a running mock for the session, and a fresh world for each test.

Loaded in every pytest run of an environment that has the package, so nothing heavy is imported until a fixture is
used.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from mockserver.handles import NovitaWorld
    from mockserver.running import ServerThread


@pytest.fixture(scope="session")
def novita_mock() -> Iterator[ServerThread]:
    """A mock on a free loopback port, in a thread of this process; its worlds' clocks are `auto`."""
    from mockserver.core.clock import ClockMode
    from mockserver.running import ServerThread
    from mockserver.settings import Settings

    with ServerThread(Settings(clock=ClockMode.parse("auto"))) as server:
        yield server


@pytest.fixture
def novita_world(
    novita_mock: ServerThread, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[NovitaWorld]:
    """A world of the test's own, forgotten afterwards; NOVITA_API_KEY and NOVITA_API_URI are set to it."""
    name = hashlib.blake2b(request.node.nodeid.encode(), digest_size=8).hexdigest()
    key = f"sk-mock-{name}"
    monkeypatch.setenv("NOVITA_API_KEY", key)
    monkeypatch.setenv("NOVITA_API_URI", novita_mock.url)
    from mockserver.handles import world_in_hand

    yield world_in_hand(novita_mock, key)
    novita_mock.call(lambda: novita_mock.mock.forget(novita_mock.mock.world(key)))
