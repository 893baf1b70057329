"""WEBHOOK: who is told of a task's end, how often, and what survives a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from reference_impl.tasks import Delivery, Status, Webhook
from tests.reference.fakes import PaintingWorker
from tests.reference.service.house import House, house

HOOK = Delivery(webhook=Webhook(url="http://127.0.0.1:9/hook"))


def run(folder: Path, act: Callable[[House], Awaitable[None]], *workers: PaintingWorker) -> None:
    """Do something in a house."""

    async def whole() -> None:
        async with house(folder, workers or None) as one:
            await act(one)

    asyncio.run(whole())


async def wait_out(here: House) -> None:
    """Let an hour go by, half a minute at a time."""
    for _ in range(120):
        here.clock.advance(30)
        await here.service.catch_up()


def test_the_end_of_a_task_is_told_once(tmp_path: Path) -> None:
    async def act(here: House) -> None:
        task_id = await here.submit(delivery=HOOK)
        await here.ended(task_id)
        (event,) = await here.sent(1)
        told = {"task_id": task_id, "status": "TASK_STATUS_SUCCEED"}
        assert event == {"event_type": "ASYNC_TASK_RESULT", "payload": {"task": told}}
        await wait_out(here)
        assert len(here.network.sent) == 1

    run(tmp_path, act)


@pytest.mark.parametrize("status", [302, 404, 500])
def test_an_event_that_is_never_taken_is_sent_six_times(tmp_path: Path, status: int) -> None:
    async def act(here: House) -> None:
        here.network.answer = lambda number: status
        await here.ended(await here.submit(delivery=HOOK))
        await here.sent(1)
        await wait_out(here)
        assert len(here.network.sent) == 6
        assert {str(request.url) for request in here.network.sent} == {"http://127.0.0.1:9/hook"}

    run(tmp_path, act)


def test_an_event_is_not_sent_again_once_it_was_taken(tmp_path: Path) -> None:
    async def act(here: House) -> None:
        here.network.answer = lambda number: 204 if number == 3 else 503
        await here.ended(await here.submit(delivery=HOOK))
        await here.sent(1)
        await wait_out(here)
        assert len(here.network.sent) == 3

    run(tmp_path, act)


def test_the_waits_between_attempts_double(tmp_path: Path) -> None:
    async def act(here: House) -> None:
        here.network.answer = lambda number: 500
        await here.ended(await here.submit(delivery=HOOK))
        await here.sent(1)
        for attempt, wait_s in enumerate((1, 2, 4, 8, 16), start=1):
            here.clock.advance(wait_s * 0.5)
            await here.service.catch_up()
            assert len(here.network.sent) == attempt
            here.clock.advance(wait_s * 0.6)
            await here.service.catch_up()
            assert len(here.network.sent) == attempt + 1

    run(tmp_path, act)


@pytest.mark.parametrize("outcome", [Status.SUCCEED, Status.FAILED])
def test_test_mode_ends_at_once_with_the_outcome_asked_for_and_draws_nothing(tmp_path: Path, outcome: Status) -> None:
    worker = PaintingWorker()

    async def act(here: House) -> None:
        test = Delivery(webhook=Webhook(url="http://127.0.0.1:9/hook", test=outcome))
        task_id = await here.submit(delivery=test)
        view = await here.view(task_id)
        assert view.task.status is outcome
        assert bool(view.task.reason) == (outcome is Status.FAILED)
        (event,) = await here.sent(1)
        assert event["payload"]["task"]["status"] == outcome
        assert worker.drawn == []

    run(tmp_path, act, worker)


def test_an_event_that_is_owed_is_sent_after_a_restart(tmp_path: Path) -> None:
    async def before(here: House) -> None:
        here.network.answer = lambda number: 500
        await here.ended(await here.submit(delivery=HOOK))
        assert len(await here.sent(1)) == 1

    async def after(here: House) -> None:
        await wait_out(here)
        assert len(here.network.sent) == 1

    run(tmp_path, before)
    run(tmp_path, after)


def test_an_address_that_may_not_be_called_is_given_up_at_once(tmp_path: Path) -> None:
    async def act(here: House) -> None:
        private = Delivery(webhook=Webhook(url="http://10.0.0.1/hook"))
        view = await here.ended(await here.submit(delivery=private))
        assert view.task.status is Status.SUCCEED
        await wait_out(here)
        assert here.network.sent == []

    run(tmp_path, act)
