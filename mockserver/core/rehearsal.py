"""A task that goes the way a recorded one went: when its work began and ended, how it came along, what became of it."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field

from mockserver.core.course import Course
from mockserver.core.task import Status, Task

Curve = tuple[tuple[float, float], ...]
"""Progress in [0, 1] by share of the work's time in [0, 1], in order of time."""


@dataclass(slots=True, kw_only=True, eq=False)
class RecordedCourse(Course):
    """The course of a task whose progress was seen now and then; in between it is interpolated.

    Attributes:
        curve: what was seen.
    """

    curve: Curve = ()

    def progress(self, now_ms: int, started_ms: int, finished_ms: int) -> float:
        """See `Course.progress`."""
        share = (now_ms - started_ms) / max(1, finished_ms - started_ms)
        points = ((0.0, 0.0), *self.curve, (1.0, 1.0))
        after = bisect_right(points, share, key=lambda point: point[0])
        if after >= len(points):
            return points[-1][1]
        (earlier, low), (later, high) = points[after - 1], points[after]
        return low + (high - low) * (share - earlier) / max(1e-9, later - earlier)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """How a task is to go. Times are milliseconds.

    Attributes:
        queued_ms: how long it waits.
        work_ms: how long it is worked on.
        seed: the one that it used; None: not known, it draws its own.
        nsfw_confidences: the classifier's answers in picture order; None: nobody asked it.
        curve: its progress.
    """

    queued_ms: int
    work_ms: int
    outcome: Status
    reason: str
    seed: int | None
    nsfw_confidences: tuple[float, ...] | None = None
    curve: Curve = field(default=())

    def cast(self, task: Task) -> None:
        """Makes a task that was just submitted go this way."""
        task.started_ms = task.submitted_ms + self.queued_ms
        task.finished_ms = task.started_ms + self.work_ms
        task.outcome, task.reason = self.outcome, self.reason
        if self.seed is not None:
            task.seed = self.seed
        if self.nsfw_confidences is not None:
            task.nsfw_confidences = self.nsfw_confidences
        if self.curve:
            task.course = RecordedCourse(curve=self.curve)
