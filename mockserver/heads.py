"""What the headers of a call say: whose it is, where links are to point, and what the journal keeps of them.

Clients repeat their headers word by word, so each reading is remembered, within bounds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from mockserver.access import read_credential
from mockserver.core.findings import Finding
from mockserver.core.journal import KEPT_HEADERS

if TYPE_CHECKING:
    from typing import TypeAlias

    from mockserver.settings import Settings
    from openapi.document import Operation

    Address: TypeAlias = tuple[str, int | None]

REMEMBERED_KEYS = 4096
REMEMBERED_HEADERS = 1024

KeptHeaders = tuple[tuple[bytes, bytes], ...]

_KEPT_NAMES = tuple(sorted(KEPT_HEADERS))

_HOST = re.compile(rb"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
"""A name or address with or without a port (RFC 9110, section 7.2), as far as it matters here."""


class Heads:
    """Readings of headers.

    Args:
        settings: which keys are accepted, and where links point.
    """

    __slots__ = ("_base_urls", "_bearers", "_kept_headers", "_settings")

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._bearers: dict[bytes | None, str] = {}
        self._base_urls: dict[tuple[str, bytes], str] = {}
        self._kept_headers: dict[tuple[bytes | None, ...], KeptHeaders] = {}

    def key(self, headers: Mapping[bytes, bytes], operation: Operation, findings: list[Finding]) -> str:
        """The API key of a call; the documented form is read once and then remembered.

        Raises:
            Refusal: no acceptable key.
        """
        authorization = headers.get(b"authorization")
        key = self._bearers.get(authorization)
        if key is not None:
            return key
        settings = self._settings
        credential = read_credential(
            authorization,
            headers.get(b"x-omni-key"),
            version=operation.version,
            strict=settings.strict,
            keys=settings.keys,
            magic=settings.magic,
        )
        if credential.finding is not None:
            findings.append(credential.finding)
        elif authorization is not None:
            if len(self._bearers) >= REMEMBERED_KEYS:
                self._bearers.clear()
            self._bearers[authorization] = credential.key
        return credential.key

    def kept(self, headers: Mapping[bytes, bytes]) -> KeptHeaders:
        """What the journal keeps of the headers: one tuple for equal ones, since a client repeats itself."""
        values = tuple(map(headers.get, _KEPT_NAMES))
        kept = self._kept_headers.get(values)
        if kept is None:
            if len(self._kept_headers) >= REMEMBERED_HEADERS:
                self._kept_headers.clear()
            pairs = zip(_KEPT_NAMES, values, strict=True)
            kept = self._kept_headers[values] = tuple((name, value) for name, value in pairs if value is not None)
        return kept

    def base_url(self, scheme: str, host: bytes, server: Address | None) -> str:
        """Scheme and host of links: as the settings say, or as the client called us."""
        return (
            self._settings.public_base_url
            or self._base_urls.get((scheme, host))
            or self._base_url(scheme, host, server)
        )

    def _base_url(self, scheme: str, host: bytes, server: Address | None) -> str:
        """Scheme and host of links: as the client called us, or our own address where `Host` names no host at all.

        Whatever else stands in `Host` (a path, a user, markup) must not get into a URL that somebody follows.
        """
        name = host.decode("ascii") if _HOST.fullmatch(host) else _own_address(server)
        if len(self._base_urls) >= REMEMBERED_KEYS:
            self._base_urls.clear()
        found = self._base_urls[scheme, host] = f"{scheme}://{name}"
        return found


def _own_address(server: Address | None) -> str:
    """Host and port that the call came in at, as text."""
    host, port = server or ("localhost", None)
    if ":" in host:
        host = f"[{host}]"
    return f"{host}:{port}" if port else host
