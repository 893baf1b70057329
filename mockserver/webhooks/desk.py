"""A world's deliveries: which events are owed, how each stands, and what a test has decided about them. Pure state.

Each finished task owes one delivery, whatever becomes of it. Nothing here sends or reads a clock; `courier` does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from mockserver.core.chance import seed_of
from mockserver.core.redaction import Redactor
from mockserver.core.task import Task
from mockserver.webhooks.bell import Bell
from mockserver.webhooks.delivery import Attempt, Delivery, Origin, State, Try
from mockserver.webhooks.inbox import Inbox
from mockserver.webhooks.settings import MAX_DELIVERIES
from mockserver.webhooks.under_way import UnderWay


class Desk:
    """The deliveries of one world.

    Args:
        seed: the world's; gives ids.
        redactor: cuts the world's key out of what is kept for people.
        limit: how many deliveries are remembered.

    Attributes:
        holding: new deliveries wait until they are released.
        waiting: deliveries that let the next one of the world go first.
        forgotten: deliveries that went at the bound.
        made: how many there were in all.
        epoch: how often it was cleared.
        inbox: takes events for tests without a receiver.
        bell: rung at every change.
        under_way: attempts that are being made.
    """

    __slots__ = (
        "_by_id", "_by_task", "_ended", "_limit", "_seed", "bell", "epoch", "forgotten", "holding", "inbox", "made",
        "redactor", "under_way", "waiting",
    )  # fmt: skip

    def __init__(self, seed: int, redactor: Redactor, limit: int = MAX_DELIVERIES) -> None:
        self._seed = seed
        self._limit = limit
        self._by_id: dict[str, Delivery] = {}
        self._by_task: dict[str, Delivery] = {}
        self._ended: deque[Delivery] = deque()
        self.redactor = redactor
        self.bell = Bell()
        self.inbox = Inbox(redactor)
        self.under_way = UnderWay()
        self.waiting: list[Delivery] = []
        self.holding = False
        self.forgotten = 0
        self.made = 0
        self.epoch = 0

    def owe(self, task: Task, now_ms: int) -> Delivery | None:
        """The delivery of a task that has ended, made once; None when it owes none, or owes it already."""
        url = task.delivery.webhook_url
        if url is None or task.id in self._by_task or not task.ended_at(now_ms) or task.vanished_at(task.finished_ms):
            return None
        from mockserver.outbound.guard import shown_url  # a run without webhooks never needs it

        test_status = task.delivery.test_status
        delivery = self._make(
            f"msg_{seed_of('delivery', self._seed, task.id):016x}",  # whichever task's end is carried out first
            task_id=task.id,
            operation_id=task.operation_id,
            url=url,
            shown=shown_url(url),
            since_ms=now_ms,
            task=task,
            test="" if test_status is None else test_status.value,
        )
        self._by_task[task.id] = delivery
        if self.holding:
            self.hold(delivery, "all new deliveries are held")
        return delivery

    def contradict(self, other: Delivery, body: bytes, now_ms: int) -> Delivery:
        """A second event about the task of a delivery, which says the opposite."""
        return self._make(
            f"msg_{seed_of('contradiction', self._seed, self.made):016x}",
            task_id=other.task_id,
            operation_id=other.operation_id,
            url=other.url,
            shown=other.shown,
            since_ms=now_ms,
            origin=Origin.CONFLICT,
            body=body,
            note=f"contradicts {other.id}",
        )

    def get(self, id: str) -> Delivery | None:
        """A delivery by its id."""
        return self._by_id.get(id)

    def of_task(self, task_id: str) -> Delivery | None:
        """The delivery that a task owes or owed."""
        return self._by_task.get(task_id)

    def is_here(self, delivery: Delivery) -> bool:
        """Whether it is still remembered: the world may have been reset while it was on its way."""
        return self._by_id.get(delivery.id) is delivery

    def held(self) -> list[Delivery]:
        """The deliveries that wait to be released, oldest first."""
        return [delivery for delivery in self if delivery.state is State.HELD]

    def plan(self, delivery: Delivery, at_ms: int) -> Try:
        """The next attempt is to be made at an instant; gives the errand, and makes earlier ones stale."""
        self._go_on(delivery)
        delivery.state = State.PENDING
        delivery.due_ms = at_ms
        delivery.turn += 1
        self.bell.ring()
        return Try(delivery.id, delivery.turn)

    def take(self, errand: Try) -> Delivery | None:
        """The delivery of an errand whose turn it is; None when the errand is stale."""
        delivery = self._by_id.get(errand.delivery_id)
        if delivery is None or delivery.turn != errand.turn or delivery.state is not State.PENDING:
            return None
        self._go_on(delivery)
        delivery.due_ms = None
        delivery.turn += 1
        return delivery

    def hold(self, delivery: Delivery, note: str) -> None:
        """It waits until it is released."""
        self._go_on(delivery)
        delivery.state = State.HELD
        delivery.due_ms = None
        delivery.turn += 1
        delivery.note = note
        self.bell.ring()

    def end(self, delivery: Delivery, state: State, note: str = "") -> None:
        """It is owed no longer: delivered, failed or dropped."""
        owed = delivery.state.owed
        delivery.state = state
        delivery.due_ms = None
        delivery.turn += 1
        delivery.note = note or (delivery.note if delivery.origin is Origin.CONFLICT else "")
        if delivery.body is not None:
            delivery.task = None
        self._go_on(delivery)
        if owed:
            self._ended.append(delivery)
            self._trim()
        self.bell.ring()

    def record(self, delivery: Delivery, attempt: Attempt) -> None:
        """An attempt was made; one that was taken brings the delivery to its end."""
        delivery.attempts.append(attempt)
        if attempt.ok and delivery.state is not State.DELIVERED:
            self.end(delivery, State.DELIVERED)
        self.bell.ring()

    def clear(self) -> None:
        """Forgets everything; whoever waits for something here learns of it by `epoch`."""
        self.epoch += 1
        for delivery in self:
            delivery.turn += 1
        self._by_id.clear()
        self._by_task.clear()
        self._ended.clear()
        self.waiting.clear()
        self.inbox.clear(script=True)
        self.holding = False
        self.made = self.forgotten = 0
        self.bell.ring()

    def _go_on(self, delivery: Delivery) -> None:
        """It lets nobody go first any more."""
        if delivery in self.waiting:
            self.waiting.remove(delivery)

    def _make(self, id: str, **fields: object) -> Delivery:
        self.made += 1
        delivery = Delivery(
            id=id,
            number=self.made,
            **fields,  # type: ignore[arg-type]  # the two callers name them
        )
        self._by_id[delivery.id] = delivery
        self._trim()
        return delivery

    def _trim(self) -> None:
        while len(self._by_id) > self._limit and self._ended:
            gone = self._ended.popleft()
            del self._by_id[gone.id]
            if self._by_task.get(gone.task_id) is gone:
                del self._by_task[gone.task_id]
            self.forgotten += 1

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Delivery]:
        return iter(list(self._by_id.values()))
