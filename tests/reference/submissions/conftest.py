"""A shelf with one model of each kind, and a reader of bodies for each reading."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from openapi.document import Document, Reading
from reference_impl.shelf import Shelf
from reference_impl.submissions import Accepted, Submissions
from tests.reference.fakes import make_shelf

SEED = 4711
"""What is drawn when no seed is asked for."""

Accept = Callable[..., Accepted]


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    return make_shelf(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def accept(document: Document, shelf: Shelf) -> Accept:
    """Reads a body: `accept(operation_id, body)`, with `strict=True` in the documented reading."""
    readers = {reading: Submissions(document, shelf, reading) for reading in Reading}

    def read(operation_id: str, body: object, *, strict: bool = False) -> Accepted:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        reading = Reading.DOCUMENTED if strict else Reading.TOLERATED
        return readers[reading].accept(operation_id, raw, lambda: SEED)

    return read
