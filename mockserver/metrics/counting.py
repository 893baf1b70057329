"""Counts calls while the server runs: how many, with which status, how long they took, how many bytes.

A server without --metrics has none of this on its way: the counting contract stands in the place of the plain one only
when it is asked for. Counts are plain integers of the server's own thread; what they are written with is loaded when
somebody reads them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from time import perf_counter
from typing import TYPE_CHECKING

from mockserver.gateway import OTHER_PREFIXES, TOLD

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

    from mockserver.gateway import Address, Contract, Route
    from mockserver.trouble import Outcome

BUCKETS_S = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
)  # fmt: skip
"""Upper bounds in seconds. Most calls take a tenth of a millisecond, a picture some ten; what takes seconds was held
back on purpose."""
NO_ANSWER = 0
"""In the place of a status: the connection ended without one."""
CONTROL_PREFIX = "/__mock"


class Api(StrEnum):
    """Who is called."""

    CONTRACT = "contract"
    PICTURES = "pictures"
    CONTROL = "control"
    OTHER = "other"


Name = tuple[Api, str]
"""Who is called, and the operation; the latter is empty beside the contract."""


class Tally:
    """What came of the calls of one kind.

    Attributes:
        statuses: calls by status of the answer.
        buckets: calls by the first of `BUCKETS_S` that they were not slower than; the last: slower than all.
        seconds: what they took together.
        received_bytes, sent_bytes: of bodies.
    """

    __slots__ = ("buckets", "received_bytes", "seconds", "sent_bytes", "statuses")

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Counts from 0 again."""
        self.statuses: dict[int, int] = {}
        self.buckets = [0] * (len(BUCKETS_S) + 1)
        self.seconds = 0.0
        self.received_bytes = 0
        self.sent_bytes = 0

    def count(self, status: int, seconds: float, received_bytes: int, sent_bytes: int) -> None:
        """Counts a call."""
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.buckets[bisect_left(BUCKETS_S, seconds)] += 1
        self.seconds += seconds
        self.received_bytes += received_bytes
        self.sent_bytes += sent_bytes


class Calls:
    """The calls of one server.

    Args:
        operations: ids of the contract's operations; they are there before their first call, so that a rate is 0 and
            not unknown.

    Attributes:
        operations: tallies of the contract, by operation. others: the rest, by who is called.
    """

    __slots__ = ("operations", "others")

    def __init__(self, operations: Iterable[str]) -> None:
        self.operations = {operation_id: Tally() for operation_id in operations}
        self.others = {api: Tally() for api in Api if api is not Api.CONTRACT}

    def all(self) -> Mapping[Name, Tally]:
        """Every tally."""
        contract = {(Api.CONTRACT, operation_id): tally for operation_id, tally in self.operations.items()}
        return {**contract, **{(api, ""): tally for api, tally in self.others.items()}}

    def clear(self) -> None:
        """Counts from 0 again: before the first call of a client."""
        for tally in (*self.operations.values(), *self.others.values()):
            tally.clear()


class CountingContract:
    """The contract, counted: to be put in its place.

    Args:
        contract: what answers.
        calls: what is told.
        watch: seconds that only go forward.
    """

    __slots__ = ("_contract", "_operations", "_others", "_watch")

    def __init__(self, contract: Contract, calls: Calls, watch: Callable[[], float] = perf_counter) -> None:
        self._contract = contract
        self._operations = calls.operations
        self._others = calls.others
        self._watch = watch

    def route(self, method: bytes, path: bytes) -> Route | None:
        """See `Contract.route`."""
        return self._contract.route(method, path)

    def answer_now(
        self,
        route: Route,
        headers: Mapping[bytes, bytes],
        query: bytes,
        body: bytes,
        scheme: str,
        server: Address | None,
    ) -> Outcome:
        """See `Contract.answer_now`. An answer that is not there yet is counted when it was sent, by `__call__`."""
        began = self._watch()
        outcome = self._contract.answer_now(route, headers, query, body, scheme, server)
        if type(outcome) is tuple:
            tally = self._operations[route[0].operation_id]
            tally.count(outcome[0], self._watch() - began, len(body), len(outcome[2]))
        return outcome

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a call, and counts it when it has ended."""
        if scope["type"] != "http":
            await self._contract(scope, receive, send)
            return
        began, watched = self._watch(), _Watched(receive, send)
        try:
            await self._contract(scope, watched.receive, watched.send)
        finally:
            received_bytes = watched.received_bytes
            if TOLD in scope.get("extensions", {}):  # the short way has read the body already
                received_bytes = _length(scope)
            self._tally(scope).count(watched.status, self._watch() - began, received_bytes, watched.sent_bytes)

    def _tally(self, scope: Scope) -> Tally:
        path: str = scope["path"]
        route = self._contract.route(scope["method"].encode(), path.encode("utf-8", "replace"))
        if route is not None:
            return self._operations[route[0].operation_id]
        if path.startswith(CONTROL_PREFIX):
            return self._others[Api.CONTROL]
        return self._others[Api.PICTURES if path.startswith(OTHER_PREFIXES) else Api.OTHER]


class _Watched:
    """A call's two ends, with what went through them."""

    __slots__ = ("_receive", "_send", "received_bytes", "sent_bytes", "status")

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self.status = NO_ANSWER
        self.received_bytes = 0
        self.sent_bytes = 0

    async def receive(self) -> Message:
        """Passes a part of the request on."""
        message = await self._receive()
        self.received_bytes += len(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        """Passes a part of the answer on."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self.sent_bytes += len(message.get("body", b""))
        await self._send(message)


def _length(scope: Scope) -> int:
    """What Content-Length says; plain calls say it, or have no body."""
    given = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    return int(given) if given.isdigit() else 0
