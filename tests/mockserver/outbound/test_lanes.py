"""Turns: bounded, fair, and a slow receiver holds up nobody but itself."""

from __future__ import annotations

import asyncio

import pytest

from mockserver.outbound.guard import Targets, lane_of
from mockserver.outbound.lanes import Lanes
from mockserver.outbound.sender import HttpSender, Outcome, Outgoing
from tests.mockserver.outbound.receivers import hangs, http, receiver, says


async def settle() -> None:
    """Lets every task run until it waits."""
    for _ in range(20):
        await asyncio.wait([asyncio.create_task(_nothing())])


async def _nothing() -> None:
    return


class Crowd:
    """Tasks that each hold a turn until they are told to go."""

    def __init__(self, lanes: Lanes) -> None:
        self.lanes = lanes
        self.inside: list[str] = []
        self.order: list[str] = []
        self.go: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    def come(self, lane: str, *names: str) -> None:
        for name in names:
            self.go[name] = asyncio.Event()
            self.tasks[name] = asyncio.create_task(self._hold(lane, name))

    async def _hold(self, lane: str, name: str) -> None:
        async with self.lanes.turn(lane):
            self.inside.append(name)
            self.order.append(name)
            try:
                await self.go[name].wait()
            finally:
                self.inside.remove(name)

    async def leave(self, *names: str) -> None:
        for name in names:
            self.go[name].set()
        await settle()


def test_a_lane_takes_so_many_and_the_others_go_on() -> None:
    async def run() -> None:
        crowd = Crowd(Lanes(limit=4, per_lane=2))
        crowd.come("a", "a1", "a2", "a3", "a4")
        crowd.come("b", "b1")
        await settle()
        assert crowd.inside == ["a1", "a2", "b1"]
        assert (crowd.lanes.busy, crowd.lanes.waiting) == (3, 2)
        await crowd.leave("a2")
        assert crowd.inside == ["a1", "b1", "a3"]
        await crowd.leave("a1", "a3", "a4", "b1")
        assert (crowd.lanes.busy, crowd.lanes.waiting, crowd.inside) == (0, 0, [])

    asyncio.run(run())


def test_the_bound_for_all_holds_and_turns_go_round() -> None:
    """Two lanes that both wait get turns in alternation, however many stand in the first."""

    async def run() -> None:
        crowd = Crowd(Lanes(limit=1, per_lane=1))
        crowd.come("a", "a1", "a2", "a3")
        crowd.come("b", "b1", "b2")
        await settle()
        for name in ("a1", "a2", "b1", "a3", "b2"):
            assert crowd.inside == [name]
            await crowd.leave(name)
        assert crowd.lanes.busy == 0

    asyncio.run(run())


def test_who_stops_waiting_takes_no_turn() -> None:
    async def run() -> None:
        crowd = Crowd(Lanes(limit=1, per_lane=1))
        crowd.come("a", "a1", "a2", "a3")
        await settle()
        crowd.tasks["a2"].cancel()
        await crowd.leave("a1")
        assert crowd.inside == ["a3"]
        crowd.tasks["a3"].cancel()
        await settle()
        assert (crowd.lanes.busy, crowd.lanes.waiting) == (0, 0)

    asyncio.run(run())


@pytest.mark.parametrize("cancel_first", [True, False])
def test_a_turn_that_comes_as_its_taker_stops_waiting_is_not_lost(cancel_first: bool) -> None:
    """Both in the same step of the event loop, in either order."""

    async def run() -> None:
        lanes = Lanes(limit=1, per_lane=1)
        crowd = Crowd(lanes)
        crowd.come("a", "a2", "a3")
        async with lanes.turn("a"):
            await settle()
            if cancel_first:
                crowd.tasks["a2"].cancel()
        crowd.tasks["a2"].cancel()
        await settle()
        assert crowd.inside == ["a3"]
        await crowd.leave("a3")
        assert (lanes.busy, lanes.waiting) == (0, 0)

    asyncio.run(run())


def test_a_turn_ends_with_an_error_too() -> None:
    async def run() -> None:
        lanes = Lanes()
        with pytest.raises(ZeroDivisionError):
            async with lanes.turn("a"):
                raise ZeroDivisionError
        assert lanes.busy == 0

    asyncio.run(run())


@pytest.mark.parametrize(("limit", "per_lane"), [(0, 1), (1, 0)])
def test_lanes_without_turns_are_refused(limit: int, per_lane: int) -> None:
    with pytest.raises(ValueError, match="expected 1 or more"):
        Lanes(limit, per_lane)


def test_a_receiver_that_hangs_delays_nobody_else() -> None:
    """50 requests wait for it, and 200 that came later have all arrived, each once, while its first four still hang."""

    async def run() -> None:
        lanes, sender = Lanes(), HttpSender(Targets())

        async def send(url: str, name: int) -> Outcome:
            async with lanes.turn(lane_of(url)):
                return await sender.send(Outgoing(url=url, id=str(name)), timeout_s=60.0)

        async with receiver(hangs) as slow, receiver(says(http())) as fast:
            stuck = [asyncio.create_task(send(slow.url, name)) for name in range(50)]
            async with asyncio.timeout(30.0):
                outcomes = await asyncio.gather(*(send(fast.url, name) for name in range(200)))
            assert all(outcome.ok for outcome in outcomes)
            arrived = [request.headers["novita-mock-delivery"] for request in fast.received]
            assert sorted(arrived, key=int) == [str(name) for name in range(200)]
            assert slow.connections == 4
            assert not any(task.done() for task in stuck)
            for task in stuck:
                task.cancel()
            await asyncio.gather(*stuck, return_exceptions=True)
            assert (lanes.busy, lanes.waiting) == (0, 0)

    asyncio.run(run())
