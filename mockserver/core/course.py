"""How a task's course departs from its plan: trouble that was made for it, and what its end waits for.

Ordinary tasks have none; a task with one asks it for its status, progress and eta.
"""

from __future__ import annotations

from dataclasses import dataclass

from mockserver.core.clock import MAX_MS

NEVER_MS = MAX_MS
"""The instant of what never happens: the end of time."""
STUCK_STEP_MS = 10_000
"""How far an `auto` clock goes on with each poll of a task that never ends."""


@dataclass(slots=True, kw_only=True, eq=False)
class Course:
    """What is special about one task. Instants are virtual milliseconds since the epoch.

    Attributes:
        stuck_at: share of the work in [0, 1] at which it stops for ever; None: it does not.
        planned_ms: when a task that gets stuck or fails would have ended: what it shows until then goes by that.
        vanish_ms: from when on it is unknown.
        back_ms: when it falls back into the queue. again_ms: when its work begins once more.
        held: its work is done, and its end waits for an upload.
        link_ttl_s: how long links of its pictures live; None: as its world says.
        links: where its pictures were put; empty: the mock keeps them. links_ttl_s: how long these live; 0: not said.
    """

    stuck_at: float | None = None
    planned_ms: int = 0
    vanish_ms: int | None = None
    back_ms: int | None = None
    again_ms: int = 0
    held: bool = False
    link_ttl_s: int | None = None
    links: tuple[str, ...] = ()
    links_ttl_s: int = 0

    def vanished(self, now_ms: int) -> bool:
        """Whether the task is unknown at an instant."""
        return self.vanish_ms is not None and now_ms >= self.vanish_ms

    def fell_back(self, now_ms: int) -> bool:
        """Whether it waits in the queue for the second time."""
        return self.back_ms is not None and self.back_ms <= now_ms < self.again_ms

    def progress(self, now_ms: int, started_ms: int, finished_ms: int) -> float:
        """Share of the work done at an instant between start and end."""
        if self.stuck_at is not None:
            planned_ms = max(1, self.planned_ms - started_ms)
            return min(self.stuck_at, max(0, now_ms - started_ms) / planned_ms)
        if self.back_ms is None:
            return (now_ms - started_ms) / max(1, finished_ms - started_ms, self.planned_ms - started_ms)
        if self.fell_back(now_ms):
            return 0.0
        since_ms = started_ms if now_ms < self.back_ms else self.again_ms
        return (now_ms - since_ms) / max(1, finished_ms - self.again_ms)

    def eta_ms(self, now_ms: int, started_ms: int, finished_ms: int) -> int:
        """Milliseconds until the end, as far as one can believe them."""
        if now_ms >= finished_ms:
            return 0
        if self.stuck_at is None:
            return max(finished_ms, self.planned_ms) - now_ms
        if started_ms >= NEVER_MS:
            return self.planned_ms - now_ms if self.planned_ms > now_ms else 1000
        work_ms = self.planned_ms - started_ms
        return max(1000, self.planned_ms - now_ms, round(work_ms * (1.0 - self.stuck_at)))
