"""A world's fault plan: asked at every point, it says whether something happens there and what.

Decisions are functions of the world's seed, the rule and how often it was asked; each that lets something happen is
written on the tape with its position, so that a run is repeated without the rules. Positions say where in the world's
own history a decision fell (`result#17` is its 17th call), so other worlds cannot move them.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mockserver.core.chance import seed_of, unit
from mockserver.faults.points import ANSWERS, COURSE, Point

if TYPE_CHECKING:
    from mockserver.faults.effects import Effect
    from mockserver.faults.facts import Facts
    from mockserver.faults.rules import Rule

DEFAULT_IN_A_ROW = 3
"""Faults in a row that an operation of a world may suffer, so that a client that retries gets through."""
MAX_FIRED = 10_000
"""How many of the faults that happened a world remembers, and the tape of it."""
MAX_TASKS = 10_000
"""Tasks with rules of their own that are remembered."""
MAX_REQUESTS = 1_000
"""Requests with rules of their own that are remembered until they are answered."""
MAX_STREAKS = 1_000
"""Operations and tasks whose faults in a row are counted."""
OWN = 0
"""The id of rules that a request asked for itself."""

_SUBMITTING = frozenset((Point.SUBMIT_BEFORE, Point.SUBMIT_AFTER_COMMIT, Point.WEBHOOK_BEFORE_REPLY, *COURSE))
"""Points that a submission passes; what a request asks for at others concerns its task."""
_EVERYWHERE = frozenset(Point)
_NOWHERE: frozenset[Point] = frozenset()
_BOUND = frozenset((*ANSWERS, Point.WEBHOOK_ATTEMPT, Point.STORAGE_PUT))
"""Points where a client, or we ourselves, try again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fired:
    """A fault that happened.

    Attributes:
        at_ms: the world's instant.
        position: where in the world's history, as the tape has it.
        operation_id: whose call or task it was.
        rule: id of the rule, 0 for one that the request asked for itself; None when the tape decided.
    """

    at_ms: int
    point: Point
    position: str
    operation_id: str
    rule: int | None
    effect: Effect


class Armed:
    """A rule in force.

    Attributes:
        id: within its world.
        since_ms: the world's instant when it was armed.
        asked: how often everything fitted. fired: how often it happened.
    """

    __slots__ = ("asked", "fired", "id", "rule", "seed", "since_ms")

    def __init__(self, id: int, rule: Rule, since_ms: int, seed: int) -> None:
        self.id = id
        self.rule = rule
        self.since_ms = since_ms
        self.seed = seed
        self.asked = 0
        self.fired = 0

    def happens(self, facts: Facts, now_ms: int) -> bool:
        """Whether it happens this time; counts."""
        rule = self.rule
        since_ms = now_ms - self.since_ms
        if rule.after_ms is not None and since_ms < rule.after_ms:
            return False
        if rule.until_ms is not None and since_ms >= rule.until_ms:
            return False
        if not rule.match.fits(facts):
            return False
        self.asked += 1
        if rule.nth is not None and self.asked != rule.nth:
            return False
        if rule.every is not None and self.asked % rule.every:
            return False
        if rule.times is not None and self.fired >= rule.times:
            return False
        return rule.probability is None or unit(self.seed, self.asked) < rule.probability

    @property
    def spent(self) -> bool:
        """Whether it can never happen again."""
        rule = self.rule
        return (rule.nth is not None and self.asked >= rule.nth) or (
            rule.times is not None and self.fired >= rule.times
        )


