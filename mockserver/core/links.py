"""Links to pictures that look and act like pre-signed S3 links.

Signed when a result is asked for (each poll gives a new link; its life counts from the poll), expired by the world's
clock, good without a key. The query is percent-encoded, `/` included, as the official clients need it.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b

V3_TTL_S = 3600
V2_TTL_S = 604_800
_REGION = "ap-southeast-1"
_ACCESS_KEY = "AKIAMOCKMOCKMOCKMOCK"
_ALGORITHM = "AWS4-HMAC-SHA256"


class LinkFault(StrEnum):
    """Why a link is refused."""

    UNSIGNED = "unsigned"
    FORGED = "forged"
    EXPIRED = "expired"


class BadLink(Exception):
    """A link that S3 would refuse.

    Attributes:
        fault: why.
        expires_ms: when it ended, for an expired one.
        ttl_s: how long it lived, for an expired one.
    """

    def __init__(self, fault: LinkFault, *, expires_ms: int = 0, ttl_s: int = 0) -> None:
        super().__init__(fault.value)
        self.fault = fault
        self.expires_ms = expires_ms
        self.ttl_s = ttl_s


@lru_cache(maxsize=64)
def _stamp(second: int) -> tuple[str, str]:
    """Date and query up to the lifetime, shared by all links signed in a second."""
    date = datetime.fromtimestamp(second, UTC).strftime("%Y%m%dT%H%M%SZ")
    return date, (
        f"?X-Amz-Algorithm={_ALGORITHM}&X-Amz-Credential={_ACCESS_KEY}%2F{date[:8]}%2F{_REGION}%2Fs3%2Faws4_request"
        f"&X-Amz-Date={date}&X-Amz-Expires="
    )


class LinkSigner:
    """Signs paths and judges signed ones.

    Args:
        secret: what the signatures are made with.
    """

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def sign(self, path: str, *, now_ms: int, ttl_s: int) -> str:
        """Path and query of a link that lives `ttl_s` seconds from the second of `now_ms`."""
        date, query = _stamp(now_ms // 1000)
        signature = self._signature(path, date, str(ttl_s))
        return f"{path}{query}{ttl_s}&X-Amz-SignedHeaders=host&x-id=GetObject&X-Amz-Signature={signature}"

    def check(self, path: str, query: Mapping[str, str], *, now_ms: int) -> None:
        """Passes a link that is good at an instant.

        Raises:
            BadLink: it is not; S3 answers these with 403.
        """
        date, ttl, given = (query.get(name, "") for name in ("X-Amz-Date", "X-Amz-Expires", "X-Amz-Signature"))
        if not (date and ttl and given):
            raise BadLink(LinkFault.UNSIGNED)
        if not hmac.compare_digest(self._signature(path, date, ttl).encode(), _encoded(given)):
            raise BadLink(LinkFault.FORGED)
        signed = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)  # ours: its signature is good
        expires_ms = (int(signed.timestamp()) + int(ttl)) * 1000
        if now_ms >= expires_ms:
            raise BadLink(LinkFault.EXPIRED, expires_ms=expires_ms, ttl_s=int(ttl))

    def _signature(self, path: str, date: str, ttl: str) -> str:
        return blake2b(_encoded(f"{path}\n{date}\n{ttl}"), key=self._secret, digest_size=32).hexdigest()


def _encoded(text: str) -> bytes:
    """UTF-8 of any text a query can hold, halves of surrogate pairs included."""
    return text.encode("utf-8", "surrogatepass")
