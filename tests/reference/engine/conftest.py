"""An engine over small random models, made once for each process that runs tests."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from reference_impl.engine.engine import LocalEngine
from reference_impl.engine.loading import Loaded, load_checkpoint
from reference_impl.jobs import Finished, Job, Step
from reference_impl.shelf import Kind, Shelf
from tests.reference.engine.small_models import make

JOB = Job(model="plain", prompt="a red circle", width=64, height=64, steps=4, sampler="Euler a", seed=7)

Draw = Callable[..., list["Drawn"]]


class Drawn:
    """A finished picture, opened."""

    def __init__(self, finished: Finished) -> None:
        self.finished = finished
        with Image.open(io.BytesIO(finished.file)) as picture:
            picture.load()
            self.picture = picture
        self.pixels = np.asarray(self.picture).astype(int)

    def distance(self, other: Drawn) -> float:
        """Mean difference of the pixels, of 255."""
        return float(np.abs(self.pixels - other.pixels).mean())


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Small tensors gain nothing by threads, and on a busy machine threads wait for each other."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    return Shelf(make(Path(tmp_path_factory.mktemp("models"))))


@pytest.fixture(scope="session")
def engine(shelf: Shelf) -> LocalEngine:
    return LocalEngine(shelf, device="cpu", threads=1)


@pytest.fixture(scope="session")
def draw(engine: LocalEngine) -> Draw:
    """Draws `JOB` with some of its fields changed."""

    def drawn(on_step: Callable[[Step], None] = lambda _: None, **changes: Any) -> list[Drawn]:
        job = replace(JOB, **changes)
        return [Drawn(finished) for finished in engine.run(job.model, [job], on_step)[0]]

    return drawn


@pytest.fixture(scope="session")
def checkpoint(shelf: Shelf) -> Callable[[str], Loaded]:
    """Loads a checkpoint once."""

    @cache
    def loaded(name: str) -> Loaded:
        model = shelf.find(Kind.CHECKPOINT, name)
        assert model is not None
        return load_checkpoint(model, torch.device("cpu"), torch.float32)

    return loaded


def png(picture: Image.Image) -> bytes:
    """The picture as a PNG file."""
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()
