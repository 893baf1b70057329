"""How a world's webhook settings are written in JSON, read from it, and shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mockserver.core.clock import parse_duration_ms
from mockserver.webhooks.settings import MAX_RETRIES, WebhookSettings

MAX_SPACINGS = 20

_DURATION: Mapping[str, Any] = {"type": ["number", "string"], "description": "Seconds, or text such as '90s'."}

WEBHOOKS_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "retries": {"type": "integer", "minimum": 0, "maximum": MAX_RETRIES},
        "spacing": {
            "description": "From a failed attempt to the next, by the world's clock; the last one goes on to the end.",
            "type": "array",
            "minItems": 1,
            "maxItems": MAX_SPACINGS,
            "items": _DURATION,
        },
        "timeout": {**_DURATION, "description": "What a receiver may take, by the wall: seconds, or text."},
        "secret": {
            "description": "Signs events (Standard Webhooks): whsec_ and base64 of 24 to 64 bytes; null: unsigned.",
            "type": ["string", "null"],
        },
    },
}


def read_webhooks(settings: WebhookSettings, fields: Mapping[str, Any]) -> WebhookSettings:
    """Settings with some of them changed.

    Raises:
        ValueError: a value is none of those that are allowed, or signing is not installed.
    """
    changes: dict[str, Any] = {}
    if "retries" in fields:
        changes["retries"] = int(fields["retries"])
    if "spacing" in fields:
        changes["spacing_ms"] = tuple(parse_duration_ms(one) for one in fields["spacing"])
    if "timeout" in fields:
        changes["timeout_ms"] = parse_duration_ms(fields["timeout"])
    if "secret" in fields:
        changes["secret"] = _secret(fields["secret"])
    return replace(settings, **changes)


def describe_webhooks(settings: WebhookSettings) -> dict[str, Any]:
    """Settings as JSON; of the secret only whether there is one."""
    return {
        "retries": settings.retries,
        "spacing": [wait_ms / 1000 for wait_ms in settings.spacing_ms],
        "timeout": settings.timeout_ms / 1000,
        "signed": settings.secret is not None,
    }


def _secret(given: str | None) -> str | None:
    if given is None:
        return None
    from mockserver.webhooks.signature import Signer, SigningUnavailable  # an extra

    try:
        Signer(given)
    except SigningUnavailable as error:
        raise ValueError(str(error)) from None
    return given
