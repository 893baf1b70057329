"""Sends requests to the target: counted, recorded, and our own messages held to the document first."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from conformance import timing
from conformance.budget import Budget, Cost, cost_of, pictures_at_most
from conformance.connections import Connections, NoAnswer
from conformance.errors import HarnessError, Unreachable
from conformance.ledger import Ledger
from conformance.predicates import task_id_v3
from conformance.wire import KEPT_BODY, Exchange, asking
from openapi.document import Document, Operation, Reading

if TYPE_CHECKING:
    from conformance.target import Target

AT_ONCE = 16
"""Requests under way at the same time."""


class Key(Enum):
    """Which key goes along."""

    OWN = "own"
    SECOND = "second"
    NONE = "none"


class Says(Enum):
    """What we say of a message of ours, and hold it to before it is sent."""

    VALID = "the documented reading accepts it"
    LENIENT = "only the tolerated reading accepts it"
    WRONG = "the documented reading finds exactly one place wrong"
    MEANING = "the documented reading accepts it; what is wrong no schema can say"
    UNCHECKED = "no JSON body, or not an operation's"


@dataclass(frozen=True, slots=True, kw_only=True)
class Streamed:
    """A body too large to hold: made piece by piece while it is sent."""

    length: int
    chunks: Callable[[], AsyncIterator[bytes]]
    words: str


class WireLog:
    """Every exchange of a run in the order in which it began, and who wants to hear of each."""

    def __init__(self) -> None:
        self.exchanges: dict[int, Exchange] = {}
        self.listeners: list[Callable[[Exchange], None]] = []
        self._next = 1

    def number(self) -> int:
        """The next number."""
        self._next += 1
        return self._next - 1

    def add(self, exchange: Exchange) -> None:
        """Keeps an exchange that has ended."""
        self.exchanges[exchange.number] = exchange
        for listener in self.listeners:
            listener(exchange)


class Client:
    """The way to the target.

    Args:
        target: whom to ask.
        document: the contract that our messages are held to.
        budget: hard stops.
        log: where every exchange goes.
        connections: the way to the target; the caller closes it.
    """

    def __init__(
        self, target: Target, document: Document, budget: Budget, log: WireLog, connections: Connections
    ) -> None:
        self.target = target
        self.document = document
        self.budget = budget
        self.log = log
        self.ledger = Ledger()
        self.notes: list[str] = []
        """About the target, for the reports; no verdicts."""
        self._connections = connections
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._started_s = timing.now()
        self._answered = False

    async def call(
        self,
        operation_id: str,
        body: object = None,
        *,
        params: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        says: Says = Says.VALID,
        at: tuple[str | int, ...] = (),
        raw: bytes | Streamed | None = None,
        key: Key | str = Key.OWN,
        headers: Mapping[str, str | None] | None = None,
        purpose: str = "",
        timeout_s: float | None = None,
    ) -> Exchange:
        """Calls an operation.

        Args:
            body: sent as JSON; for an operation with a body and `raw` None.
            says: what the message is meant to be.
            at: the place that is wrong, for WRONG; () does not say which.
            raw: bytes sent in place of `body`.
            key: which key, or the whole value of `Authorization`.
            headers: further headers; None takes one away.
            timeout_s: other than the target's.

        Raises:
            HarnessError: the message is not what it says.
            OverBudget: a limit would be passed.
            Unreachable: nobody answers, and nobody ever did.
        """
        operation = self.document.operations[operation_id]
        query = list(params.items() if isinstance(params, Mapping) else params)
        if operation.method == "POST":
            if raw is None:
                self._hold_body(operation, body, says, at)
        else:
            self._hold_query(operation, query, says)
        path = f"{operation.path}?{urlencode(query)}" if query else operation.path
        content = (
            raw if raw is not None or operation.method != "POST" else json.dumps(body, ensure_ascii=False).encode()
        )
        cost = cost_of(operation_id, body)
        refusable = says in (Says.WRONG, Says.MEANING, Says.UNCHECKED) or key is not Key.OWN
        asked = cost_of("", None) if refusable else cost  # what should be refused costs nothing
        self.budget.ask(asked)
        self.ledger.charge(operation_id, asked)
        exchange = await self._send(
            operation.method,
            self.target.url + path,
            content,
            operation_id=operation_id,
            key=key,
            headers=headers,
            purpose=purpose or operation_id,
            timeout_s=timeout_s,
        )
        if cost.tasks and task_id_v3(exchange.json) is not None:
            self.budget.accepted(cost)
            self.ledger.spare(pictures_at_most(operation_id, body) - asked.images)
        return exchange

    async def request(
        self,
        method: str,
        url: str,
        *,
        content: bytes | None = None,
        key: Key | str = Key.NONE,
        headers: Mapping[str, str | None] | None = None,
        purpose: str = "",
        timeout_s: float | None = None,
    ) -> Exchange:
        """Any other request: a link, a route that no operation has. A URL without host is one of the target."""
        self.budget.ask(cost_of("", None))
        self.ledger.charge("", cost_of("", None))
        whole = url if urlsplit(url).scheme else self.target.url + url
        return await self._send(
            method, whole, content, key=key, headers=headers, purpose=purpose, timeout_s=timeout_s, operation_id=""
        )

    async def generated(
        self,
        operation_id: str,
        method: str,
        url: str,
        *,
        content: bytes | None,
        headers: Mapping[str, str | None],
        cost: Cost,
        refusable: bool,
        purpose: str,
    ) -> Exchange:
        """A request that a generator made: logged as a call of an operation, sent exactly as it is.

        Args:
            url: with the query; below the target's.
            headers: all of them, the key too.
            cost: what it costs if it is accepted.
            refusable: whether it should not be, so that it needs no room in the budget.
        """
        self.budget.ask(cost_of("", None) if refusable else cost)
        exchange = await self._send(
            method,
            self.target.url + url,
            content,
            operation_id=operation_id,
            key=Key.NONE,
            headers=headers,
            purpose=purpose,
            timeout_s=None,
        )
        if cost.tasks and task_id_v3(exchange.json) is not None:
            self.budget.accepted(cost)
        return exchange

    async def _send(
        self,
        method: str,
        url: str,
        content: bytes | Streamed | None,
        *,
        operation_id: str,
        key: Key | str,
        headers: Mapping[str, str | None] | None,
        purpose: str,
        timeout_s: float | None,
    ) -> Exchange:
        sent = self._headers(content, key, headers)
        kept = content.words.encode() if isinstance(content, Streamed) else (content or b"")
        length = content.length if isinstance(content, Streamed) else len(kept)
        status: int | None = None
        answered: dict[str, str] = {}
        body, error = b"", ""
        timeout = timeout_s or self.target.timeout_s
        async with self._gate:
            number, started_s = self.log.number(), timing.now()
            try:
                answer = await self._connections.send(
                    method, url, sent, content.chunks if isinstance(content, Streamed) else content, timeout
                )
                status, body, answered = answer.status, answer.body, answer.headers
                self._answered = True
            except NoAnswer as none:
                error = none.why
                if none.unreachable and not self._answered:
                    raise Unreachable(self.target.url, none.why) from None
        exchange = Exchange(
            number=number,
            method=method,
            url=url,
            operation_id=operation_id,
            purpose=purpose,
            request_headers=tuple(sent.items()),
            request_body=kept[:KEPT_BODY],
            sent_bytes=length,
            status=status,
            headers=answered,
            body=body,
            error=error,
            started_s=started_s - self._started_s,
            took_s=timing.now() - started_s,
            asked_by=asking.get(),
        )
        self.log.add(exchange)
        return exchange

    def _headers(self, content: object, key: Key | str, headers: Mapping[str, str | None] | None) -> dict[str, str]:
        found: dict[str, str | None] = {"Accept": "application/json"} if key is not Key.NONE else {}
        if content is not None:
            found["Content-Type"] = "application/json"
        if isinstance(content, Streamed):
            found["Content-Length"] = str(content.length)
        if key is Key.OWN:
            found["Authorization"] = f"Bearer {self.target.key}"
        elif key is Key.SECOND:
            found["Authorization"] = f"Bearer {self.target.second_key}"
        elif isinstance(key, str):
            found["Authorization"] = key
        found |= headers or {}
        return {name: value for name, value in found.items() if value is not None}

    def _hold_body(self, operation: Operation, body: object, says: Says, at: tuple[str | int, ...]) -> None:
        if says is Says.UNCHECKED:
            return
        found = operation.problems(body, Reading.DOCUMENTED)
        if says in (Says.VALID, Says.MEANING):
            wrong = bool(found)
        elif says is Says.LENIENT:
            wrong = not found or bool(operation.problems(body, Reading.TOLERATED))
        else:
            places = {problem.path for problem in found}
            wrong = not found or (any(path[: len(at)] != at for path in places) if at else len(places) != 1)
        if wrong:
            seen = "; ".join(map(str, found)) or "nothing wrong"
            raise HarnessError(f"our own {operation.operation_id} body is not what it says ({says.value}): {seen}")

    def _hold_query(self, operation: Operation, query: Sequence[tuple[str, str]], says: Says) -> None:
        if says is Says.UNCHECKED:
            return
        given: dict[str, list[str]] = {}
        for name, value in query:
            given.setdefault(name, []).append(value)
        _, found = operation.read_query(given, Reading.DOCUMENTED)
        if (says in (Says.VALID, Says.MEANING)) == bool(found):
            seen = "; ".join(map(str, found)) or "nothing wrong"
            raise HarnessError(f"our own {operation.operation_id} query is not what it says ({says.value}): {seen}")
