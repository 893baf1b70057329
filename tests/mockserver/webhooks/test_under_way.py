"""A clock that is moved without waiting for receivers that say nothing."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

from mockserver.webhooks.settings import WebhookSettings
from mockserver.webhooks.under_way import GRACE_S
from tests.mockserver.outbound.receivers import Manners, Received, Receiver, hangs, http, late
from tests.mockserver.webhooks.lab import Lab

PLENTY_S = 4.0
"""Less than the five seconds that a receiver has by the wall."""


def silent(times: int) -> Manners:
    """Says nothing to the first so many events, and takes the others."""
    left = deque([hangs] * times)

    async def answer(receiver: Receiver, request: Received, writer: Any) -> None:
        if left:
            await left.popleft()(receiver, request, writer)
        else:
            writer.write(http())

    return answer


def advance(lab: Lab, seconds: float) -> None:
    """Moves the clock."""
    lab.server.control("POST", "/clock/advance", {"seconds": seconds, "under_way": "late"})


def test_a_silent_receiver_is_late_at_its_instant_and_holds_nothing_up(lab: Lab) -> None:
    """WEBHOOK-010: five seconds of the world's clock, and the retry at its own instant after them."""
    receiver = lab.receiver(manners=silent(2))
    began_s = time.perf_counter()
    lab.submit(receiver.url)
    advance(lab, 3600)
    assert time.perf_counter() - began_s < PLENTY_S

    delivery = lab.delivery()
    first, second, third = delivery["history"]
    assert [one["error"] for one in delivery["history"]] == ["timeout", "timeout", None]
    assert "5 s of the world's clock" in first["verdict"]
    # The spacing counts from the attempt that failed, and none is made before that one has failed.
    assert [second["at_ms"] - first["at_ms"], third["at_ms"] - second["at_ms"]] == [5_000, 5_000]
    assert delivery["state"] == "delivered"
    assert len(receiver.received) == 3


def test_one_whose_time_lies_beyond_the_move_stays_under_way(lab: Lab) -> None:
    receiver = lab.receiver(manners=silent(1))
    task_id = lab.submit(receiver.url)
    end_ms = lab.server.control("GET", f"/tasks/{task_id}")["finished_ms"]
    now_ms = lab.server.control("GET", "/clock")["now_ms"]
    advance(lab, (end_ms - now_ms) / 1000 + 4.999)
    assert len(receiver.received) == 1
    assert lab.delivery()["history"] == []

    advance(lab, 0.001)
    assert lab.delivery()["history"][0]["error"] == "timeout"
    assert lab.delivery()["state"] == "delivered"  # the retry was due at once


def test_an_answer_within_the_grace_is_an_answer(lab: Lab) -> None:
    """However far the clock is moved: a receiver cannot know that it is."""
    receiver = lab.receiver(manners=late(GRACE_S / 5, http()))
    lab.submit(receiver.url)
    advance(lab, 3600)
    (attempt,) = lab.delivery()["history"]
    assert attempt["verdict"].startswith("taken: 200")


def test_more_silent_ones_than_turns_are_all_late(lab: Lab) -> None:
    """Four are sent to one receiver at a time; the others begin when these are cut off."""
    receiver = lab.receiver(manners=silent(6))
    began_s = time.perf_counter()
    for _ in range(6):
        lab.submit(receiver.url)
    advance(lab, 3600)
    assert time.perf_counter() - began_s < PLENTY_S
    assert {one["state"] for one in lab.deliveries()} == {"delivered"}
    assert len(receiver.received) == 12


def test_a_plain_move_still_waits(make_lab: Any) -> None:
    lab: Lab = make_lab(webhooks=WebhookSettings(timeout_ms=700))
    receiver = lab.receiver(manners=silent(1))
    lab.submit(receiver.url)
    began_s = time.perf_counter()
    lab.server.control("POST", "/clock/advance", {"seconds": 3600, "under_way": "wait"})
    assert time.perf_counter() - began_s > 0.7
    first, second = lab.delivery()["history"]
    assert second["at_ms"] - first["at_ms"] == 1_000  # no time of the world's has passed meanwhile


def test_another_word_is_refused(lab: Lab) -> None:
    answer = lab.server.call("POST", "/__mock/clock/advance", json={"seconds": 1, "under_way": "never"})
    assert answer.status_code == 400
