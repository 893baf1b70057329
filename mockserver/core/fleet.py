"""The simulated fleet: how long a task waits and works.

A fleet is a number of workers, each busy until an instant. A submitted task goes to the worker that is free first;
its work takes time by steps x pixels x pictures, with a seeded jitter. Nothing runs: the answer is a plan over time.

The default speed comes from the documented answer of the txt2img page (its first example): two 1024x1024 pictures of
20 steps took 3.786 s and began 69 ms after submission.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import NamedTuple

from mockserver.core.chance import mix
from mockserver.core.clock import MAX_MS

PIXEL_STEPS_PER_S = 12_500_000.0
OVERHEAD_MS = 400
DISPATCH_MS = (40, 90)
JITTER = 0.08
_HALF = 2**32 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetSettings:
    """How fast a fleet is.

    Attributes:
        workers: tasks that run at the same time.
        speed: 1.0 is the documented example's speed, 2.0 twice as fast.
        task_ms: every task works exactly this long, in milliseconds; None: by steps, pixels and pictures.
    """

    workers: int = 4
    speed: float = 1.0
    task_ms: int | None = None

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ValueError(f"a fleet needs at least 1 worker, not {self.workers}")
        if not self.speed > 0:
            raise ValueError(f"a fleet's speed must be above 0, not {self.speed}")
        if self.task_ms is not None and self.task_ms < 0:
            raise ValueError(f"a task cannot take less than 0 ms, not {self.task_ms}")


class Plan(NamedTuple):
    """When a task's work begins and ends, in virtual milliseconds since the epoch."""

    started_ms: int
    finished_ms: int


class Fleet:
    """Workers and when each is free again.

    Args:
        settings: how fast it is.
        seed: seed of the jitter.
        before: the fleet that this one takes over from; what its workers have to finish stays theirs.
    """

    __slots__ = ("_free_ms", "_seed", "settings")

    def __init__(self, settings: FleetSettings, seed: int, before: Fleet | None = None) -> None:
        self.settings = settings
        self._seed = seed
        busy = heapq.nlargest(settings.workers, before._free_ms) if before else []
        self._free_ms: list[int] = busy + [0] * (settings.workers - len(busy))
        heapq.heapify(self._free_ms)

    def plan(self, *, now_ms: int, number: int, pixel_steps: int, queued: bool = True) -> Plan:
        """Plans a task; work that would go beyond the end of time ends there.

        Args:
            now_ms: when it was submitted.
            number: how many tasks the world had before; the jitter's position.
            pixel_steps: steps x pixels x pictures.
            queued: False for dedicated capacity (`enterprise_plan`): no waiting, no worker taken.
        """
        settings = self.settings
        low, high = DISPATCH_MS
        chance = mix(self._seed, number)  # 64 bits: the lower half for the wait, the upper half for the work
        started_ms = now_ms + low + ((high - low) * (chance & _HALF) >> 32)
        if settings.task_ms is not None:
            work_ms = settings.task_ms
        else:
            jitter = 1.0 + JITTER * ((chance >> 32) / 2.0**31 - 1.0)
            exactly_ms = (OVERHEAD_MS + pixel_steps / PIXEL_STEPS_PER_S * 1000.0) * jitter / settings.speed
            work_ms = int(exactly_ms) if exactly_ms < MAX_MS else MAX_MS
        if queued and self._free_ms[0] > started_ms:
            started_ms = self._free_ms[0]
        finished_ms = started_ms + work_ms
        if finished_ms > MAX_MS:
            started_ms, finished_ms = min(started_ms, MAX_MS), MAX_MS
        if queued:
            heapq.heapreplace(self._free_ms, finished_ms)
        return Plan(started_ms, finished_ms)

    def release(self, plan: Plan, now_ms: int) -> None:
        """Takes a planned task off its worker, at an instant before its end.

        The worker is free at once when the work had begun, else when it would have begun: until then it works for
        another task. Tasks that were planned behind this one keep their plans.
        """
        if plan.finished_ms in self._free_ms:
            self._free_ms.remove(plan.finished_ms)
            self._free_ms.append(max(now_ms, plan.started_ms))
            heapq.heapify(self._free_ms)
