"""Posts one event, once: five seconds, no redirects, nothing about the account."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import httpx

from reference_impl.outbound.guard import Forbidden, Guard

TIMEOUT_S = 5.0
"""The receiver has five seconds to answer (WEBHOOK-010)."""
HEADERS = {"Content-Type": "application/json", "User-Agent": "novita-reference", "Accept": "*/*"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of one attempt.

    Attributes:
        status: of the answer; None: there was none.
        problem: why not, in a few words; empty when there was one.
        hopeless: another attempt would end the same way.
    """

    status: int | None = None
    problem: str = ""
    hopeless: bool = False

    @property
    def is_fine(self) -> bool:
        """Whether the receiver has taken it: any 2xx, nothing else."""
        return self.status is not None and 200 <= self.status < 300


class Post:
    """An HTTP client for events.

    Args:
        guard: judges where events may go.
        transport: of httpx; None for the real one.
    """

    def __init__(self, guard: Guard, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._guard = guard
        # Connections are not kept: requests go to addresses, and two names at one address are two receivers.
        self._client = httpx.AsyncClient(
            transport=transport,
            follow_redirects=False,
            trust_env=False,
            timeout=TIMEOUT_S,
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    async def close(self) -> None:
        """Let go of what is open."""
        await self._client.aclose()

    async def send(self, url: str, body: bytes) -> Answer:
        """Make one attempt.

        Args:
            url: http or https.
            body: JSON.
        """
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return Answer(status=await self._sent(httpx.URL(url), body))
        except TimeoutError:
            return Answer(problem=f"no answer within {TIMEOUT_S:g} s")
        except Forbidden as error:
            return Answer(problem=str(error), hopeless=True)
        except (httpx.InvalidURL, UnicodeError) as error:  # such as a label of a name that is too long
            return Answer(problem=str(error), hopeless=True)
        except (httpx.HTTPError, OSError) as error:
            return Answer(problem=f"{type(error).__name__}: {error}")

    async def _sent(self, url: httpx.URL, body: bytes) -> int:
        """The status of the answer; its body is of no interest and not waited for."""
        host = url.raw_host.decode("ascii")
        port = url.port or (443 if url.scheme == "https" else 80)
        address = await self._guard.address(host, port)
        request = self._client.build_request(
            "POST",
            url.copy_with(host=address),
            content=body,
            headers={**HEADERS, "Host": url.netloc.decode("ascii").rpartition("@")[2]},
            extensions={"sni_hostname": host},
        )
        response = await self._client.send(request, stream=True)
        await response.aclose()
        return response.status_code
