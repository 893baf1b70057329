"""The shipped models draw what the documentation's examples ask for, as far as they have what it takes."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

import reference_impl
from openapi.document import Document, Example, Reading
from reference_impl.engine.engine import LocalEngine
from reference_impl.jobs import CannotDraw
from reference_impl.shelf import Shelf
from reference_impl.submissions import Submissions

pytestmark = pytest.mark.slow

SHIPPED = Path(reference_impl.__file__).parent / "weights"
STEPS = 3
LACKING = {
    "v3-img2img-controlnet": "control_v11p_sd15_openpose",
    "v3-img2img-nsfw": "control_v11f1e_sd15_tile",
    "v2-img2img-nulls": "t2i-adapter_xl_sketch",
    "v2-txt2img-controlnet": "t2i-adapter_xl_sketch",
    "v2-img2img-page-sample": "t2i-adapter_xl_sketch",
}
"""Examples that name what nothing shipped is of the kind of, and the word that the reason must hold."""


@pytest.fixture(scope="module")
def engine() -> LocalEngine:
    return LocalEngine(Shelf(SHIPPED), device="cpu", threads=1, previews=False)


def requests(document: Document) -> list[tuple[str, Example]]:
    """Operation and example of each request that a lenient server takes."""
    return [
        (operation.operation_id, example)
        for operation in document.operations.values()
        if operation.body
        for example in document.examples(operation.operation_id)
        if example.role == "request" and example.reading in (Reading.DOCUMENTED, Reading.TOLERATED)
    ]


def test_every_example_is_drawn_or_says_which_weights_are_missing(document: Document, engine: LocalEngine) -> None:
    submissions, wrong = Submissions(document, Shelf(SHIPPED)), {}
    for operation_id, example in requests(document):
        name = Path(example.file).name.partition(".")[0]
        job = submissions.job(operation_id, json.dumps(example.value).encode(), seed=1)
        try:
            drawn = engine.run(job.model, [replace(job, steps=STEPS)], lambda _: None)[0]
        except CannotDraw as error:
            if not re.search(LACKING.get(name, "^$"), str(error)):
                wrong[name] = str(error)
        else:
            if name in LACKING or not drawn:
                wrong[name] = "drawn"
    assert wrong == {}
