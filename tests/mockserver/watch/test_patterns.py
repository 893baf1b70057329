"""The language of patterns: what holds for which entry, and how a difference is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.core.journal import BODY_BYTES
from mockserver.watch import patterns
from mockserver.watch.patterns import FIELDS, MAX_DEPTH, MAX_REGEX, OPERATORS, BadPattern, Pattern
from tests.mockserver.watch.entries import entry_of

BODY = {
    "request": {"prompt": "a boat", "steps": 150, "seed": -1, "loras": [{"model_name": "a"}, {"model_name": "b"}]},
    "tags": ["x", 1, True],
    "none": None,
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(alphabet="abc", max_size=3), inner, max_size=3),
    max_leaves=8,
)


def told(pattern: dict[str, Any], **call: Any) -> list[str]:
    """The differences between a pattern and a call, in words."""
    return [str(one) for one in Pattern(pattern).differences(entry_of(**{"body": BODY, **call}))]


@pytest.mark.parametrize(
    "pattern",
    [
        {},
        {"operation_id": "createTxt2imgTask", "method": "POST", "path": "/v3/async/txt2img", "status": 200},
        {"status": {"<": 300, ">=": 200}},
        {"path": {"matches": "/v3/async/(txt|img)2img"}},
        {"headers": {"User-Agent": {"contains": "app"}, "x-none": {"present": False}}},
        {"query": {"task_id": "7", "empty": ""}},
        {"body": {"request": {"steps": {"<=": 150}}}},
        {"body": {"request": {"loras": [{"model_name": "a"}, {}]}}},
        {"body": {"request": {"loras": {"contains": {"model_name": "b"}}}}},
        {"body": {"tags": {"contains": 1}}},
        {"body": {"tags": ["x", 1.0, True]}},
        {"body": {"none": None, "missing": {"present": False}}},
        {"body": {"request": {"prompt": {"any-of": ["a house", {"matches": "A BOAT"}, {"matches": "(?i)A BOAT"}]}}}},
        {"body": {"request": {"seed": {"any-of": [{"present": False}, {"<": 0}]}}}},
        {"body": {"tags": {"=": ["x", 1, True]}}},
        {"answer": {"task_id": {"matches": "[0-9a-f]{4}"}}},
    ],
)
def test_a_pattern_that_matches(pattern: dict[str, Any]) -> None:
    """Equality, parts of objects, and every operator."""
    assert told(pattern, query=b"task_id=7&empty=", reply={"task_id": "01af"}) == []


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ({"body": {"request": {"steps": {"<=": 100}}}}, "request.steps: expected <= 100, got 150"),
        ({"body": {"request": {"steps": {">": 150}}}}, "request.steps: expected > 150, got 150"),
        ({"body": {"request": {"prompt": {"<": 1}}}}, 'request.prompt: expected < 1, got "a boat"'),
        ({"body": {"request": {"prompt": "a house"}}}, 'request.prompt: expected "a house", got "a boat"'),
        ({"body": {"request": {"prompt": {"matches": "boat"}}}}, 'request.prompt: expected a text that matches "boat"'),
        ({"body": {"request": {"prompt": {"contains": "cat"}}}}, 'request.prompt: expected something with "cat" in it'),
        ({"body": {"request": {"sampler": "x"}}}, 'request.sampler: expected "x", got nothing'),
        ({"body": {"request": {"seed": {"present": False}}}}, "request.seed: expected nothing, got -1"),
        ({"body": {"request": {"size": {"present": True}}}}, "request.size: expected something, got nothing"),
        ({"body": {"request": {"steps": {"any-of": [20, 30]}}}}, "request.steps: expected any of [20, 30], got 150"),
        ({"body": {"request": {"loras": [{}]}}}, "request.loras: expected a list of 1, got a list of 2"),
        ({"body": {"request": {"loras": [{"model_name": "b"}, {}]}}}, 'request.loras[0].model_name: expected "b"'),
        ({"body": {"tags": ["x", True, True]}}, "tags[1]: expected true, got 1"),
        ({"body": {"tags": {"=": ["x", 1]}}}, 'tags: expected ["x", 1], got ["x", 1, true]'),
        ({"body": {"tags": {"a": 1}}}, 'tags: expected an object, got ["x", 1, true]'),
        ({"body": []}, "body: expected a list, got {"),
        ({"status": {">=": 400}}, "status: expected >= 400, got 200"),
        ({"method": "GET"}, 'method: expected "GET", got "POST"'),
        ({"operation_id": "getTaskResult"}, 'operation_id: expected "getTaskResult", got "createTxt2imgTask"'),
        ({"headers": {"User-Agent": "x"}}, 'header user-agent: expected "x", got "app/1"'),
        ({"query": {"task_id": "7"}}, 'query task_id: expected "7", got nothing'),
        ({"answer": {"task_id": "1"}}, "answer: expected an object, got null"),
    ],
)
def test_a_difference_is_told_in_words(pattern: dict[str, Any], words: str) -> None:
    """Where, what was expected, what came."""
    [line] = told(pattern)
    assert line.startswith(words)


def test_every_difference_is_told() -> None:
    """Not only the first one."""
    assert len(told({"status": 1, "body": {"request": {"steps": {">": 200, "<": 100}, "seed": 1}}})) == 4


def test_a_body_that_is_not_kept_whole_cannot_be_compared() -> None:
    """And it is said so, rather than guessed."""
    [line] = told({"body": {"a": 1}}, body={"a": "x" * BODY_BYTES})
    assert "only the first" in line


def test_a_body_that_is_no_json_is_a_text() -> None:
    """It can be matched as one."""
    assert told({"body": {"contains": "=1"}}, request=b"a=1", body=None) == [
        'body: expected something with "=1" in it, got null'
    ]
    [entry] = [entry_of(request=b"a=1\xff")]
    assert Pattern({"body": {"contains": "=1"}}).matches(entry)


def test_long_values_are_cut_in_words() -> None:
    """A prompt of a thousand words does not fill the screen."""
    [line] = told({"body": {"request": {"prompt": "x" * 500}}})
    assert len(line) < 200


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ({"url": "x"}, 'no field "url" in a pattern; known: operation_id'),
        ({"headers": "x"}, "headers: expected an object of names"),
        ({"query": {"=": 1}, "headers": []}, "headers: expected an object of names"),
        ({"status": {"<=": "100"}}, 'status: <= expects a number, came "100"'),
        ({"status": {"<=": True}}, "status: <= expects a number, came true"),
        ({"status": {"<=": 1, "steps": 2}}, "status: operator '<=' beside \"steps\"; operators stand alone"),
        ({"path": {"matches": 1}}, "path: matches expects a regular expression"),
        ({"path": {"matches": "x" * (MAX_REGEX + 1)}}, "path: matches expects a regular expression of at most 200"),
        ({"path": {"matches": "a)(b"}}, 'path: "a)(b" is no regular expression that is matched in linear time'),
        ({"path": {"matches": r"(a)\1"}}, "is no regular expression that is matched in linear time"),
        ({"path": {"matches": "(?=a)"}}, "is no regular expression that is matched in linear time"),
        ({"path": {"present": 1}}, "path: present expects true or false, came 1"),
        ({"path": {"any-of": []}}, "path: any-of expects a list of patterns, came []"),
        ({"body": {"a": {"any-of": "x"}}}, 'body.a: any-of expects a list of patterns, came "x"'),
    ],
)
def test_what_is_no_pattern_is_told(pattern: dict[str, Any], message: str) -> None:
    """The message says where, what is expected and what came."""
    with pytest.raises(BadPattern) as raised:
        Pattern(pattern)
    assert message in str(raised.value)


def test_a_pattern_is_not_nested_without_end() -> None:
    """Neither in members nor in alternatives."""
    deep: Any = 1
    for _ in range(MAX_DEPTH + 2):
        deep = {"any-of": [deep]}
    with pytest.raises(BadPattern, match="nested more than 32 deep"):
        Pattern({"body": deep})


def test_a_regular_expression_takes_linear_time() -> None:
    """One that keeps a backtracking matcher busy for ever is over at once."""
    assert not Pattern({"path": {"matches": "(/|/|a+)+b"}}).matches(entry_of(path="/" + "a" * 5_000, operation_id=""))


@given(JSON)
def test_every_body_is_equal_to_itself(value: object) -> None:
    """As a literal, whatever its names."""
    entry = entry_of(body=value)
    assert Pattern({"body": {"=": value}}).matches(entry)
    assert Pattern({"body": value}).matches(entry), "names made of a, b and c are no operators"


@given(JSON, JSON)
def test_different_bodies_differ(value: object, other: object) -> None:
    """1 is not true, and 0 is not false."""
    assert Pattern({"body": {"=": other}}).matches(entry_of(body=value)) is (
        repr(value) == repr(other) or _equal(value, other)
    )


def _equal(value: Any, other: Any) -> bool:
    if type(value) is not type(other):
        return False
    if isinstance(value, dict):
        return value.keys() == other.keys() and all(_equal(value[name], other[name]) for name in value)
    if isinstance(value, list):
        return len(value) == len(other) and all(map(_equal, value, other))
    return bool(value == other)


@given(
    st.dictionaries(
        st.sampled_from(["operation_id", "status", "body", "headers", "query", "answer"]),
        st.recursive(JSON, lambda inner: st.dictionaries(st.sampled_from(OPERATORS), inner, max_size=3), max_leaves=6),
    )
)
def test_any_json_is_read_or_refused(source: dict[str, Any]) -> None:
    """A pattern never fails in another way, and neither does holding an entry against it."""
    try:
        pattern = Pattern(source)
    except BadPattern:
        return
    for entry in (entry_of(body=BODY), entry_of(request=b"\xff"), entry_of()):
        assert pattern.matches(entry) is not bool([str(one) for one in pattern.differences(entry)])


def test_the_operators_are_those_of_the_table() -> None:
    """The table in the docstring is the language's description."""
    for operator in OPERATORS:
        assert f'`{{"{operator}":' in (patterns.__doc__ or "")


def test_the_operators_and_fields_are_in_the_docs() -> None:
    """docs/journal.md describes all of them, and its example is a pattern."""
    text = (Path(__file__).resolve().parents[3] / "docs" / "journal.md").read_text(encoding="utf-8")
    for operator in OPERATORS:
        assert f'{{"{operator}": ' in text
    for field in FIELDS:
        assert f"`{field}`" in text
    Pattern(json.loads(text.split("```json")[1].split("```")[0]))
