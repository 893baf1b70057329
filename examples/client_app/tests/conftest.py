"""The app, with its pauses and its deadline on the clock of the test's world: it waits for hours and no time passes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pictures_app.api import Api
from pictures_app.store import Store
from pictures_app.studio import Studio


@dataclass(frozen=True, slots=True)
class App:
    studio: Studio
    store: Store
    api: Api


@pytest.fixture
def app(novita_world: Any, tmp_path: Path) -> Iterator[App]:
    """At most four pictures; the world's clock stands until the app pauses."""
    pause = novita_world.clock.advance
    store = Store(tmp_path / "pictures")
    with Api(novita_world.key, novita_world.url, pause=pause) as api:
        studio = Studio(api, store, pause=pause, now_s=lambda: novita_world.clock.now_ms() / 1000, max_pictures=4)
        yield App(studio, store, api)
