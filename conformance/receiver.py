"""A receiver of webhooks of the suite's own: it answers well, late, badly or not at all, as each inbox was told.

It listens in the run's event loop, on a port of its own. `sink_url` takes whatever comes and forgets it; an `Inbox` has
a path of its own, keeps every attempt, and has a plan of what it does with the first, the second and so on.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from conformance import doors, timing
from conformance.errors import NotMeasured
from conformance.target import Target, is_loopback
from conformance.wire import MISSING

if TYPE_CHECKING:
    import h11

LOOPBACK = "127.0.0.1"
ANY, ANY_V6 = "0.0.0.0", "::"
NOBODY = "http://receiver.invalid"
"""No name below `.invalid` has an address (RFC 6761): an event to it reaches nobody."""
MOST_BYTES = 4 * 1024 * 1024
READ_BYTES = 64 * 1024
LONGEST_BEFORE_S = 3.0
"""Of the five seconds that a receiver has, what may pass in `Inbox.before`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What an inbox does with one attempt.

    Attributes:
        status: of the answer; None for none.
        after_s: how long it waits first, in real seconds.
        location: where a redirect leads.
        hangs: without an answer: whether the connection stays open until the other side closes it.
    """

    status: int | None = 200
    after_s: float = 0.0
    location: str = ""
    hangs: bool = False

    def __str__(self) -> str:
        if self.status is None:
            return "silence" if self.hangs else "a closed connection"
        return f"status {self.status}" + (f" after {self.after_s:g} s" if self.after_s else "")


TAKEN = Reply()
SILENCE = Reply(status=None, hangs=True)
CLOSED = Reply(status=None)
QUERY = "from=conformance&n=1"
"""In the URL of each inbox: receivers often tell by their query what an event is about."""


@dataclass(kw_only=True)
class Attempt:
    """One request that came to an inbox.

    Attributes:
        number: from 1, within its inbox.
        headers: names in lower case.
        reply: what it gets.
        arrived_s, answered_s: monotonic seconds; the second is None while it has no answer, and for ever when it gets
            none.
        left: whether the connection is gone.
    """

    number: int
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    reply: Reply
    arrived_s: float
    answered_s: float | None = None
    left: bool = False

    @cached_property
    def json(self) -> Any:
        """The body as JSON; MISSING when it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return MISSING

    @property
    def took_s(self) -> float:
        """From its arrival to our answer; infinite while there is none."""
        return float("inf") if self.answered_s is None else self.answered_s - self.arrived_s

    def brief(self) -> str:
        """The request in a few words, for messages."""
        return f"{self.method} with {self.body[:160].decode('utf-8', 'replace')!r}"


