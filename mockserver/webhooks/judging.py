"""What an attempt says about the receiver: in words, and as findings."""

from __future__ import annotations

from collections.abc import Iterator

from mockserver.core.findings import Code, Finding
from mockserver.outbound.sender import ErrorKind, Outcome
from mockserver.webhooks.delivery import Attempt

ALLOWED_MS = 5_000
"""What the documentation gives a receiver, whatever this world was set to (WEBHOOK-010)."""

_RECEIVERS = frozenset({ErrorKind.CONNECT, ErrorKind.TLS, ErrorKind.RESET, ErrorKind.CLOSED, ErrorKind.PROTOCOL})
"""Errors that are the receiver's. A name without an address says more about where the mock runs than about it."""


def verdict(outcome: Outcome) -> str:
    """What came of an attempt, in words."""
    if outcome.ok:
        return f"taken: {outcome.status} in {outcome.elapsed_ms} ms"
    if outcome.error is ErrorKind.TIMEOUT:
        return f"too late: {outcome.message}"
    if outcome.error is not None:
        return f"{outcome.error.value}: {outcome.message}"
    if outcome.status is not None and 300 <= outcome.status < 400:
        return f"refused: {outcome.status}, and a redirect is not followed"
    return f"refused: {outcome.status}"


def findings_about(where: str, attempt: Attempt) -> Iterator[Finding]:
    """The findings of one attempt; equal ones are counted, so nothing in them changes from one to the next.

    Args:
        where: the receiver's URL as it may be shown.
        attempt: one whose event was sent as it should be; a broken one may well be refused.
    """
    if attempt.effect.startswith(("break", "truncate")):
        return
    if attempt.error == ErrorKind.TIMEOUT or (attempt.error is None and attempt.took_ms > ALLOWED_MS):
        yield Finding(Code.SLOW_RECEIVER, where, "the event was not answered in time; five seconds are allowed")
    elif attempt.error in _RECEIVERS:
        yield Finding(Code.RECEIVER_REFUSED, where, f"the event was not answered ({attempt.error}); 2xx is expected")
    elif attempt.status is not None and 300 <= attempt.status < 400:
        yield Finding(
            Code.RECEIVER_REDIRECTS,
            where,
            f"the event was answered with {attempt.status}; a redirect is not followed, 2xx is expected",
        )
    elif attempt.status is not None and not attempt.ok:
        yield Finding(Code.RECEIVER_REFUSED, where, f"the event was answered with {attempt.status}; 2xx is expected")
