"""A mock for one run of a program, with a proxy before it where the vendor's address is built into the program."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mockserver.programs.names import KEY, KEY_VARIABLE, URI_VARIABLE
from mockserver.programs.quiet import QuietTimes
from mockserver.running import ServerThread

if TYPE_CHECKING:
    from mockserver.intercept.proxy import Proxy
    from mockserver.mock import Parts
    from mockserver.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What a program runs against.

    Attributes:
        server: the mock.
        proxy: answers for the vendor's hosts; None: the program is pointed at the mock by its variables only.
        environment: all variables of the program.
    """

    server: ServerThread
    proxy: Proxy | None
    environment: Mapping[str, str]


@contextmanager
def staged_for(
    settings: Settings,
    inherited: Mapping[str, str],
    *,
    key: str = KEY,
    intercept: Sequence[str] = (),
    parts: Parts | None = None,
) -> Iterator[Stage]:
    """A mock that answers, and the variables that lead a program to it.

    Args:
        settings: of the mock.
        inherited: the variables that the program would have.
        key: its API key.
        intercept: hosts that are answered for; none: no proxy.
        parts: what the mock is made of, where a command brings its own.

    Raises:
        CannotStart: the mock does not answer.
        InterceptUnavailable: the extra that makes certificates is not installed.
    """
    if not intercept:
        with ServerThread(settings, parts) as server, QuietTimes(server):
            yield Stage(server=server, proxy=None, environment=_pointed(inherited, server.url, key))
        return
    if settings.public_base_url is None:  # links lead to the host that was called, as if it were the vendor's own
        settings = replace(settings, public_base_url=f"https://{intercept[0]}")
    from mockserver.intercept.authority import Authority, trusted_before
    from mockserver.intercept.direct import DirectDoor
    from mockserver.intercept.proxy import Proxy
    from mockserver.intercept.variables import proxy_variables

    with tempfile.TemporaryDirectory(prefix="novita-mock-") as folder:  # made with mode 0700
        authority = Authority(Path(folder), trusted_before(inherited))
        with ServerThread(settings, parts) as server, QuietTimes(server):
            where = urlsplit(server.url)
            proxy = Proxy((where.hostname or "", where.port or 0), intercept, authority.server_context)
            door = DirectDoor(proxy)
            server.call_async(proxy.start)
            server.call_async(door.start)
            try:
                further = proxy_variables(proxy.url, door.port, authority.certificate, authority.bundle, inherited)
                environment = {**_pointed(inherited, server.url, key), **further}
                yield Stage(server=server, proxy=proxy, environment=environment)
            finally:
                server.call_async(door.aclose)
                server.call_async(proxy.aclose)


def _pointed(inherited: Mapping[str, str], url: str, key: str) -> dict[str, str]:
    return {**inherited, KEY_VARIABLE: key, URI_VARIABLE: url}
