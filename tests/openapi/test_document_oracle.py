"""Two validators, one verdict: jsonschema-rs, which serves, and jsonschema, which is slow and independent."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from openapi.readings import Reading
from openapi.vocabulary import JsonObject
from tests.openapi.samples import bodies as all_bodies
from tests.openapi.samples import contract, copy_of, merged, places, sample

# Each schema once: the answers of an error are the same for every operation.
BODIES = {body.name: body for body in {one.schema["$ref"]: one for one in all_bodies()}.values()}
ODD: list[Any] = [None, True, False, 0, 1, -1, -2, 2, 5, 0.5, 1.0, 7.5, 30, 30.5, 50, 51, 101, 2048, 2049, 4097, 2**70]
ODD += ["", "x", "20", "png", "webp", "Euler a", "DPM++ Karras", "data:image/png;base64,AA", "x" * 1024, "x" * 1025]
ODD += [[], [None], [{}], ["", ""], [{"model_name": ""}], [[]], {}, {"model_name": ""}, {"enabled": True}, {"x": {}}]


def bounds(schema: JsonObject) -> JsonObject:
    return merged(contract().raw, schema)


@cache
def oracle(name: str, reading: Reading) -> Draft202012Validator:
    """The independent validator of a body, over the rendered document."""
    document = contract().rendered(reading)
    operation_id, _, part = name.partition(".")
    if part:
        known = contract().operations[operation_id]
        operation = document["paths"][known.path][known.method.lower()]
    else:
        operation = document["webhooks"][operation_id]["post"]
    holder: JsonObject = operation["responses"][part] if part.isdigit() else operation["requestBody"]
    schema = merged(document, holder)["content"]["application/json"]["schema"]
    return Draft202012Validator({**schema, "components": document["components"]})


@st.composite
def damaged(draw: st.DrawFn, body: Any) -> Any:
    """A body with a few places replaced, removed or added."""
    value = copy_of(body)
    for _ in range(draw(st.integers(1, 3))):
        node: Any = value
        while True:
            steps: list[Any] = list(node) if isinstance(node, dict) else list(range(len(node)))
            if not steps:
                break
            step = draw(st.sampled_from(steps))
            if isinstance(node[step], (dict, list)) and draw(st.booleans()):
                node = node[step]
                continue
            change = draw(st.sampled_from(["replace", "remove", "add"]))
            if change == "replace":
                node[step] = copy_of(draw(st.sampled_from(ODD)))
            elif change == "remove":
                del node[step]
            elif isinstance(node, dict):
                name = draw(st.sampled_from(["x", "prompt", "image_assets_id", "extra"]))
                node[name] = copy_of(draw(st.sampled_from(ODD)))
            break
    return value


@pytest.mark.parametrize("name", BODIES)
@given(data=st.data())
def test_both_validators_agree(name: str, data: st.DataObject) -> None:
    """Whatever is done to a body, both give the same verdict in both readings, and a refusal is explained."""
    body = BODIES[name]
    value = data.draw(damaged(sample(contract().raw, body.schema)))
    for reading in Reading:
        accepted = body.accepts(value, reading)
        assert accepted is oracle(name, reading).is_valid(value)
        if name.endswith(".request"):
            problems = contract().operations[name.partition(".")[0]].problems(value, reading)
            assert bool(problems) is not accepted
        if reading is Reading.DOCUMENTED and accepted and name.endswith(".request"):
            assert body.accepts(value, Reading.TOLERATED), "the lenient reading takes whatever the pages allow"


BOUNDED = [
    (body, place)
    for body in BODIES.values()
    if body.name.endswith(".request")
    for place in places(body)
    # What a reference points at is looked at from where it is used, together with the keywords beside it.
    if not place.name.endswith(">") and {"minimum", "maximum", "exclusiveMinimum"} & bounds(place.schema).keys()
]


@pytest.mark.parametrize(("body", "place"), BOUNDED, ids=[place.name for _, place in BOUNDED])
@settings(max_examples=50)
@given(number=st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False))
@example(number=0)
@example(number=1)
@example(number=-1)
@example(number=128)
@example(number=127.5)
@example(number=2049)
def test_a_range_is_kept_to_the_letter(body: Any, place: Any, number: float) -> None:
    """A number is accepted exactly when it lies in the documented range, open ends left out."""
    assert body.accepts(place.build(number), Reading.DOCUMENTED) is in_range(bounds(place.schema), number)


@pytest.mark.parametrize(("body", "place"), BOUNDED, ids=[place.name for _, place in BOUNDED])
def test_the_ends_of_a_range_are_as_the_brackets_say(body: Any, place: Any) -> None:
    """A closed end is accepted and its neighbour is not; an open end is not accepted."""
    schema = bounds(place.schema)
    ends = {schema[word] for word in ("minimum", "maximum", "exclusiveMinimum") if word in schema}
    for end in ends:
        for number in (end - 1, end, end + 1):
            assert body.accepts(place.build(number), Reading.DOCUMENTED) is in_range(schema, number)


def in_range(schema: JsonObject, number: float) -> bool:
    types = schema.get("type", "number")
    whole = "integer" in (types if isinstance(types, list) else [types])
    return (
        (not whole or float(number).is_integer())
        and number >= schema.get("minimum", number)
        and number <= schema.get("maximum", number)
        and number > schema.get("exclusiveMinimum", number - 1 if abs(number) < 2**53 else float("-inf"))
    )
