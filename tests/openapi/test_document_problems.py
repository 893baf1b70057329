"""What is wrong with a body, in words: the place, what was expected, what came, and why a lenient server takes it."""

from __future__ import annotations

from typing import Any

import pytest

from openapi.document import Problem
from openapi.problems import describe, perhaps, show
from openapi.readings import Reading
from openapi.validators import MOST_PROBLEMS
from tests.openapi.samples import contract, copy_of

STRICT, LENIENT = Reading.DOCUMENTED, Reading.TOLERATED


def normal(operation_id: str = "createTxt2imgTask") -> Any:
    """The first example of an operation, to be changed."""
    return copy_of(contract().examples(operation_id)[0].value)


def only(problems: list[Problem]) -> Problem:
    assert len(problems) == 1, [str(problem) for problem in problems]
    return problems[0]


def changed(**fields: Any) -> Any:
    body = normal()
    body["request"].update(fields)
    return body


def problem(body: Any, reading: Reading = LENIENT, operation_id: str = "createTxt2imgTask") -> Problem:
    operation = contract().operations[operation_id]
    assert not operation.is_valid(body, reading)
    return only(operation.problems(body, reading))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("steps", 0, "expected an integer from 1 to 100, got 0"),
        ("steps", 101, "expected an integer from 1 to 100, got 101"),
        ("steps", "20", 'expected an integer from 1 to 100, got "20"'),
        ("steps", 20.5, "expected an integer from 1 to 100, got 20.5"),
        ("steps", True, "expected an integer from 1 to 100, got true"),
        ("steps", None, "expected an integer from 1 to 100, got null"),
        ("width", 64, "expected an integer from 128 to 2048, got 64"),
        ("seed", -2, "expected an integer of at least -1 or null, got -2"),
        ("guidance_scale", 30.5, "expected a number from 1 to 30, got 30.5"),
        ("prompt", "", "expected text of 1 to 1024 characters, got 0 characters"),
        ("prompt", "x" * 1025, "expected text of 1 to 1024 characters, got 1025 characters"),
        ("negative_prompt", "x" * 1025, "expected text of 1 to 1024 characters, got 1025 characters"),
        ("prompt", ["a dog"], "expected text of 1 to 1024 characters, got a list of 1"),
        ("loras", {}, "expected a list of at most 5 or null, got an empty object"),
        ("embeddings", [{"model_name": "a"}] * 6, "expected a list of at most 5 or null, got a list of 6"),
        ("restore_faces", 1, "expected true or false or null, got 1"),
    ],
)
def test_a_value_is_refused_with_what_was_expected(field: str, value: Any, message: str) -> None:
    """The message names the whole expectation and the value that came."""
    found = problem(changed(**{field: value}))
    assert found.path == ("request", field)
    assert found.pointer == f"/request/{field}"
    assert found.message == message
    assert found.because == ()


def test_a_word_outside_a_list_is_answered_with_the_list_and_a_guess() -> None:
    """Every allowed word is named, and the nearest one is offered."""
    found = problem(changed(sampler_name="euler A"))
    assert '"Euler a", "Euler", "LMS"' in found.message
    assert found.message.endswith('got "euler A"; perhaps "Euler a" was meant')
    assert (found.keyword, found.cites) == ("enum", ("C23",))


def test_a_missing_field_is_named_where_it_should_be() -> None:
    """The path leads to the absent field, and the message says what belongs there."""
    body = normal()
    del body["request"]["width"]
    found = problem(body)
    assert (found.path, found.keyword, found.value_repr) == (("request", "width"), "required", "nothing")
    assert found.message == "this field is missing; expected an integer from 128 to 2048"


def test_a_flat_body_is_told_apart_by_its_reason() -> None:
    """Picture fields at the top level are refused in both readings, citing C12."""
    found = problem(normal()["request"])
    assert (found.path, found.cites) == (("request",), ("C12",))


def test_an_unknown_field_is_a_problem_of_the_documented_reading_only() -> None:
    """It is named, a near miss is offered, and the reason for ignoring it is given."""
    body = changed(negativ_prompt="blurry")
    assert contract().operations["createTxt2imgTask"].problems(body, LENIENT) == []
    found = problem(body, STRICT)
    assert found.path == ("request", "negativ_prompt")
    assert found.message == 'no such field is documented; perhaps "negative_prompt" was meant'
    assert found.because == ("C22",)


