"""Events that come in time, late, twice, from strangers, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from pictures_app.api import Order
from pictures_app.webhooks import Receiver, task_id_of

pytestmark = pytest.mark.novita(clock="manual")
LIGHTHOUSE = Order(prompt="a lighthouse at dawn", seed=7)


@pytest.fixture
def receiver(app: Any) -> Iterator[Receiver]:
    with Receiver(app.studio.hear) as listening:
        yield listening


def downloads(world: Any) -> int:
    return sum(call["path"].startswith("/prod/") for call in world.requests())


def test_an_event_brings_the_pictures_without_a_poll_loop(app: Any, receiver: Receiver, novita_world: Any) -> None:
    task_id = app.studio.order(LIGHTHOUSE, receiver.url)
    novita_world.clock.run_until_idle()
    receiver.settle()
    (path,) = app.store.pictures(task_id)
    assert novita_world.decode(path.read_bytes()).seed == 7


def test_duplicate_delivery_is_taken_and_does_nothing(app: Any, receiver: Receiver, novita_world: Any) -> None:
    app.studio.order(LIGHTHOUSE, receiver.url)
    novita_world.clock.run_until_idle()
    receiver.settle()
    (delivery,) = novita_world.webhooks.deliveries()
    assert novita_world.webhooks.replay(delivery["id"])
    receiver.settle()
    assert downloads(novita_world) == 1


def test_slow_webhooks_polling_is_first_and_the_late_event_changes_nothing(
    app: Any, receiver: Receiver, novita_world: Any
) -> None:
    novita_world.webhooks.hold()
    paths = app.studio.wait(app.studio.order(LIGHTHOUSE, receiver.url))
    novita_world.clock.advance("2h")
    novita_world.webhooks.release()
    receiver.settle()
    assert len(paths) == 1
    assert downloads(novita_world) == 1


def test_an_event_that_never_comes_leaves_the_task_for_the_next_start(
    app: Any, receiver: Receiver, novita_world: Any
) -> None:
    novita_world.faults.arm("webhook.attempt", "drop")
    task_id = app.studio.order(LIGHTHOUSE, receiver.url)
    novita_world.clock.run_until_idle()
    receiver.settle()
    assert app.store.open_tasks() == [task_id]
    assert len(app.studio.wait(task_id)) == 1


def test_a_failed_task_is_closed(app: Any, receiver: Receiver, novita_world: Any) -> None:
    novita_world.faults.arm("finish", {"fail": "the GPU ran out of memory"})
    app.studio.order(LIGHTHOUSE, receiver.url)
    novita_world.clock.run_until_idle()
    receiver.settle()
    assert app.store.open_tasks() == []


def test_an_event_from_a_stranger_is_no_news(app: Any, receiver: Receiver, novita_world: Any) -> None:
    """Whoever knows the address can post; only the service says what has become of a task."""
    forged = {"event_type": "ASYNC_TASK_RESULT", "payload": {"task": {"task_id": "../../etc/passwd"}}}
    assert httpx.post(receiver.url, json=forged).status_code == 204
    receiver.settle()
    assert novita_world.requests() == []


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"event_type": "SOMETHING_NEW"}', b"\xff"])
def test_what_is_no_event_names_no_task(body: bytes) -> None:
    assert task_id_of(body) is None
