"""How a server of ours stops to listen without losing a connection that comes in at that moment."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import Protocol

from conformance import timing

ACCEPTING = 5
"""Turns of the event loop in which asyncio makes a connection of a socket that it has accepted."""


class Listening(Protocol):
    """A socket that listens, or asyncio's view of one."""

    def fileno(self) -> int:
        """The number of its file."""


async def shut(sockets: Iterable[Listening]) -> None:
    """Takes no more connections, and waits until those that were taken are there.

    To be called before `Server.close()`: in Python 3.11 a connection that was accepted and not yet made when the server
    closes is lost without being closed, and whoever called waits for ever.
    """
    loop = asyncio.get_running_loop()
    for listening in sockets:
        with suppress(NotImplementedError):  # Windows has no readers; its loop accepts in another way
            loop.remove_reader(listening.fileno())
    for _ in range(ACCEPTING):
        await timing.pause(0)
