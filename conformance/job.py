"""One whole run: from what was asked for to a report. The command line and the pytest plugin both start here.

Whatever happens, a report comes out: of a run that was interrupted it holds what was decided until then.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING

from conformance import SUITE_VERSION, timing
from conformance.budget import Cost, Limits, cost_of
from conformance.errors import NoClock, NotMeasured, Unreachable
from conformance.events import CheckFinished, Ending, Event, Exchanged, Listener, Noted, RunFinished, RunStarted
from conformance.predicates import task_id_v3
from conformance.redaction import redactor_for
from conformance.report.model import Report, report_of
from conformance.selection import Selection
from conformance.target import Target
from conformance.verdict import Outcome, Verdict
from openapi.document import Document, load
from openapi.requirements import Requirements, load_requirements

if TYPE_CHECKING:
    import httpx

    from conformance.client import WireLog
    from conformance.runner import Result

MOST_SCRIPTS = 40
"""Violations that get a reproduction script in one run."""
LIFE_EXAMPLES = 8
"""Programs of submits, polls and downloads in any order, when input is made up."""
SCRIPT_LIMITS = Limits(max_requests=1500, max_tasks=60, max_images=60, max_time_s=180.0)
"""What making and trying these may cost; beside the limits of the run."""
ALL_SCRIPTS_S = 60.0
"""Seconds after which no further script is begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What was asked for.

    Attributes:
        seed: of everything that is drawn.
        expected: reasons of expected failures by id.
        repro: whether violations get a script.
        fuzz: whether input is made up beyond the examples of the checks.
        options: for the report; no secret among them.
    """

    target: Target
    selection: Selection
    limits: Limits = field(default_factory=Limits)
    workers: int = 32
    seed: int = 1
    expected: Mapping[str, str] = field(default_factory=dict)
    repro: bool = False
    fuzz: bool = True
    fuzz_examples: int = 20
    options: Mapping[str, object] = field(default_factory=dict)


def perform(
    job: Job,
    listeners: Iterable[Listener] = (),
    transport: httpx.AsyncBaseTransport | None = None,
) -> Report:
    """Runs it to its end, whichever that is.

    Args:
        listeners: hear all events as they come, secrets included.
        transport: in place of the network.

    Raises:
        NoClock: the user named a clock that is not there; nothing was decided, and there is nothing to report.
    """
    rows, document = load_requirements(), load()
    events: list[Event] = []
    heard = (events.append, *listeners)

    def tell(event: Event) -> None:
        for listener in heard:
            listener(event)

    started_s = timing.now()
    tell(_started(job, document))
    stopped, ending, spent = "", Ending.COMPLETE, None
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            spent = runner.run(_decide(job, rows, document, tell, transport))
    except KeyboardInterrupt:
        stopped, ending = "interrupted", Ending.INTERRUPTED
    except Unreachable as error:
        stopped, ending = str(error), Ending.UNREACHABLE
    except NotMeasured as end:  # the budget allows not even the first look
        stopped = end.reason.removeprefix("not measured: ")
    except NoClock as error:
        tell(RunFinished(spent=Cost(), took_s=0.0, stopped=str(error), ending=Ending.CRASHED))
        raise
    except Exception as error:  # not a word on the target: what is known is reported, and that we broke
        place = traceback.extract_tb(error.__traceback__)[-1]
        stopped = f"{type(error).__name__}: {error} ({place.name} in {place.filename.rpartition('/')[2]})"
        ending = Ending.CRASHED
    tell(RunFinished(spent=spent or spent_in(events), took_s=timing.now() - started_s, stopped=stopped, ending=ending))
    return report_of(events, rows, document, redactor_for(job.target))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The faster event loop, which the base install brings for most platforms."""
    if find_spec("uvloop") is None:
        return None
    import uvloop

    return uvloop.new_event_loop


