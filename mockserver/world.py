"""A world: everything the mock knows about one API key.

Tasks, clock, fleet, seed and findings of one key never meet those of another: parallel tests share a server by using
different keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING

from mockserver.core.agenda import Agenda
from mockserver.core.chance import mix, seed_of
from mockserver.core.clock import Clock, ClockKind, ClockMode, Wall
from mockserver.core.course import NEVER_MS, Course
from mockserver.core.findings import Findings
from mockserver.core.fleet import Fleet, FleetSettings, Plan
from mockserver.core.journal import Journal
from mockserver.core.recipe import Recipe
from mockserver.core.redaction import Redactor
from mockserver.core.task import Delivery, Status, Task, TaskType
from mockserver.faults.facts import Facts
from mockserver.faults.plan import DEFAULT_IN_A_ROW, Armed, FaultPlan, Fired
from mockserver.faults.points import COURSE_POINTS
from mockserver.money.account import NO_LIMITS, Account, AccountSettings
from mockserver.money.ledger import Ledger
from mockserver.money.verdicts import Verdicts
from mockserver.parts.ids import Ids
from mockserver.parts.store import TaskStore
from mockserver.watch.memory import Memory
from mockserver.webhooks.settings import MAX_DELIVERIES, WebhookSettings

if TYPE_CHECKING:
    from typing import TypeAlias

    from mockserver.core.rehearsal import Rehearsal
    from mockserver.faults.directives import Spell
    from mockserver.faults.effects import Effect
    from mockserver.faults.fate import Fate
    from mockserver.faults.rules import Rule
    from mockserver.faults.scenario import Scenario
    from mockserver.webhooks.delivery import Try
    from mockserver.webhooks.desk import Desk

    Errand: TypeAlias = "Ending | Try"
    """What a world may have to do when its clock gets there."""

HASTY_MS = 250
"""Polls of a task that follow each other faster are hasty; the official clients poll once a second."""
SEED_BITS = 32
"""Drawn seeds are below 2**32, as the ones of every documented answer are."""


@dataclass(frozen=True, slots=True)
class Ending:
    """Errand: a task's end, which an upload or a webhook waits for."""

    task: Task


