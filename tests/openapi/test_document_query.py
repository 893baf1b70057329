"""Query parameters: text becomes typed values, in both readings."""

from __future__ import annotations

from typing import Any

import pytest

from openapi.readings import Reading
from tests.openapi.samples import contract

STRICT, LENIENT = Reading.DOCUMENTED, Reading.TOLERATED


def read(query: dict[str, list[str]], reading: Reading = LENIENT, operation_id: str = "listModels") -> Any:
    return contract().operations[operation_id].read_query(query, reading)


def test_values_are_typed_and_defaults_filled_in() -> None:
    """Numbers, booleans, words and text, as the document types them."""
    values, problems = read(
        {
            "filter.visibility": ["public"],
            "filter.source": ["civitai"],
            "filter.types": ["lora"],
            "filter.is_sdxl": ["true"],
            "filter.query": ["detail 1"],
            "pagination.limit": ["100"],
            "pagination.cursor": ["c_0"],
        },
        STRICT,
    )
    assert problems == []
    assert values == {
        "filter.visibility": "public",
        "filter.source": "civitai",
        "filter.types": ("lora",),
        "filter.is_sdxl": True,
        "filter.query": "detail 1",
        "filter.is_inpainting": False,
        "pagination.limit": 100,
        "pagination.cursor": "c_0",
    }


def test_an_empty_query_leaves_only_defaults() -> None:
    """Absent parameters are absent, except where the page names a default."""
    assert read({}, STRICT) == ({"filter.is_inpainting": False}, [])


@pytest.mark.parametrize(("text", "value"), [("1", True), ("0", False), ("True", True), ("False", False)])
def test_other_spellings_of_booleans_are_tolerated(text: str, value: bool) -> None:
    """Clients write 0, 1, True and False; the documented reading wants true or false."""
    assert read({"filter.is_sdxl": [text]})[0]["filter.is_sdxl"] is value
    _, (problem,) = read({"filter.is_sdxl": [text]}, STRICT)
    assert (problem.because, problem.where, problem.path) == (("O6",), "query", ("filter.is_sdxl",))


@pytest.mark.parametrize("reading", Reading)
@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("filter.is_sdxl", "yes", 'expected true or false, got "yes"'),
        ("filter.is_sdxl", "", 'expected true or false, got ""'),
        ("pagination.limit", "0", "expected an integer above 0 and at most 100, got 0"),
        ("pagination.limit", "101", "expected an integer above 0 and at most 100, got 101"),
        ("pagination.limit", "-1", "expected an integer above 0 and at most 100, got -1"),
        ("pagination.limit", "1.5", 'expected an integer above 0 and at most 100, got "1.5"'),
        ("pagination.limit", "ten", 'expected an integer above 0 and at most 100, got "ten"'),
        ("pagination.limit", "9" * 5000, None),
        ("pagination.limit", "٣", 'expected an integer above 0 and at most 100, got "٣"'),
        ("filter.visibility", "all", 'expected one of "public", "private", got "all"'),
        ("filter.types", "checkpoints", None),
    ],
)
def test_wrong_values_are_refused_in_both_readings(reading: Reading, name: str, text: str, message: str | None) -> None:
    """The message says what was expected; no value is given."""
    values, problems = read({name: [text]}, reading)
    assert name not in values
    assert [(problem.path, problem.where, problem.because) for problem in problems] == [((name,), "query", ())]
    assert message is None or problems[0].message == message


@pytest.mark.parametrize("text", ["1", "100", "007"])
def test_a_limit_is_a_number_written_in_the_query(text: str) -> None:
    """The page types it as text; its digits are what counts (C41)."""
    assert read({"pagination.limit": [text]}, STRICT)[0]["pagination.limit"] == int(text)


def test_filter_types_may_be_repeated() -> None:
    """Several kinds are asked for by repeating the parameter; the documented reading takes one."""
    query = {"filter.types": ["lora", "vae", "lora"]}
    assert read(query)[0]["filter.types"] == ("lora", "vae")
    values, (problem,) = read(query, STRICT)
    assert "filter.types" not in values
    assert (problem.keyword, problem.because) == ("repeated", ("O5",))


def test_one_wrong_kind_among_several_is_refused() -> None:
    """Each value of a repeated parameter is looked at."""
    values, problems = read({"filter.types": ["lora", "lorra"]})
    assert "filter.types" not in values
    assert [problem.value_repr for problem in problems] == ['"lorra"']


@pytest.mark.parametrize("reading", Reading)
def test_other_parameters_may_not_be_repeated(reading: Reading) -> None:
    """Two limits are no limit."""
    values, (problem,) = read({"pagination.limit": ["1", "2"]}, reading)
    assert "pagination.limit" not in values
    assert (problem.message, problem.because) == ("given more than once; expected one value", ())


def test_v2_takes_the_first_of_several_task_ids() -> None:
    """The page types the id as a list, everybody sends one; a lenient server takes the first (C31)."""
    query = {"task_id": ["a", "b"]}
    assert read(query, LENIENT, "getProgressV2") == ({"task_id": "a"}, [])
    _, (problem,) = read(query, STRICT, "getProgressV2")
    assert problem.because == ("C31",)


@pytest.mark.parametrize("operation_id", ["getTaskResult", "getProgressV2"])
@pytest.mark.parametrize("reading", Reading)
def test_a_task_id_must_be_given(operation_id: str, reading: Reading) -> None:
    """Without one nothing can be found; an empty one is looked up like any other."""
    _, (problem,) = read({}, reading, operation_id)
    assert (problem.path, problem.keyword) == (("task_id",), "required")
    assert read({"task_id": [""]}, reading, operation_id) == ({"task_id": ""}, [])


def test_unknown_parameters_are_ignored_with_a_reason() -> None:
    """filter.type, which one client sends, has no effect; the documented reading says so (C28)."""
    query = {"filter.type": ["lora"]}
    assert read(query)[1] == []
    values, (problem,) = read(query, STRICT)
    assert values == {"filter.is_inpainting": False}
    assert problem.because == ("C28",)
    assert problem.message == 'no such query parameter is documented; perhaps "filter.types" was meant'


@pytest.mark.parametrize("operation_id", ["createTxt2imgTask", "createImg2imgTaskV2"])
def test_submits_have_no_parameters(operation_id: str) -> None:
    """A query on a submit is ignored, and reported in the documented reading."""
    assert read({"x": ["1"]}, LENIENT, operation_id) == ({}, [])
    assert len(read({"x": ["1"]}, STRICT, operation_id)[1]) == 1
