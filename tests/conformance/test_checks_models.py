"""Checks of the model list: green on the mock, red for their own defect only."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.conformance.defects_of_results import (
    MODELS_PATH,
    answers,
    each,
    lists,
    only_red,
    queries,
    without,
)
from tests.conformance.harness import judge, not_green

MODELS = ("V3-MODEL",)


@pytest.mark.parametrize("strict", [False, True], ids=["lenient", "strict"])
def test_the_mock_is_green(strict: bool) -> None:
    result = judge(MODELS, strict=strict)
    assert not_green(result) == {}
    assert result.spent.tasks == 0
    assert result.spent.requests <= 60


def _spare_models(body: dict[str, Any]) -> None:
    for model in body["models"]:
        for name in ("download_url", "source", "is_sdxl", "tags", "categories", "sd_name_in_api", "base_model_type"):
            model.pop(name, None)
    if not body["pagination"]["next_cursor"]:
        body.pop("pagination")


def test_what_is_optional_may_be_absent() -> None:
    assert not_green(judge(MODELS, transport=lists(_spare_models))) == {}


DEFECTS: dict[str, tuple[str, Any]] = {
    "null for nothing": ("V3-MODEL-001", lambda: lists(lambda body: body.update(models=body["models"] or None))),
    "no status": ("V3-MODEL-002", lambda: lists(lambda body: [one.pop("status") for one in body["models"]])),
    "tags in one text": ("V3-MODEL-003", lambda: lists(each("models", hash_sha256=5))),
    "LoRAs with ending": (
        "V3-MODEL-004",
        lambda: lists(lambda body: [one.update(sd_name_in_api=one["sd_name"]) for one in body["models"]]),
    ),
    "kinds are not filtered": ("V3-MODEL-005", lambda: without("filter.types")),
    "one list for all": ("V3-MODEL-007", lambda: without("filter.visibility")),
    "origins are not filtered": ("V3-MODEL-008", lambda: without("filter.source")),
    "families are not filtered": ("V3-MODEL-009", lambda: without("filter.is_sdxl")),
    "inpainting is not filtered": ("V3-MODEL-010", lambda: without("filter.is_inpainting")),
    "texts are not looked for": ("V3-MODEL-012", lambda: without("filter.query")),
    "limits are not read": ("V3-MODEL-013", lambda: without("pagination.limit")),
    "pages overlap": (
        "V3-MODEL-015",
        lambda: lists(
            lambda body: (
                body["pagination"].update(next_cursor=f"c_{max(1, int(body['pagination']['next_cursor'][2:]) - 1)}")
                if body["pagination"]["next_cursor"]
                else 0
            )
        ),
    ),
    "offsets count from one": (
        "V3-MODEL-016",
        lambda: queries(
            lambda query: [
                (name, "c_0" if (name, value) == ("pagination.cursor", "c_1") else value) for name, value in query
            ]
        ),
    ),
    "two paths": ("V3-MODEL-017", lambda: answers("/v3/models", lambda _, found: replace(found, status=200))),
    "the first of several kinds": (
        "V3-MODEL-006",
        lambda: queries(lambda query: list({name: (name, value) for name, value in query}.values())),
    ),
    "1 is true and so is 0": (
        "V3-MODEL-011",
        lambda: queries(
            lambda query: [
                (name, "true" if name == "filter.is_sdxl" and value == "0" else value) for name, value in query
            ]
        ),
    ),
    "there is always a next page": (
        "V3-MODEL-015",
        lambda: lists(lambda body: body["pagination"].update(next_cursor=body["pagination"]["next_cursor"] or "c_999")),
    ),
    "the last page begins anew": (
        "V3-MODEL-015",
        lambda: lists(lambda body: body["pagination"].update(next_cursor=body["pagination"]["next_cursor"] or "c_0")),
    ),
    "null for no cursor": (
        "V3-MODEL-015",
        lambda: lists(lambda body: body["pagination"].update(next_cursor=body["pagination"]["next_cursor"] or None)),
    ),
    "a page is left out": (
        "V3-MODEL-015",
        lambda: queries(
            lambda query: [
                (name, "c_6" if (name, value) == ("pagination.cursor", "c_4") else value) for name, value in query
            ]
        ),
    ),
    "limits break it": (
        "V3-MODEL-014",
        lambda: answers(MODELS_PATH, lambda _, found: replace(found, status=500) if found.status == 400 else found),
    ),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_is_red_where_it_belongs(name: str) -> None:
    requirement, make = DEFECTS[name]
    only_red(MODELS, requirement, make())
