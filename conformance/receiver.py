"""A receiver of webhooks of the suite's own: it answers well, late, badly or not at all, as each inbox was told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from conformance.target import Target


class Receiver:
    """Placeholder until the webhook area is written."""

    sink_url = "http://127.0.0.1:9/sink"
    reachable = True

    @classmethod
    @asynccontextmanager
    async def open(cls, target: Target) -> AsyncIterator[Receiver]:
        """A receiver, for the length of a block."""
        yield cls()
