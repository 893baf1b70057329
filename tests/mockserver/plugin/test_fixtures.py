"""The pytest plugin, used as a test suite of a client uses it."""

from __future__ import annotations

import os
from typing import Any

import httpx
import pytest

from mockserver.handles import NovitaWorld
from tests.bodies import txt2img

pytest_plugins = ["pytester"]


def result(world: NovitaWorld, task_id: str) -> dict[str, object]:
    answer = httpx.get(
        f"{world.url}/v3/async/task-result",
        params={"task_id": task_id},
        headers={"authorization": f"Bearer {world.key}"},
    )
    found: dict[str, object] = answer.json()["task"]
    return found


def test_a_world_is_fresh_and_named_in_the_environment(novita_world: NovitaWorld) -> None:
    """The official clients' variables point at it."""
    assert os.environ["NOVITA_API_KEY"] == novita_world.key  # noqa: TID251  # what the fixture is for
    assert os.environ["NOVITA_API_URI"] == novita_world.url  # noqa: TID251  # what the fixture is for


def test_the_clock_is_in_the_tests_hands(novita_world: NovitaWorld) -> None:
    """Freeze holds a task in its queue; run_until_idle ends it."""
    novita_world.clock.freeze()
    task_id = httpx.post(
        f"{novita_world.url}/v3/async/txt2img",
        json=txt2img(),
        headers={"authorization": f"Bearer {novita_world.key}"},
    ).json()["task_id"]

    for _ in range(4):
        assert result(novita_world, task_id)["status"] == "TASK_STATUS_QUEUED"
    before = novita_world.clock.now_ms()
    novita_world.clock.advance("1s")
    assert novita_world.clock.now_ms() == before + 1000
    novita_world.clock.run_until_idle()
    assert result(novita_world, task_id)["status"] == "TASK_STATUS_SUCCEED"
    assert novita_world.clock.advance_to_next_event() is None
    novita_world.clock.resume()


def test_the_plugin_costs_nothing_until_it_is_used(pytester: pytest.Pytester) -> None:
    """A suite without the fixtures imports neither the server nor its libraries."""
    pytester.makepyfile(
        """
        import sys
        def test_nothing_was_imported():
            heavy = {"starlette", "uvicorn", "orjson", "jsonschema_rs", "PIL", "mockserver.app"}
            assert not heavy & set(sys.modules)
        """
    )
    ended = pytester.runpytest_subprocess("-p", "no:schemathesis", "-p", "no:hypothesispytest", "-p", "no:anyio")
    ended.assert_outcomes(passed=1)


def submit(world: NovitaWorld, **request: Any) -> httpx.Response:
    return httpx.post(
        f"{world.url}/v3/async/txt2img",
        json=txt2img(**request),
        headers={"authorization": f"Bearer {world.key}"},
    )


def test_faults_are_armed_without_http(novita_world: NovitaWorld) -> None:
    """As a control call arms them; what happened can be asked."""
    novita_world.faults.arm("submit.before", {"status": 429}, times=1)
    assert submit(novita_world).status_code == 429
    assert submit(novita_world).status_code == 200
    assert novita_world.faults.fired() == ["submit.before#1: status 429"]
    novita_world.faults.arm("submit.before", "no-answer")
    novita_world.faults.disarm()
    assert submit(novita_world).status_code == 200


def test_a_fault_that_is_none_says_what_was_expected(novita_world: NovitaWorld) -> None:
    with pytest.raises(ValueError, match=r"effects at result: status, delay"):
        novita_world.faults.arm("result", "stuck")


@pytest.mark.filterwarnings("ignore:NV301")
def test_money_and_findings_are_at_hand(novita_world: NovitaWorld) -> None:
    """A repeat after a lost answer, as a test would assert that it does not happen."""
    novita_world.faults.arm("submit.after_commit", {"status": 504}, times=1)
    assert submit(novita_world, seed=1).status_code == 504
    assert novita_world.ledger.double_spends() == []
    assert submit(novita_world, seed=1).status_code == 200
    assert novita_world.ledger.usd == pytest.approx(0.0042)
    assert len(novita_world.ledger.double_spends()) == 1
    assert novita_world.findings()["NV301"] == 1
    assert [entry["fault"] for entry in novita_world.requests()] == ["status 504", None]
    assert [entry["request"]["request"]["seed"] for entry in novita_world.requests()] == [1, 1]
    novita_world.ledger.check_budget(0.0042)
    with pytest.raises(AssertionError, match="2 tasks, 2 pictures"):
        novita_world.ledger.check_budget(0.004)
