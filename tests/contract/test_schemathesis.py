"""Schemathesis, all phases, against a running mock: the strict one by the documented reading, the lenient one by the
tolerated reading. Nothing is found, and the harness finds what a wrong server does.

What is told to Schemathesis, and which of its checks do not fit and why, stands in `tests.contract.exploring`.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from schemathesis.checks import CHECKS

from mockserver.control.table import RESOURCES
from openapi.document import Document, Reading
from tests.contract.exploring import (
    EXCLUDED,
    EXCLUDED_CONTROL,
    EXCLUDED_V2,
    Found,
    explore,
    explore_control,
    settings_of,
)

PHASES = {"examples", "coverage", "fuzzing", "stateful"}


def assert_nothing_found(found: Found, document: Document) -> None:
    """Every phase reached the operations, cases of every kind were sent, and no answer was wrong."""
    assert found.errors == []
    assert found.problems == []
    assert set(found.cases) == PHASES
    labels = {f"{one.method} {one.path}" for one in document.operations.values()}
    assert found.operations["coverage"] == labels
    assert found.operations["fuzzing"] == labels
    assert min(found.verdicts[kind] for kind in ("accepted", "refused", "accepted or refused", "no such route")) > 0
    assert found.verdicts["accepted"] == found.tasks, "each accepted submit makes one task, and nothing else does"
    # A later version of Schemathesis may bring a check: then somebody has to decide about it.
    assert found.checks.keys() | EXCLUDED.keys() == {*CHECKS.get_all_names(), "max_response_time"}
    assert not found.checks.keys() & EXCLUDED.keys()
    assert found.checks.keys() >= EXCLUDED_V2.keys(), "switched off for v2 only"


@pytest.mark.parametrize("reading", Reading)
def test_nothing_is_found_in_any_phase(document: Document, reading: Reading) -> None:
    """A server holds its own reading: about two and a half thousand cases each, the same ones every time."""
    assert_nothing_found(explore(document, reading, examples=15), document)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 3])
@pytest.mark.parametrize("reading", Reading)
def test_nothing_is_found_in_a_long_run(document: Document, reading: Reading, seed: int) -> None:
    """The same with ten times the generated cases and other seeds."""
    assert_nothing_found(explore(document, reading, examples=150, seed=seed), document)


@pytest.mark.slow
def test_the_same_seed_sends_the_same_cases(document: Document) -> None:
    """Two runs against fresh servers send equal requests in equal order."""
    first, second = (explore(document, Reading.DOCUMENTED, examples=10, seed=7) for _ in range(2))

    assert first.cases == second.cases
    assert first.sent.digest() == second.sent.digest()


def test_nothing_is_found_in_the_control_interface() -> None:
    """The mock's own interface keeps to its own document; that has no links, so nothing is stateful."""
    found = explore_control(examples=10)

    assert found.errors == []
    assert found.problems == []
    assert found.operations["coverage"] == {f"{one.method} /__mock{one.path}" for one in RESOURCES}
    assert found.checks.keys() | EXCLUDED_CONTROL.keys() == {*CHECKS.get_all_names(), "max_response_time"}
    assert not found.checks.keys() & EXCLUDED_CONTROL.keys()


def test_a_server_that_accepts_too_much_or_too_little_is_found(document: Document) -> None:
    """Held against the documented reading, a lenient server that refuses a word in prompts fails in both directions."""
    wrong = replace(settings_of(Reading.TOLERATED), illegal_words=("paper boat",))

    found = explore(document, Reading.DOCUMENTED, examples=1, settings=wrong)

    def told(check: str, version: str) -> list[str]:
        return [line for line in found.problems if f"[{check}]" in line and f"/{version}/" in line.split("\n")[1]]

    assert any("accepted expected, refused came" in line for line in told("oracle", "v3"))
    for version in ("v2", "v3"):
        assert any("refused expected, accepted came" in line for line in told("oracle", version))
    for check in EXCLUDED_V2:
        assert told(check, "v3")
        assert not told(check, "v2"), "it cannot judge v2 and is off there"