@dataclass(kw_only=True)
class Inbox:
    """A path of its own, and all that came there.

    Attributes:
        url: what a submit names.
        plan: what is done with the first attempts.
        then: what is done with all further ones.
        before: awaited after an attempt was noted and before it is answered, for a short while.
    """

    url: str
    plan: Sequence[Reply] = ()
    then: Reply = TAKEN
    before: Callable[[Attempt], Awaitable[None]] | None = None
    attempts: list[Attempt] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def reply_to(self, number: int) -> Reply:
        """What the attempt of this number gets."""
        return self.plan[number - 1] if number <= len(self.plan) else self.then

    async def wait(self, number: int, deadline_s: float) -> bool:
        """Waits until so many attempts have come, for some real seconds at most; gives whether they have."""
        return await self._until(lambda: len(self.attempts) >= number, deadline_s)

    async def left(self, deadline_s: float) -> bool:
        """Waits until nobody waits for an answer of ours any more; gives whether that is so."""
        return await self._until(lambda: all(attempt.left for attempt in self.attempts), deadline_s)

    async def _until(self, holds: Callable[[], bool], deadline_s: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(deadline_s):
                while not holds():
                    self._news.clear()
                    await self._news.wait()
        return holds()

    @property
    def is_silent(self) -> bool:
        """Whether somebody waits for an answer that never comes."""
        return any(attempt.reply.hangs and not attempt.left for attempt in self.attempts)

    def changed(self) -> None:
        """Wakes whoever waits."""
        self._news.set()


class Receiver:
    """Takes events.

    Attributes:
        reachable: whether the target is thought to reach it.
        why_not: when it is not, what would help.
        base_url: without a trailing slash.
        attempts: everything that came to any inbox, in the order of arrival.
    """

    def __init__(self, base_url: str, why_not: str = "") -> None:
        self.base_url = base_url
        self.why_not = why_not
        self.attempts: list[Attempt] = []
        self._inboxes: dict[str, Inbox] = {}
        self._connections: set[asyncio.Task[Any]] = set()
        self._dead: socket.socket | None = None

    @classmethod
    @asynccontextmanager
    async def open(cls, target: Target) -> AsyncIterator[Receiver]:
        """A receiver, for the length of a block; connections that are still open are closed with it."""
        host = target.webhook_host or (LOOPBACK if target.is_local else "")
        if not host:
            why_not = "the target cannot reach our receiver of webhooks; --webhook-host says under which address it can"
            yield cls(NOBODY, why_not)
            return
        receiver = cls("")
        local = is_loopback(host)
        try:
            servers = [await asyncio.start_server(receiver._take, LOOPBACK if local else ANY, target.webhook_port)]
        except OSError as error:
            yield cls(NOBODY, f"our receiver of webhooks cannot listen on port {target.webhook_port}: {error}")
            return
        port = servers[0].sockets[0].getsockname()[1]
        if not local:
            with suppress(OSError):  # IPv6 as well, where there is any: at the same port, which 0 alone would not give
                servers.append(await asyncio.start_server(receiver._take, ANY_V6, port))
        receiver.base_url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        try:
            yield receiver
        finally:
            await doors.shut(listening for server in servers for listening in server.sockets)
            for server in servers:
                server.close()
            await receiver._close()

    @property
    def reachable(self) -> bool:
        """Whether events can be asked for."""
        return not self.why_not

    @property
    def sink_url(self) -> str:
        """Takes every event with 200, and forgets it."""
        return f"{self.base_url}/sink"

    @property
    def dead_url(self) -> str:
        """An address of ours at which nobody ever listens."""
        if not self.reachable:
            return f"{NOBODY}/nobody"
        if self._dead is None:  # bound and not listened at: nobody else gets the port
            self._dead = socket.socket()
            self._dead.bind((LOOPBACK, 0))
        return f"http://{urlsplit(self.base_url).netloc.rpartition(':')[0]}:{self._dead.getsockname()[1]}/nobody"

    def inbox(self, plan: Sequence[Reply] = (), *, then: Reply = TAKEN) -> Inbox:
        """A new inbox.

        Args:
            plan: what is done with the first attempts.
            then: what is done with all further ones.

        Raises:
            NotMeasured: the target cannot reach us.
        """
        if not self.reachable:
            raise NotMeasured(self.why_not)
        path = f"/inbox/{len(self._inboxes) + 1}-{secrets.token_hex(6)}"
        made = self._inboxes[path] = Inbox(url=f"{self.base_url}{path}?{QUERY}", plan=plan, then=then)
        return made

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        import h11

        try:
            await self._converse(h11.Connection(h11.SERVER), reader, writer)
        except (OSError, h11.ProtocolError):
            pass  # whoever called has gone, or speaks no HTTP
        except asyncio.CancelledError:
            pass  # the receiver closes; asyncio's own streams would tell of a cancelled task as of an error
        finally:
            self._connections.discard(task)
            writer.close()

    async def _converse(self, http: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Takes request after request until the connection ends."""
        import h11

        while (came := await _next_request(http, reader, writer)) is not None:
            request, body = came
            path = request.target.decode("ascii", "replace")
            inbox = self._inboxes.get(path.partition("?")[0])
            if inbox is None:
                reply = TAKEN if path == "/sink" else Reply(status=404)
                await _send(http, writer, reply)
            else:
                attempt = Attempt(
                    number=len(inbox.attempts) + 1,
                    method=request.method.decode("ascii"),
                    path=path,
                    headers={
                        name.decode("latin-1").lower(): value.decode("latin-1") for name, value in request.headers
                    },
                    body=body,
                    reply=inbox.reply_to(len(inbox.attempts) + 1),
                    arrived_s=timing.now(),
                )
                await self._serve(inbox, attempt, http, reader, writer)
                if attempt.answered_s is None:
                    return
            if http.our_state is not h11.DONE or http.their_state is not h11.DONE:
                return
            http.start_next_cycle()

    async def _serve(
        self,
        inbox: Inbox,
        attempt: Attempt,
        http: h11.Connection,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        """Notes an attempt, and does with it what the plan says."""
        inbox.attempts.append(attempt)
        self.attempts.append(attempt)
        inbox.changed()
        try:
            if inbox.before is not None:
                with suppress(TimeoutError):
                    async with asyncio.timeout(LONGEST_BEFORE_S):
                        await inbox.before(attempt)
            if attempt.reply.after_s:
                await timing.pause(attempt.reply.after_s)
            if attempt.reply.status is not None:
                await _send(http, writer, attempt.reply)
                attempt.answered_s = timing.now()
            elif attempt.reply.hangs:
                while await reader.read(READ_BYTES):  # nothing more is to come; its end is what is waited for
                    pass
        finally:
            attempt.left = True
            inbox.changed()

    async def _close(self) -> None:
        under_way = list(self._connections)
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        if self._dead is not None:
            self._dead.close()


async def _next_request(
    http: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> tuple[h11.Request, bytes] | None:
    """A whole request with its body; None when the connection ends before one."""
    import h11

    request: h11.Request | None = None
    body = b""
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            if http.they_are_waiting_for_100_continue:
                writer.write(http.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
            http.receive_data(await reader.read(READ_BYTES))
        elif isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
            if len(body) > MOST_BYTES:
                return None
        elif isinstance(event, h11.EndOfMessage) and request is not None:
            return request, body
        else:
            return None


async def _send(http: h11.Connection, writer: asyncio.StreamWriter, reply: Reply) -> None:
    import h11

    headers = [("Content-Length", "0")]
    if reply.location:
        headers.append(("Location", reply.location))
    assert reply.status is not None
    writer.write(http.send(h11.Response(status_code=reply.status, headers=headers)) or b"")
    writer.write(http.send(h11.EndOfMessage()) or b"")
    await writer.drain()
