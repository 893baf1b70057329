"""A front in each reading, and one that is made as a test wants it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from openapi.document import Document
from reference_impl.shelf import Shelf
from tests.reference.fakes import make_shelf
from tests.reference.http.front import Front, front

MakeFront = Callable[..., Front]


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    return make_shelf(tmp_path_factory.mktemp("models"))


@pytest.fixture
def make_front(tmp_path: Path, document: Document, shelf: Shelf) -> Iterator[MakeFront]:
    """Makes fronts: `make_front(strict=True)`."""
    with ExitStack() as made:

        def make(**changes: Any) -> Front:
            return made.enter_context(front(tmp_path / "data", document, shelf, **changes))

        yield make


@pytest.fixture
def lenient(make_front: MakeFront) -> Front:
    return make_front()


@pytest.fixture
def strict(make_front: MakeFront) -> Front:
    return make_front(strict=True)
