"""A delivery: the one event that a finished task owes, and the attempts to bring it. Nothing is sent here."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mockserver.core.task import Task

KEPT_ATTEMPTS = 50
"""Attempts of a delivery that are kept, newest first to stay; replays have no end."""
ANSWER_BYTES = 1024
"""Of a receiver's answer, from its beginning."""


class State(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    HELD = "held"
    DELIVERED = "delivered"
    FAILED = "failed"
    DROPPED = "dropped"

    @property
    def owed(self) -> bool:
        """Whether the event is still to be brought."""
        return self in (State.PENDING, State.HELD)


class Cause(StrEnum):
    """Why an attempt was made."""

    FIRST = "first"
    RETRY = "retry"
    DUPLICATE = "duplicate"
    REPLAY = "replay"


class Origin(StrEnum):
    """What a delivery comes from."""

    TASK = "task"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class Try:
    """Errand: the next attempt of a delivery; a turn that has passed is nobody's."""

    delivery_id: str
    turn: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One POST, or what came in place of it.

    Attributes:
        number: within its delivery, from 1.
        at_ms: the world's instant.
        sent_ms: the wall's; milliseconds since the epoch.
        took_ms: to the end of the answer, or to the error, by the wall.
        headers: as sent; a signature is not shown.
        sent_bytes: length of the body as sent.
        status: of the answer; None when none came.
        answer: the beginning of its body, secrets cut out.
        error: stable word for what went wrong; None: an answer came whole.
        message: the error for people.
        effect: what the fault plan did to this attempt; empty: nothing.
        ok: whether the receiver took the event.
        verdict: all of it in words.
    """

    number: int
    cause: Cause
    at_ms: int
    sent_ms: int
    took_ms: int
    headers: Mapping[str, str]
    sent_bytes: int
    status: int | None
    answer_headers: Mapping[str, str]
    answer: bytes
    error: str | None
    message: str
    effect: str
    ok: bool
    verdict: str


@dataclass(slots=True, kw_only=True, eq=False)
class Delivery:
    """An event on its way.

    Attributes:
        id: the same for every attempt.
        number: within its world, from 1.
        task_id: whose outcome it tells.
        url: where to; it may hold secrets, and is shown as `shown` only.
        since_ms: the world's instant from which on it was owed.
        due_ms: when the next attempt is made; None when none is planned.
        task: kept as long as something can ask for its request.
        body: the event, made at the first attempt; the same bytes every time.
        turn: counts plans; an errand of an earlier one is stale.
        tries: attempts that count: the first and its retries.
        asked: the try for which the fault plan has decided already.
        busy: attempts under way.
        attempts: newest `KEPT_ATTEMPTS` kept. made: how many there were.
        note: why it stands where it does, for people; empty when that is plain.
    """

    id: str
    number: int
    task_id: str
    operation_id: str
    url: str = field(repr=False)
    shown: str
    since_ms: int
    origin: Origin = Origin.TASK
    state: State = State.PENDING
    due_ms: int | None = None
    task: Task | None = None
    test: str = ""
    body: bytes | None = field(default=None, repr=False)
    turn: int = 0
    tries: int = 0
    asked: int = 0
    busy: int = 0
    attempts: deque[Attempt] = field(default_factory=lambda: deque(maxlen=KEPT_ATTEMPTS))
    made: int = 0
    note: str = ""
