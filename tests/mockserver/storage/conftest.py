"""The S3 server that the tests of a module share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.mockserver.storage.servers import moto


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    """The address of a real S3 server."""
    with moto() as url:
        yield url
