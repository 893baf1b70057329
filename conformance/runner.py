"""Runs checks against a target: phase by phase, side by side within one, each after what it needs.

A check that ends red is tried once more with fresh tasks; only one that is red twice stays red.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx

from conformance import timing
from conformance.budget import Cost, Limits
from conformance.client import WireLog
from conformance.connections import Connections
from conformance.errors import Broken, CheckEnd, NotApplicable, NotMeasured, RouteGone, Unreachable
from conformance.events import CheckFinished, Event, Exchanged, Listener, Noted
from conformance.ledger import Ledger
from conformance.opening import opened
from conformance.oracle import apply
from conformance.registry import Check, Phase, Registry
from conformance.session import Session
from conformance.target import Target
from conformance.trial import Trial
from conformance.verdict import Outcome, Verdict
from conformance.wire import asking
from openapi.document import Document
from openapi.requirements import Keyword, Requirement, Requirements

_HOLDS = (Verdict.NOT_APPLICABLE, Verdict.PASS)
_SIDE_BY_SIDE = ((Phase.NORMAL, Phase.RETRIES), (Phase.EXPIRY,), (Phase.LIMITS,), (Phase.LAST,))
"""Phases without a virtual clock: who waits for retries moves nothing then, and waits beside the others."""
SOFT = (Keyword.SHOULD, Keyword.SHOULD_NOT, Keyword.MAY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of a run, by requirement."""

    outcomes: Mapping[str, Outcome]
    log: WireLog
    ledger: Ledger
    spent: Cost
    took_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to run.

    Attributes:
        requirements: rows to decide, in the order of the file.
        workers: checks under way at the same time.
        again: whether a red check is tried once more.
    """

    requirements: tuple[Requirement, ...]
    limits: Limits = field(default_factory=Limits)
    workers: int = 32
    again: bool = True


async def run(
    target: Target,
    plan: Plan,
    registry: Registry,
    document: Document,
    rows: Requirements,
    listeners: Iterable[Listener] = (),
    transport: httpx.AsyncBaseTransport | Connections | None = None,
) -> Result:
    """Decides requirements.

    Args:
        rows: all requirements, for those that are blamed without being chosen.
        listeners: hear every exchange and every outcome.
        transport: in place of the network.

    Raises:
        Unreachable: nobody answers at the target's address.
        NoClock: the user named a clock that is not there.
    """
    heard = tuple(listeners)

    def tell(event: Event) -> None:
        for listener in heard:
            listener(event)

    started_s, log = timing.now(), WireLog()
    log.listeners.append(lambda exchange: tell(Exchanged(exchange=exchange)))
    async with opened(target, document, limits=plan.limits, log=log, transport=transport) as session:
        if session.clock is None:
            where = f"answers at {target.control}" if target.control else "is used (--clock PREFIX names one)"
            tell(Noted(text=f"the run goes in real time: no virtual clock {where}"))
        judge = _Judge(plan, registry, session, rows, tell)
        await judge.all(plan.requirements)
        if plan.again:
            await judge.again(session.afresh())
        judge.convict()
        judge.hold_to_document(log, document)
        for text in dict.fromkeys(session.client.notes):
            tell(Noted(text=text))
    return Result(
        outcomes=judge.outcomes,
        log=log,
        ledger=session.ledger,
        spent=session.client.budget.spent,
        took_s=timing.now() - started_s,
    )


def outcome_of(row: Requirement, broken: Broken, *, strict: bool) -> Outcome:
    """What it means that a requirement does not hold: a warning for a SHOULD, unless the judge is strict."""
    soft = row.keyword in SOFT and not strict
    return Outcome(
        requirement=row.id,
        verdict=Verdict.WARN if soft else Verdict.FAIL,
        message=row.text,
        expected=broken.expected,
        actual=broken.actual,
        because=row.contradictions,
        exchanges=broken.exchanges,
        claims=tuple((number, claim.data) for number, claim in broken.claims),
    )


def site_of(end: BaseException) -> str:
    """Where a check was when it ended: module and line of its last step below `checks`, "" outside of checks."""
    steps = [step for step in traceback.extract_tb(end.__traceback__) if Path(step.filename).parent.name == "checks"]
    return f"{Path(steps[-1].filename).stem}:{steps[-1].lineno}" if steps else ""


def _disclaimed(row: Requirement, claims: Mapping[str, bool], document: Document) -> str:
    """Why a requirement is not to be judged: its profile, or the only operations that it speaks of; "" if it is."""
    if claims.get(row.profile) is False:
        return row.profile
    operations = dict.fromkeys(name.partition(":")[0] for name in row.names)
    named = [name for name in operations if name in document.operations]
    return ", ".join(named) if named and all(claims.get(name) is False for name in named) else ""


class _Judge:
    """Runs checks and turns how they end into outcomes."""

    def __init__(self, plan: Plan, registry: Registry, session: Session, rows: Requirements, tell: Listener) -> None:
        self._plan = plan
        self._registry = registry
        self._session = session
        self._strict = session.target.strict
        self._all_rows = rows
        self._rows = {row.id: row for row in rows}
        self._tell = tell
        self._waiting: dict[str, asyncio.Future[Outcome]] = {}
        self.outcomes: dict[str, Outcome] = {}

    async def all(self, requirements: Iterable[Requirement]) -> None:
        """Decides each requirement, phase by phase."""
        chosen = {row.id: row for row in requirements}
        loop = asyncio.get_running_loop()
        checks: list[Check] = []
        for row in chosen.values():
            if not row.observable:
                self._settle(Outcome(requirement=row.id, verdict=Verdict.NOT_APPLICABLE, message=row.unobservable))
            elif row.id not in self._registry:
                self._settle(Outcome(requirement=row.id, verdict=Verdict.ERROR, message="no check is bound to it"))
            else:
                checks.append(self._registry[row.id])
                self._waiting[row.id] = loop.create_future()
        gate = asyncio.Semaphore(self._plan.workers)
        for phases in _SIDE_BY_SIDE if self._session.clock is None else [(phase,) for phase in Phase]:
            due = [check for check in checks if check.phase in phases]
            # Who waits longest comes first, with what it needs.
            slow = [check for check in due if check.phase > phases[0]]
            needed = {check.requirement for check in slow}.union(*(check.needs for check in slow))
            due.sort(key=lambda check: check.requirement not in needed)
            await asyncio.gather(*(self._one(check, gate) for check in due))

    async def again(self, session: Session) -> None:
        """Tries the red ones once more, with fresh tasks, and what was blocked by something that holds elsewhere."""
        red = [one for one in self.outcomes.values() if one.verdict is Verdict.FAIL or self._strangely_blocked(one)]
        self._session = session
        for phase in Phase:
            if phase is Phase.LAST:
                continue  # it judges what lies in the log, and that has not changed
            of_phase = [outcome for outcome in red if self._registry[outcome.requirement].phase is phase]
            second = await asyncio.gather(*(self._judge(self._registry[one.requirement]) for one in of_phase))
            for first, then in zip(of_phase, second, strict=True):
                if then.verdict.green:
                    message = f"red at first ({first.actual}), not red when tried again"
                    self._settle(replace(then, verdict=Verdict.UNSTABLE, message=message, first=first))
                elif then.verdict is first.verdict:
                    self._settle(replace(then, first=first))

    def convict(self) -> None:
        """A requirement that holds where its own check looks, and not where another one does, is broken there."""
        for outcome in [one for one in self.outcomes.values() if self._strangely_blocked(one)]:
            row = self._rows[outcome.blocked_by]
            found = Broken(row.id, outcome.expected, outcome.actual, outcome.exchanges)
            told = outcome_of(row, found, strict=self._strict)
            self._settle(replace(told, claims=outcome.claims, site=outcome.site, first=outcome.first))

    def _strangely_blocked(self, outcome: Outcome) -> bool:
        """Whether a check was blocked by a requirement whose own check has passed."""
        other = self.outcomes.get(outcome.blocked_by)
        return outcome.verdict is Verdict.BLOCKED and other is not None and other.verdict in _HOLDS

    def hold_to_document(self, log: WireLog, document: Document) -> None:
        """What the document says of answers, and no check has seen: a look at every one of them."""
        found = apply(self.outcomes, log, self._all_rows, document, self._strict)
        for requirement, outcome in found.items():
            if outcome is not self.outcomes[requirement]:
                self._settle(outcome)

    async def _one(self, check: Check, gate: asyncio.Semaphore) -> None:
        # What a later phase decides cannot be waited for; the helpers that a check uses blame it all the same.
        needed = [
            self._waiting[need]
            for need in check.needs
            if need in self._waiting and self._registry[need].phase <= check.phase
        ]
        if needed:
            for outcome in await asyncio.gather(*needed):
                if outcome.verdict is Verdict.UNTESTABLE:  # what kept that one from being measured keeps this one
                    self._finish(
                        Outcome(requirement=check.requirement, verdict=outcome.verdict, message=outcome.message)
                    )
                    return
                if not outcome.verdict.green:
                    root = outcome.blocked_by or outcome.requirement
                    message = f"cannot be judged while {root} does not hold"
                    self._finish(
                        Outcome(
                            requirement=check.requirement, verdict=Verdict.BLOCKED, message=message, blocked_by=root
                        )
                    )
                    return
        async with gate:
            self._finish(await self._judge(check))

    def _finish(self, outcome: Outcome) -> None:
        self._settle(outcome)
        self._waiting[outcome.requirement].set_result(outcome)

    def _settle(self, outcome: Outcome) -> None:
        self.outcomes[outcome.requirement] = outcome
        self._tell(CheckFinished(outcome=outcome))

    async def _judge(self, check: Check) -> Outcome:
        """Runs one check."""
        row = self._rows[check.requirement]
        asking.set(row.id)  # gather gave this check a context of its own
        trial = Trial(row, self._session)
        started_s = timing.now()
        disclaimed = _disclaimed(row, self._session.target.claims, self._session.document)
        if disclaimed:
            message = f"the capabilities file disclaims {disclaimed}"
            return Outcome(requirement=row.id, verdict=Verdict.NOT_APPLICABLE, message=message)
        try:
            with self._session.ledger.check(row.id):
                await check.run(trial)
            outcome = self._held(row, trial)
        except CheckEnd as end:
            outcome = replace(self._ended(row, end), site=site_of(end))
        except Unreachable:
            raise
        except Exception as error:  # whatever else a check raises is a mistake of ours, and no word on the target
            place = traceback.extract_tb(error.__traceback__)[-1]
            said = f"{type(error).__name__}: {error} ({place.name}, line {place.lineno})"
            outcome = Outcome(requirement=row.id, verdict=Verdict.ERROR, message=said)
        return replace(outcome, branches=tuple(trial.branches), took_s=timing.now() - started_s)

    def _held(self, row: Requirement, trial: Trial) -> Outcome:
        if not trial.tolerances:
            return Outcome(requirement=row.id, verdict=Verdict.PASS, message="; ".join(trial.branches))
        what, because, seen = trial.tolerances[0]
        more = f" (and {len(trial.tolerances) - 1} more)" if len(trial.tolerances) > 1 else ""
        return Outcome(
            requirement=row.id,
            verdict=Verdict.FAIL if self._strict else Verdict.WARN,
            message=f"tolerated: {what}{more}",
            expected=row.text,
            actual=what + more,
            because=because,
            exchanges=seen,
        )

    def _ended(self, row: Requirement, end: CheckEnd) -> Outcome:
        match end:
            case Broken(requirement=broken) if broken != row.id:
                return Outcome(
                    requirement=row.id,
                    verdict=Verdict.BLOCKED,
                    message=f"{broken} does not hold: expected {end.expected}, got {end.actual}",
                    expected=end.expected,
                    actual=end.actual,
                    blocked_by=broken,
                    exchanges=end.exchanges,
                    claims=tuple((number, claim.data) for number, claim in end.claims),
                )
            case Broken():
                return outcome_of(row, end, strict=self._strict)
            case RouteGone(operation_id=operation_id):
                return self._gone(row, operation_id, end)
            case NotApplicable(reason=reason):
                return Outcome(requirement=row.id, verdict=Verdict.NOT_APPLICABLE, message=reason)
            case NotMeasured(reason=reason):
                return Outcome(requirement=row.id, verdict=Verdict.UNTESTABLE, message=reason)
        raise AssertionError(f"an end that nobody knows: {end!r}")

    def _gone(self, row: Requirement, operation_id: str, end: RouteGone) -> Outcome:
        claimed = self._session.target.claims.get(operation_id)
        verdict = {True: Verdict.FAIL, False: Verdict.NOT_APPLICABLE, None: Verdict.UNTESTABLE}[claimed]
        said = f"{end}; it was claimed" if claimed else str(end)
        return Outcome(
            requirement=row.id,
            verdict=verdict,
            message=said,
            expected=f"the operation {operation_id}",
            actual=f"{operation_id} {end.seen}",
            because=("C50",),
        )
