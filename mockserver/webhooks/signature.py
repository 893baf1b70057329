"""Signs deliveries by the Standard Webhooks scheme, which is offered: the vendor documents no signature at all.

The work is done by the library `standardwebhooks`, an extra. The id is the delivery's and the same for each of its
attempts; the timestamp is the attempt's, on whatever clock the caller goes by.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from standardwebhooks import Webhook

PREFIX = "whsec_"
KEY_BYTES = range(24, 65)
"""Lengths of a key that the scheme asks for."""


class BadSecret(ValueError):
    """A signing secret that is none; the message does not repeat it."""


class SigningUnavailable(RuntimeError):
    """The library is not installed."""


class Signer:
    """Signs with one secret.

    Args:
        secret: `whsec_` and base64 of 24 to 64 bytes.

    Raises:
        BadSecret: it is not.
        SigningUnavailable: the extra `signing` is not installed.
    """

    __slots__ = ("_webhook",)

    def __init__(self, secret: str) -> None:
        check_secret(secret)
        self._webhook: Webhook = _library()(secret)

    def headers(self, *, id: str, instant_ms: int, body: bytes) -> dict[str, str]:
        """The three headers of an attempt.

        Args:
            id: of the delivery.
            instant_ms: of the attempt, milliseconds since the epoch; receivers refuse what is minutes away from their
                own clock, so a world whose time is virtual signs with the wall's.
            body: what is sent, UTF-8.

        Raises:
            ValueError: the id holds a dot or is empty, or the body is not UTF-8: the scheme signs text only.
        """
        if not id or "." in id:
            raise ValueError(f"{id!r}: an id that is signed is not empty and holds no dot")
        instant = datetime.fromtimestamp(instant_ms // 1000, UTC)
        return {
            "webhook-id": id,
            "webhook-timestamp": str(instant_ms // 1000),
            "webhook-signature": self._webhook.sign(id, instant, body.decode()),
        }


def check_secret(secret: str) -> None:
    """Passes a signing secret.

    Raises:
        BadSecret: it is none.
    """
    try:
        key = b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(PREFIX) or len(key) not in KEY_BYTES:
        raise BadSecret(
            f"expected a signing secret: {PREFIX} and base64 of 24 to 64 bytes, "
            f"for example {PREFIX} and what `openssl rand -base64 32` prints"
        )


def _library() -> type[Webhook]:
    try:
        from standardwebhooks import Webhook
    except ImportError:
        raise SigningUnavailable(
            "signing needs the library standardwebhooks: pip install 'novita-mock[signing]'"
        ) from None
    return Webhook
