"""A task: a plan over time, made when it is submitted, and what can be read from it at an instant.

The life cycle is the table below. Nothing ticks: a task's state at an instant is the table walked with the events due
by then. A finished task never changes again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from mockserver.core.course import NEVER_MS, STUCK_STEP_MS, Course
from mockserver.core.recipe import ImageType
from mockserver.core.storage import Storage


class Status(StrEnum):
    """`task.status` of a v3 answer (C34)."""

    QUEUED = "TASK_STATUS_QUEUED"
    PROCESSING = "TASK_STATUS_PROCESSING"
    SUCCEED = "TASK_STATUS_SUCCEED"
    FAILED = "TASK_STATUS_FAILED"

    @property
    def terminal(self) -> bool:
        """Whether nothing leads out of it."""
        return not TRANSITIONS[self]


class Event(StrEnum):
    """What happens to a task."""

    STARTED = "started"
    RENDERED = "rendered"
    BROKE = "broke"
    FELL_BACK = "fell-back"


TRANSITIONS: Mapping[Status, Mapping[Event, Status]] = {
    Status.QUEUED: {Event.STARTED: Status.PROCESSING, Event.BROKE: Status.FAILED},
    Status.PROCESSING: {Event.RENDERED: Status.SUCCEED, Event.BROKE: Status.FAILED, Event.FELL_BACK: Status.QUEUED},
    Status.SUCCEED: {},
    Status.FAILED: {},
}


class TaskType(StrEnum):
    """`task.task_type` of a v3 answer."""

    TXT_TO_IMG = "TXT_TO_IMG"
    IMG_TO_IMG = "IMG_TO_IMG"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How the outcome of a task is handed over: everything of a request that does not decide pixels.

    Attributes:
        image_type: file format of the pictures.
        nsfw: whether each picture is classified, and how strictly (0 to 2).
        previews: v2 `enable_progress_info`; pictures in progress are shown.
        ttl_s: v2 `img_expire_ttl`, how long pictures are kept, in seconds; None: as long as the task.
        dedicated: `enterprise_plan.enabled`.
        webhook_url: where the event is to be posted.
        test_status: outcome of webhook test mode; no work is done.
        storage: the bucket of `custom_storage.aws_s3`; None: the mock keeps the pictures.
    """

    image_type: ImageType = ImageType.PNG
    nsfw: bool = False
    nsfw_level: int = 0
    previews: bool = True
    ttl_s: int | None = None
    dedicated: bool = False
    webhook_url: str | None = None
    test_status: Status | None = None
    storage: Storage | None = None


@dataclass(slots=True, kw_only=True, eq=False)
class Task:
    """One accepted submission. A finished one holds about a kilobyte: its pictures are drawn when asked for.

    Times are virtual milliseconds since the epoch.

    Attributes:
        body: the request (JSON), source pictures replaced by references; the recipe is read from it again.
        delivery: how the outcome is handed over; equal ones are shared between tasks.
        seed: the seed in use.
        count: pictures to deliver.
        outcome: what it ends as.
        nsfw_confidences: the classifier's answers that its world was set to when it was submitted.
        polls: how often its result was asked for. polled_ms: when last. hasty_polls: how many of them came right
            after another. ended_polls: how many saw it ended.
        fetched: downloads of its pictures.
        price_micro_usd: what it cost, in millionths of a US dollar.
        course: what is special about it; None for an ordinary task.
    """

    id: str
    operation_id: str
    number: int
    type: TaskType
    body: bytes
    delivery: Delivery
    seed: int
    count: int
    submitted_ms: int
    started_ms: int
    finished_ms: int
    outcome: Status = Status.SUCCEED
    reason: str = ""
    nsfw_confidences: tuple[float, ...] | None = None
    polls: int = 0
    polled_ms: int = 0
    hasty_polls: int = 0
    ended_polls: int = 0
    fetched: int = 0
    price_micro_usd: int = 0
    course: Course | None = None

    @property
    def is_v2(self) -> bool:
        """Whether a v2 operation made it; only that version shows it."""
        return self.operation_id.endswith("V2")

    def status_at(self, now_ms: int) -> Status:
        """The state at an instant."""
        course = self.course
        if now_ms >= self.finished_ms:
            return self.outcome if course is None or not course.held else Status.PROCESSING
        if course is not None and course.fell_back(now_ms):
            return Status.QUEUED
        return Status.PROCESSING if now_ms >= self.started_ms else Status.QUEUED

    def ended_at(self, now_ms: int) -> bool:
        """Whether it has ended by an instant."""
        return now_ms >= self.finished_ms and (self.course is None or not self.course.held)

    def vanished_at(self, now_ms: int) -> bool:
        """Whether it is unknown at an instant."""
        return self.course is not None and self.course.vanished(now_ms)

    def events(self) -> list[tuple[int, Event]]:
        """What happens to it and when, in order; what never happens is left out."""
        end = Event.RENDERED if self.outcome is Status.SUCCEED else Event.BROKE
        if self.started_ms >= self.finished_ms and end is Event.BROKE:
            return [(self.finished_ms, end)]  # ended before its work began
        found = [(self.started_ms, Event.STARTED), (self.finished_ms, end)]
        if self.course is not None and self.course.back_ms is not None:
            found[1:1] = [(self.course.back_ms, Event.FELL_BACK), (self.course.again_ms, Event.STARTED)]
        return [(at_ms, event) for at_ms, event in found if at_ms < NEVER_MS]

    def progress_at(self, now_ms: int) -> float:
        """Share of the work done, in [0, 1]."""
        course = self.course
        if now_ms >= self.finished_ms:
            if course is not None and course.held:
                return 0.99
            return 1.0 if self.outcome is Status.SUCCEED else 0.0
        if now_ms <= self.started_ms:
            return 0.0
        if course is not None:
            return course.progress(now_ms, self.started_ms, self.finished_ms)
        return (now_ms - self.started_ms) / (self.finished_ms - self.started_ms)

    def eta_ms_at(self, now_ms: int) -> int:
        """Milliseconds until the end, waiting included; 0 once it has ended."""
        if self.course is not None:
            return self.course.eta_ms(now_ms, self.started_ms, self.finished_ms)
        return max(0, self.finished_ms - now_ms)

    def next_milestone_ms(self, now_ms: int) -> int | None:
        """Where an `auto` clock jumps when the task is polled again: the middle of the work, then its end."""
        if now_ms >= self.finished_ms:
            return None
        if self.finished_ms >= NEVER_MS:
            return now_ms + STUCK_STEP_MS
        course = self.course
        if course is not None and course.back_ms is not None and now_ms < course.again_ms:
            return course.back_ms if now_ms < course.back_ms else course.again_ms
        middle = self.started_ms + (self.finished_ms - self.started_ms + 1) // 2
        return middle if now_ms < middle else self.finished_ms

    def end(self, now_ms: int, outcome: Status, reason: str = "") -> None:
        """Ends it now with an outcome; one that has ended stays as it is.

        Raises:
            ValueError: it has ended already.
        """
        if self.ended_at(now_ms):
            raise ValueError(f"task {self.id} has ended already ({self.outcome.value}): a finished task never changes")
        self.outcome = outcome
        self.reason = reason
        self.started_ms = min(self.started_ms, now_ms)
        self.finished_ms = min(self.finished_ms, now_ms)
        if self.course is not None:
            self.course.held = False
            self.course.stuck_at = self.course.back_ms = None
