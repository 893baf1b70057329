"""A session of the suite against the mock in this process, for what is no check and runs beside them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from conformance import timing
from conformance.budget import Budget, Limits
from conformance.client import Client, WireLog
from conformance.connections import connected
from conformance.receiver import Receiver
from conformance.session import Session
from conformance.target import Target
from mockserver.app import create_app
from mockserver.core.clock import ClockMode
from mockserver.mock import Parts
from mockserver.outbound.sender import FakeSender
from mockserver.parts.wall import FakeWall
from mockserver.settings import Settings
from openapi.document import load
from tests.conformance.harness import KEY, URL, Wrapper


@asynccontextmanager
async def opened(
    defect: Wrapper | None = None, *, strict: bool = False, limits: Limits | None = None
) -> AsyncIterator[Session]:
    """A session with a fresh mock.

    Args:
        defect: what stands between, see `tests.conformance.harness.defect`.
        strict: of the judge and of the mock.
        limits: hard stops; none when None.
    """
    document = load()
    settings = Settings(clock=ClockMode.parse("manual"), strict=strict)
    app = create_app(document, settings, Parts(wall=FakeWall(), sender=FakeSender()))
    inner: httpx.AsyncBaseTransport = httpx.ASGITransport(app)
    target = Target(url=URL, key=KEY, strict=strict, webhook_host="127.0.0.1")
    async with connected(defect(inner) if defect else inner) as connections, Receiver.open(target) as receiver:
        client = Client(target, document, Budget(limits or Limits(), timing.now), WireLog(), connections)
        yield Session(client, None, receiver)
