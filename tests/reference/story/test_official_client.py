"""The vendor's own client against the reference server with a real diffusion model, tiny but trained."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from reference_impl.cli import SHIPPED
from reference_impl.settings import LOCAL_ENGINE
from reference_impl.tiny.judge import look
from reference_impl.tiny.scenes import Shape
from tests.clients.environments import PYTHON_V3
from tests.clients.harness import Driver, Session
from tests.reference.servers import Server, start, until

pytestmark = pytest.mark.clients

LOADED_S = 240.0
CORNER = 64


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """The reference server as anybody starts it, once its engine is loaded."""
    started = start(SHIPPED, tmp_path / "data", "--device", "cpu", "--engine", LOCAL_ENGINE)
    try:
        until(lambda: started.client.get("/ready").status_code == 200, LOADED_S)
        yield started
    finally:
        started.stop()


def test_the_vendors_client_submits_watches_and_gets_what_its_prompt_says(server: Server, tmp_path: Path) -> None:
    """Progress moves between 0 and 100, and the pictures show a red circle on blue."""
    driver = Driver(environment=PYTHON_V3, name="python_v3")
    driver.environment.require()
    folder = tmp_path / "pictures"
    folder.mkdir()
    report = Session(driver=driver, uri=server.url, key="an-account", folder=folder).run("shapes")
    assert report["status"] == "TASK_STATUS_SUCCEED"
    percents = [poll["percent"] for poll in report["polls"]]
    assert percents == sorted(percents)
    assert percents[-1] == 100
    assert len({percent for percent in percents if 0 < percent < 100}) >= 2
    assert any(poll["eta"] > 0 for poll in report["polls"])
    assert len(report["files"]) == 3
    for name in report["files"]:
        picture = Image.open(folder / name).convert("RGB")
        assert picture.size == (512, 512)
        middle, corner = _mean(picture, 256, 256), _mean(picture, CORNER // 2, CORNER // 2)
        assert middle[0] > middle[2] + 80, f"the middle is {middle}"
        assert corner[2] > corner[0] + 80, f"the corner is {corner}"
        seen = look(picture)
        assert (seen.background, [(one.colour, one.shape) for one in seen.things]) == ("blue", [("red", Shape.CIRCLE)])


def _mean(picture: Image.Image, x: int, y: int) -> tuple[float, float, float]:
    """The mean colour of a square of `CORNER` pixels round a point."""
    half = CORNER // 2
    square = picture.crop((x - half, y - half, x + half, y + half)).resize((1, 1), Image.Resampling.BOX)
    red, green, blue = square.tobytes()
    return red, green, blue
