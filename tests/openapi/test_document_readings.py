"""Every tolerance of the document: the documented reading refuses, the lenient one accepts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from openapi.document import Reading
from openapi.readings import rendered
from openapi.vocabulary import walk
from tests.openapi.samples import Accepts, bodies, contract, places, sample

# For `keywords` nobody can tell from the outside which value shows the difference: (keywords replaced) -> value.
SHOWN: dict[tuple[str, ...], Any] = {
    ("type",): 7.5,
    ("not",): "data:image/png;base64,AAAA",
    ("required", "if", "then"): {"enabled": False},
    ("type", "minimum"): 123,
    ("enum",): "TASK_STATUS_UNKNOWN",
    ("format", "pattern"): "830d9c90-shortened",
}

Case = tuple[Any, Accepts]


def cases() -> Iterator[Any]:
    for body in bodies():
        for place in places(body):
            for aspect, value in changed(place.tolerance, place.schema, place.build, place.without):
                yield pytest.param(value, body.accepts, id=f"{place.name}:{aspect}")


def changed(tolerance: Any, schema: Any, build: Any, without: Any) -> Iterator[tuple[str, Any]]:
    raw = contract().raw
    for value in tolerance.get("values", ()):
        yield f"{value!r}", build(value)
    for number, other in enumerate(tolerance.get("also", ())):
        yield f"also-{number}", build(sample(raw, other))
    if tolerance.get("optional"):
        yield "absent", without()
    if "unknown-fields" in tolerance:
        yield "unknown-field", build({**sample(raw, schema), "no_such_field": 1})
    keywords = tuple(tolerance.get("keywords", ()))
    if keywords and "image_base64" not in schema.get("properties", {}):  # that one narrows: see the refused examples
        yield "/".join(keywords), build(SHOWN[keywords])


@pytest.mark.parametrize(("value", "accepts"), list(cases()))
def test_a_tolerance_shows(value: Any, accepts: Accepts) -> None:
    """What x-tolerated adds is refused in the documented reading and accepted in the lenient one."""
    assert not accepts(value, Reading.DOCUMENTED)
    assert accepts(value, Reading.TOLERATED)


@pytest.mark.parametrize("body", list(bodies()), ids=lambda body: body.name)
def test_a_full_sample_fits_both_readings(body: Any) -> None:
    """A body with every documented field is accepted in both readings."""
    value = sample(contract().raw, body.schema)
    assert body.accepts(value, Reading.DOCUMENTED)
    assert body.accepts(value, Reading.TOLERATED)


def test_every_tolerance_of_a_body_is_reached() -> None:
    """No x-tolerated of a schema lies where the tests above do not look."""
    raw = contract().raw
    written = {id(node["x-tolerated"]) for _, kind, node in walk(raw) if kind == "schema" and "x-tolerated" in node}
    reached = {id(place.tolerance) for body in bodies() for place in places(body)}
    assert written <= reached


@pytest.mark.parametrize("reading", Reading)
def test_a_rendered_document_is_plain(reading: Reading) -> None:
    """Neither reading shows x-tolerated, and both keep the string formats."""
    plain = contract().rendered(reading)
    nodes = [node for _, _, node in walk(plain)]
    assert not any("x-tolerated" in node for node in nodes)
    formats = {node.get("format") for node in nodes}
    assert {"base64-image", "checkpoint-name", "lora-name", "vae-name", "embedding-name", "uri"} <= formats


def test_a_rendered_document_is_the_callers_own() -> None:
    """Changing a rendered document changes no other one."""
    contract().rendered(Reading.DOCUMENTED)["paths"].clear()
    assert contract().rendered(Reading.DOCUMENTED)["paths"]


def test_lenient_examples_are_left_out_of_the_documented_reading() -> None:
    """The documented rendering shows only examples that it accepts."""
    media = [
        contract().rendered(reading)["paths"]["/v3/async/txt2img"]["post"]["requestBody"]["content"]["application/json"]
        for reading in Reading
    ]
    strict, lenient = (set(one["examples"]) for one in media)
    assert lenient - strict == {"empty-negative-prompt", "null-skeleton", "python-client", "stray-fields"}


def test_the_lenient_rendering_offers_the_other_forms_of_a_key() -> None:
    """Bare keys are offered everywhere, X-Omni-Key in version 2 only, and neither in the documented reading."""
    lenient = contract().rendered(Reading.TOLERATED)
    assert lenient["security"] == [{"bearerKey": []}, {"bareKey": []}]
    assert {"omniKey": []} in lenient["paths"]["/v2/progress"]["get"]["security"]
    assert "security" not in lenient["paths"]["/v3/model"]["get"]
    assert set(contract().rendered(Reading.DOCUMENTED)["components"]["securitySchemes"]) == {"bearerKey"}


def test_the_lenient_rendering_shows_tolerant_parameters() -> None:
    """Repeated and differently spelled parameters have a wider schema in the lenient reading."""
    parameters = contract().rendered(Reading.TOLERATED)["paths"]["/v3/model"]["get"]["parameters"]
    schemas = {parameter["name"]: parameter["schema"] for parameter in parameters}
    assert schemas["filter.types"]["type"] == "array"
    assert {"enum": ["1", "0", "True", "False"]} in schemas["filter.is_sdxl"]["anyOf"]


def test_rendering_leaves_the_document_alone() -> None:
    """The documented source is the same before and after."""
    before = repr(contract().raw)
    for reading in Reading:
        rendered(contract().raw, reading)
    assert repr(contract().raw) == before
