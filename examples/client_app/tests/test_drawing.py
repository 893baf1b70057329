"""Ordering and polling, on good days and bad ones."""

from __future__ import annotations

from typing import Any

import pytest
from pictures_app.api import Order
from pictures_app.errors import BudgetSpent, OutcomeUnknown, Refused, StillWorking, TaskFailed, TooBusy

pytestmark = pytest.mark.novita(clock="manual")
LIGHTHOUSE = Order(prompt="a lighthouse at dawn", pictures=2, seed=7)


def polls(world: Any) -> int:
    return sum(call["operation_id"] == "getTaskResult" for call in world.requests())


def submits(world: Any) -> int:
    return sum(call["operation_id"] == "createTxt2imgTask" for call in world.requests())


def test_success_the_right_pictures_are_kept(app: Any, novita_world: Any) -> None:
    paths = app.studio.wait(app.studio.order(LIGHTHOUSE))
    receipts = [novita_world.decode(path.read_bytes()) for path in paths]
    assert [(one.index, one.seed) for one in receipts] == [(0, 7), (1, 7)]
    assert app.store.open_tasks() == []


@pytest.mark.novita(scenario="busy-fleet")
def test_queue_ten_minutes_are_waited_for_with_few_polls(app: Any, novita_world: Any) -> None:
    """One worker, a minute a task, four orders: the last one takes four minutes."""
    tasks = [app.studio.order(Order(prompt=f"a lighthouse, {number}")) for number in range(4)]
    for task in reversed(tasks):
        assert len(app.studio.wait(task)) == 1
    assert polls(novita_world) < 40


@pytest.mark.novita(fleet={"workers": 1, "task_duration": "10m"})
def test_a_deadline_leaves_the_task_open_for_later(app: Any) -> None:
    task = app.studio.order(LIGHTHOUSE)
    with pytest.raises(StillWorking):
        app.studio.wait(task, at_most_s=60)
    assert app.store.open_tasks() == [task]
    assert len(app.studio.wait(task, at_most_s=1200)) == 2


def test_rate_limit_orders_are_tried_again_later(app: Any, novita_world: Any) -> None:
    novita_world.faults.arm("submit.before", {"status": {"code": 429, "retry_after": 20}}, times=2)
    before_ms = novita_world.clock.now_ms()
    app.studio.order(LIGHTHOUSE)
    assert submits(novita_world) == 3
    assert novita_world.clock.now_ms() - before_ms >= 40_000


@pytest.mark.novita(max_in_a_row=None)
def test_rate_limit_without_end_is_given_up(app: Any, novita_world: Any) -> None:
    novita_world.faults.arm("submit.before", {"status": 429})
    with pytest.raises(TooBusy, match="6 tries"):
        app.studio.order(LIGHTHOUSE)
    assert novita_world.ledger.usd == 0


def test_errors_while_polling_say_nothing_about_the_task(app: Any, novita_world: Any) -> None:
    novita_world.faults.arm("result", {"status": 503}, times=3)
    assert len(app.studio.wait(app.studio.order(LIGHTHOUSE))) == 2


@pytest.mark.novita(scenario="failed-task")
def test_failed_task_its_reason_is_told(app: Any) -> None:
    with pytest.raises(TaskFailed, match="out of memory"):
        app.studio.wait(app.studio.order(LIGHTHOUSE))
    assert app.store.open_tasks() == []


def test_lost_answer_the_order_is_not_repeated(app: Any, novita_world: Any) -> None:
    """The task was made and billed, and nobody knows its id: a person decides what to do."""
    novita_world.faults.arm("submit.after_commit", "CONNECTION_RESET_BY_PEER", times=1)
    with pytest.raises(OutcomeUnknown):
        app.studio.order(LIGHTHOUSE)
    assert submits(novita_world) == 1
    assert novita_world.ledger.double_spends() == []


def test_refused_order_is_not_repeated(app: Any, novita_world: Any) -> None:
    with pytest.raises(Refused, match="INVALID_IMAGE_SIZE"):
        app.studio.order(Order(prompt="a lighthouse", width=64))
    assert submits(novita_world) == 1


@pytest.mark.filterwarnings("ignore:NV203")  # what the test is about
def test_expired_link_is_renewed(app: Any, novita_world: Any) -> None:
    """The program slept for a day between the end of the task and the download."""
    task_id = app.studio.order(LIGHTHOUSE)
    novita_world.clock.run_until_idle()
    stale = app.api.task(task_id)
    novita_world.clock.advance("1d")
    assert len(app.studio.collect(stale)) == 2


def test_budget_nothing_is_sent_beyond_it(app: Any, novita_world: Any) -> None:
    app.studio.wait(app.studio.order(LIGHTHOUSE))
    app.studio.wait(app.studio.order(Order(prompt="a harbour at noon", pictures=2)))
    with pytest.raises(BudgetSpent):
        app.studio.order(Order(prompt="a pier at dusk"))
    assert submits(novita_world) == 2
    novita_world.ledger.check_budget(0.02)


@pytest.mark.novita(account={"balance": 0.001})
def test_budget_an_empty_account_is_told_and_not_tried_again(app: Any, novita_world: Any) -> None:
    with pytest.raises(Refused, match="BILLING_BALANCE_NOT_ENOUGH"):
        app.studio.order(LIGHTHOUSE)
    assert submits(novita_world) == 1
