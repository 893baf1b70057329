"""Fixtures of coverage: the universe of the shipped contract, and a client that nobody has seen yet."""

from __future__ import annotations

import pytest

from mockserver.coverage.collector import Coverage
from mockserver.coverage.model import Universe, universe
from openapi.catalogue import Catalogue, load_catalogue
from openapi.document import Document
from tests.mockserver.coverage.client import Client

FAULTS = (
    ("submit.before", "status"),
    ("submit.before", "delay"),
    ("result", "status"),
    ("download", "status"),
    ("finish", "fail"),
    ("webhook.attempt", "status"),
)


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    """The shipped models."""
    return load_catalogue()


@pytest.fixture(scope="session")
def everything(document: Document, catalogue: Catalogue) -> Universe:
    """All there is to cover."""
    return universe(document, catalogue, FAULTS)


@pytest.fixture
def client(document: Document, catalogue: Catalogue, everything: Universe) -> Client:
    """A client nobody has seen yet."""
    return Client(document, Coverage(everything, catalogue))
