"""GET /v3/model."""

from __future__ import annotations

from typing import Any

import pytest

from openapi.document import Document, Reading
from tests.reference.http.front import Front

ALL = [
    "other-sd15",
    "refiner-sdxl",
    "shapes-sd15",
    "shapes-sdxl",
    "sharp.safetensors",
    "outline.safetensors",
    "pastel.safetensors",
    "tidy.safetensors",
    "RealESRNet_x4plus.safetensors",
]


def listed(front: Front, *query: tuple[str, str]) -> list[str]:
    answer = front.call("GET", "/v3/model", params=query)
    assert answer.status_code == 200, answer.text
    return [model["sd_name"] for model in answer.json()["models"]]


def test_the_list_is_what_is_on_the_shelf(lenient: Front, document: Document) -> None:
    """V3-MODEL-001 to 004."""
    answer = lenient.call("GET", "/v3/model")
    assert document.response_validator("listModels", 200, Reading.DOCUMENTED).problems(answer.json()) == []
    models = {model["sd_name"]: model for model in answer.json()["models"]}
    assert list(models) == ALL
    assert models["shapes-sd15"]["sd_name_in_api"] == "shapes-sd15"
    assert models["pastel.safetensors"]["sd_name_in_api"] == "pastel"
    assert [name for name, model in models.items() if not model["status"]] == ["refiner-sdxl"]
    assert len({model["id"] for model in models.values()}) == len(models)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ([("filter.types", "checkpoint")], ALL[:4]),
        ([("filter.types", "lora"), ("filter.types", "vae")], ALL[4:7]),
        ([("filter.types", "textualinversion")], ["tidy.safetensors"]),
        ([("filter.types", "controlnet")], []),
        ([("filter.visibility", "public")], ALL),
        ([("filter.visibility", "private")], []),
        ([("filter.source", "uploading")], ALL),
        ([("filter.source", "civitai")], []),
        ([("filter.is_sdxl", "true")], ["refiner-sdxl", "shapes-sdxl", "outline.safetensors"]),
        ([("filter.is_sdxl", "True"), ("filter.types", "lora")], ["outline.safetensors"]),
        ([("filter.is_inpainting", "1")], []),
        ([("filter.is_inpainting", "false")], ALL),
        ([("filter.query", "SHAPES")], ["shapes-sd15", "shapes-sdxl"]),
        ([("filter.query", "pastel.safetensors")], ["pastel.safetensors"]),
        ([("filter.query", "no such model")], []),
    ],
)
def test_each_filter_leaves_what_fits(lenient: Front, query: list[tuple[str, str]], names: list[str]) -> None:
    """V3-MODEL-005 to 012."""
    assert listed(lenient, *query) == names


@pytest.mark.parametrize("limit", [1, 2, 4, 9, 100])
def test_pages_hold_each_model_once(lenient: Front, limit: int) -> None:
    """V3-MODEL-013 and 015."""
    found: list[str] = []
    cursor = ""
    for _ in range(20):
        query = {"pagination.limit": str(limit), "pagination.cursor": cursor}
        page: Any = lenient.call("GET", "/v3/model", params=query).json()
        assert len(page["models"]) <= limit
        found += [model["sd_name"] for model in page["models"]]
        cursor = page["pagination"]["next_cursor"]
        if not cursor:
            break
    assert found == ALL


@pytest.mark.parametrize(
    ("cursor", "names"), [("c_0", ALL), ("c_7", ALL[7:]), ("c_c_7", ALL[7:]), ("c_100", []), ("c_999999999", [])]
)
def test_cursors_that_clients_make_up_are_offsets(lenient: Front, cursor: str, names: list[str]) -> None:
    """V3-MODEL-016."""
    assert listed(lenient, ("pagination.cursor", cursor)) == names


@pytest.mark.parametrize(
    "query",
    [
        ("pagination.limit", "0"),
        ("pagination.limit", "101"),
        ("pagination.limit", "ten"),
        ("pagination.cursor", "c_x"),
        ("pagination.cursor", "c_" + "9" * 5000),
        ("filter.is_sdxl", "perhaps"),
        ("filter.types", "no-such-kind"),
    ],
)
def test_a_query_that_is_not_as_documented_is_refused(lenient: Front, query: tuple[str, str]) -> None:
    """V3-MODEL-014."""
    answer = lenient.call("GET", "/v3/model", params=[query])
    assert (answer.status_code, answer.json()["reason"]) == (400, "INVALID_REQUEST_BODY")
    assert answer.json()["metadata"] == {"field": query[0]}
