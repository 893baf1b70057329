"""A task from submission to its end: the values that store, service and HTTP share. No I/O here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from reference_impl.jobs import FileFormat, Nsfw

ATTEMPTS = 3
"""How often a task is begun before it fails: each time the server or its worker died while the task ran."""


class Status(StrEnum):
    """Where a task stands; the words of v3."""

    QUEUED = "TASK_STATUS_QUEUED"
    PROCESSING = "TASK_STATUS_PROCESSING"
    SUCCEED = "TASK_STATUS_SUCCEED"
    FAILED = "TASK_STATUS_FAILED"

    @property
    def is_final(self) -> bool:
        """Whether a task of this status never changes again."""
        return self in (Status.SUCCEED, Status.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Who is told of the end of a task.

    Attributes:
        test: the outcome that test mode asks for; None: no test mode, the task is worked on.
    """

    url: str
    test: Status | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """The caller's own S3 bucket (`custom_storage.aws_s3`).

    Attributes:
        directly: files lie straight in `path`; otherwise in a directory below it, named after the task.
    """

    region: str
    bucket: str
    path: str
    directly: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Where the pictures go and who is told; nothing in it changes a pixel.

    Attributes:
        link_ttl_s: seconds that a link lives, from the answer that holds it; None: the server's own habit.
        nsfw_detection: whether the request asked for it; answers repeat it.
    """

    webhook: Webhook | None = None
    bucket: Bucket | None = None
    link_ttl_s: int | None = None
    nsfw_detection: bool = False

    @property
    def test(self) -> Status | None:
        """The outcome that the webhook's test mode asks for; None without test mode."""
        return self.webhook.test if self.webhook else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One finished picture, by its file.

    Attributes:
        name: of the file, `<32 hex digits>.<png, jpeg or webp>`; a link is made of the task's id and this. It follows
            from the task and the picture's place, so that work done twice leaves nothing behind.
        url: where it lies in the caller's own bucket; None: here, behind a link that is signed when it is asked for.
    """

    name: str
    file_format: FileFormat
    seed: int
    width: int
    height: int
    nsfw: Nsfw | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One row of the store. Times are milliseconds since 1970.

    Attributes:
        owner: the account, as digest of its key.
        seed: what seed the job has, drawn or given; with the body it makes the same job again.
        echo: what answers repeat of the request; small, JSON.
        count: pictures asked for.
        work: how much there is to do: steps x pictures x megapixels. Only for estimates.
        group: tasks of an equal group may be drawn as one batch; None: drawn alone.
        attempts: how often work on it was begun.
        pictures: empty until it has succeeded, and in test mode, where nothing is drawn and the front shows a sample.
        reason: why it failed; empty otherwise.
    """

    task_id: str
    owner: str
    operation_id: str
    seed: int
    delivery: Delivery
    echo: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    count: int
    work: float
    group: str | None = None
    status: Status = Status.QUEUED
    submitted_ms: int
    started_ms: int | None = None
    ended_ms: int | None = None
    attempts: int = 0
    pictures: tuple[Picture, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskView:
    """A task as it is at this moment, for who may see it.

    Attributes:
        progress: share done in [0, 1]; 1 only when it has succeeded. It never sinks while a process lives.
        eta_s: seconds left, estimated; 0 at the end.
        preview: a small PNG of what is being drawn; None when there is none, and at the end.
    """

    task: Task
    progress: float
    eta_s: float
    preview: bytes | None = None
