"""A database for the tests of a process that want one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.reference import databases
from tests.reference.databases import Database


@pytest.fixture(scope="session")
def database_server() -> Iterator[Database]:
    """A PostgreSQL that runs."""
    with databases.database() as found:
        yield found


@pytest.fixture
def database(database_server: Database) -> Database:
    """The same, with nothing of ours in it."""
    database_server.clear()
    return database_server
