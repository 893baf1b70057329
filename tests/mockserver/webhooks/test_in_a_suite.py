"""Webhooks through the pytest plugin, as the suite of a client tests its own receiver."""

from __future__ import annotations

import httpx
import pytest

from mockserver.handles import NovitaWorld
from tests.bodies import TXT2IMG, txt2img


def submit(world: NovitaWorld, url: str = "") -> str:
    answer = httpx.post(
        f"{world.url}{TXT2IMG}",
        json=txt2img({"webhook": {"url": url or world.webhooks.inbox_url}}),
        headers={"authorization": f"Bearer {world.key}"},
    )
    task_id: str = answer.raise_for_status().json()["task_id"]
    return task_id


def test_webhooks_are_delivered_when_the_clock_has_been_moved(novita_world: NovitaWorld) -> None:
    novita_world.clock.freeze()
    task_id = submit(novita_world)
    assert novita_world.webhooks.deliveries() == []
    novita_world.clock.run_until_idle()
    (event,) = novita_world.webhooks.inbox()
    assert event["body"]["payload"]["task"]["task_id"] == task_id
    (delivery,) = novita_world.webhooks.deliveries()
    assert delivery["state"] == "delivered"


def test_step_by_step(novita_world: NovitaWorld) -> None:
    novita_world.clock.freeze()
    submit(novita_world)
    while novita_world.clock.advance_to_next_event() is not None:
        pass
    assert len(novita_world.webhooks.inbox()) == 1


def test_advance_walks_through_the_retries(novita_world: NovitaWorld) -> None:
    novita_world.clock.freeze()
    submit(novita_world, "http://{}/refused".format("192.0.2.7"))
    novita_world.clock.advance("1h")
    (delivery,) = novita_world.webhooks.wait()
    assert (delivery["state"], delivery["attempts"]) == ("failed", 1)


def test_hold_release_and_replay(novita_world: NovitaWorld) -> None:
    novita_world.clock.freeze()
    novita_world.webhooks.hold()
    tasks = {submit(novita_world) for _ in range(3)}
    novita_world.clock.run_until_idle()
    assert novita_world.webhooks.inbox() == []
    held = [one["task_id"] for one in novita_world.webhooks.deliveries()]
    assert set(held) == tasks

    novita_world.webhooks.release(reverse=True)
    told = [one["body"]["payload"]["task"]["task_id"] for one in novita_world.webhooks.inbox()]
    assert told == held[::-1]
    id = novita_world.webhooks.wait(3)[0]["id"]
    assert novita_world.webhooks.replay(id) is True
    assert [one["delivery_id"] for one in novita_world.webhooks.inbox()].count(id) == 2
    with pytest.raises(KeyError):
        novita_world.webhooks.replay("msg_none")


def test_what_never_comes_is_said(novita_world: NovitaWorld) -> None:
    novita_world.clock.freeze()
    submit(novita_world)
    with pytest.raises(TimeoutError, match=r"expected 1 webhook deliveries .* there are: none"):
        novita_world.webhooks.wait(timeout=0.05)
