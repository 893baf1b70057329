"""Facts become an OpenAPI document: each fact its keyword, each field its source, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from openapi_spec_validator import validate

from openapi.derive import as_table, derive, state
from openapi.facts import Field, Place, Type
from openapi.flatten import Aspect, flatten
from openapi.overlay import parse_overlay, read_overlay
from openapi.pages import parse_page, read_page
from openapi.spec_errors import DerivationError
from tests.openapi.page_writer import CURL, some_fields, write

PAGES = sorted((Path(__file__).parent / "pages").glob("*.md"))

SMALL = r"""
<ParamField header="Content-Type" type="string" required={true}>
  Enum: `application/json`
</ParamField>
<ParamField header="Authorization" type="string" required={true} />
<ParamField header="X-Trace" type="string" required={false} />
<ParamField body="mode" type="integer¦null" required={true}>
  Enum: `0`, `1`
</ParamField>
<ParamField body="units" type="object[]" required={false}>
  Supports up to 2 units.

  <Expandable title="properties">
    <ParamField body="weight" type="number" required={true}>
      Range (0, 1]. Defaults to 0.5
    </ParamField>

    <ParamField body="text" type="string¦null" required={false}>
      Range \[1, 10].
    </ParamField>
  </Expandable>
</ParamField>
<ResponseField name="task_id" type="string" required={false} />
"""


def overlay(*actions: dict[str, Any]) -> Any:
    rows = [{"description": "C1, because", **action} for action in actions]
    return parse_overlay({"overlay": "1.0.0", "actions": rows}, "o.yaml")


def test_a_small_page_as_a_document() -> None:
    """Every fact of a page, and no word of it, in the place where OpenAPI says it."""
    assert state([parse_page(SMALL + CURL, "docs/small.md")]) == {
        "openapi": "3.1.0",
        "info": {"title": "What the pages state about POST /v9/thing", "version": "0"},
        "paths": {
            "/v9/thing": {
                "post": {
                    "x-source": "small.md",
                    "security": [{"Authorization": []}],
                    "parameters": [
                        {
                            "name": "X-Trace",
                            "in": "header",
                            "required": False,
                            "schema": {"type": "string"},
                            "x-source": "small.md:6",
                        }
                    ],
                    "requestBody": {
                        "required": True,
                        "content": {
                            "application/json": {"schema": {"$ref": "#/components/schemas/PostV9ThingRequest"}}
                        },
                    },
                    "responses": {
                        "200": {
                            "description": "Accepted",
                            "content": {
                                "application/json": {"schema": {"$ref": "#/components/schemas/PostV9ThingResponse"}}
                            },
                        }
                    },
                }
            }
        },
        "components": {
            "schemas": {
                "PostV9ThingRequest": {
                    "type": "object",
                    "required": ["mode"],
                    "properties": {
                        "mode": {"type": ["integer", "null"], "enum": [0, 1, None], "x-source": "small.md:7"},
                        "units": {
                            "type": "array",
                            "maxItems": 2,
                            "x-source": "small.md:10",
                            "items": {
                                "type": "object",
                                "required": ["weight"],
                                "properties": {
                                    "weight": {
                                        "type": "number",
                                        "exclusiveMinimum": 0,
                                        "maximum": 1,
                                        "default": 0.5,
                                        "x-source": "small.md:14",
                                    },
                                    "text": {
                                        "type": ["string", "null"],
                                        "minLength": 1,
                                        "maxLength": 10,
                                        "x-source": "small.md:18",
                                    },
                                },
                            },
                        },
                    },
                },
                "PostV9ThingResponse": {
                    "type": "object",
                    "properties": {"task_id": {"type": "string", "x-source": "small.md:23"}},
                },
            },
            "securitySchemes": {"Authorization": {"type": "apiKey", "in": "header", "name": "Authorization"}},
        },
    }


def test_our_pages_make_valid_documents() -> None:
    """What is derived is valid OpenAPI 3.1, with the overlay and without."""
    pages = [read_page(path, path.name) for path in PAGES]
    derivation = derive(pages, read_overlay())
    validate(dict(derivation.stated))
    validate(dict(derivation.document))
    assert len(derivation.stated["paths"]) == len(PAGES) == 7


@given(fields=some_fields())
def test_a_document_states_what_the_fields_state(fields: list[Field]) -> None:
    """Type, null, required, value list and default of each field are found again in the derived document."""
    page = parse_page(write(fields), "page.md")
    found = flatten(state([page]), page.method, page.path)
    assert found is not None
    assert {at for at in found if at[1] and at[1][-1] != "[]" and at[0] is not Place.HEADER} == {
        (item.place, item.path) for item in fields
    }
    for item in fields:
        facts = found[item.place, item.path].aspects
        shown = f"{item.items.value}[]" if item.items else item.type.value
        assert facts[Aspect.TYPE].shown == shown
        assert (facts[Aspect.NULL].shown == "yes") == (item.nullable and item.type is not Type.NULL)
        assert (facts[Aspect.REQUIRED].shown == "yes") == item.required
        assert len(facts[Aspect.ENUM].value) == len(set(item.enum))
        assert bool(facts[Aspect.DEFAULT].value) == (item.default is not None)
        stated = [facts[aspect].value for aspect in (Aspect.RANGE, Aspect.LENGTH, Aspect.COUNT)]
        if item.bounds is None:
            assert not any(stated)


def test_a_whole_interval_of_lengths_is_closed() -> None:
    """Lengths and counts are whole numbers: an open end becomes the next one."""
    page = parse_page('<ParamField body="x" type="string">\n  Range (0, 100)\n</ParamField>' + CURL, "page.md")
    schema = state([page])["components"]["schemas"]["PostV9ThingRequest"]["properties"]["x"]
    assert (schema["minLength"], schema["maxLength"]) == (1, 99)


def test_two_pages_for_one_operation_are_refused() -> None:
    """The second page is named."""
    page = '<ParamField body="x" type="string" />' + CURL
    with pytest.raises(DerivationError, match=re.escape("b.md: a second page for POST /v9/thing")):
        state([parse_page(page, "a.md"), parse_page(page, "b.md")])


def test_a_field_that_stands_twice_is_refused() -> None:
    """Which of the two would count is not for a program to decide."""
    page = parse_page('<ParamField body="x" type="string" />\n<ParamField body="x" type="integer" />' + CURL, "a.md")
    with pytest.raises(DerivationError, match=re.escape("a.md:2: 'x' stands on the page twice")):
        state([page])


@pytest.mark.parametrize(
    ("action", "why"),
    [
        ({"target": "$.components.schemas.PostV9ThingRequest.properties.gone", "update": {}}, "selects nothing"),
        (
            {"target": "$.components.schemas.PostV9ThingRequest.properties.mode", "update": {"x-source": "small.md:7"}},
            "changes nothing",
        ),
        ({"target": "$.components.schemas.PostV9ThingRequest.properties.mode", "update": {"default": 0}}, None),
        ({"target": "$.components.schemas.PostOtherRequest.properties.gone", "update": {}}, None),
        ({"target": "$.paths['/other'].get", "update": {}}, None),
        ({"target": "$.paths['/v9/thing'].get", "update": {}}, "selects nothing"),
    ],
)
def test_actions_with_nothing_left_to_do(action: dict[str, Any], why: str | None) -> None:
    """An action is stale when it does nothing although its operation is among the pages; others are not judged."""
    derivation = derive([parse_page(SMALL + CURL, "small.md")], overlay(action))
    stale = derivation.stale_actions()
    assert [reason.split(":")[0] for _, reason in stale] == ([why] if why else [])


def test_the_table_has_a_line_per_field() -> None:
    """Line, place, name, type, required and facts, for people."""
    table = as_table([parse_page(SMALL + CURL, "small.md")])
    assert table.splitlines()[0] == "POST /v9/thing  (small.md, 8 fields)"
    assert re.search(r"^ +14  body +units\[\]\.weight +number +required +\(0, 1\]; default 0\.5$", table, re.MULTILINE)
    assert re.search(r"^ +7  body +mode +integer or null +required +one of 0, 1 \(2\)$", table, re.MULTILINE)
