"""What a run would send: counted once however many checks share it, and true of a run against the mock."""

from __future__ import annotations

import json

import pytest

from conformance.budget import Budget, Cost, Limits, cost_of, pictures, pictures_at_most
from conformance.errors import OverBudget
from conformance.ledger import Ledger, short
from conformance.planning import COSTS, OPT_IN, costs_of, forecast
from openapi.document import load
from openapi.requirements import load_requirements
from tests.conformance.harness import judge

TXT2IMG, TXT2IMG_V2 = "createTxt2imgTask", "createTxt2imgTaskV2"
ROWS = load_requirements()


def test_what_checks_share_is_counted_once() -> None:
    ledger = Ledger()
    for requirement in ("A-1", "A-2"):
        with ledger.check(requirement):
            ledger.use("a task")
            ledger.charge("", Cost(requests=2))
    with ledger.making("a task"):
        ledger.charge(TXT2IMG, Cost(requests=1, tasks=1, images=30, usd=0.1))

    found = forecast(["A-1", "A-2", "A-3"], load(), costs_of(ledger, start=1))
    assert (found.requests, found.tasks, found.images) == (6, 1, {TXT2IMG: 30})
    assert found.minutes == 1  # 20 pictures in a minute are allowed
    assert found.unknown == ("A-3",)


def test_names_of_shared_things_stay_short() -> None:
    """They are made of whole bodies, pictures in base64 included."""
    assert len(short(f"submit {TXT2IMG} 0 {'x' * 1_000_000}")) < 60
    assert short("submit a 0 x") != short("submit a 1 x")


def test_the_costs_cover_every_check_that_a_default_run_has() -> None:
    """`python -m conformance.planning --write` after a change of checks."""
    known = json.loads(COSTS.read_text(encoding="utf-8"))
    missing = {row.id for row in ROWS if row.observable and row.profile not in OPT_IN} - known["checks"].keys()
    assert missing == set()
    used = {name for account in (*known["checks"].values(), *known["shared"].values()) for name in account["uses"]}
    assert used <= known["shared"].keys()


def test_a_default_run_asks_for_sixty_pictures_at_most() -> None:
    chosen = [row.id for row in ROWS if row.observable and row.profile not in OPT_IN]
    assert forecast(chosen, load()).all_images <= 60


def test_what_a_target_without_test_mode_makes_is_foreseen_and_is_where_a_run_stops() -> None:
    ledger = Ledger()
    with ledger.check("A-1"):
        ledger.charge(TXT2IMG, Cost(requests=1, tasks=1, images=2))
        ledger.spare(8)
    found = forecast(["A-1"], load(), costs_of(ledger, start=0))
    assert (found.all_images, found.most_images) == (2, 10)
    assert found.stop_at > found.most_images


@pytest.mark.parametrize(
    ("operation_id", "body", "number"),
    [
        (TXT2IMG, {"request": {"image_num": 8}, "extra": {"webhook": {"test_mode": {"enabled": True}}}}, 8),
        (TXT2IMG_V2, {"batch_size": 2, "n_iter": 0}, 2),
        (TXT2IMG_V2, {"batch_size": 0, "n_iter": 0}, 1),
        ("getTaskResult", None, 0),
    ],
)
def test_at_most_counts_what_orders_no_work_as_work(operation_id: str, body: object, number: int) -> None:
    assert pictures_at_most(operation_id, body) == number


@pytest.mark.parametrize("areas", [("V3-TXT2IMG",), ("V3-IMAGE", "V3-LINK"), ("V2-IMAGE", "V2-CODE")])
def test_a_run_sends_what_was_planned(areas: tuple[str, ...]) -> None:
    """Pictures and tasks to the number; requests but for polls, whose number is the target's affair."""
    result = judge(areas, strict=True)
    planned = forecast(result.outcomes, load())
    assert result.spent.images == planned.all_images
    assert result.spent.tasks <= planned.tasks
    assert result.spent.requests <= planned.requests * 1.3


def test_a_limit_stops_before_it_is_passed() -> None:
    budget = Budget(Limits(max_images=3), lambda: 0.0)
    budget.ask(Cost(requests=1, tasks=1, images=2))
    budget.accepted(Cost(requests=1, tasks=1, images=2))
    with pytest.raises(OverBudget, match=r"--max-images 3 would be passed"):
        budget.ask(Cost(requests=1, tasks=1, images=2))
    budget.ask(Cost(requests=1))  # what orders nothing may still be sent
    assert budget.spent.requests == 2


def test_what_was_accepted_by_mistake_stops_the_rest() -> None:
    """A target that accepts what should be refused must not be fed for ever."""
    budget = Budget(Limits(max_tasks=1), lambda: 0.0)
    for _ in range(2):
        budget.accepted(Cost(tasks=1))
    with pytest.raises(OverBudget, match="accepted more than it should"):
        budget.ask(Cost(requests=1))


def test_a_run_within_limits_leaves_the_rest_unmeasured() -> None:
    result = judge(["V3-IMAGE"], limits=Limits(max_images=4))
    assert result.spent.images <= 4
    said = {outcome.message for outcome in result.outcomes.values() if outcome.verdict == "UNTESTABLE"}
    assert any("--max-images 4" in message for message in said)


@pytest.mark.parametrize(
    ("operation_id", "body", "number"),
    [
        (TXT2IMG, {"request": {"image_num": 8}}, 8),
        (TXT2IMG, {"request": {"image_num": "8"}}, 0),
        (TXT2IMG, {"request": {"image_num": 8}, "extra": {"webhook": {"test_mode": {"enabled": True}}}}, 0),
        (TXT2IMG_V2, {"batch_size": 2, "n_iter": 3}, 6),
        (TXT2IMG_V2, {"batch_size": 2, "n_iter": 0}, 0),
        (TXT2IMG_V2, [], 0),
    ],
)
def test_pictures_are_counted_as_each_version_says(operation_id: str, body: object, number: int) -> None:
    assert pictures(operation_id, body) == number
    assert cost_of(operation_id, body).images == number
    assert cost_of("getTaskResult", body) == Cost(requests=1)