@pytest.mark.parametrize(
    ("fields", "because"),
    [
        ({"negative_prompt": ""}, ("C13",)),
        ({"negative_prompt": None}, ("C13",)),
        ({"clip_skip": 0}, ("C11",)),
        ({"seed": None}, ("O1",)),
        ({"hires_fix": None}, ("O1", "O2")),
        ({"refiner": {"switch_at": None}}, ("O1", "O2")),
        ({"sd_vae": ""}, ("O1", "O2")),
        ({"loras": [{"model_name": "", "strength": 1}]}, ("O2",)),
        ({"hires_fix": {"target_width": 512, "target_height": 512, "strength": 1, "x": 1}}, ("C22",)),
    ],
)
def test_a_lenient_acceptance_gives_its_reasons(fields: dict[str, Any], because: tuple[str, ...]) -> None:
    """What only the lenient reading takes is a documented problem that cites why it is taken."""
    body = changed(**fields)
    assert contract().operations["createTxt2imgTask"].is_valid(body, LENIENT)
    assert problem(body, STRICT).because == because


def test_what_no_reading_takes_has_no_reason() -> None:
    """A value that is simply wrong is not excused."""
    assert problem(changed(steps=0), STRICT).because == ()


def test_a_transparent_background_needs_png() -> None:
    """The format is refused, not the switch; no format at all means png."""
    body = changed(enable_transparent_background=True)
    found = problem(body)
    assert found.path == ("extra", "response_image_type")
    assert found.message == '"jpeg" is not taken here: A transparent background needs png (C46)'
    for extra in ({}, {"response_image_type": "png"}, {"response_image_type": None}, None):
        assert contract().operations["createTxt2imgTask"].is_valid({**body, "extra": extra}, LENIENT)
    body["request"]["enable_transparent_background"] = False
    assert contract().operations["createTxt2imgTask"].is_valid(body, STRICT)


def test_an_uploaded_picture_is_not_taken() -> None:
    """image_assets_id is refused by name even beside image_base64, in the lenient reading too."""
    body = normal("createImg2imgTask")
    body["request"]["image_assets_id"] = "0d9b6ee5"
    found = problem(body, LENIENT, "createImg2imgTask")
    assert (found.path, found.cites) == (("request", "image_assets_id"), ("C48",))
    body["request"] = None
    assert problem(body, LENIENT, "createImg2imgTask").message == "expected an object, got null"


@pytest.mark.parametrize(
    ("mode", "taken"),
    [
        ({"enabled": True, "return_task_status": "TASK_STATUS_FAILED"}, True),
        ({"enabled": True}, False),
        ({"enabled": False}, True),
        ({}, True),
        ({"enabled": None}, True),
        ({"enabled": True, "return_task_status": "TASK_STATUS_QUEUED"}, False),
        (None, True),
    ],
)
def test_test_mode_needs_an_outcome_only_when_it_is_on(mode: Any, taken: bool) -> None:
    """Both fields are required on paper; a lenient server wants the outcome only of a test that runs (C39)."""
    body = normal()
    body["extra"]["webhook"] = {"url": "https://client.test/", "test_mode": mode}
    assert contract().operations["createTxt2imgTask"].is_valid(body, LENIENT) is taken
    complete = mode is not None and len(mode) == 2
    assert contract().operations["createTxt2imgTask"].is_valid(body, STRICT) is (complete and taken)


def test_the_branch_that_was_meant_is_explained() -> None:
    """A control unit with one wrong field is not reported as missing every alternative."""
    body = normal("createTxt2imgTaskV2")
    unit = copy_of(contract().examples("createTxt2imgTaskV2")[2].value)["controlnet_units"][0]
    body["controlnet_units"] = [{**unit, "weight": "1"}]
    found = problem(body, LENIENT, "createTxt2imgTaskV2")
    assert str(found) == 'controlnet_units.0.weight: expected a number or null, got "1"'
    body["controlnet_units"] = {**unit, "control_mode": 7}
    found = problem(body, LENIENT, "createTxt2imgTaskV2")
    assert found.path == ("controlnet_units", "control_mode")


