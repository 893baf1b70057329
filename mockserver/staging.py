"""What a world makes of a scenario: its settings, put together from the server's and from what the scenario says."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mockserver.money.account import AccountSettings, documented_rate_limits
from mockserver.world import WorldSettings

if TYPE_CHECKING:
    from mockserver.faults.scenario import Account, Scenario
    from openapi.document import Document


def staged(scenario: Scenario, plain: WorldSettings, document: Document) -> WorldSettings:
    """The settings of a world in a scenario.

    Args:
        scenario: the situation.
        plain: what a world of this server starts with.
        document: the contract, which states the rate limits.
    """
    changes: dict[str, Any] = {"scenario": scenario, "faults": (*plain.faults, *scenario.faults)}
    if scenario.bounded:
        changes["in_a_row"] = scenario.in_a_row
    if scenario.fleet:
        changes["fleet"] = replace(plain.fleet, **dict(scenario.fleet))  # type: ignore[arg-type]  # read by their types
    for name in ("clock", "nsfw_confidences", "link_ttl_s"):
        value = getattr(scenario, name)
        if value is not None:
            changes[name] = value
    if scenario.webhooks:
        changes["webhooks"] = replace(plain.webhooks, **dict(scenario.webhooks))  # type: ignore[arg-type]  # as above
    if scenario.account is not None:
        changes["account"] = _account(scenario.account, document)
    return replace(plain, **changes)


def _account(given: Account, document: Document) -> AccountSettings:
    limits = documented_rate_limits(document) if given.documented_rates else dict(given.rate_limits)
    return AccountSettings(
        rate_limits=limits or None,
        retry_after=given.retry_after,
        balance_micro_usd=given.balance_micro_usd,
        concurrency=given.concurrency,
        problem=given.problem,
    )
