"""`Prefer: code=429` (RFC 7240, in Prism's words): one call answered with a status of the caller's choice."""

from __future__ import annotations

from mockserver.core.errors import Reason, Refusal
from mockserver.faults.effects import Effect, read_effect
from mockserver.faults.kinds import Kind
from mockserver.faults.options import PlanError
from mockserver.faults.points import Point


def preferred(header: bytes) -> Effect | None:
    """The effect that a `Prefer` header asks for; None when it asks for nothing that is ours, which RFC 7240 ignores.

    Raises:
        Refusal: it asks for a code that no answer can have.
    """
    for part in header.decode("latin-1").split(","):
        name, _, value = part.partition(";")[0].partition("=")
        if name.strip().lower() != "code":
            continue
        word = value.strip().strip('"')
        if word == "200":
            return None
        try:
            code = int(word) if word.isascii() and word.isdigit() and len(word) == 3 else word
            return read_effect({Kind.STATUS.value: {"code": code}}, Point.RESULT, ())
        except PlanError:
            raise Refusal(
                Reason.INVALID_REQUEST_BODY,
                f"header Prefer: code={word[:40]!r} cannot be answered; expected 200, or a code from 400 to 599",
            ) from None
    return None
