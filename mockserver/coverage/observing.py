"""Tells a coverage count what happens in worlds beside calls: faults, and webhooks that have come to their end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockserver.coverage.item import WebhookOutcome
from mockserver.faults.points import ANSWERS, Point
from mockserver.webhooks.delivery import Cause, State

if TYPE_CHECKING:
    from mockserver.coverage.collector import Coverage
    from mockserver.faults.plan import Fired
    from mockserver.webhooks.delivery import Attempt, Delivery
    from mockserver.world import World


class Observer:
    """Watches all worlds for one count.

    Args:
        coverage: what is told.
    """

    __slots__ = ("_coverage",)

    def __init__(self, coverage: Coverage) -> None:
        self._coverage = coverage

    def fault(self, world: World, fired: Fired) -> None:
        """A fault happened."""
        of_call = fired.point in ANSWERS and fired.point is not Point.DOWNLOAD
        operation = fired.operation_id if of_call else ""
        self._coverage.saw_fault(fired.point.value, fired.effect.kind.value, operation=operation, world=world.id)

    def attempt(self, world: World, delivery: Delivery, attempt: Attempt) -> None:
        """An attempt to deliver a webhook was made."""
        if attempt.cause not in (Cause.FIRST, Cause.RETRY):
            return  # a repeat that somebody asked for tells nothing new
        outcome = None
        if delivery.state is State.DELIVERED:
            outcome = WebhookOutcome.DELIVERED if attempt.cause is Cause.FIRST else WebhookOutcome.RETRIED
        elif delivery.state is State.FAILED:
            outcome = WebhookOutcome.EXHAUSTED
        if outcome is not None:
            self._coverage.saw_webhook(outcome, test_status=delivery.test, world=world.id)