def _started(job: Job, document: Document) -> RunStarted:
    chosen = job.selection
    return RunStarted(
        target=job.target.url,
        started_at=timing.utc(),
        suite=SUITE_VERSION,
        contract=document.version,
        strict=job.target.strict,
        seed=job.seed,
        requirements=tuple(row.id for row in chosen.chosen),
        left_out=dict(chosen.left_out),
        options=dict(job.options),
        safe=job.target.safe,
        revision=chosen.revision,
        profiles=chosen.profiles,
        other_profiles=chosen.other_profiles,
        not_scored=chosen.not_scored,
        expected_failures=dict(job.expected),
    )


async def _decide(
    job: Job,
    rows: Requirements,
    document: Document,
    tell: Listener,
    transport: httpx.AsyncBaseTransport | None,
) -> Cost:
    from conformance.registry import load_checks
    from conformance.runner import Plan, run

    plan = Plan(requirements=job.selection.chosen, limits=job.limits, workers=job.workers)
    result = await run(job.target, plan, load_checks(), document, rows, (tell,), transport)
    outcomes, spent = dict(result.outcomes), result.spent
    if job.fuzz:
        spent += await _explore(job, rows, document, result, outcomes, tell, transport)
    if job.repro:
        await _reproduce(job, rows, document, outcomes, result.log, tell, transport)
    return spent


async def _explore(
    job: Job,
    rows: Requirements,
    document: Document,
    result: Result,
    outcomes: dict[str, Outcome],
    tell: Listener,
    transport: httpx.AsyncBaseTransport | None,
) -> Cost:
    """Made-up calls after the checks; what they find turns the outcome of a chosen requirement red."""
    from conformance.findings import settled
    from conformance.fuzz import explore
    from conformance.machine import explore as life_explore
    from conformance.opening import opened
    from conformance.pairs import explore as pairs_explore

    limits = job.limits.less(result.spent, result.took_s)
    if limits.max_requests == 0 or limits.max_time_s == 0:
        tell(Noted(text="no input was made up: the budget is spent"))
        return Cost()
    async with opened(job.target, document, limits=limits, log=result.log, transport=transport) as session:
        explored = await explore(session, seed=job.seed, examples=job.fuzz_examples)
        fresh = session.afresh()
        pairs = await pairs_explore(fresh, job.seed)
        life = await life_explore(fresh, job.seed, LIFE_EXAMPLES)
        before = dict(outcomes)
        outcomes |= settled(before, (*explored.findings, *pairs, *life), rows, strict=job.target.strict)
        for requirement, outcome in outcomes.items():
            if outcome is not before[requirement]:
                tell(CheckFinished(outcome=outcome))
        stopped = (f"made-up input ended early: {explored.stopped}",) if explored.stopped else ()
        for text in (*stopped, *explored.errors, *explored.notes):
            tell(Noted(text=text))
        return session.client.budget.spent


async def _reproduce(
    job: Job,
    rows: Requirements,
    document: Document,
    outcomes: Mapping[str, Outcome],
    log: WireLog,
    tell: Listener,
    transport: httpx.AsyncBaseTransport | None,
) -> None:
    from conformance.opening import opened
    from conformance.repro import reproduce

    red = [outcome for outcome in outcomes.values() if outcome.verdict is Verdict.FAIL]
    if not red:
        return
    started_s = timing.now()
    async with opened(job.target, document, limits=SCRIPT_LIMITS, transport=transport) as session:
        for outcome in red[:MOST_SCRIPTS]:
            if timing.now() - started_s > ALL_SCRIPTS_S:
                return
            tell(await reproduce(session, rows[outcome.requirement], outcome, log))


def spent_in(events: Iterable[Event]) -> Cost:
    """What the exchanges of a run cost; for a run that did not come to its own sum."""
    total = Cost()
    for event in events:
        if isinstance(event, Exchanged):
            exchange = event.exchange
            total += Cost(requests=1)
            if exchange.method == "POST" and task_id_v3(exchange.json) is not None:
                cost = cost_of(exchange.operation_id, _body(exchange.request_body))
                total += Cost(tasks=cost.tasks, images=cost.images, usd=cost.usd)
    return total


def _body(data: bytes) -> object:
    import json

    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None
