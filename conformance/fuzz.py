"""Breadth: thousands of generated calls, each judged from its bytes, each finding on the row that it breaks.

The checks ask what somebody thought of. Here Schemathesis makes the calls: the examples of the document, every single
deviation from its schemas, random bodies, and chains from a submit to its result. Valid submits order no work; where a
target offers no way to do that, only calls that must be refused are sent.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from conformance.bodies import IMG2IMG, TXT2IMG, TXT2IMG_V2
from conformance.budget import SUBMITS, Cost, cost_of
from conformance.errors import Broken, CheckEnd, NotMeasured
from conformance.findings import Finding, merged
from conformance.fuzz_bodies import Tamer
from conformance.fuzz_judge import Call, Judge
from conformance.narrowing import Narrowed, blamed, is_accepted, is_free, narrow, plain
from conformance.oracle import Oracle
from conformance.places import Places
from conformance.predicates import task_id_v3
from conformance.session import Session
from conformance.submitting import RATE_LIMIT_WAITS
from conformance.wire import Exchange
from openapi.document import Reading
from openapi.requirements import load_requirements

PHASES = ("examples", "coverage", "fuzzing", "stateful")
MOST_FAULTS = 15
"""Faults in a row (5xx, no answer) after which the server is left alone: it is down, and more would say nothing."""
MOST_UNDUE = 40
"""Pictures that a server which accepts what it should refuse may cost us."""
MOST_NARROWED = 8
"""Reasons of refusals of valid bodies that are looked for, of one operation."""
NO_COST = Cost(requests=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explored:
    """What came of it.

    Attributes:
        findings: what is wrong, one for each place and set of rows, with exchange numbers.
        notes: what was odd and breaks no row.
        cases: calls sent, by phase.
        verdicts: calls by what had to come: accepted, refused, tolerated, either.
        stopped: why it ended before its end; "" when it did not.
        errors: what kept the generator from its work; for people who look after the suite.
    """

    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    cases: dict[str, int] = field(default_factory=dict)
    verdicts: dict[str, int] = field(default_factory=dict)
    stopped: str = ""
    errors: tuple[str, ...] = ()

    @property
    def broken(self) -> list[Broken]:
        """The findings as checks would raise them."""
        return [one for finding in self.findings for one in finding.broken()]


async def explore(
    session: Session,
    *,
    seed: int,
    examples: int,
    phases: Sequence[str] = PHASES,
    operations: Collection[str] | None = None,
) -> Explored:
    """Sends generated calls.

    Args:
        seed: the same one sends the same calls, in the same order.
        examples: generated cases of each operation in the fuzzing phase; the other phases have their own number.
        phases: some of `PHASES`.
        operations: what is called; all when None.
    """
    from conformance import fuzz_engine  # hypothesis and schemathesis take a second to load

    places = Places(session.document, rows := load_requirements())
    tamer = await _tamer(session)
    wanted = [one for one in session.document.operations if operations is None or one in operations]
    asked = [one for one in wanted if await session.gone(one) is None]
    trusted = [one for one in asked if one in SUBMITS and await _takes_plain(session, one)]
    reads = [one for one in asked if one not in SUBMITS]
    free = [one for one in trusted if tamer.is_free(one) and not session.target.safe]
    judge = Judge(
        document=session.document,
        places=places,
        oracle=Oracle(session.document, rows, places),
        tamer=tamer,
        strict=session.target.strict,
        key=f"Bearer {session.target.key}",
        trusted=frozenset(free),
        tasks={id_ for exchange in session.client.log.exchanges.values() for id_ in _ids(exchange)},
    )
    settings = fuzz_engine.Settings(
        seed=seed, examples=examples, phases=phases, operations=asked, valid=[*free, *reads], key=session.target.key
    )
    line = _Line(session, judge, asyncio.get_running_loop())
    try:
        errors = await asyncio.to_thread(
            fuzz_engine.run, session.document, settings, tamer, line.send, lambda: bool(line.stopped)
        )
    except asyncio.CancelledError:
        line.stopped = "interrupted"  # the thread cannot be ended from here; it ends when it would send again
        raise
    if line.failure is not None:
        raise line.failure
    findings = [*judge.findings, *await _narrowed(session, judge, places)]
    return Explored(
        findings=merged(findings),
        notes=tuple(dict.fromkeys(re.sub(r" \(exchange \d+\)$", "", note) for note in judge.notes)),
        cases=dict(line.cases),
        verdicts=dict(judge.verdicts),
        stopped=line.stopped,
        errors=tuple(errors),
    )


class _Line:
    """Leads calls from the generator's thread to the client, which lives in the loop's.

    Log, budget and receiver are touched in the loop alone.
    """

    def __init__(self, session: Session, judge: Judge, loop: asyncio.AbstractEventLoop) -> None:
        self._session = session
        self._judge = judge
        self._loop = loop
        self._undue = 0
        self.cases: Counter[str] = Counter()
        self.stopped = ""
        self.failure: Exception | None = None

    def send(self, call: Call) -> Exchange:
        """Sends a call and judges its answer; after a stop nothing is sent any more."""
        if self.stopped:
            return Exchange(number=0, method=call.method, url=call.target, status=200, body=b"{}")
        coming = asyncio.run_coroutine_threadsafe(self._send(call), self._loop)
        try:
            return coming.result()
        except Exception as error:
            self.failure = self.failure or error  # the generator would take it for the target's and go on
            self.stopped = "a failure of the suite"
            raise

    async def _send(self, call: Call) -> Exchange:
        body = _json(call.content)
        cost = cost_of(call.operation.operation_id, body) if call.method == "POST" else NO_COST
        refusable = not call.positive
        if refusable and cost.images and not self._judge.strict and call.operation.is_valid(body, Reading.TOLERATED):
            # A lenient server may take it and draw for it; either answer would be right, and neither says anything.
            return Exchange(number=0, method=call.method, url=call.target, status=200, body=b"{}")
        self.cases[call.phase] += 1
        try:
            exchange = await self._asked(call, cost, refusable=refusable)
        except NotMeasured as end:
            self.stopped = end.reason
            return Exchange(number=0, method=call.method, url=call.target, status=200, body=b"{}")
        self._judge.take(call, exchange)
        if refusable and cost.tasks and is_accepted(call.operation.operation_id, exchange):
            self._undue += cost.images
        if self._judge.in_a_row >= MOST_FAULTS:
            self.stopped = f"{MOST_FAULTS} faults of the server in a row"
        elif self._undue >= MOST_UNDUE:
            self.stopped = f"{self._undue} pictures were ordered by submits that should have been refused"
        return exchange

    async def _asked(self, call: Call, cost: Cost, *, refusable: bool) -> Exchange:
        """Sends it, and waits where the target answers 429.

        Raises:
            NotMeasured: the waiting would take too long, or a hard stop is reached.
        """
        for _ in range(RATE_LIMIT_WAITS + 1):
            exchange = await self._session.client.generated(
                call.operation.operation_id,
                call.method,
                call.target,
                content=call.content,
                headers=call.headers,
                cost=cost,
                refusable=refusable,
                purpose=f"breadth: {call.phase}",
            )
            if exchange.status != 429:
                return exchange
            await self._session.wait_out(exchange)
        raise NotMeasured("the target answers 429 again and again")


async def _tamer(session: Session) -> Tamer:
    free_v3 = TXT2IMG if await session.gone(TXT2IMG) is None else IMG2IMG
    webhook = (await plain(session, free_v3)).get("extra", {}).get("webhook")
    zero_runs = (await plain(session, TXT2IMG_V2)).get("n_iter") == 0
    return Tamer(names=await session.names(), webhook=webhook, zero_runs=zero_runs)


async def _takes_plain(session: Session, operation_id: str) -> bool:
    """Whether the plainest submit is accepted; where it is not, a refusal of others says nothing."""
    try:
        if not await is_free(session, operation_id):
            return False
        body = await plain(session, operation_id)
        return is_accepted(operation_id, await session.ask(operation_id, body, purpose="breadth: the plainest submit"))
    except CheckEnd:
        return False


async def _narrowed(session: Session, judge: Judge, places: Places) -> list[Finding]:
    """What is to blame for refusals of valid bodies."""
    found: list[Finding] = []
    blames: dict[str, list[Narrowed]] = {}
    for refused in judge.refused:
        known = blames.setdefault(refused.operation_id, [])
        if len(known) >= MOST_NARROWED or any(one.explains(refused.body) for one in known):
            continue
        try:
            narrowed = await narrow(session, refused.operation_id, refused.body, "breadth: narrowing")
        except CheckEnd as end:
            judge.notes.append(f"a refused valid submit could not be looked into: {end}")
            break
        if narrowed is None:
            judge.notes.append(f"a valid submit was refused once: {refused.exchange.brief()}")
        else:
            known.append(narrowed)
            found.append(blamed(places, refused.operation_id, narrowed, refused.exchange))
    return found


def _ids(exchange: Exchange) -> list[str]:
    task_id = task_id_v3(exchange.json) if exchange.method == "POST" else None
    return [task_id] if task_id else []


def _json(content: bytes | None) -> object:
    try:
        return json.loads(content or b"")
    except (ValueError, RecursionError):
        return None
