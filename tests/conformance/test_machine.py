"""The life cycle by programs that Hypothesis writes: nothing to say of the mock, and each broken law on its row."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from conformance import machine
from conformance.errors import Broken
from conformance.opening import opened
from conformance.target import Target
from mockserver.app import create_app
from mockserver.core.clock import ClockMode
from mockserver.mock import Parts
from mockserver.parts.wall import FakeWall
from mockserver.settings import Settings
from openapi.document import load
from tests.conformance.defects_of_results import files_anew, nth_result, results
from tests.conformance.harness import KEY, URL, Wrapper


def explored(wrapper: Wrapper | None = None, *, seed: int = 1, examples: int = 15) -> tuple[list[Broken], list[str]]:
    """What programs find, and which paths they asked for."""
    document = load()
    settings = Settings(clock=ClockMode.parse("manual"))
    inner: httpx.AsyncBaseTransport = httpx.ASGITransport(create_app(document, settings, Parts(wall=FakeWall())))
    target = Target(url=URL, key=KEY, control="/__mock")

    async def go() -> tuple[list[Broken], list[str]]:
        async with opened(target, document, transport=wrapper(inner) if wrapper else inner) as session:
            found = await machine.explore(session, seed, examples)
            assert session.client.budget.spent.images <= machine.TASKS
            exchanges = sorted(session.client.log.exchanges.values(), key=lambda one: one.number)
            return found, [f"{one.method} {one.url.partition('?')[0].partition('/prod/')[0]}" for one in exchanges]

    return asyncio.run(go())


def test_nothing_is_found_in_the_mock_and_a_seed_repeats_the_programs() -> None:
    first, second = explored(), explored()
    assert first[0] == []
    assert first[1] == second[1]
    assert len(first[1]) > 100
    assert explored(seed=2)[1] != first[1]


def _queued(body: dict[str, Any]) -> None:
    body["task"].update(status="TASK_STATUS_QUEUED", progress_percent=0)
    body["images"] = []


DEFECTS: dict[str, Callable[[], Wrapper]] = {
    "V3-LIFE-003": lambda: nth_result(lambda body, count: _queued(body) if count % 2 == 0 else None, "PROCESSING"),
    "V3-LIFE-004": lambda: nth_result(lambda body, count: _queued(body) if count > 2 else None, "SUCCEED"),
    "V3-LIFE-007": files_anew,
    "V3-RESULT-019": lambda: results(lambda body: body["extra"].update(seed="1"), "SUCCEED"),
}


@pytest.mark.parametrize("requirement", DEFECTS)
def test_a_broken_law_is_found_on_its_requirement(requirement: str) -> None:
    found, _ = explored(DEFECTS[requirement]())
    assert [one.requirement for one in found] == [requirement]
    assert found[0].exchanges
