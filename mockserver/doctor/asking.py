"""Asks an address who answers there."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Who answers.

    Attributes:
        mock: what a novita-mock says of itself; None: it is none.
        status: of the answer; None: no HTTP came.
        server: what it calls itself.
        error: why nothing came.
    """

    mock: dict[str, Any] | None = None
    status: int | None = None
    server: str = ""
    error: str = ""

    @property
    def words(self) -> str:
        """For people."""
        if self.mock is not None:
            reading = "strict" if self.mock.get("strict") else "lenient"
            about = f"clock {self.mock.get('clock')}, {reading}, seed {self.mock.get('seed')}"
            return f"novita-mock {self.mock.get('version')} ({about})"
        if self.status is not None:
            return f"something else ({self.server or 'it does not say what'}, status {self.status})"
        return f"nobody who speaks HTTP ({self.error})"


def ask(url: str) -> Found:
    """Who answers at an address. No key is sent, and no proxy of the environment is used."""
    import httpx

    try:
        answer = httpx.get(f"{url}/__mock/version", timeout=TIMEOUT_S, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        return Found(error=str(error) or type(error).__name__)
    try:
        told = answer.json()
    except ValueError:
        told = None
    if answer.status_code == 200 and isinstance(told, dict) and told.get("name") == "novita-mock":
        return Found(mock=told, status=200)
    return Found(status=answer.status_code, server=answer.headers.get("server", "")[:60])


def host_of(url: str) -> str:
    """The host of a URL; empty where it has none."""
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its name or address."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
