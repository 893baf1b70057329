"""The universe holds what the document holds: counted in the document itself, by another way than the model's own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mockserver.coverage.item import Dimension, Item, Scope
from mockserver.coverage.model import Universe, universe
from mockserver.faults.effects import effects_at
from mockserver.faults.points import Point
from openapi.document import Document, Reading


def of(everything: Universe, dimension: Dimension) -> list[Item]:
    return [item for item in everything.items if item.dimension is dimension]


def followed(raw: dict[str, Any], schema: dict[str, Any]) -> list[dict[str, Any]]:
    """A schema and whatever it refers to or offers, without merging."""
    found = [schema]
    if "$ref" in schema:
        found += followed(raw, raw["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    for one in schema.get("anyOf", ()):
        found += followed(raw, one)
    return found


def fields_in(raw: dict[str, Any], schema: dict[str, Any], path: str) -> Iterator[tuple[str, bool, dict[str, Any]]]:
    """Path, whether required, and schema of each field, found by walking every form of every schema."""
    for form in followed(raw, schema):
        for name, child in form.get("properties", {}).items():
            here = f"{path}.{name}".lstrip(".")
            yield here, name in form.get("required", ()), child
            for inner in followed(raw, child):
                if "items" in inner:
                    yield from fields_in(raw, inner["items"], f"{here}[]")
            yield from fields_in(raw, child, here)


def documented_fields(document: Document, operation_id: str) -> Iterator[tuple[str, bool, dict[str, Any]]]:
    raw = document.rendered(Reading.DOCUMENTED)
    known = document.operations[operation_id]
    operation = raw["paths"][known.path][known.method.lower()]
    for parameter in operation.get("parameters", ()):
        yield parameter["name"], parameter.get("required", False), parameter["schema"]
    if "requestBody" in operation:
        yield from fields_in(raw, operation["requestBody"]["content"]["application/json"]["schema"], "")


def test_every_operation_of_the_document_is_an_item(document: Document, everything: Universe) -> None:
    found = {item.key for item in of(everything, Dimension.OPERATIONS)}
    assert found == {f"operations:{operation_id}" for operation_id in document.operations}


def test_every_field_and_query_parameter_is_an_item_and_an_optional_one_also_left_out(
    document: Document, everything: Universe
) -> None:
    wanted = set()
    for operation_id in document.operations:
        for path, required, _ in documented_fields(document, operation_id):
            wanted.add(f"parameters:{operation_id}:{path}")
            if not required:
                wanted.add(f"parameters:{operation_id}:{path}:left-out")
    assert len(wanted) > 250
    assert {item.key for item in of(everything, Dimension.PARAMETERS)} == wanted


def test_every_listed_value_and_every_limit_of_every_field_is_an_item(document: Document, everything: Universe) -> None:
    raw = document.rendered(Reading.DOCUMENTED)
    keys = {item.key for item in of(everything, Dimension.VALUES)}
    counted: dict[str, set[str]] = {}
    for operation_id in document.operations:
        for path, _, schema in documented_fields(document, operation_id):
            labels = counted.setdefault(f"values:{operation_id}:{path}:", set())
            for form in followed(raw, schema):
                labels |= {f"value={word!r}" for word in form.get("enum", ())}
                for keyword, limit in (("minimum", "minimum"), ("maximum", "maximum"), ("minLength", "shortest")):
                    labels |= {f"{limit}={form[keyword]}"} if keyword in form else set()
                for keyword, limit in (("maxLength", "longest"), ("minItems", "fewest"), ("maxItems", "most")):
                    labels |= {f"{limit}={form[keyword]}"} if keyword in form else set()
                types = form.get("type", [])
                labels |= {"value=True", "value=False"} if "boolean" in types else set()
                labels |= {"value=None"} if "null" in types and types != "null" else set()
                labels |= {"value=None"} if {"type": "null"} in form.get("anyOf", ()) else set()
                whole = any("integer" in one.get("type", ()) for one in followed(raw, schema))
                if "exclusiveMinimum" in form and whole:
                    labels |= {f"minimum={form['exclusiveMinimum'] + 1}"}
    for prefix, labels in counted.items():
        assert sum(key.startswith(prefix) for key in keys) == len(labels), (prefix, labels)
    assert len(keys) == sum(map(len, counted.values()))


def test_every_documented_reason_of_every_operation_is_an_item(document: Document, everything: Universe) -> None:
    wanted = {
        f"errors:{operation_id}:{reason}"
        for operation_id, operation in document.operations.items()
        for reasons in operation.reasons.values()
        for reason in reasons
    }
    assert {item.key for item in of(everything, Dimension.ERRORS)} == wanted
    assert len(document.reasons) * 4 == len(wanted)


def test_every_documented_v2_code_but_zero_is_an_item(document: Document, everything: Universe) -> None:
    found = {item.key for item in of(everything, Dimension.V2_CODES)}
    assert found == {f"v2-codes:{code}" for code in document.v2_codes if code}


def test_states_are_those_of_the_document(everything: Universe) -> None:
    states = {item.key for item in of(everything, Dimension.STATES)}
    words = ("QUEUED", "PROCESSING", "SUCCEED", "FAILED")
    assert states == {*(f"states:v3:TASK_STATUS_{word}" for word in words), *(f"states:v2:{n}" for n in range(5))}


def test_nothing_leads_out_of_an_end_and_nothing_to_itself(everything: Universe) -> None:
    for item in of(everything, Dimension.TRANSITIONS):
        before, _, after = item.key.split(":")[-1].partition("->")
        assert before not in {str(end) for end in everything.terminal}
        assert before != after


def test_a_client_may_look_away_while_a_state_passes(everything: Universe) -> None:
    assert "transitions:v3:TASK_STATUS_QUEUED->TASK_STATUS_SUCCEED" in everything.places
    assert (
        "transitions:v3:TASK_STATUS_PROCESSING->TASK_STATUS_QUEUED" not in everything.places
    )  # only a fault does that


def test_every_effect_that_makes_sense_at_a_point_is_an_item(document: Document) -> None:
    items = of(universe(document), Dimension.FAULTS)
    wanted = {f"faults:{point.value}:{kind.value}" for point in Point for kind in effects_at(point)}
    assert {item.key for item in items} == wanted
    assert len(wanted) > len(Point)


def test_model_kinds_are_the_words_of_the_model_list(everything: Universe) -> None:
    kinds = {item.label for item in of(everything, Dimension.MODELS) if item.group == "kinds"}
    assert kinds == {"checkpoint", "lora", "vae", "controlnet", "upscaler", "textualinversion"}


def test_items_are_unique_and_what_they_need_exists(everything: Universe) -> None:
    assert len(everything.places) == len(everything.items)
    for item in everything.items:
        assert not item.needs or item.needs in everything.places
        assert item.test.endswith(".")


def test_a_share_is_the_number_of_items_that_weigh_as_one(everything: Universe) -> None:
    for dimension in (Dimension.PARAMETERS, Dimension.VALUES, Dimension.ERRORS, Dimension.FAULTS):
        groups: dict[str, list[Item]] = {}
        for item in of(everything, dimension):
            groups.setdefault(item.group, []).append(item)
        for rows in groups.values():
            assert {item.share for item in rows} == {len(rows)}


@pytest.mark.parametrize(("operation_id", "scope"), [("createTxt2imgTask", Scope.V3), ("getProgressV2", Scope.V2)])
def test_an_item_belongs_to_the_version_of_its_operation(everything: Universe, operation_id: str, scope: Scope) -> None:
    assert everything.items[everything.places[f"operations:{operation_id}"]].scope is scope


def test_examples_show_the_field_in_its_place(everything: Universe) -> None:
    item = everything.items[everything.places["values:createTxt2imgTask:request.loras[].strength:maximum=1"]]
    assert item.example == '{"request": {"loras": [{"strength": 1}]}}'
    item = everything.items[everything.places['values:listModels:filter.types:value="lora"']]
    assert item.example == "GET /v3/model?filter.types=lora"
