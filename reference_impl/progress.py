"""How far tasks are that this process has in hand, and how long the rest will take. Lives in memory only."""

from __future__ import annotations

from dataclasses import dataclass

from reference_impl.clock import Clock
from reference_impl.jobs import Job, Step
from reference_impl.store.protocol import Standing
from reference_impl.tasks import Status, Task

ALMOST = 0.99
"""The most that is shown before the end: the last step is followed by decoding and storing."""
FIRST_GUESS_S = 0.5
"""Seconds per unit of work before anything was measured; see `work_of`."""
WEIGHT = 0.3
"""Of the newest measurement in the average."""


def work_of(job: Job) -> float:
    """How much there is to do, for estimates only: steps x pictures x megapixels."""
    work = job.steps * job.count * job.width * job.height / 1e6
    if job.hires is not None:
        work += job.steps * job.hires.strength * job.count * job.hires.width * job.hires.height / 1e6
    return work


@dataclass(slots=True, kw_only=True)
class _Running:
    """One task that is being drawn."""

    begun_s: float
    work: float
    first_step_s: float | None = None
    done: int = 0
    total: int = 1
    share: float = 0.0
    preview: bytes | None = None


class Progress:
    """Follows the tasks of this process.

    Args:
        clock: to measure with.
        workers: how many draw at the same time.
    """

    def __init__(self, clock: Clock, workers: int) -> None:
        self._clock = clock
        self._workers = workers
        self._pace_s = FIRST_GUESS_S
        self._running: dict[str, _Running] = {}
        self._shown: dict[str, float] = {}

    def begin(self, task: Task) -> None:
        """Work on a task begins, perhaps once more; what was shown before is not taken back."""
        share = self._shown.get(task.task_id, 0.0)
        self._running[task.task_id] = _Running(begun_s=self._clock.monotonic_s(), work=task.work, share=share)

    def step(self, task_id: str, step: Step) -> None:
        """A call of the network has ended."""
        running = self._running.get(task_id)
        if running is None:
            return
        if running.first_step_s is None:
            running.first_step_s = self._clock.monotonic_s()
        running.done, running.total = step.done, step.total
        running.share = self._shown[task_id] = max(running.share, ALMOST * step.done / step.total)
        running.preview = step.preview or running.preview

    def drawn(self, task: Task) -> None:
        """All pictures of a task are there: what that took is remembered."""
        running = self._running.get(task.task_id)
        if running is not None and task.work > 0:
            took_s = self._clock.monotonic_s() - running.begun_s
            self._pace_s += WEIGHT * (took_s / task.work - self._pace_s)

    def forget(self, task_id: str, *, ended: bool) -> None:
        """The task is no longer in hand; with `ended` it will not come back either."""
        self._running.pop(task_id, None)
        if ended:
            self._shown.pop(task_id, None)

    def share(self, task: Task) -> float:
        """How much is done, in [0, 1]."""
        if task.status is Status.SUCCEED:
            return 1.0
        if task.status is Status.QUEUED:
            return 0.0  # also in the moment between the first step and the note that work has begun
        return self._shown.get(task.task_id, 0.0)

    def preview(self, task: Task) -> bytes | None:
        """The newest small picture of what is being drawn."""
        running = self._running.get(task.task_id)
        return running.preview if running is not None and task.status is Status.PROCESSING else None

    def eta_s(self, task: Task, ahead: float) -> float:
        """Seconds until it ends.

        Args:
            task: whose.
            ahead: the work that waits before it.
        """
        if task.status.is_final:
            return 0.0
        running = self._running.get(task.task_id)
        if running is not None:
            return self._rest_s(running)
        return (ahead / self._workers + task.work) * self._pace_s

    def standings(self) -> dict[str, Standing]:
        """Of all tasks that are being drawn here, by id: what others who share the store may show of them."""
        return {
            task_id: Standing(share=running.share, eta_s=self._rest_s(running), preview=running.preview)
            for task_id, running in self._running.items()
            if running.done
        }

    def _rest_s(self, running: _Running) -> float:
        now_s = self._clock.monotonic_s()
        if running.first_step_s is None or running.done < 2:
            return max(0.0, running.work * self._pace_s - (now_s - running.begun_s))
        each_s = (now_s - running.first_step_s) / (running.done - 1)
        return max(0.0, each_s * (running.total - running.done))
