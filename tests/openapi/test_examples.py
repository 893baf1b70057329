"""The examples of the document: each one is what its place says it is."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from openapi.document import Example, Reading
from tests.openapi.samples import contract

FOLDER = Path(__file__).parents[2] / "openapi"


def examples() -> list[Example]:
    document = contract()
    return [example for name in (*document.operations, *document.webhooks) for example in document.examples(name)]


def accepted(example: Example, reading: Reading) -> bool:
    document = contract()
    if example.status is not None:
        return document.response_validator(example.operation_id, example.status, reading).is_valid(example.value)
    if example.role == "webhook":
        return document.webhooks[example.operation_id].is_valid(example.value, reading)
    return document.operations[example.operation_id].is_valid(example.value, reading)


@pytest.mark.parametrize(
    "example", examples(), ids=lambda one: f"{one.operation_id}-{one.status or one.role}-{one.name}"
)
def test_an_example_is_accepted_as_it_is_marked(example: Example) -> None:
    """Documented ones by both readings, lenient ones by one only, refused ones by none, the last two with reasons."""
    expected = {
        Reading.DOCUMENTED: (True, True),
        Reading.TOLERATED: (False, True),
        None: (False, False),
    }
    assert (accepted(example, Reading.DOCUMENTED), accepted(example, Reading.TOLERATED)) == expected[example.reading]
    assert bool(example.because) is (example.reading is not Reading.DOCUMENTED)


@pytest.mark.parametrize(
    "example",
    [one for one in examples() if one.role == "request" and one.reading is Reading.TOLERATED],
    ids=lambda one: f"{one.operation_id}-{one.name}",
)
def test_every_departure_of_a_lenient_example_has_a_reason(example: Example) -> None:
    """Each documented problem of an accepted body cites why it is tolerated."""
    problems = contract().operations[example.operation_id].problems(example.value, Reading.DOCUMENTED)
    assert problems
    assert [str(problem) for problem in problems if not problem.because] == []


def test_every_example_file_is_used_and_holds_what_the_document_shows() -> None:
    """No file lies about unused, and the compiled document has the values of the files."""
    shown = {example.file: example.value for example in examples()}
    files = {f"examples/{path.name}": json.loads(path.read_text("utf-8")) for path in FOLDER.glob("examples/*.json")}
    assert shown == files


def test_every_operation_has_examples_of_every_kind() -> None:
    """Submits have documented, lenient and refused bodies; every status of every operation has an answer."""
    for name, operation in contract().operations.items():
        found = contract().examples(name)
        if operation.body:
            readings = {example.reading for example in found if example.role == "request"}
            assert readings == {Reading.DOCUMENTED, Reading.TOLERATED, None}
        assert {example.status for example in found if example.status} == set(operation.statuses)
    assert {example.role for example in contract().examples("asyncTaskResult")} == {"webhook"}


@pytest.mark.parametrize("example", [one for one in examples() if one.role == "request"], ids=lambda one: one.file)
def test_pictures_in_examples_are_real(example: Example) -> None:
    """Whatever an example sends as a picture can be opened."""
    for text in pictures(example.value):
        with Image.open(io.BytesIO(base64.b64decode(text.rpartition(",")[2], validate=True))) as picture:
            assert picture.size == (64, 64)


def pictures(value: Any, field: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from pictures(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from pictures(inner, field)
    elif isinstance(value, str) and value and field in ("image_base64", "init_images", "input_image", "mask"):
        yield value