def _nobody(world: World) -> None:
    """A world by itself, as in a test of the core: nobody carries out its errands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldSettings:
    """What a world starts with, and what the control interface may change.

    Attributes:
        clock: how its clock moves.
        fleet: how fast its tasks are.
        nsfw_confidences: the classifier's answers in picture order, repeated; None: by prompt and seed.
        faults: rules in force from its start.
        in_a_row: faults in a row that an operation may suffer; None: no bound.
        account: what its account refuses.
        webhooks: how its events are delivered.
        link_ttl_s: how long links of pictures live; None: as documented.
        scenario: the situation that these settings are.
    """

    clock: ClockMode
    fleet: FleetSettings = field(default_factory=FleetSettings)
    nsfw_confidences: tuple[float, ...] | None = None
    faults: tuple[Rule, ...] = ()
    in_a_row: int | None = DEFAULT_IN_A_ROW
    account: AccountSettings = NO_LIMITS
    webhooks: WebhookSettings = field(default_factory=WebhookSettings)
    link_ttl_s: int | None = None
    scenario: Scenario | None = None


class World:
    """The state of one API key.

    Args:
        key: the API key; kept nowhere but in its fingerprint and a redacted label.
        settings: what it starts with.
        server_seed: with the key, decides ids, drawn seeds and jitter.
        wall: the time source of its clock.
        tasks: an empty store.
        ids: gives task ids.
        journal: where its calls are written.
        wake: called when its agenda or its clock has changed, for somebody to carry out what is due.
        life: the name of its present life on the tape.
        replay: effects by position, from a tape.
        on_fault: told of every fault that happens in it.
        max_deliveries: webhook deliveries that it remembers.

    Attributes:
        account: what is left of its balance and of its minute.
        agenda: what it owes the outside.
        calls: how many calls of operations and picture downloads it has seen; the tape counts by it.
        faults: what goes wrong.
        link_ttl_s: how long links of its pictures live; None: as documented.
        ledger: what its accepted submissions cost.
        memory: open questions about its client's behaviour.
        verdicts: which of them were repeats of one whose answer was lost.
        base_url: scheme and host that its client called last, for links in webhooks.
    """

    __slots__ = (
        "_desk",
        "_ids",
        "_initial",
        "_max_deliveries",
        "_on_fault",
        "_redactor",
        "_replay",
        "_settings",
        "_wake",
        "account",
        "agenda",
        "base_url",
        "calls",
        "clock",
        "created",
        "dropped",
        "faults",
        "findings",
        "fleet",
        "id",
        "journal",
        "label",
        "ledger",
        "life",
        "link_ttl_s",
        "memory",
        "seed",
        "tasks",
        "verdicts",
    )

    def __init__(
        self,
        *,
        key: str,
        settings: WorldSettings,
        server_seed: int,
        wall: Wall,
        tasks: TaskStore,
        ids: Ids,
        journal: Journal,
        wake: Callable[[World], None] = _nobody,
        life: str = "",
        replay: Mapping[str, Effect] | None = None,
        on_fault: Callable[[World, Fired], None] | None = None,
        max_deliveries: int = MAX_DELIVERIES,
    ) -> None:
        self.id = world_id(key)
        self.label = redact_key(key)
        self.seed = seed_of("world", server_seed, key)
        self._settings = settings
        self._initial = settings
        self.link_ttl_s = settings.link_ttl_s
        self.clock = Clock(wall, settings.clock)
        self.fleet = Fleet(settings.fleet, self.seed)
        self.tasks = tasks
        self.findings = Findings(clean=journal.clean)
        journal.tell = self.findings.add
        self.journal = journal
        self.created = 0
        self.dropped = 0
        self.calls = 0
        self.account = Account(settings.account)
        self.agenda: Agenda[Errand] = Agenda()
        self._desk: Desk | None = None
        self._redactor = Redactor((key.encode(),))
        self._max_deliveries = max_deliveries
        self.ledger = Ledger()
        self.memory = Memory()
        self.verdicts = Verdicts()
        self.base_url = ""
        self._ids = ids
        self._wake = wake
        self.life = life
        self._replay = replay
        self._on_fault = on_fault
        self.faults = self._new_plan()

    @property
    def settings(self) -> WorldSettings:
        """The settings in force; the clock's own verbs may have changed its mode."""
        if self._settings.clock is not self.clock.mode:
            self._settings = replace(self._settings, clock=self.clock.mode)
        return self._settings

    @property
    def desk(self) -> Desk:
        """Its webhook deliveries; made when somebody asks, so that a run without webhooks never loads it."""
        if self._desk is None:
            from mockserver.webhooks.desk import Desk

            self._desk = Desk(self.seed, self._redactor, self._max_deliveries)
        return self._desk

    def forget_deliveries(self) -> None:
        """Forgets its webhook deliveries; whoever waits for one learns of it."""
        if self._desk is not None:
            self._desk.clear()

    def submit(
        self,
        *,
        operation_id: str,
        type: TaskType,
        recipe: Recipe,
        delivery: Delivery,
        body: bytes,
        price_micro_usd: int = 0,
        spell: Spell | None = None,
        own: Sequence[Armed] = (),
        rehearsal: Rehearsal | None = None,
    ) -> Task:
        """Accepts a submission: makes its task with the plan of its whole life.

        Args:
            operation_id: the operation that was called.
            type: what the result will say it is.
            recipe: what is to be drawn; a negative seed is drawn here.
            delivery: how the outcome is handed over.
            body: the request, source pictures replaced by references.
            price_micro_usd: what it costs.
            spell: what its magic inputs ask for.
            own: the rules of that, in force.
            rehearsal: how a recorded task went that this one follows, whatever faults there are in its life.
        """
        now_ms = self.clock.now_ms()
        number = self.created
        width, height = recipe.size
        if delivery.test_status is None:
            plan = self.fleet.plan(
                now_ms=now_ms,
                number=number,
                pixel_steps=recipe.steps * width * height * recipe.count,
                queued=not delivery.dedicated,
            )
        else:
            plan = Plan(now_ms, now_ms)  # webhook test mode: nothing is done
        fate = None
        faults = self.faults
        if faults.active and not faults.points.isdisjoint(COURSE_POINTS) and delivery.test_status is None:
            fate = self._fate(plan, now_ms, Facts(operation_id=operation_id, body=body, task=number, own=own))
            plan = fate.plan
        task = Task(
            id=self._ids.task_id(self.seed, number),
            operation_id=operation_id,
            number=number,
            type=type,
            body=body,
            delivery=delivery,
            seed=recipe.seed if recipe.seed >= 0 else mix(self.seed, number) >> (64 - SEED_BITS),
            count=recipe.count,
            submitted_ms=now_ms,
            started_ms=plan.started_ms,
            finished_ms=plan.finished_ms,
            nsfw_confidences=self._settings.nsfw_confidences,
            price_micro_usd=price_micro_usd,
        )
        if delivery.test_status is Status.FAILED:
            task.outcome = Status.FAILED
            task.reason = "webhook test mode: the failure that was asked for"
        if fate is not None:
            task.course = fate.course
            if fate.reason is not None:
                task.outcome, task.reason = Status.FAILED, fate.reason
        if spell is not None:
            self._enchant(task, spell, own)
        if rehearsal is not None:
            rehearsal.cast(task)
        self.tasks.add(task)
        self.created = number + 1
        self.ledger.add(task.id, now_ms, operation_id, recipe.count, price_micro_usd)
        if not self.account.idle:
            self.account.charge(operation_id, recipe.count, price_micro_usd, now_ms)
        if delivery.webhook_url is not None or delivery.storage is not None:
            self._owe(task)
        return task

    def check_account(self, operation_id: str, pictures: int, price_micro_usd: int) -> None:
        """Passes a submission that the account allows.

        Raises:
            Refusal: it does not.
        """
        now_ms = self.clock.now_ms()

        def unfinished() -> int:
            return sum(not task.ended_at(now_ms) for task in self.tasks)

        def next_end_ms() -> int | None:
            ends = (task.finished_ms for task in self.tasks if not task.ended_at(now_ms))
            return min((end_ms for end_ms in ends if end_ms < NEVER_MS), default=None)

        self.account.check(operation_id, pictures, price_micro_usd, now_ms, unfinished, next_end_ms)

    def poll(self, task: Task) -> int:
        """A client asks for a task: the instant at which it is to be shown.

        The `auto` clock shows the first poll the present, and jumps on every further one: to the middle of the work,
        then to its end. A task of any length takes two or three polls.
        """
        clock = self.clock
        if clock.jumps and task.polls:
            milestone_ms = task.next_milestone_ms(clock.now_ms())
            if milestone_ms is not None:
                clock.jump_to(milestone_ms)
                if len(self.agenda):
                    self._wake(self)
        now_ms = clock.now_ms()
        if task.polls and now_ms - task.polled_ms < HASTY_MS and clock.mode.kind is ClockKind.REAL:
            task.hasty_polls += 1
        if now_ms >= task.finished_ms and (task.course is None or not task.course.held):
            task.ended_polls += 1
        task.polls += 1
        task.polled_ms = now_ms
        return now_ms

    def next_event_ms(self) -> int | None:
        """When something happens next to any task or falls due; None when nothing lies ahead."""
        return min(self._upcoming_ms(), default=None)

    def ahead_ms(self) -> list[int]:
        """The instants of everything that lies ahead of its tasks, and of the next errand."""
        return list(self._upcoming_ms())

    def advance_to_next_event(self) -> int | None:
        """Moves the clock to the next event and gives its instant; None when nothing lies ahead."""
        instant_ms = self.next_event_ms()
        if instant_ms is not None:
            self.clock.jump_to(instant_ms)
            self._wake(self)
        return instant_ms

    def run_until_idle(self) -> int:
        """Moves the clock to the end of the last task; gives the number of events passed.

        What the ends lead to outside begins, and is not waited for: `Errands.run_until_idle` does.
        """
        upcoming = self.ahead_ms()
        if upcoming:
            self.clock.jump_to(max(upcoming))
            self._wake(self)
        return len(upcoming)

    def enter(self, at_ms: int, errand: Errand) -> None:
        """Something is to be done for it at an instant, or now if that has passed."""
        self.agenda.enter(at_ms, errand)
        self._wake(self)

    def withdraw(self, errand: Errand) -> None:
        """Something is not to be done any more."""
        if len(self.agenda):
            self.agenda.withdraw(errand)

    def clock_moved(self) -> None:
        """Its clock was moved or runs another way: what is due is carried out."""
        self._wake(self)

    def end_task(self, task: Task, outcome: Status, reason: str = "") -> None:
        """Ends a task now; what was planned for it happens no more.

        Raises:
            ValueError: it has ended already.
        """
        now_ms, plan = self.clock.now_ms(), Plan(task.started_ms, task.finished_ms)
        task.end(now_ms, outcome, reason)
        if not task.delivery.dedicated:
            self.fleet.release(plan, now_ms)
        if task.delivery.webhook_url is not None:
            self.withdraw(Ending(task))
            self._owe(task)

    def change(self, settings: WorldSettings) -> None:
        """Takes over settings; tasks that were planned keep their plans, and the workers that they keep busy."""
        before = self.settings
        if settings.fleet != before.fleet:
            self.fleet = Fleet(settings.fleet, self.seed, self.fleet)
        if settings.clock != before.clock:
            self.clock.change(settings.clock)
            self._wake(self)
        if settings.account != before.account:
            self.account.change(settings.account)
        self._settings = settings
        self.link_ttl_s = settings.link_ttl_s

    def enact(self, settings: WorldSettings) -> None:
        """Takes over the settings of a scenario; its rules begin anew, in place of those of the one before."""
        self.faults.disarm_rules(self._settings.faults)
        self.change(settings)
        self.account.reset(settings.account)
        self.faults.in_a_row = settings.in_a_row
        self.faults.arm(settings.faults, self.clock.now_ms())

    def reset(self, tasks: TaskStore, life: str = "", replay: Mapping[str, Effect] | None = None) -> None:
        """Forgets everything: the next task gets the first id again.

        Args:
            tasks: an empty store.
            life: the name of its next life on the tape.
            replay: what a tape says of that.
        """
        self.tasks = tasks
        self.life, self._replay = life, replay
        self.agenda.clear()
        self.forget_deliveries()
        self.created = self.dropped = self.calls = 0
        self._settings = self._initial
        self.link_ttl_s = self._initial.link_ttl_s
        self.fleet = Fleet(self._initial.fleet, self.seed)
        self.clock.reset(keep_time=False)
        self.findings.clear()
        self.journal.clear()
        self.faults = self._new_plan()
        self.account.reset(self._initial.account)
        self.ledger.clear()
        self.memory.clear()
        self.verdicts.clear()

    def _new_plan(self) -> FaultPlan:
        plan = FaultPlan(self.seed, in_a_row=self._settings.in_a_row, replay=self._replay)
        if self._on_fault is not None:
            plan.on_fired = partial(self._on_fault, self)
        if self._settings.faults:
            plan.arm(self._settings.faults, self.clock.now_ms())
        return plan

    def _fate(self, plan: Plan, now_ms: int, facts: Facts) -> Fate:
        from mockserver.faults.fate import fate_of

        position = str(facts.task)
        return fate_of(plan, now_ms, lambda point: self.faults.decide(point, position, facts, now_ms))

    def _enchant(self, task: Task, spell: Spell, own: Sequence[Armed]) -> None:
        """What a request's magic inputs ask for beyond the plan of its task."""
        if spell.nsfw_confidence is not None:
            task.nsfw_confidences = (spell.nsfw_confidence,)
        if spell.link_ttl_s is not None:
            task.course = task.course or Course()
            task.course.link_ttl_s = spell.link_ttl_s
        if own:
            self.faults.committed(own, task.number, task.submitted_ms)

    def _owe(self, task: Task) -> None:
        """Somebody outside waits for a task's end."""
        if task.finished_ms < NEVER_MS:
            self.agenda.enter(task.finished_ms, Ending(task))
            self._wake(self)

    def _upcoming_ms(self) -> Iterator[int]:
        """The starts and ends that lie ahead. Looked up when asked: submits, which are many, keep no list of them."""
        now_ms = self.clock.now_ms()
        due_ms = self.agenda.next_ms()
        if due_ms is not None:
            yield due_ms
        for task in self.tasks:
            if now_ms < task.finished_ms:
                for at_ms, _ in task.events():
                    if now_ms < at_ms:
                        yield at_ms


def world_id(key: str) -> str:
    """The fingerprint of a key, by which its world is known."""
    return blake2b(key.encode(), digest_size=6).hexdigest()


def redact_key(key: str) -> str:
    """A label that tells keys apart and gives none away: `sk-a...7f` for long keys, stars for short ones."""
    return f"{key[:4]}...{key[-2:]}" if len(key) >= 12 else "*" * len(key)
