"""YAML, JSON and short programs of the pages that people follow: they parse, and are what their pages call them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from mockserver.scenarios import load as load_scenario
from openapi.document import Reading, load
from tests.bodies import txt2img
from tests.docs.blocks import Block, blocks, used_pages
from tests.docs.uses import SCRIPTS

SCENARIOS = ("scenarios.md", "migrate/from-wiremock.md")


def with_data(language: str) -> list[Block]:
    """All blocks of a language on the pages that people follow."""
    return [block for page in used_pages() for block in blocks(page, language)]


def name(block: Block) -> str:
    """A block's name among the tests."""
    return f"{block.page}-{block.number}"


def parsed(block: Block) -> Any:
    """A JSON block; lines of an answer may have been broken inside a text."""
    return json.loads(block.text, strict=False)


@pytest.mark.parametrize("block", with_data("json"), ids=name)
def test_json_is_json(block: Block) -> None:
    assert isinstance(parsed(block), dict)


@pytest.mark.parametrize("block", with_data("yaml"), ids=name)
def test_yaml_is_yaml(block: Block) -> None:
    assert yaml.safe_load(block.text)


@pytest.mark.parametrize("page", SCENARIOS)
def test_scenarios_are_read_by_the_mock(page: str, tmp_path: Path) -> None:
    """By the loader that `--scenario FILE` uses."""
    for block in blocks(page, "yaml"):
        path = tmp_path / "scenario.yaml"
        path.write_text(block.text, encoding="utf-8")
        assert load_scenario(path).faults


def problems(body: Any, reading: Reading) -> list[str]:
    """What is wrong with a body of createTxt2imgTask."""
    return [str(problem) for problem in load().operations["createTxt2imgTask"].problems(body, reading)]


def test_the_order_of_the_tutorial_keeps_to_the_documented_reading() -> None:
    [order] = blocks("tutorial.md", "json")
    assert problems(parsed(order), Reading.DOCUMENTED) == []


def test_the_bucket_of_the_page_keeps_to_the_documented_reading() -> None:
    [extra] = blocks("custom-storage.md", "json")
    assert problems({**txt2img(), **parsed(extra)}, Reading.DOCUMENTED) == []


@pytest.mark.parametrize("page", SCRIPTS)
def test_short_programs_run(page: str) -> None:
    for block in blocks(page, "python"):
        exec(compile(block.text, page, "exec"), {})
