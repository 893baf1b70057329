"""A world's inbox: takes events for tests that have no receiver of their own, and answers as it is told."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from mockserver.core.redaction import Redactor
from mockserver.webhooks.bell import Bell

MAX_EVENTS = 1_000
MAX_BYTES = 4 * 1024 * 1024
"""Of all bodies together; the oldest events go."""
SHOWN_HEADERS = ("content-type", "content-length", "user-agent", "webhook-id", "webhook-timestamp")
PATH = "/__mock/inbox/"
"""Where an inbox takes events, followed by the fingerprint of its world's key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the inbox answers to one event.

    Attributes:
        status: of the answer.
        delay_ms: how long it takes, by the wall.
    """

    status: int = 200
    delay_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One POST that came.

    Attributes:
        number: how many had come, this one included.
        at_ms: the world's instant. received_ms: the wall's, milliseconds since the epoch.
        delivery_id: of the delivery that it belongs to; None: no mock sent it.
        headers: a few of them; a signature is not kept.
        signed: whether it carried a signature.
        body: the bytes, the world's key cut out.
        answered: status that the inbox answered, or is about to.
    """

    number: int
    at_ms: int
    received_ms: int
    delivery_id: str | None
    headers: Mapping[str, str]
    signed: bool
    body: bytes = field(repr=False)
    answered: int

    @property
    def event(self) -> Any:
        """The body as JSON; None when it is none."""
        try:
            return orjson.loads(self.body)
        except ValueError:
            return None

    @property
    def event_type(self) -> str | None:
        """`event_type` of the body, if it has one."""
        event = self.event
        found = event.get("event_type") if isinstance(event, dict) else None
        return found if isinstance(found, str) else None


class Inbox:
    """The inbox of one world.

    Args:
        redactor: cuts the world's key out of what is kept.

    Attributes:
        answers: what is answered to the events to come, first one first; 200 at once when it is empty.
        total: how many events came.
        bell: rung at every change.
    """

    __slots__ = ("_bytes", "_events", "_redactor", "answers", "bell", "total")

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._events: deque[Received] = deque()
        self._bytes = 0
        self.answers: deque[Answer] = deque()
        self.bell = Bell()
        self.total = 0

    def receive(
        self, headers: Mapping[bytes, bytes], body: bytes, *, at_ms: int, received_ms: int, shown: bytes | None = None
    ) -> Answer:
        """Takes an event; gives what is to be answered.

        Args:
            headers: values by lower-case name.
            body: as it came.
            at_ms: the world's instant.
            received_ms: the wall's.
            shown: the body as it may be kept, where it is known to hold a secret.
        """
        from mockserver.outbound.sender import delivery_of  # a run without webhooks never needs it

        answer = self.answers.popleft() if self.answers else Answer()
        self.total += 1
        kept = self._redactor.text(body if shown is None else shown)
        self._events.append(
            Received(
                number=self.total,
                at_ms=at_ms,
                received_ms=received_ms,
                delivery_id=delivery_of(headers),
                headers={
                    name: self._redactor.text(headers[name.encode()]).decode("latin-1")
                    for name in SHOWN_HEADERS
                    if name.encode() in headers
                },
                signed=b"webhook-signature" in headers,
                body=kept,
                answered=answer.status,
            )
        )
        self._bytes += len(kept)
        while len(self._events) > MAX_EVENTS or (self._bytes > MAX_BYTES and len(self._events) > 1):
            self._bytes -= len(self._events.popleft().body)
        self.bell.ring()
        return answer

    def script(self, answers: Iterable[Answer]) -> None:
        """Decides what is answered to the events to come."""
        self.answers = deque(answers)

    def find(self, event_type: str | None = None) -> list[Received]:
        """The events that are kept, oldest first; of one type, if one is named."""
        return [one for one in self if event_type is None or one.event_type == event_type]

    def clear(self, *, script: bool = False) -> int:
        """Forgets the events, and with `script` what was to be answered; gives how many there were."""
        count = len(self._events)
        self._events.clear()
        self._bytes = self.total = 0
        if script:
            self.answers.clear()
        self.bell.ring()
        return count

    def __len__(self) -> int:
        return len(self._events)

    def __iter__(self) -> Iterator[Received]:
        return iter(list(self._events))
