"""One mock per test process, one world per test, and the two pictures that img2img scenarios start from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from tests.clients.harness import Driver, Session, running_mock

SIZE = 512
WARM = (220, 90, 40)
COLD = (40, 90, 220)


@pytest.fixture(scope="session")
def mock_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a mock on the auto clock."""
    with running_mock(tmp_path_factory.mktemp("mock")) as uri:
        yield uri


@pytest.fixture(scope="session")
def inputs() -> dict[str, bytes]:
    """`source.png`: warm on the left, cold on the right. `mask.png`: white (repaint) on the left."""
    return {"source.png": _halves(WARM, COLD), "mask.png": _halves((255, 255, 255), (0, 0, 0))}


@pytest.fixture
def key(request: pytest.FixtureRequest) -> str:
    """A key, hence a world, of the test's own."""
    return "sk-" + re.sub(r"[^a-z0-9]+", "-", f"{request.module.__name__}-{request.node.name}".lower()).strip("-")


@pytest.fixture
def session(driver: Driver, mock_uri: str, key: str, inputs: dict[str, bytes], tmp_path: Path) -> Session:
    """The driver of the test's module (its fixture `driver`), ready to play scenarios.

    Raises:
        MissingEnvironment: the client is not installed; the message names the command that installs it.
    """
    driver.environment.require()
    for name, content in inputs.items():
        (tmp_path / name).write_bytes(content)
    return Session(driver=driver, uri=mock_uri, key=key, folder=tmp_path)


def _halves(left: tuple[int, int, int], right: tuple[int, int, int]) -> bytes:
    picture = Image.new("RGB", (SIZE, SIZE), right)
    picture.paste(left, (0, 0, SIZE // 2, SIZE))
    buffer = BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()
