"""Nobody waits for a webhook: while a program is silent, an `auto` clock goes on to what is owed next.

Polls move an `auto` clock; a program that waits for its webhook makes none. So when nothing has been heard of it for a
moment, and an event or an attempt lies ahead, the clock is moved there.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mockserver.parts.wall import wait

if TYPE_CHECKING:
    from mockserver.mock import Mock
    from mockserver.running import ServerThread

LOOK_S = 0.1
QUIET_LOOKS = 3
"""A world is quiet when its calls have not changed for so many looks in a row."""


async def pass_quiet_times(mock: Mock) -> None:
    """Moves the clocks of quiet worlds, until it is cancelled."""
    seen: dict[str, tuple[int, int]] = {}
    while True:
        await wait(LOOK_S)
        for world in mock.worlds:
            next_ms = world.agenda.next_ms() if world.clock.jumps else None
            calls, looks = seen.get(world.id, (-1, 0))
            looks = looks + 1 if world.calls == calls else 0
            seen[world.id] = world.calls, looks
            if next_ms is not None and looks >= QUIET_LOOKS:
                await mock.errands.advance(world, max(next_ms, world.clock.now_ms()))


class QuietTimes:
    """`pass_quiet_times` in a server's own loop; a context manager.

    Args:
        server: a running one.
    """

    def __init__(self, server: ServerThread) -> None:
        self._server = server
        self._task: asyncio.Task[None] | None = None

    def __enter__(self) -> None:
        def begin() -> None:
            self._task = asyncio.get_running_loop().create_task(pass_quiet_times(self._server.mock))

        self._server.call(begin)

    def __exit__(self, *_: object) -> None:
        if self._task is not None:
            self._server.call(self._task.cancel)
