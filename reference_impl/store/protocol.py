"""What the service asks of a store.

Several services may share one: what one has claimed is held under its name until a lease ends, no other gets it, and
what a lost one held comes back to the queue. Every call is atomic and has been kept when it returns.

A task is free while it has not ended and nobody holds it. Who claims it holds it, and says when work on it begins;
until then it still waits in the queue. Its status does not say whether it is free: work that was begun and lost is
still shown as begun, because a status only moves forward.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from reference_impl.tasks import Picture, Status, Task


class StoreError(Exception):
    """The store cannot be used; the message says what helps."""


class QueueFull(Exception):
    """As many pictures wait as may; try again later (the contract's answer is 429)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A task that is ours to draw, and the body that its job is made from."""

    task: Task
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a task ended."""

    status: Status
    ended_ms: int
    pictures: tuple[Picture, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """An event that is ours to send now.

    Attributes:
        attempt: 1 for the first; it is counted before it is made, so that a crash never adds one.
    """

    task_id: str
    url: str
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far a task is that somebody draws.

    Attributes:
        share: done, in [0, 1].
        eta_s: seconds left, estimated.
        preview: a small PNG; None when there is none.
    """

    share: float
    eta_s: float
    preview: bytes | None = None


class Store(Protocol):
    """Keeps tasks and the events that are owed. Times are milliseconds since 1970."""

    @property
    def is_shared(self) -> bool:
        """Whether other services may use this store now; then each reports how far its tasks are, for all to show."""

    async def open(self, now_ms: int) -> None:
        """Get ready; where nobody else can be using this store, everything that is held comes free.

        Raises:
            StoreError: see there.
        """

    async def close(self) -> None:
        """Let go of it."""

    async def add(self, task: Task, body: bytes, *, room: int) -> None:
        """Keep a new task; one that has ended already (test mode) owes its event from now on.

        Args:
            task: not in the store yet.
            body: the request's.
            room: pictures that may wait, this task's included.

        Raises:
            QueueFull: see there; nothing was kept.
        """

    async def read(self, task_id: str) -> Task | None:
        """A task; None when there is none."""

    async def claim(self, holder: str, *, until_ms: int, pictures: int) -> list[Claimed]:
        """Hold the free task that came first, and then others of its group, while all stay within so many pictures.

        Empty when none is free. What was begun before comes alone.
        """

    async def begin(self, holder: str, task_ids: Collection[str], now_ms: int) -> None:
        """Work on these begins; that is an attempt."""

    async def renew(self, holder: str, task_ids: Collection[str], *, until_ms: int) -> None:
        """Whoever holds these tasks is alive; its leases on them last until then."""

    async def give_back(self, holder: str, task_ids: Collection[str], *, counts: bool) -> None:
        """Let tasks be free again, at their old place; without `counts` the attempt is taken back."""

    async def free_lost(self, now_ms: int) -> int:
        """Let be free again what is held under a lease that has ended; how many these were."""

    async def end(self, holder: str, task_id: str, ending: Ending) -> bool:
        """Keep how a task ended; from now on its event is owed, where it has a webhook without one sent.

        Returns:
            False when it is not the holder's to end: its lease was lost and another's ending counts.
        """

    async def end_free(self, task_id: str, ending: Ending) -> bool:
        """End a task that nobody holds; False when somebody does, or it has ended."""

    async def ahead(self, task_id: str) -> float:
        """The work of all that is not begun, or free again, before this task."""

    async def waiting(self) -> int:
        """Pictures of tasks that are not begun, or free again."""

    async def take_owed(self, *, now_ms: int, lease_ms: int, most: int, besides: Collection[str]) -> list[Owed]:
        """Events whose time has come; each falls due again when the lease ends, unless it is settled or postponed.

        Args:
            now_ms: the time.
            lease_ms: for how long.
            most: how many.
            besides: tasks whose event is being sent by who asks; not due, whatever the clock did meanwhile.
        """

    async def settle(self, task_id: str) -> None:
        """The event of this task is not sent again."""

    async def postpone(self, task_id: str, due_ms: int) -> None:
        """The next attempt at the event of this task is due then."""

    async def next_due_ms(self) -> int | None:
        """When the next event falls due; None when none is owed."""

    async def forget(self, before_ms: int, most: int) -> list[str]:
        """Drop tasks that ended before then and whose event is settled; the ids of those dropped."""

    async def known(self, task_ids: Collection[str]) -> set[str]:
        """Which of these tasks are in the store."""

    async def report(self, standings: Mapping[str, Standing]) -> None:
        """How far tasks are that the caller draws. A share that was reported is never taken back.

        May be lost in a crash of the store; nothing happens where the store is not shared.
        """

    async def standing(self, task_id: str) -> Standing | None:
        """What was reported last of a task that has not ended; None when nothing was."""
