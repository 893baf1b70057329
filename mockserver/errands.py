"""What a world owes the outside when its clock gets there: uploads and webhooks, carried out in the background.

Clocks do not tick, so something has to look: `wake` is called whenever a world's agenda or clock has changed. It
starts what is due and, where the clock runs by itself, sets an alarm for the next errand. `advance` walks a clock
through its errands one by one, each carried out before time goes on: what a webhook's answer leads to (a retry in 30
seconds) then happens at its own instant, however far the clock is moved.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from mockserver.core.clock import MAX_MS
from mockserver.logs import log
from mockserver.webhooks.under_way import GRACE_S

if TYPE_CHECKING:
    from mockserver.world import Errand, World

MAX_STEPS = 100_000
"""Errands that one move of a clock passes; more is a loop of somebody's making."""


class Errands:
    """Carries out the errands of all worlds.

    Args:
        carry_out: does one errand of a world.
    """

    def __init__(self, carry_out: Callable[[World, Errand], Awaitable[None]]) -> None:
        self._carry_out = carry_out
        self._running: dict[World, set[asyncio.Task[None]]] = {}
        self._alarms: dict[World, asyncio.TimerHandle] = {}

    def wake(self, world: World) -> None:
        """Starts what is due in a world, and sets an alarm for what is not. Outside an event loop nothing is done."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        for errand in world.agenda.take_due(world.clock.now_ms()):
            self._start(world, errand)
        alarm = self._alarms.pop(world, None)
        if alarm is not None:
            alarm.cancel()
        next_ms = world.agenda.next_ms()
        if next_ms is None:
            return
        wait_s = world.clock.wall_s_until(next_ms)
        if wait_s is not None:
            self._alarms[world] = loop.call_later(wait_s, self._ring, world)

    async def settle(self, world: World) -> None:
        """Waits until nothing of a world is under way; what is held, or due later, is not waited for."""
        while running := self._running.get(world):
            await asyncio.wait(running)
            self.wake(world)

    async def calm_down(self, world: World) -> None:
        """Waits until nothing of a world is under way but webhooks whose receivers are silent."""
        while busy := [
            task for task in self._running.get(world, ()) if task not in world.desk.under_way.not_worth_a_wait()
        ]:
            await asyncio.wait(busy, timeout=GRACE_S, return_when=asyncio.FIRST_COMPLETED)
            self.wake(world)

    async def advance(self, world: World, instant_ms: int, *, late: bool = False) -> int:
        """Moves a world's clock to an instant through all its errands; gives how many instants it stopped at.

        Args:
            world: whose clock.
            instant_ms: where to.
            late: a receiver that says nothing is not waited for: its attempt is cut off when the clock passes its
                limit, and is still under way at the end when the limit lies beyond.

        Raises:
            ValueError: the clock cannot go there.
        """
        if instant_ms > MAX_MS:
            world.clock.jump_to(instant_ms)  # says why it cannot, before anything has moved
        stops = 0
        rest = self.calm_down if late else self.settle
        self.wake(world)
        await rest(world)
        while (next_ms := _next_ms(world, late)) is not None and next_ms <= instant_ms and stops < MAX_STEPS:
            world.clock.jump_to(max(next_ms, world.clock.now_ms()))
            stops += 1
            if late:
                world.desk.under_way.cut_off(next_ms)
            self.wake(world)
            await rest(world)
        world.clock.jump_to(max(instant_ms, world.clock.now_ms()) if late else instant_ms)
        self.wake(world)
        return stops

    async def advance_to_next_event(self, world: World) -> int | None:
        """Moves a world's clock to the next event, and waits for what that leads to; None when nothing lies ahead."""
        instant_ms = world.next_event_ms()
        if instant_ms is not None:
            await self.advance(world, instant_ms)
            await self.settle(world)
        return instant_ms

    async def run_until_idle(self, world: World) -> int:
        """Moves a world's clock until all tasks have ended and nothing is owed; gives the number of events passed."""
        passed = 0
        await self.settle(world)
        while (ahead := world.ahead_ms()) and passed < MAX_STEPS:
            passed += len(ahead)
            await self.advance(world, max(ahead))
            await self.settle(world)
        return passed

    def drop(self, world: World) -> None:
        """A world starts again or is forgotten: nothing of it is carried out any more."""
        world.agenda.clear()
        alarm = self._alarms.pop(world, None)
        if alarm is not None:
            alarm.cancel()
        for task in self._running.pop(world, ()):
            task.cancel()

    async def aclose(self) -> None:
        """Ends everything that is under way."""
        under_way = [task for tasks in self._running.values() for task in tasks]
        for world in {*self._running, *self._alarms}:
            self.drop(world)
        await asyncio.gather(*under_way, return_exceptions=True)

    def _ring(self, world: World) -> None:
        self._alarms.pop(world, None)
        self.wake(world)

    def _start(self, world: World, errand: Errand) -> None:
        task = asyncio.get_running_loop().create_task(self._run(world, errand))
        self._running.setdefault(world, set()).add(task)
        task.add_done_callback(lambda done: self._ended(world, done))

    def _ended(self, world: World, task: asyncio.Task[None]) -> None:
        running = self._running.get(world)
        if running is not None:
            running.discard(task)
            if not running:
                del self._running[world]

    async def _run(self, world: World, errand: Errand) -> None:
        try:
            await self._carry_out(world, errand)
        except Exception:  # our fault; the others go on
            log.exception("errand.failed", extra={"world": world.label})
        if log.isEnabledFor(logging.DEBUG):
            log.debug("errand.done", extra={"world": world.label, "errand": type(errand).__name__})


def _next_ms(world: World, late: bool) -> int | None:
    """The next instant at which a move of the clock has to stop."""
    limit_ms = world.desk.under_way.next_limit_ms() if late else None
    return min((one for one in (world.agenda.next_ms(), limit_ms) if one is not None), default=None)
