"""The simulated fleet: how long a task waits and works.

A fleet is a number of workers, each busy until an instant. A submitted task goes to the worker that is free first;
its work takes time by steps x pixels x pictures, with a seeded jitter. Nothing runs: the answer is a plan over time.

The default speed comes from the documented answer of the txt2img page (its first example): two 1024x1024 pictures of
20 steps took 3.786 s and began 69 ms after submission.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

from mockserver.core.chance import unit

PIXEL_STEPS_PER_S = 12_500_000.0
OVERHEAD_MS = 400
DISPATCH_MS = (40, 90)
JITTER = 0.08


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


@dataclass(frozen=True, slots=True)
class Plan:
    """When a task's work begins and ends, in virtual milliseconds since the epoch."""

    started_ms: int
    finished_ms: int


class Fleet:
    """Workers and when each is free again.

    Args:
        settings: how fast it is.
        seed: seed of the jitter.
    """

    __slots__ = ("_free_ms", "_seed", "settings")

    def __init__(self, settings: FleetSettings, seed: int) -> None:
        self.settings = settings
        self._seed = seed
        self._free_ms = [0] * settings.workers

    def plan(self, *, now_ms: int, number: int, pixel_steps: int, queued: bool = True) -> Plan:
        """Plans a task.

        Args:
            now_ms: when it was submitted.
            number: how many tasks the world had before; the jitter's position.
            pixel_steps: steps x pixels x pictures.
            queued: False for dedicated capacity (`enterprise_plan`): no waiting, no worker taken.
        """
        settings = self.settings
        low, high = DISPATCH_MS
        ready_ms = now_ms + low + int((high - low) * unit(self._seed, 2 * number))
        if settings.task_ms is not None:
            work_ms = settings.task_ms
        else:
            jitter = 1.0 + JITTER * (2.0 * unit(self._seed, 2 * number + 1) - 1.0)
            work_ms = int((OVERHEAD_MS + pixel_steps / PIXEL_STEPS_PER_S * 1000.0) * jitter / settings.speed)
        if not queued:
            return Plan(ready_ms, ready_ms + work_ms)
        started_ms = max(ready_ms, self._free_ms[0])
        heapq.heapreplace(self._free_ms, started_ms + work_ms)
        return Plan(started_ms, started_ms + work_ms)

    def release(self, finished_ms: int, now_ms: int) -> None:
        """Frees the worker whose task was to end at `finished_ms` and was ended at `now_ms` instead."""
        if finished_ms in self._free_ms:
            self._free_ms.remove(finished_ms)
            self._free_ms.append(now_ms)
            heapq.heapify(self._free_ms)
