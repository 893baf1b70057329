"""The catalogue of variations is sound, what they change is allowed, and typical ones turn nothing red."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from conformance.mutants.allowed import Variation, plain
from conformance.mutants.allowed_names import swapped
from conformance.mutants.catalogue import load_mutants
from conformance.mutants.judging import Bench, grade, outcomes
from conformance.mutants.making import statuses
from conformance.mutants.matrix import bench
from conformance.mutants.upstreams import DEFAULT, upstream
from conformance.mutants.values import FAITHFUL
from conformance.mutants.variations import Finding, judged, load_variations, main, markdown

CATALOGUE = load_variations()
ROWS = ("V3-RESULT-001", "V3-RESULT-005", "V3-RESULT-010", "V3-RESULT-015", "V3-ERROR-004", "V3-AUTH-002")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with upstream(DEFAULT) as url:
        yield url


@pytest.fixture(scope="module")
def held() -> Bench:
    return bench("/__mock")


@pytest.fixture(scope="module")
def sound(held: Bench, server: str) -> dict[str, int]:
    found = asyncio.run(outcomes(held, FAITHFUL, server, ROWS))
    return {name: grade(outcome) for name, outcome in found.items()}


def test_there_are_enough_and_each_says_what_it_does() -> None:
    assert len(CATALOGUE) >= 25
    assert not set(CATALOGUE) & set(load_mutants())
    for name, one in CATALOGUE.items():
        assert one.text.endswith("."), name
        made = one.of(1)
        assert made.breaks == ""
        assert made.name == f"{name}-1"
        assert made.text == one.text
        assert made.event is None or made.sees_webhooks
        assert made.picture is None or made.sees_links


def test_a_seed_draws_the_same_each_time() -> None:
    drawn: list[float] = []

    def make(rng: random.Random) -> object:
        drawn.append(rng.random())
        return plain()

    one = Variation(name="drawn", text="It draws.", make=make)  # type: ignore[arg-type]
    for seed in (1, 1, 2):
        one.of(seed)
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_name_swapped_twice_is_the_old_one() -> None:
    name = "dreamshaper_8_93211.safetensors"
    assert swapped(name) != name
    assert swapped(swapped(name)) == name
    assert swapped(name).endswith(".safetensors")


@pytest.mark.parametrize("name", ["keys-shuffled", "results-bare", "ttl-integer", "zipped"])
def test_nothing_turns_red(held: Bench, server: str, sound: dict[str, int], name: str) -> None:
    found = asyncio.run(judged(held, CATALOGUE[name], 1, server, sound, ROWS))
    assert found.good, found
    assert not found.warned


def test_what_is_tolerated_warns(held: Bench, server: str, sound: dict[str, int]) -> None:
    found = asyncio.run(judged(held, CATALOGUE["no-key-is-bad"], 1, server, sound, ROWS))
    assert found.good
    assert found.warned == ("V3-AUTH-002",)


def test_what_is_not_allowed_is_told(held: Bench, server: str, sound: dict[str, int]) -> None:
    broken = statuses("never-200", "V3-RESULT-001", "Results have status 202.", "getTaskResult", 200, 202)
    variation = Variation(name="never-200", text="Results have status 202.", make=lambda _: broken)
    found = asyncio.run(judged(held, variation, 1, server, sound, ("V3-RESULT-001",)))
    assert not found.good
    assert found.red["V3-RESULT-001"].startswith("FAIL: expected ")


def test_the_page_names_what_is_red() -> None:
    name = "ttl-integer"
    page = markdown(
        [Finding(name=name, seed=1), Finding(name=name, seed=2, red={"V3-RESULT-015": "FAIL: expected text"})], "serve"
    )
    assert f"| `{name}` | {CATALOGUE[name].text} | 2 | V3-RESULT-015 | - |" in page
    assert "1 variations, 2 runs, 1 of them with something red." in page.replace("\n", " ")


def test_an_unknown_name_is_refused() -> None:
    result = CliRunner().invoke(main, ["--only", "nothing-of-the-kind"])
    assert result.exit_code == 2
    assert "no such variation" in result.output
