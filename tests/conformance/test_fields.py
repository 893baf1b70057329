"""Tables of request fields, read from the document."""

from __future__ import annotations

import pytest

from conformance.fields import Field, fields_in
from openapi.document import Document, Reading

SUBMITS = ("createTxt2imgTask", "createImg2imgTask", "createTxt2imgTaskV2", "createImg2imgTaskV2")


@pytest.fixture(scope="module", params=SUBMITS)
def operation_id(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


def named(document: Document, name: str, operation_id: str = "createTxt2imgTask") -> Field:
    return fields_in(document, operation_id)[name]


def test_bounds_lengths_and_words_are_those_of_the_document(document: Document) -> None:
    width = named(document, "request.width")
    assert (width.ends(), width.outside(), width.required, width.whole) == ((128, 2048), (127, 2049), True, True)
    strength = named(document, "request.loras[].strength")
    assert (strength.path, strength.outside()) == (("request", "loras", 0, "strength"), (-0.01, 1.01))
    assert named(document, "request.prompt").max_length == 1024
    assert named(document, "request.loras").max_items == 5
    assert len(named(document, "request.sampler_name").words) == 20


def test_a_bound_that_is_not_accepted_itself_lies_outside(document: Document) -> None:
    cfg_scale = named(document, "cfg_scale", "createImg2imgTaskV2")
    assert (cfg_scale.ends(), cfg_scale.outside()) == ((0.01, 30), (0, 30.01))


def test_null_is_told_apart_by_reading(document: Document) -> None:
    seed, strength = named(document, "request.seed"), named(document, "request.strength", "createImg2imgTask")
    assert (seed.nullable, seed.tolerates_null) == (False, True)
    assert (strength.nullable, strength.tolerates_null) == (True, True)


def test_a_wrong_type_is_right_but_for_its_type(document: Document) -> None:
    assert named(document, "request.width").wrong_types() == ("128", True, [128], {}, 128.5)
    assert named(document, "request.width").wrong_types(512) == ("512", True, [512], {}, 512.5)
    assert named(document, "request.guidance_scale").wrong_types(7.5) == ("7.5", True, [7.5], {})
    assert named(document, "request.restore_faces").wrong_types(True) == ("true", [True], {}, 1)
    assert named(document, "request.loras").wrong_types([{"a": 1}]) == ("text", True, {"a": 1}, 1)


def test_what_some_reading_accepts_is_no_wrong_type(document: Document) -> None:
    units = named(document, "controlnet_units", "createTxt2imgTaskV2")  # an object in place of a list is tolerated
    assert not any(isinstance(value, dict) for value in units.wrong_types())
    assert "1" not in named(document, "mask_blur", "createImg2imgTaskV2").wrong_types()


def test_a_wrong_type_and_a_number_outside_are_refused_at_their_place(document: Document, operation_id: str) -> None:
    """In the documented reading, whatever else the body lacks."""
    operation = document.operations[operation_id]
    for field in fields_in(document, operation_id).values():
        for value in (*field.wrong_types(), *field.outside()):
            body: object = value
            for step in reversed(field.path):
                body = [body] if isinstance(step, int) else {step: body}
            places = {problem.path for problem in operation.problems(body, Reading.DOCUMENTED)}
            assert any(path[: len(field.path)] == field.path for path in places), (field.name, value)