class FaultPlan:
    """What goes wrong in one world.

    Args:
        seed: the world's; decides chances.
        in_a_row: faults in a row that an operation may suffer; None: no bound.
        replay: effects by position, from a tape; rules decide nothing then.

    Attributes:
        active: whether anything can happen.
        points: where it can; a call asks at no other, so that rules elsewhere cost it nothing.
        streaks: faults in a row, by what they happened to.
        fired: the faults that happened, newest `MAX_FIRED` kept. total: how many in all.
        suppressed: how many did not happen because of the bound.
        on_fired: told of every fault that happens.
    """

    __slots__ = (
        "_armed", "_by_request", "_by_task", "_next_id", "_replay", "_seed", "active", "fired", "in_a_row",
        "on_fired", "points", "streaks", "suppressed", "total",
    )  # fmt: skip

    def __init__(
        self, seed: int, *, in_a_row: int | None = DEFAULT_IN_A_ROW, replay: Mapping[str, Effect] | None = None
    ) -> None:
        self._seed = seed
        self._replay = replay
        self.in_a_row = in_a_row
        self._armed: dict[int, Armed] = {}
        self._by_request: OrderedDict[bytes, list[Armed]] = OrderedDict()
        self._by_task: dict[int, list[Armed]] = {}
        self.streaks: dict[str, int] = {}
        self._next_id = 1
        self.fired: deque[Fired] = deque(maxlen=MAX_FIRED)
        self.total = 0
        self.suppressed = 0
        self.on_fired: Callable[[Fired], None] | None = None
        self.active = bool(replay)
        self.points = _EVERYWHERE if replay else _NOWHERE

    @property
    def replaying(self) -> bool:
        """Whether a tape decides."""
        return self._replay is not None

    @property
    def armed(self) -> list[Armed]:
        """The rules in force, oldest first; those of single tasks apart."""
        return list(self._armed.values())

    def arm(self, rules: Iterable[Rule], now_ms: int) -> list[Armed]:
        """Puts rules in force."""
        made = [self._make(rule, now_ms) for rule in rules]
        self._armed.update((armed.id, armed) for armed in made)
        self._look()
        return made

    def arm_once(self, rule: Rule, now_ms: int) -> None:
        """Puts a rule in force, unless an equal one is."""
        if all(armed.rule != rule for armed in self._armed.values()):
            self.arm((rule,), now_ms)

    def own_rules(self, request: bytes, rules: Sequence[Rule], now_ms: int) -> Sequence[Armed]:
        """The rules that a request asks for itself, counted on when it is sent again.

        Args:
            request: its digest.
            rules: what it asks for.
            now_ms: the world's instant.
        """
        own = self._by_request.get(request)
        if own is None:
            own = self._by_request[request] = [
                Armed(OWN, rule, now_ms, seed_of("request", self._seed, request.hex(), index))
                for index, rule in enumerate(rules)
            ]
            while len(self._by_request) > MAX_REQUESTS:
                self._by_request.popitem(last=False)
            self._look()
        return own

    def committed(self, own: Sequence[Armed], number: int, now_ms: int) -> None:
        """A request's task was made: what it asks for beyond its submission concerns that task from now on."""
        later = [armed.rule for armed in own if armed.rule.point not in _SUBMITTING]
        if later:
            self._by_task[number] = [
                Armed(OWN, rule, now_ms, seed_of("task", self._seed, number, index)) for index, rule in enumerate(later)
            ]
            while len(self._by_task) > MAX_TASKS:
                del self._by_task[next(iter(self._by_task))]
            self._look()

    def answered(self, request: bytes) -> None:
        """A request got its answer: the next one that says the same begins anew."""
        self._by_request.pop(request, None)
        self._look()

    def disarm(self, id: int) -> bool:
        """Takes a rule out of force; whether there was one."""
        found = self._armed.pop(id, None) is not None
        self._look()
        return found

    def disarm_rules(self, rules: Iterable[Rule]) -> None:
        """Takes those of some rules out of force that are in it, each once."""
        for rule in rules:
            id = next((armed.id for armed in self._armed.values() if armed.rule == rule), None)
            if id is not None:
                self.disarm(id)

    def disarm_all(self) -> int:
        """Takes all rules out of force; how many there were."""
        count = len(self._armed) + sum(map(len, (*self._by_task.values(), *self._by_request.values())))
        self._armed.clear()
        self._by_task.clear()
        self._by_request.clear()
        self.streaks.clear()
        self._look()
        return count

    def decide(self, point: Point, position: str, facts: Facts, now_ms: int) -> Effect | None:
        """Whether something happens, and what.

        Args:
            point: where.
            position: where in the world's history: the call's number, the task's, the task's and the attempt's.
            facts: what rules can match.
            now_ms: the world's instant.
        """
        where = f"{point.value}#{position}"
        if self._replay is not None:
            effect = self._replay.get(where)
            if effect is not None:
                self._happened(now_ms, point, where, facts, None, effect)
            return effect
        for armed in self._candidates(facts):
            if armed.rule.point is point and armed.happens(facts, now_ms):
                if armed.rule.bounded and point in _BOUND:
                    streak = self._streak(point, facts)
                    in_a_row = self.streaks.get(streak, 0)
                    if self.in_a_row is not None and in_a_row >= self.in_a_row:
                        self.suppressed += 1
                        continue
                    self._count(streak, in_a_row + 1)
                armed.fired += 1
                draws = _Draws(seed_of("draw", armed.seed, where))
                effect = armed.rule.effect.resolved(draws)
                self._happened(now_ms, point, where, facts, armed.id, effect)
                return effect
        return None

    def passed(self, point: Point, facts: Facts) -> None:
        """Nothing happened to a call, an attempt or an upload: the faults in a row are counted from 0 again."""
        if self.streaks:
            self.streaks.pop(self._streak(point, facts), None)
            self._look()

    def _make(self, rule: Rule, now_ms: int) -> Armed:
        id, self._next_id = self._next_id, self._next_id + 1
        return Armed(id, rule, now_ms, seed_of("rule", self._seed, id))

    def _candidates(self, facts: Facts) -> Iterator[Armed]:
        if facts.own:
            yield from facts.own
        elif facts.task is not None and facts.task in self._by_task:
            yield from self._by_task[facts.task]
        yield from self._armed.values()

    def _happened(self, now_ms: int, point: Point, where: str, facts: Facts, rule: int | None, effect: Effect) -> None:
        self.total += 1
        fired = Fired(
            at_ms=now_ms,
            point=point,
            position=where,
            operation_id=facts.operation_id,
            rule=rule,
            effect=effect,
        )
        self.fired.append(fired)
        if self.on_fired is not None:
            self.on_fired(fired)

    @staticmethod
    def _streak(point: Point, facts: Facts) -> str:
        if point in (Point.DOWNLOAD, Point.WEBHOOK_ATTEMPT, Point.STORAGE_PUT):
            return f"{point.value} of task {facts.task}" if point is not Point.DOWNLOAD else point.value
        return facts.operation_id

    def _count(self, streak: str, in_a_row: int) -> None:
        """Counts a fault in a row. Those of a task that is never tried again stay until they are the oldest."""
        self.streaks.pop(streak, None)
        self.streaks[streak] = in_a_row
        if len(self.streaks) > MAX_STREAKS:
            del self.streaks[next(iter(self.streaks))]

    def _look(self) -> None:
        self.active = bool(self._armed or self._by_task or self._by_request or self.streaks or self._replay)
        if self._replay or self._by_task or self._by_request:
            self.points = _EVERYWHERE
        else:
            self.points = frozenset(armed.rule.point for armed in self._armed.values())


class _Draws:
    """Numbers in [0, 1) of a seed, one after the other."""

    __slots__ = ("_n", "_seed")

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._n = 0

    def __call__(self) -> float:
        self._n += 1
        return unit(self._seed, self._n)
