"""docs/coverage.md says what the code does: its table, its program, its command lines."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from mockserver.coverage.collector import MAX_TASKS, MAX_WAITING
from mockserver.coverage.item import Dimension
from mockserver.coverage_commands import coverage

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "coverage.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.M | re.S)


def test_its_table_has_each_dimension_with_its_weight_in_order() -> None:
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| ([0-9]+) \|", PAGE, re.M)
    assert rows == [(dimension.value, str(dimension.weight)) for dimension in Dimension]


def test_its_program_runs() -> None:
    [program] = blocks("python")
    exec(compile(program, "coverage.md", "exec"), {})


@pytest.mark.parametrize("line", [line for block in blocks("sh") for line in block.splitlines()])
def test_its_command_lines_are_understood(line: str) -> None:
    command, name, *arguments = shlex.split(line, comments=True)
    assert (command, name) == ("novita-mock", "coverage")
    coverage.make_context("coverage", arguments)


def test_it_names_the_bounds() -> None:
    assert f"{MAX_TASKS:,} tasks" in PAGE
    assert f"{MAX_WAITING:,} faults" in PAGE
