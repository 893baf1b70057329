"""Many deliveries at once, and receivers that take their time: nothing is lost, nothing waits that need not."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any

from mockserver.outbound.lanes import LIMIT, PER_LANE
from mockserver.outbound.sender import LOOP_HEADER
from mockserver.submitting import recipe_of
from tests.mockserver.outbound.receivers import Received, Receiver, hangs, http
from tests.mockserver.webhooks.lab import Lab, ids

STORM = 1_000


def test_a_storm_of_a_thousand_arrives_whole(lab: Lab) -> None:
    """Every seventh event is refused at first. A bounded number is under way; each is taken exactly once."""
    seen: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    taken: Counter[str] = Counter()
    at_once = most = 0

    async def answer(receiver: Receiver, request: Received, writer: Any) -> None:
        nonlocal at_once, most
        del receiver
        at_once += 1
        most = max(most, at_once)
        id = request.headers[LOOP_HEADER.lower()]
        refuses = id not in seen and len(seen) % 7 == 0
        seen[id] += 1
        (refused if refuses else taken)[id] += 1
        await asyncio.to_thread(int)  # as a receiver that looks something up
        writer.write(http(500 if refuses else 200, b""))
        await writer.drain()
        at_once -= 1

    receivers = [lab.receiver(manners=answer) for _ in range(3)]
    first = lab.submit(receivers[0].url, test_mode="TASK_STATUS_SUCCEED")  # they all end at the same instant
    mock, world = lab.server.mock, lab.server.mock.world(lab.server.key)
    template = world.tasks.get(first)
    assert template is not None
    for number in range(1, STORM):  # as submits would, without their HTTP
        url = receivers[number % 3].url.encode()
        world.submit(
            operation_id=template.operation_id,
            type=template.type,
            recipe=recipe_of(template, mock),
            delivery=replace(template.delivery, webhook_url=url.decode()),
            body=template.body.replace(receivers[0].url.encode(), url),
        )
    lab.finish()

    states = lab.server.control("GET", "/webhooks/deliveries", limit=1)["states"]
    assert states == {"pending": 0, "held": 0, "delivered": STORM, "failed": 0, "dropped": 0}
    assert len(taken) == STORM
    assert set(taken.values()) == {1}, "an event that was taken is not sent again"
    assert len(refused) >= STORM // 7
    assert sum(seen.values()) == STORM + len(refused)
    assert 1 < most <= LIMIT


def test_a_receiver_that_hangs_fills_its_own_lane_only(lab: Lab) -> None:
    """Others get their events meanwhile, and calls get their answers."""
    slow, quick = lab.receiver(manners=hangs), lab.receiver()
    for _ in range(PER_LANE * 3):
        lab.submit(slow.url, test_mode="TASK_STATUS_SUCCEED")
    for _ in range(5):
        lab.submit(quick.url, test_mode="TASK_STATUS_SUCCEED")
    desk = lab.server.mock.world(lab.server.key).desk

    assert lab.run(desk.bell.wait_until(lambda: len(quick.received) == 5, 10.0))
    assert len(slow.received) == PER_LANE
    assert lab.server.control("GET", "/webhooks/deliveries", state="pending")["total"] == PER_LANE * 3
    assert all(count == 1 for count in ids(slow).values())