def test_an_answer_is_explained_by_its_code() -> None:
    """A v2 answer with code 0 is held to the form of a success."""
    validator = contract().response_validator("getProgressV2", 200)
    found = only(validator.problems({"code": 0, "msg": "", "data": {"status": 9}}))
    assert found.path == ("data", "status")
    found = only(validator.problems({"code": 4, "msg": "", "data": {}}))
    assert (found.path, found.message) == (("data",), "expected null, got an empty object")


@pytest.mark.parametrize("body", [None, [], "text", 5, True])
def test_a_body_that_is_no_object_is_one_problem(body: Any) -> None:
    """The whole body is named."""
    found = problem(body)
    assert (found.path, found.pointer) == ((), "")
    assert str(found).startswith("the body: expected an object, got ")


def test_problems_come_in_the_order_of_their_places_and_are_bounded() -> None:
    """However much is wrong, a few dozen problems are enough, each once."""
    body = {"request": normal()["request"], **{f"field{number}": 1 for number in range(500)}}
    problems = contract().operations["createTxt2imgTask"].problems(body, STRICT)
    assert len(problems) == MOST_PROBLEMS
    paths = [found.path for found in problems]
    assert paths == sorted(set(paths), key=lambda path: [str(step) for step in path])


def test_a_deeply_nested_body_is_judged_like_any_other() -> None:
    """Depth is no way round the checks, and none to break them."""
    deep: Any = {}
    for _ in range(450):
        deep = {"a": [deep]}
    body = changed(x=deep)
    assert contract().operations["createTxt2imgTask"].is_valid(body, LENIENT)
    assert problem(body, STRICT).path == ("request", "x")
    assert problem(changed(steps=deep)).message == "expected an integer from 1 to 100, got an object"


def test_a_picture_is_never_in_a_message() -> None:
    """Long text is cut, and its length is given."""
    found = problem(changed(sampler_name="A" * 5_000_000))
    assert len(found.message) < 1000
    assert found.message.endswith("(5000000 characters)")


@pytest.mark.parametrize(
    ("schema", "phrase"),
    [
        ({"type": "integer", "exclusiveMinimum": 0, "maximum": 50}, "an integer above 0 and at most 50"),
        ({"type": "number", "exclusiveMaximum": 1}, "a number below 1"),
        ({"type": "string", "minLength": 1}, "text of at least 1 characters"),
        ({"type": "string", "maxLength": 9}, "text of at most 9 characters"),
        ({"type": "string", "pattern": "^a"}, "text that matches ^a"),
        ({"type": "object", "maxProperties": 0}, "an empty object"),
        ({"type": ["boolean", "null"]}, "true or false or null"),
        ({"const": 0}, "0"),
        ({"enum": ["png"]}, '"png"'),
        ({}, "another value"),
    ],
)
def test_a_schema_is_described(schema: Any, phrase: str) -> None:
    """Every kind of schema has a noun phrase."""
    assert describe({}, schema) == phrase


@pytest.mark.parametrize(
    ("value", "text"),
    [([], "an empty list"), ({}, "an empty object"), ({"a": 1}, "an object"), (10**60, "1" + "0" * 47 + "...")],
)
def test_a_value_is_shown_in_few_characters(value: Any, text: str) -> None:
    """Containers are counted, long numbers are cut."""
    assert show(value) == text


def test_no_guess_is_made_for_what_is_no_word() -> None:
    """Numbers and far words get no hint."""
    assert perhaps(5, ["5"]) == ""
    assert perhaps("xyz", ["Euler a"]) == ""


def test_half_of_a_surrogate_pair_is_judged_like_any_letter() -> None:
    """JSON can escape one alone, UTF-8 cannot hold it; what is wrong elsewhere is told all the same."""
    operation = contract().operations["createTxt2imgTask"]
    problems = operation.problems({"request": {"prompt": "\ud800", "steps": 0}}, Reading.DOCUMENTED)
    assert "prompt" not in {problem.path[-1] for problem in problems}
    assert "steps" in {problem.path[-1] for problem in problems}
    assert not operation.is_valid({"request": {"prompt": "\ud800" * 1025}}, Reading.DOCUMENTED)
