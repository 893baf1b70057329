"""Opens what a run needs around a target: connections, a receiver, the target's clock; closes all of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from conformance import timing
from conformance.budget import Budget, Limits
from conformance.client import Client, Key, WireLog
from conformance.connections import Connections, connected
from conformance.errors import NoClock, Unreachable
from conformance.receiver import Receiver
from conformance.session import Session
from conformance.target import Target
from conformance.timing import VirtualClock
from openapi.document import Document

if TYPE_CHECKING:
    import httpx


@asynccontextmanager
async def opened(
    target: Target,
    document: Document,
    *,
    limits: Limits | None = None,
    log: WireLog | None = None,
    transport: httpx.AsyncBaseTransport | Connections | None = None,
) -> AsyncIterator[Session]:
    """A session with a target.

    Args:
        transport: in place of the network.

    Raises:
        Unreachable: nobody answers at its address.
        NoClock: the user says that it has a virtual clock, and it has none.
    """
    budget = Budget(limits or Limits(), timing.now)
    async with (
        connected(transport) as connections,
        Receiver.open(target) as receiver,
    ):
        client = Client(target, document, budget, log or WireLog(), connections)
        await _look_for_it(client)
        yield Session(client, await _clock(client), receiver)


async def _look_for_it(client: Client) -> None:
    """Whether anybody answers at all."""
    answer = await client.request("GET", "/v3/model?pagination.limit=1", key=Key.OWN, purpose="whether anybody answers")
    if answer.status is None:
        raise Unreachable(client.target.url, answer.error)


async def _clock(client: Client) -> VirtualClock | None:
    """The target's virtual clock; None when it offers none."""
    control = client.target.control
    if not control:
        return None
    answer = await client.request("GET", f"{control}/clock", key=Key.OWN, purpose="whether there is a virtual clock")
    if answer.status != 200 or not isinstance(answer.at("now_ms"), int):
        if client.target.clock_named:
            raise NoClock(control, answer.brief())
        return None

    async def move(seconds: float, *, late: bool = False) -> bool:
        how = {"seconds": round(seconds, 3), **({"under_way": "late"} if late else {})}
        moved = await client.request(
            "POST",
            f"{control}/clock/advance",
            content=json.dumps(how).encode(),
            key=Key.OWN,
            headers={"Content-Type": "application/json"},
            purpose="moving the virtual clock",
            timeout_s=60.0,
        )
        return moved.status == 200

    return VirtualClock(send=move, send_late=partial(move, late=True))
