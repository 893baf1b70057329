"""Worlds as context managers: for unittest, for scripts, and wherever there are no fixtures.

A world takes the variables NOVITA_API_KEY and NOVITA_API_URI, which the vendor's clients read, for as long as it lasts.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

from mockserver.testing.options import read_options
from mockserver.testing.warnings import NovitaFindingWarning

if TYPE_CHECKING:
    from mockserver.handles import NovitaWorld, Running
    from mockserver.settings import Settings
    from mockserver.testing.async_handles import AsyncNovitaWorld

KEY_VARIABLE = "NOVITA_API_KEY"
URI_VARIABLE = "NOVITA_API_URI"
_HERE = ("mockserver.testing", "contextlib")


@contextmanager
def novita_mock_server(settings: Settings | None = None, *, socket: bool = True) -> Iterator[Running]:
    """A mock in a thread of this process, for worlds to share.

    Args:
        settings: of the mock; None: every clock is `auto`.
        socket: it listens on a free port of the loopback address; else only `novita_transport` reaches it.

    Raises:
        CannotStart: it does not answer.
    """
    from mockserver.core.clock import ClockMode
    from mockserver.settings import Settings

    settings = settings or Settings(clock=ClockMode.parse("auto"))
    if socket:
        from mockserver.running import ServerThread

        with ServerThread(settings) as listening:
            yield listening
    else:
        from mockserver.testing.loop import LoopThread

        with LoopThread(settings) as silent:
            yield silent


@contextmanager
def novita_mock_world(server: Running | None = None, *, socket: bool = True, **options: Any) -> Iterator[NovitaWorld]:
    """A fresh world, forgotten afterwards; what its client did wrong is warned of at the end.

    Args:
        server: of `novita_mock_server`; None: one of its own, which takes some hundredths of a second to start and end.
        socket: of a server of its own.
        options: the situation, by the words of a scenario's file: `scenario`, `clock`, `faults` ...

    Raises:
        ValueError: an option is unknown, or says something that it cannot.
        CannotStart: the server does not answer.
        NovitaFindingWarning: there are findings, and a filter makes them errors.
    """
    scenario = read_options(options)
    from mockserver.testing.worlds import close_world, open_world

    with ExitStack() as stack:
        if server is None:
            server = stack.enter_context(novita_mock_server(socket=socket))
        opened = open_world(server, _free_key(server), scenario)
        try:
            with _environment({KEY_VARIABLE: opened.world.key, URI_VARIABLE: opened.world.url}):
                yield opened.world
        except BaseException:
            close_world(opened)  # what went wrong says more than the findings
            raise
        error = close_world(opened).warn(_warn)
        if error is not None:
            raise error


@asynccontextmanager
async def novita_mock_async_world(
    server: Running | None = None, *, socket: bool = True, **options: Any
) -> AsyncIterator[AsyncNovitaWorld]:
    """`novita_mock_world` for coroutines: its handles are awaited, so that a receiver in the same loop can answer.

    Args:
        server: as there.
        socket: as there.
        options: as there.

    Raises:
        ValueError: an option is unknown, or says something that it cannot.
        CannotStart: the server does not answer.
    """
    from mockserver.testing.async_handles import AsyncNovitaWorld

    with novita_mock_world(server, socket=socket, **options) as world:
        yield AsyncNovitaWorld(world)


def _free_key(server: Running) -> str:
    """A key that no world of a server has: `sk-mock-test-1`, the same in every run that opens worlds in this order."""
    from mockserver.world import world_id

    taken = server.call(lambda: {world.id for world in server.mock.worlds})
    number = 1
    while world_id(f"sk-mock-test-{number}") in taken:
        number += 1
    return f"sk-mock-test-{number}"


@contextmanager
def _environment(changes: dict[str, str]) -> Iterator[None]:
    environment = os.environ  # noqa: TID251  # what clients read is what is to be set
    before = {name: environment.get(name) for name in changes}
    environment.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                environment.pop(name, None)
            else:
                environment[name] = value


def _warn(warning: NovitaFindingWarning) -> None:
    """Warns at the line of the suite that ended the world."""
    import sys

    frame = sys._getframe(1)
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).startswith(_HERE):
        frame = frame.f_back
    warnings.warn_explicit(
        warning, None, frame.f_code.co_filename, frame.f_lineno, str(frame.f_globals.get("__name__", "__main__"))
    )
