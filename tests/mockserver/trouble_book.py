"""What a careful bystander knows of one world: what must have been made, paid, lost and told, kept by our own count."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import orjson

from mockserver.answers import View, progress, task_result
from mockserver.core.links import LinkSigner
from mockserver.core.task import Status, Task
from mockserver.faults.kinds import Kind
from mockserver.faults.plan import Fired
from mockserver.faults.points import ANSWERS, Point
from mockserver.parts.ids import SeededIds
from mockserver.webhooks.delivery import Attempt, Cause, Delivery, Origin, State
from mockserver.webhooks.settings import WebhookSettings
from mockserver.world import World
from tests.mockserver.trouble_site import FULL_BUCKET, KEYS, Answer, Came, Site, Step

VIEW = View(base_url="http://mock.test", signer=LinkSigner(b"secret"), ids=SeededIds())
SPACING_MS = (1_000, 5_000)
"""From a failed attempt to the next; the last one goes on to the end."""
STOPPING = (Point.AUTH, Point.SUBMIT_BEFORE)
"""Points at which any fault but a delay means that nothing was made."""

ANSWERED = (*ANSWERS, Point.WEBHOOK_BEFORE_REPLY)
"""Points that are known by the number of a call."""

_SIGNATURE = re.compile(rb'\?X-Amz-[^"]*')
_DIRECTIVE = re.compile(rb"\[\[mock:[^\]]*\]\]")

Request = tuple[str, bytes]
"""Path and body of a submit: what makes two of them the same."""


@dataclass(slots=True)
class Book:
    """One world since it was new.

    Attributes:
        steps: what was done to it. answers: what its clients got.
        walked: nothing but verbs that carry out what is due has moved its clock.
        created, spent_micro_usd, balance_micro_usd, wasted_micro_usd: as they must be.
        lost: tasks whose answers were lost and that nobody has heard of since, by request. ever_lost: all of them.
        finals: what each finished task answers. vanished: tasks that are unknown.
        rules: those that were armed by id, as they were written.
        streaks: faults in a row of the bounded kind, by operation.
        swept: all rules were disarmed at once, and with them what was in a row.
        ended_by_test: tasks that did not end by themselves.
        touched: deliveries that a test has held, delayed or sent. let_be: it has never held all of them.
        copies: how often a delivery was asked for once more, by id and cause. dropped: those given up by a test.
    """

    steps: list[Step] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    walked: bool = True
    created: int = 0
    spent_micro_usd: int = 0
    balance_micro_usd: int | None = None
    balance_set: int | None = None
    wasted_micro_usd: int = 0
    double_spends: int = 0
    lost: dict[Request, list[str]] = field(default_factory=dict)
    ever_lost: dict[str, Request] = field(default_factory=dict)
    finals: dict[str, bytes] = field(default_factory=dict)
    vanished: set[str] = field(default_factory=set)
    rules: dict[int, dict[str, Any]] = field(default_factory=dict)
    streaks: Counter[str] = field(default_factory=Counter)
    swept: bool = False
    touched: set[str] = field(default_factory=set)
    let_be: bool = True
    ended_by_test: set[str] = field(default_factory=set)
    copies: Counter[tuple[str, Cause]] = field(default_factory=Counter)
    dropped: set[str] = field(default_factory=set)

    def learned(self, task_id: str) -> None:
        """The client knows a task after all."""
        for tasks in self.lost.values():
            if task_id in tasks:
                tasks.remove(task_id)

    def is_bounded(self, fired: Fired) -> bool:
        """Whether a fault is one of those that are held back after so many in a row."""
        return fired.rule in self.rules and bool(self.rules[fired.rule].get("bounded", True))

    def always_at(self, point: Point) -> bool:
        """Whether a rule says that every call suffers something at a point."""
        return any(set(rule) == {"point", "effect"} and rule["point"] == point for rule in self.rules.values())


@cache
def price_micro_usd(path: str, body: bytes) -> int:
    """What a mock without trouble charges for a request."""
    site = Site(seed=1, in_a_row=None, webhooks=WebhookSettings())
    body = _DIRECTIVE.sub(b"", body)
    site.play(Step(wall_ms=site.wall(), key=KEYS[0], method="POST", target=path, body=body))
    found = site.world(KEYS[0]).ledger.spent
    site.close()
    assert found.tasks == 1
    assert (found.micro_usd > 0) is (b'"test_mode"' not in body), "in test mode nothing is drawn"
    return found.micro_usd


def final_of(task: Task, now_ms: int) -> bytes:
    """What a task answers, without the signatures of its links."""
    shown = progress(task, now_ms, VIEW, []) if task.is_v2 else task_result(task, now_ms, VIEW)
    return _SIGNATURE.sub(b"", orjson.dumps(shown))


def unsigned(body: bytes) -> bytes:
    """An answer without the signatures of its links."""
    return _SIGNATURE.sub(b"", body)


def told_id(answer: Answer, path: str) -> str | None:
    """The task id that a client of this path reads in an answer; None when it reads none."""
    if not answer.whole or answer.status != 200:
        return None
    try:
        found = answer.json
        found = found["data"]["task_id"] if path.startswith("/v2") else found["task_id"]
    except (ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, str) else None


def is_refused(answer: Answer) -> bool:
    """Whether the contract says no."""
    if not answer.whole:
        return False
    return answer.status != 200 or answer.json.get("code", 0) != 0


def of_call(fired: list[Fired], number: int) -> list[Fired]:
    """The faults of one call of a world."""
    return [one for one in fired if one.point in ANSWERED and one.position == f"{one.point.value}#{number}"]


def shot(world: World) -> tuple[object, ...]:
    """Everything of a world that another one could have changed."""
    plan, desk, account = world.faults, world.desk, world.account
    return (
        world.id,
        world.clock.now_ms(),
        str(world.clock.mode),
        world.clock.frozen,
        world.created,
        world.calls,
        world.next_event_ms(),
        [(task.id, task.started_ms, task.finished_ms, task.outcome, task.polls, task.fetched) for task in world.tasks],
        (world.ledger.spent, account.settings, account.left_micro_usd),
        (world.verdicts.verdicts(), world.verdicts.unclaimed(), world.verdicts.wasted_micro_usd),
        ([(armed.id, armed.asked, armed.fired) for armed in plan.armed], plan.total, plan.suppressed, plan.active),
        (world.journal.written, len(world.journal), len(world.agenda)),
        [(one.id, one.state, one.due_ms, one.tries, one.made, one.note) for one in desk],
        (desk.holding, [one.id for one in desk.waiting], desk.inbox.total),
        world.findings.counted(),
    )


def remains(site: Site, key: str) -> dict[str, object]:
    """What two runs that are the same must have in common, the answers of the contract apart."""
    world = site.world(key)
    return {
        "instant": world.clock.now_ms(),
        "faults": [(one.at_ms, one.position, one.operation_id, one.effect.as_json()) for one in world.faults.fired],
        "tasks": [(task.id, task.submitted_ms, final_of(task, world.clock.now_ms())) for task in world.tasks],
        "ledger": (world.ledger.entries(), world.account.left_micro_usd),
        "verdicts": (world.verdicts.verdicts(), world.verdicts.unclaimed(), world.verdicts.safe_retries),
        "received": site.receivers.came[key],
        "deliveries": [(one.id, one.task_id, one.state, one.due_ms, one.since_ms) for one in world.desk],
        "attempts": [(one.id, attempt) for one, attempt in site.attempts[key]],
        "journal": [
            (entry.number, entry.at_ms, entry.method, entry.path, entry.status, entry.request, entry.answer)
            for entry in world.journal
        ],
        "findings": world.findings.counted(),
    }


def check_money(world: World, book: Book) -> None:
    """The ledger equals what was accepted, and the balance what is left of it."""
    tasks, spent = list(world.tasks), world.ledger.spent
    assert len({task.id for task in tasks}) == len(tasks) == world.created == book.created == spent.tasks
    assert spent.pictures == sum(task.count for task in tasks)
    assert spent.micro_usd == sum(task.price_micro_usd for task in tasks) == book.spent_micro_usd
    assert sum(one.micro_usd for one in world.ledger.by_operation().values()) == spent.micro_usd
    assert [entry.task_id for entry in world.ledger.entries()] == [task.id for task in tasks]
    assert world.account.left_micro_usd == book.balance_micro_usd
    assert book.balance_micro_usd is None or book.balance_micro_usd >= 0


def check_verdicts(world: World, book: Book) -> None:
    """Money is wasted by repeats of requests whose answers were lost, and by nothing else."""
    verdicts = world.verdicts
    assert verdicts.double_spends == book.double_spends
    assert verdicts.wasted_micro_usd == book.wasted_micro_usd
    bodies = {task.id: task.body for task in world.tasks}
    for verdict in verdicts.verdicts():
        if verdict.first_task_id is None:
            assert verdict.wasted_micro_usd == 0
        else:
            assert verdict.first_task_id in book.ever_lost
            assert bodies[verdict.first_task_id] == bodies[verdict.task_id]
    assert {one.task_id for one in verdicts.unclaimed()} == {id for tasks in book.lost.values() for id in tasks}


def check_lives(world: World, book: Book) -> None:
    """A finished task stays as it is, and an unknown one unknown."""
    now_ms = world.clock.now_ms()
    for task in world.tasks:
        if task.ended_at(now_ms):
            final = book.finals.setdefault(task.id, final_of(task, now_ms))
            assert final_of(task, now_ms) == final
            assert task.status_at(now_ms).terminal
            check_upload(world, book, task)
        else:
            assert task.id not in book.finals, "it had ended"
            assert now_ms < task.finished_ms, "its pictures are put away before the step is over"
        if task.vanished_at(now_ms):
            book.vanished.add(task.id)
        else:
            assert task.id not in book.vanished, "it was unknown"


def check_upload(world: World, book: Book, task: Task) -> None:
    """A task that ended by itself lies in its bucket, or failed because it does not."""
    storage = task.delivery.storage
    early = any(one.effect.kind is Kind.EARLY for one in world.faults.fired)
    if storage is None or task.delivery.test_status is not None or task.id in book.ended_by_test or early:
        return
    if storage.bucket == FULL_BUCKET:
        assert task.outcome is Status.FAILED
    elif task.outcome is Status.SUCCEED:
        assert task.course is not None
        assert len(task.course.links) == task.count


def check_deliveries(world: World, book: Book, attempts: list[tuple[Delivery, Attempt]], came: list[Came]) -> None:
    """Each finished task owes one event; who got it is left alone, and everything that was sent is written down."""
    now_ms, most = world.clock.now_ms(), 1 + world.settings.webhooks.retries
    deliveries = list(world.desk)
    of_tasks = Counter(one.task_id for one in deliveries if one.origin is Origin.TASK)
    for task in world.tasks:
        owes = (
            task.delivery.webhook_url is not None and task.ended_at(now_ms) and not task.vanished_at(task.finished_ms)
        )
        assert of_tasks.pop(task.id, 0) == (1 if owes else 0), task
    assert not of_tasks
    assert [(one.id, attempt.sent_bytes) for one, attempt in attempts] == [
        (one.delivery_id, len(one.body)) for one in came
    ]
    tasks = {task.id: task for task in world.tasks}
    for delivery in deliveries:
        task = tasks[delivery.task_id]
        history = [attempt for one, attempt in attempts if one is delivery]
        bodies = [one.body for one in came if one.delivery_id == delivery.id]
        check_delivery(world, book, delivery, history, most)
        assert delivery.since_ms >= task.finished_ms
        if book.walked and delivery.origin is Origin.TASK:
            assert delivery.since_ms == task.finished_ms, "it was owed as soon as the task had ended"
        for attempt, body in zip(history, bodies, strict=True):
            assert attempt.at_ms >= task.finished_ms
            if not attempt.effect.startswith(("break", "truncate")):
                assert body == delivery.body
        if delivery.origin is Origin.TASK and delivery.body is not None:
            told = orjson.loads(delivery.body)["payload"]["task"]
            assert (told["task_id"], told["status"]) == (task.id, task.outcome.value)


def check_delivery(world: World, book: Book, delivery: Delivery, history: list[Attempt], most: int) -> None:
    """How often one event was sent, why, and what is to come."""
    causes = Counter(attempt.cause for attempt in history)
    assert delivery.made == len(history)
    tries = causes[Cause.FIRST] + causes[Cause.RETRY]
    assert causes[Cause.FIRST] <= 1
    assert tries == delivery.tries <= most
    assert causes[Cause.REPLAY] == book.copies[delivery.id, Cause.REPLAY]
    struck = []
    if delivery.origin is Origin.TASK:  # nothing happens to an event that contradicts one
        task = world.tasks.get(delivery.task_id)
        assert task is not None
        begins = f"{Point.WEBHOOK_ATTEMPT.value}#{task.number}."
        struck = [one for one in world.faults.fired if one.position.startswith(begins)]
    doubles = [one.effect.integer("times") or 0 for one in struck if one.effect.kind is Kind.DUPLICATE]
    doubled = sum(doubles) - len(doubles)
    assert causes[Cause.DUPLICATE] == book.copies[delivery.id, Cause.DUPLICATE] + doubled
    taken = [index for index, attempt in enumerate(history) if attempt.ok]
    if taken:
        later = history[taken[0] + 1 :]
        assert not any(attempt.cause in (Cause.FIRST, Cause.RETRY) for attempt in later), "it was taken already"
    if book.walked and book.let_be and delivery.id not in book.touched and not struck:
        for number, (before, after) in enumerate(itertools.pairwise(history)):
            assert after.at_ms - before.at_ms == SPACING_MS[min(number, 1)], "the next attempt came at its instant"
    match delivery.state:
        case State.PENDING:
            assert delivery.due_ms is not None
            assert delivery.due_ms > world.clock.now_ms()
            assert not taken
            assert tries < most
        case State.DELIVERED:
            assert taken
        case State.FAILED:
            assert tries == most
        case State.DROPPED:
            assert delivery.id in book.dropped or any(one.effect.kind is Kind.DROP for one in struck)
        case State.HELD:
            assert delivery.due_ms is None
    assert (delivery.state in (State.DROPPED, State.DELIVERED)) or delivery.id not in book.dropped


def check_rows(world: World, book: Book, in_a_row: int | None) -> None:
    """Deliveries and uploads of one task: never more faults in a row than are allowed."""
    if in_a_row is None or book.swept:
        return
    for point in (Point.WEBHOOK_ATTEMPT, Point.STORAGE_PUT):
        struck: dict[int, dict[int, bool]] = {}
        for one in world.faults.fired:
            if one.point is point:
                whose, turn = map(int, one.position.partition("#")[2].split("."))
                struck.setdefault(whose, {})[turn] = book.is_bounded(one)
        for turns in struck.values():
            row = last = 0
            for turn in sorted(turns):
                row = 0 if turn > last + 1 else row  # one in between got through
                row += turns[turn]
                last = turn
                assert row <= in_a_row
