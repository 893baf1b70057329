"""Judges a webhook receiver from outside: sends it real events and looks at what it answers.

The checks are the rows of `mockserver.webhooks.audit_checks`, explained in docs/webhook-audit.md. What a receiver does
with an event cannot be seen from here: that a repeat was answered is checked, that it was not worked on twice is not.
"""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import orjson

from mockserver.core.task import Status
from mockserver.outbound.guard import shown_url
from mockserver.outbound.sender import ErrorKind, Outcome, Outgoing, Sender
from mockserver.parts.ids import SeededIds
from mockserver.webhooks.audit_checks import (
    AT_ONCE,
    CONCURRENT,
    CONTRADICTION,
    FAILED_TASK,
    GET,
    IN_TIME,
    LARGE,
    REDIRECT,
    REPEAT,
    SIGNED,
    TAKES,
    UNKNOWN_EVENT,
    UNKNOWN_FIELDS,
    Check,
)
from mockserver.webhooks.event import event_body, made_up_payload
from mockserver.webhooks.signature import PREFIX, Signer

ALLOWED_S = 5.0
"""What the documentation gives a receiver."""
PATIENCE = 3
"""The first answer is waited for so many times as long, so that a late one can be measured."""
LARGE_BYTES = 1024 * 1024

FORGED = PREFIX + b64encode(b"a key that the receiver never saw").decode()


class Verdict(StrEnum):
    """What a check says."""

    PASS = "pass"
    FAIL = "fail"
    NOTE = "note"
    UNDECIDED = "undecided"


class NotAllowed(ValueError):
    """The receiver's address is none, or may not be called."""


class Unreachable(Exception):
    """Nobody took a connection there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One request of the audit, and what came of it."""

    method: str
    size: int
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a check found.

    Attributes:
        message: what was seen.
        attempts: what it sent; none for those that look at all.
    """

    check: Check
    verdict: Verdict
    message: str
    attempts: tuple[Attempt, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the audit found.

    Attributes:
        url: the receiver, without secrets.
        allowed_s: how long an answer may take.
        results: of every check that was made, by code.
    """

    url: str
    allowed_s: float
    results: tuple[Result, ...]

    @property
    def findings(self) -> list[Result]:
        """The checks that failed."""
        return [result for result in self.results if result.verdict is Verdict.FAIL]

    @property
    def attempts(self) -> list[Attempt]:
        """Everything that was sent."""
        return [attempt for result in self.results for attempt in result.attempts]


