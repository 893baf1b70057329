"""Near misses: the nearest entries, the summary of all, and the nearest operation."""

from __future__ import annotations

from typing import Any

import pytest

from mockserver.watch.near import MAX_GROUPS, compare, nearest_operation
from mockserver.watch.patterns import Pattern
from tests.mockserver.watch.entries import journal_of

OPERATIONS = {
    "createTxt2imgTask": ("POST", "/v3/async/txt2img"),
    "createImg2imgTask": ("POST", "/v3/async/img2img"),
    "getTaskResult": ("GET", "/v3/async/task-result"),
    "listModels": ("GET", "/v3/model"),
    "createV2": ("POST", "/v2/txt2img"),
}


def submit(prompt: str = "a boat", steps: int = 20, **call: Any) -> dict[str, Any]:
    return {"body": {"request": {"prompt": prompt, "steps": steps}}, **call}


def test_matches_are_told_from_misses() -> None:
    """In the journal's order."""
    found = compare(journal_of(submit(), submit(steps=30), submit()), Pattern({"body": submit()["body"]}), 3)

    assert [entry.number for entry in found.found] == [1, 3]
    assert [miss.entry.number for miss in found.near] == [2]


def test_the_entry_with_the_fewest_differences_is_the_nearest() -> None:
    """Of equally near ones the newest; another operation is further away than any field."""
    journal = journal_of(
        submit("a cat", 150),
        submit("a dog", 50),
        submit("a dog", 50, operation_id="createImg2imgTask"),
        submit("a bird", 50),
        submit("a boat", 150),
    )
    pattern = Pattern(
        {"operation_id": "createTxt2imgTask", "body": {"request": {"prompt": "a boat", "steps": {"<=": 100}}}}
    )
    found = compare(journal, pattern, 4)

    assert [miss.entry.number for miss in found.near] == [5, 4, 2, 1]
    assert [str(one) for one in found.near[0].differences] == ["request.steps: expected <= 100, got 150"]


def test_the_summary_groups_all_misses_by_where_they_differ() -> None:
    """The nearest group first; of each how many."""
    journal = journal_of(*[submit("a cat")] * 3, submit("a dog", 150), submit(), submit(steps=150))
    found = compare(journal, Pattern({"body": {"request": {"prompt": "a boat", "steps": 20}}}), 1)

    assert found.summary == (
        "3 requests differ from this in request.prompt",
        "1 request differs from this in request.steps",
        "1 request differs from this in request.prompt, request.steps",
    )


def test_a_summary_has_few_lines() -> None:
    """What is left out is counted."""
    fields = [f"f{number}" for number in range(MAX_GROUPS + 2)]
    right = dict.fromkeys(fields, 1)
    found = compare(journal_of(*({"body": {**right, name: 2}} for name in fields)), Pattern({"body": right}), 3)

    assert len(found.summary) == MAX_GROUPS + 1
    assert found.summary[-1] == "2 more differ in other places"


def test_an_empty_journal_has_no_misses() -> None:
    """And nothing to sum up."""
    found = compare(journal_of(), Pattern({"status": 1}), 3)
    assert (found.found, found.near, found.summary) == ((), (), ())


@pytest.mark.parametrize(
    ("method", "path", "nearest"),
    [
        ("POST", "/v3/async/txt2image", "createTxt2imgTask"),
        ("POST", "/v3/txt2img", "createTxt2imgTask"),
        ("GET", "/v3/async/task_result", "getTaskResult"),
        ("POST", "/v3/models", "listModels"),
        ("POST", "/v2/text2img", "createV2"),
        ("GET", "/" + "v" * 60_000, "listModels"),
    ],
)
def test_the_nearest_operation_has_the_most_similar_path(method: str, path: str, nearest: str) -> None:
    """However long the path is."""
    assert nearest_operation(method, path, OPERATIONS) == nearest


def test_of_one_path_the_operation_with_the_method_is_nearest() -> None:
    """Else the path decides alone."""
    operations = {"read": ("GET", "/v3/a"), "write": ("POST", "/v3/a")}
    assert nearest_operation("POST", "/v3/b", operations) == "write"
    assert nearest_operation("PUT", "/v3/a", operations) == "read"
