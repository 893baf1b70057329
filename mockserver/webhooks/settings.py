"""How a world's webhooks are delivered: how often, how far apart, how long a receiver may take, whether signed."""

from __future__ import annotations

from dataclasses import dataclass, field

MAX_DELIVERIES = 10_000
"""Deliveries that a world remembers; beyond it those that ended longest ago go, and never one that is owed."""
MAX_RETRIES = 20
MAX_TIMEOUT_MS = 120_000


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSettings:
    """What is documented are five retries and five seconds; the spacing is ours.

    Attributes:
        retries: attempts after the first that failed (WEBHOOK-013).
        spacing_ms: from a failed attempt to the next, by the world's clock; the last one goes on to the end.
        timeout_ms: how long a receiver may take, by the wall (WEBHOOK-010).
        secret: signs events by Standard Webhooks; None: no signature, as documented.

    Raises:
        ValueError: a number is out of its range, or the secret is none.
    """

    retries: int = 5
    spacing_ms: tuple[int, ...] = (1_000, 5_000, 30_000, 120_000, 600_000)
    timeout_ms: int = 5_000
    secret: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not 0 <= self.retries <= MAX_RETRIES:
            raise ValueError(f"webhook retries: expected 0 to {MAX_RETRIES}, came {self.retries}")
        if not self.spacing_ms or min(self.spacing_ms) < 0:
            raise ValueError("webhook spacing: expected one duration or more, none of them negative, as in 1s, 5s, 30s")
        if not 1 <= self.timeout_ms <= MAX_TIMEOUT_MS:
            raise ValueError(f"webhook timeout: expected 1 ms to {MAX_TIMEOUT_MS // 1000} s, came {self.timeout_ms} ms")
        if self.secret is not None:
            from mockserver.webhooks.signature import check_secret  # hardly any world signs

            check_secret(self.secret)

    def wait_ms(self, tries: int) -> int | None:
        """How long after the `tries`-th attempt, from 1, the next one is made; None: that was the last."""
        if tries > self.retries:
            return None
        return self.spacing_ms[min(tries, len(self.spacing_ms)) - 1]