@dataclass(slots=True, kw_only=True)
class Audit:
    """One audit of one receiver.

    Attributes:
        url: where events go.
        sender: sends them.
        wall: milliseconds since the epoch, for the events' times and signatures.
        seed: decides the made-up task ids; another one for each audit, so that a receiver knows none of them.
        allowed_s: how long an answer may take, in seconds.
        headers: sent along with every event.
        signer: signs the events; without one, NV512 is left out.
        task_id: a lower-case UUID to use for every event, for receivers that refuse tasks that they did not submit.
    """

    url: str
    sender: Sender
    wall: Callable[[], int]
    seed: int
    allowed_s: float = ALLOWED_S
    headers: Mapping[str, str] = field(default_factory=dict)
    signer: Signer | None = None
    task_id: str | None = None
    _made: list[Result] = field(default_factory=list, init=False)
    _events: int = field(default=0, init=False)

    async def run(self) -> Report:
        """Sends everything and judges it.

        Raises:
            NotAllowed: the address is malformed, or its target is refused.
            Unreachable: the first event found nobody.
        """
        good = self._event()
        first = await self._post(good, patience=PATIENCE)
        _check_reached(first.outcome)
        self._judge(TAKES, [first])
        if first.outcome.status is None and first.outcome.error is ErrorKind.TIMEOUT:
            silent = (REPEAT, UNKNOWN_EVENT, FAILED_TASK, LARGE, CONCURRENT, CONTRADICTION, UNKNOWN_FIELDS)
            for check in silent:
                self._add(check, Verdict.UNDECIDED, "not sent: the receiver did not answer the first event")
        else:
            await self._send_the_rest(good)
        self._look_at_all()
        results = tuple(sorted(self._made, key=lambda result: result.check.code))
        return Report(url=shown_url(self.url), allowed_s=self.allowed_s, results=results)

    async def _send_the_rest(self, good: _Event) -> None:
        self._judge(REPEAT, [await self._post(good)])
        self._judge(UNKNOWN_EVENT, [await self._post(self._event(event_type="ANOTHER_EVENT"))])
        self._judge(FAILED_TASK, [await self._post(self._event(Status.FAILED))])
        self._judge(UNKNOWN_FIELDS, [await self._post(self._strange_event())])
        task_id = self._next_id()
        said = [await self._post(self._event(status, task_id=task_id)) for status in (Status.SUCCEED, Status.FAILED)]
        self._judge(CONTRADICTION, said)
        event = self._event()
        self._judge(CONCURRENT, await asyncio.gather(*(self._post(event) for _ in range(AT_ONCE))))
        if self.signer is not None:
            self._judge_forged(await self._post(self._event(), signer=Signer(FORGED)))
        self._judge_get(await self._send("GET", b"", {}, "get"))
        self._judge(LARGE, [await self._post(self._large_event())])  # last: it is what receivers die of

    # What is sent

    def _event(self, outcome: Status = Status.SUCCEED, *, task_id: str = "", **options: Any) -> _Event:
        return self._wrapped(self._payload(outcome, task_id), **options)

    def _payload(self, outcome: Status, task_id: str = "", **options: Any) -> dict[str, Any]:
        return made_up_payload(
            task_id=task_id or self._next_id(),
            outcome=outcome,
            url=self.url,
            now_ms=self.wall(),
            seed=self.seed % 2**32,
            reason="audit: a failure that was made up",
            **options,
        )

    def _wrapped(self, payload: Mapping[str, Any], **options: Any) -> _Event:
        self._events += 1
        return _Event(f"audit-{self.seed}-{self._events}", event_body(payload, **options))

    def _strange_event(self) -> _Event:
        payload = self._payload(Status.SUCCEED)
        for place in (payload, payload["extra"], payload["task"], *payload["images"]):
            place["field_of_tomorrow"] = {"value": [1, None, "x"]}
        event = self._wrapped(payload)
        return _Event(event.id, orjson.dumps({**orjson.loads(event.body), "field_of_tomorrow": 1}))

    def _large_event(self) -> _Event:
        words = "a quiet harbour at dawn, boats in the mist, "
        asked = {"model": "sd_xl_base_1.0.safetensors", "prompts": [words * (LARGE_BYTES // len(words) + 1)]}
        return self._wrapped(self._payload(Status.SUCCEED, pictures=8, request_info=json.dumps(asked)))

    def _next_id(self) -> str:
        self._events += 1
        return self.task_id or SeededIds().task_id(self.seed, self._events)

    async def _post(self, event: _Event, *, patience: int = 1, signer: Signer | None = None) -> Attempt:
        headers = dict(self.headers)
        if "content-type" not in map(str.lower, headers):
            headers["Content-Type"] = "application/json"
        signer = signer or self.signer
        if signer is not None:
            headers |= signer.headers(id=event.id, instant_ms=self.wall(), body=event.body)
        return await self._send("POST", event.body, headers, event.id, patience)

    async def _send(self, method: str, body: bytes, headers: Mapping[str, str], id: str, patience: int = 1) -> Attempt:
        outgoing = Outgoing(url=self.url, method=method, headers=headers, body=body, id=id)
        outcome = await self.sender.send(outgoing, timeout_s=self.allowed_s * patience)
        return Attempt(method=method, size=len(body), outcome=outcome)

    # What is made of it

    def _add(self, check: Check, verdict: Verdict, message: str, attempts: Iterable[Attempt] = ()) -> None:
        self._made.append(Result(check=check, verdict=verdict, message=message, attempts=tuple(attempts)))

    def _judge(self, check: Check, attempts: Sequence[Attempt]) -> None:
        """A check passes when each answer is 2xx in time; lateness and redirects are findings of their own checks."""
        outcomes = [attempt.outcome for attempt in attempts]
        bad = [one for one in outcomes if not one.ok and one.error is not ErrorKind.TIMEOUT and not _redirects(one)]
        if bad:
            count = f" ({len(bad)} of {len(outcomes)} deliveries)" if len(outcomes) > 1 else ""
            self._add(check, Verdict.FAIL, _seen(bad[0]) + count, attempts)
        elif any(map(_redirects, outcomes)):
            self._add(check, Verdict.UNDECIDED, f"redirected ({REDIRECT.code})", attempts)
        elif any(map(self._late, outcomes)):
            self._add(check, Verdict.UNDECIDED, f"answered late ({IN_TIME.code})", attempts)
        else:
            self._add(check, Verdict.PASS, _seen(outcomes[-1]), attempts)

    def _judge_forged(self, attempt: Attempt) -> None:
        outcome = attempt.outcome
        if outcome.status is not None and 400 <= outcome.status < 500:
            self._add(SIGNED, Verdict.PASS, _seen(outcome), [attempt])
        elif outcome.error is ErrorKind.TIMEOUT or _redirects(outcome):
            self._add(SIGNED, Verdict.UNDECIDED, _seen(outcome), [attempt])
        else:
            self._add(SIGNED, Verdict.FAIL, f"{_seen(outcome)}; expected 401 or another 4xx", [attempt])

    def _judge_get(self, attempt: Attempt) -> None:
        outcome = attempt.outcome
        fine = outcome.status is not None and outcome.status < 500
        self._add(GET, Verdict.PASS if fine else Verdict.NOTE, _seen(outcome), [attempt])

    def _look_at_all(self) -> None:
        outcomes = [attempt.outcome for result in self._made for attempt in result.attempts if attempt.method == "POST"]
        slowest = max(outcomes, key=lambda outcome: outcome.elapsed_ms)
        late = [outcome for outcome in outcomes if self._late(outcome)]
        silent = slowest.error is ErrorKind.TIMEOUT
        took = f"{'no whole answer within' if silent else 'slowest answer after'} {_seconds(slowest.elapsed_ms)}"
        if late:
            took += f"; {self.allowed_s:g} s are allowed ({len(late)} of {len(outcomes)} deliveries)"
        self._add(IN_TIME, Verdict.FAIL if late else Verdict.PASS, took)
        moved = [outcome for outcome in outcomes if _redirects(outcome)]
        if moved:
            self._add(REDIRECT, Verdict.FAIL, f"{_seen(moved[0])} to {_place(moved[0])}; nothing was sent there")
        else:
            self._add(REDIRECT, Verdict.PASS, "none")

    def _late(self, outcome: Outcome) -> bool:
        return outcome.error is ErrorKind.TIMEOUT or outcome.elapsed_ms > self.allowed_s * 1000


@dataclass(frozen=True, slots=True)
class _Event:
    """An event with the id that all its deliveries share."""

    id: str
    body: bytes


def _check_reached(outcome: Outcome) -> None:
    match outcome.error:
        case ErrorKind.REFUSED_TARGET | ErrorKind.BAD_URL | ErrorKind.BAD_REQUEST:
            raise NotAllowed(outcome.message)
        case ErrorKind.RESOLVE | ErrorKind.CONNECT | ErrorKind.TLS | ErrorKind.INTERNAL:
            raise Unreachable(outcome.message)


def _redirects(outcome: Outcome) -> bool:
    return outcome.status is not None and 300 <= outcome.status < 400


def _seen(outcome: Outcome) -> str:
    if outcome.error is None:
        return f"answered {outcome.status} after {_seconds(outcome.elapsed_ms)}"
    status = f"answered {outcome.status}, then: " if outcome.status is not None else ""
    return f"{status}{outcome.error.value}, {outcome.message}"


def _place(outcome: Outcome) -> str:
    """Where a redirect leads, without secrets."""
    location = outcome.answer_headers.get("location", "")
    if location.lower().startswith(("http://", "https://")):
        return shown_url(location)
    return location.partition("?")[0] or "nowhere"


def _seconds(elapsed_ms: int) -> str:
    return f"{elapsed_ms} ms" if elapsed_ms < 1000 else f"{elapsed_ms / 1000:.1f} s"
