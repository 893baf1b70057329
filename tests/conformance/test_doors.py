"""A server of ours that stops to listen loses no connection that comes in at that moment."""

from __future__ import annotations

import asyncio
import socket

from conformance import doors, timing
from tests.conformance.loops import in_a_loop


@in_a_loop
async def test_a_connection_that_was_accepted_is_made_before_the_server_closes() -> None:
    met: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _reader, writer: met.append(writer), "127.0.0.1", 0)
    with socket.create_connection(server.sockets[0].getsockname()):
        for _ in range(2):  # the first turn accepts; the second has begun, and would make the connection
            await timing.pause(0)
        assert not met
        await doors.shut(server.sockets)
        server.close()
        assert len(met) == 1
        met[0].transport.abort()
        await timing.pause(0)
