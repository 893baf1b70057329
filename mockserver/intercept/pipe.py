"""Two connections joined to one, so that what happens to either happens to the other: bytes, an end, a reset."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import cast


class End(asyncio.Protocol):
    """One end of a pipe. Bytes that come before the other end is there wait for it.

    Args:
        on_lost: called when the connection is gone.
    """

    def __init__(self, on_lost: Callable[[], None] | None = None) -> None:
        self._on_lost = on_lost
        self.transport: asyncio.Transport | None = None
        self.other: End | None = None
        self._early: list[bytes] = []
        self._lost: Exception | None = None
        self._is_lost = False

    def attach(self, transport: asyncio.Transport) -> None:
        """Takes over a connection that is made already."""
        self.transport = transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the connection."""
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Passes bytes on."""
        if self.other is None or self.other.transport is None:
            self._early.append(data)
        else:
            self.other.transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends the other end in the same way."""
        self._is_lost, self._lost = True, exc
        if self._on_lost is not None:
            self._on_lost()
        if self.other is not None:
            self.other.end(exc)

    def end(self, error: Exception | None) -> None:
        """Closes this end, once everything was sent; resets it where the other one was reset."""
        if self.transport is None or self.transport.is_closing():
            return
        if isinstance(error, ConnectionResetError):
            reset(self.transport)
        else:
            self.transport.close()

    def pause_writing(self) -> None:
        """This end takes no more for now: the other one is not read."""
        if self.other is not None and self.other.transport is not None and not self.other.transport.is_closing():
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        """This end takes more again."""
        if self.other is not None and self.other.transport is not None and not self.other.transport.is_closing():
            self.other.transport.resume_reading()

    def flush(self) -> None:
        """Passes on what came before the other end was there, its end included."""
        early, self._early = self._early, []
        for data in early:
            self.data_received(data)
        if self._is_lost and self.other is not None:
            self.other.end(self._lost)


def join(one: End, another: End) -> None:
    """Makes two ends a pipe."""
    one.other, another.other = another, one
    one.flush()
    another.flush()


def reset(transport: asyncio.Transport) -> None:
    """Ends a connection with TCP's RST, as one that broke."""
    raw = transport.get_extra_info("socket")
    if raw is not None:  # with nothing to linger for, closing sends RST instead of FIN
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
