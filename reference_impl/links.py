"""Links to finished pictures: pre-signed, with an end, in the form of S3's. A link says nothing of whose it is."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from urllib.parse import quote, urlencode

from reference_impl.clock import Clock

ALGORITHM = "AWS4-HMAC-SHA256"
SCOPE = "reference/{day}/local/s3/aws4_request"
LONGEST_S = 604_800
"""Seven days: S3 signs nothing for longer."""


class Verdict(StrEnum):
    """What a link is worth; all but VALID are answered with status 403 and S3's XML."""

    VALID = "valid"
    UNSIGNED = "unsigned"
    FORGED = "forged"
    EXPIRED = "expired"


class Links:
    """Signs and checks links.

    Args:
        secret: of this server; who has it can sign.
        base_url: scheme, host and port that callers reach this server at, without a slash at the end.
        clock: what time it is.
    """

    def __init__(self, secret: bytes, base_url: str, clock: Clock) -> None:
        self._secret = secret
        self.base_url = base_url
        self._clock = clock

    def sign(self, task_id: str, name: str, ttl_s: int, since_ms: int | None = None) -> str:
        """A link to a picture of a task: `<base>/pictures/<task id>/<name>?X-Amz-...`.

        Args:
            task_id: whose picture.
            name: the file's.
            ttl_s: seconds that it lives, 0 to 604800.
            since_ms: from when these count, milliseconds since 1970; None: from now.
        """
        path = f"/pictures/{quote(task_id)}/{quote(name)}"
        signed_at = datetime.fromtimestamp((self._clock.now_ms() if since_ms is None else since_ms) / 1000, UTC)
        query = {
            "X-Amz-Algorithm": ALGORITHM,
            "X-Amz-Credential": SCOPE.format(day=f"{signed_at:%Y%m%d}"),
            "X-Amz-Date": f"{signed_at:%Y%m%dT%H%M%SZ}",
            "X-Amz-Expires": str(ttl_s),
            "X-Amz-SignedHeaders": "host",
            "x-id": "GetObject",
        }
        query["X-Amz-Signature"] = self._signature(path, query)
        return f"{self.base_url}{path}?{urlencode(query)}"

    def check(self, task_id: str, name: str, query: Mapping[str, str]) -> Verdict:
        """What a request for a picture may have.

        Args:
            task_id: as in the path, decoded.
            name: as in the path, decoded.
            query: the request's, each name's first value, decoded.
        """
        said = dict(query)
        signature = said.pop("X-Amz-Signature", None)
        date, lifetime = said.get("X-Amz-Date", ""), said.get("X-Amz-Expires", "")
        if signature is None or not re.fullmatch(r"\d{8}T\d{6}Z", date) or not re.fullmatch(r"\d{1,6}", lifetime):
            return Verdict.UNSIGNED
        path = f"/pictures/{quote(task_id)}/{quote(name)}"
        if not hmac.compare_digest(signature.encode(), self._signature(path, said).encode()):
            return Verdict.FORGED
        signed_at = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        # The date in a link has no fraction of a second; a link must not end before its time, so it is given one more.
        end = signed_at + timedelta(seconds=int(lifetime) + 1)
        return Verdict.VALID if self._clock.now_ms() < end.timestamp() * 1000 else Verdict.EXPIRED

    def _signature(self, path: str, query: Mapping[str, str]) -> str:
        text = f"{path}\n{urlencode(sorted(query.items()))}"
        return hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()
