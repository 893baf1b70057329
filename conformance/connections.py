"""How bytes get to a server and back: over the network by aiohttp, or through an httpx transport in process.

aiohttp, because a run sends some three thousand requests and httpx takes ten times its processor time for each.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import aiohttp
    import httpx

MOST_CONNECTIONS = 64
KEPT_ALIVE_S = 3.0
"""Shorter than the five seconds after which common servers close an idle connection: no request meets a closing one."""
CLOSED, CUT_OFF = "the connection was closed without one", "the connection was closed in the middle of one"
"""Why no whole answer came, where the server closed the connection."""
FAULTS = 500
"""The least status that tells of a fault of the server."""


class NoAnswer(Exception):
    """No whole answer came.

    Args:
        why: what happened instead.
        unreachable: nobody listens there.
    """

    def __init__(self, why: str, *, unreachable: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.unreachable = unreachable


@dataclass(frozen=True, slots=True, kw_only=True)
class RawAnswer:
    """An answer; names of headers in lower case, several values of one joined by commas."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


Content = bytes | Callable[[], AsyncIterator[bytes]] | None
"""A body: bytes, or what makes its pieces while it is sent."""


class Connections(Protocol):
    """A way to servers."""

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], content: Content, timeout_s: float
    ) -> RawAnswer:
        """Sends one request and reads its whole answer; redirects are answers.

        Raises:
            NoAnswer: none came.
        """


class Network:
    """Over the network.

    Common servers close a connection after a fault of theirs (5xx) without a word in the answer. A request that is sent
    on it in that moment gets no answer, which would be blamed on what it asks for. So once a server has shown a fault,
    each request has a connection of its own.

    Args:
        session: keeps connections.
        single: keeps none.
    """

    def __init__(self, session: aiohttp.ClientSession, single: aiohttp.ClientSession) -> None:
        self._session = session
        self._single = single

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], content: Content, timeout_s: float
    ) -> RawAnswer:
        """See `Connections.send`."""
        import aiohttp
        from yarl import URL

        try:
            async with self._session.request(
                method,
                URL(url, encoded=True),
                headers=headers,
                data=content() if callable(content) else content,
                timeout=aiohttp.ClientTimeout(total=timeout_s),
                allow_redirects=False,
                skip_auto_headers=("Content-Type",),
            ) as answer:
                if answer.status >= FAULTS:
                    self._session = self._single
                return RawAnswer(
                    status=answer.status, headers=_joined(answer.headers.items()), body=await answer.read()
                )
        except aiohttp.ClientConnectorError as problem:
            raise NoAnswer(str(problem), unreachable=True) from None
        except TimeoutError:
            raise NoAnswer(f"none within {timeout_s:g} s") from None
        except (aiohttp.ServerDisconnectedError, ConnectionResetError):
            raise NoAnswer(CLOSED) from None
        except aiohttp.ClientPayloadError:
            raise NoAnswer(CUT_OFF) from None
        except (aiohttp.ClientError, OSError, ValueError) as problem:
            raise NoAnswer(f"{type(problem).__name__}: {problem}".rstrip(": ")) from None


class Transported:
    """Through an httpx transport, for servers in the same process."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], content: Content, timeout_s: float
    ) -> RawAnswer:
        """See `Connections.send`."""
        import asyncio

        import httpx

        try:
            async with asyncio.timeout(timeout_s + 1):
                answer = await self._client.request(
                    method,
                    url,
                    content=content() if callable(content) else content,
                    headers=headers,
                    timeout=timeout_s,
                )
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, ValueError) as problem:
            why = f"{type(problem).__name__}: {problem}".rstrip(": ")
            raise NoAnswer(why, unreachable=isinstance(problem, httpx.ConnectError)) from None
        return RawAnswer(status=answer.status_code, headers=_joined(answer.headers.multi_items()), body=answer.content)


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in pairs:
        key = name.lower()
        found[key] = f"{found[key]}, {value}" if key in found else value
    return found


@asynccontextmanager
async def connected(
    transport: httpx.AsyncBaseTransport | Connections | None = None,
) -> AsyncIterator[Connections]:
    """A way to servers, closed with the block.

    Args:
        transport: in place of the network.
    """
    if transport is not None:
        import httpx

        if not isinstance(transport, httpx.AsyncBaseTransport):
            yield transport  # whoever made it closes it
            return
        async with httpx.AsyncClient(transport=transport, trust_env=False) as client:
            yield Transported(client)
        return
    import aiohttp

    kept = aiohttp.TCPConnector(limit=MOST_CONNECTIONS, keepalive_timeout=KEPT_ALIVE_S)
    closed = aiohttp.TCPConnector(limit=MOST_CONNECTIONS, force_close=True)
    async with (
        aiohttp.ClientSession(connector=kept, cookie_jar=aiohttp.DummyCookieJar()) as session,
        aiohttp.ClientSession(connector=closed, cookie_jar=aiohttp.DummyCookieJar()) as single,
    ):
        yield Network(session, single)
