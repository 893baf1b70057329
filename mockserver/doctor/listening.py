"""The port: free, taken by a mock of ours, or by somebody else."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

from mockserver import __version__
from mockserver.doctor.asking import Found, ask, is_loopback
from mockserver.doctor.values import Level, Line, ok, problem, warning
from mockserver.running import CannotListen, listen

CONNECT_S = 1.0
EVERYWHERE = ("0.0.0.0", "::")
OTHER_LOOPBACK = {"127.0.0.1": "::1", "::1": "127.0.0.1"}


def listening(host: str, port: int, asked: Callable[[str], Found] = ask) -> Iterator[Line]:
    """Whether a server could listen, and who does if it cannot.

    Args:
        host: where it would.
        port: the same.
        asked: says who answers at a URL.
    """
    if host in EVERYWHERE:
        yield warning(
            "host",
            f"the mock would listen at {host}: everybody who reaches this machine can use it",
            "leave --host out, unless a container or another machine has to reach it",
        )
    if port == 0:
        yield ok("port", "port 0: the system picks a free one, and the line `Ready.` says which")
        return
    try:
        listen(host, port).close()
    except CannotListen as error:
        yield from _taken(host, port, error, asked)
        return
    yield ok("port", f"port {port} at {host} is free")
    other = OTHER_LOOPBACK.get(host)
    if other is not None and _somebody(other, port):
        yield warning(
            "port-of-localhost",
            f"port {port} at {host} is free, but somebody listens at {other}: clients that say localhost may get there",
            f"say {host} and not localhost, or choose another port",
        )


def _taken(host: str, port: int, error: CannotListen, asked: Callable[[str], Found]) -> Iterator[Line]:
    called = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    if not is_loopback(called) or not _somebody(called, port):
        yield problem("port", str(error), "choose an address of this machine and a free port")
        return
    url = f"http://[{called}]:{port}" if ":" in called else f"http://{called}:{port}"
    found = asked(url)
    use = f"use it (NOVITA_API_URI={url}), or start another with --port 0"
    if found.mock is None:
        yield problem(
            "port", f"port {port} is taken: at {url} answers {found.words}", "start with --port 0, or end that program"
        )
    elif found.mock.get("version") != __version__:
        yield warning("port", f"at {url} answers {found.words}, while this is {__version__}", use)
    else:
        yield Line(id="port", level=Level.OK, text=f"at {url} answers {found.words} already", do=use)


def _somebody(host: str, port: int) -> bool:
    """Whether somebody takes connections."""
    try:
        socket.create_connection((host, port), CONNECT_S).close()
    except OSError:
        return False
    return True
