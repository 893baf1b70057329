"""`--plan`: what a run would send, from what a run against a conforming server sent. Nothing is sent for it.

costs.json is written by `python -m conformance.planning --write`: the accounts of every check and of everything shared
(`conformance.ledger`). How often a task is asked for depends on the target; every other number is the same for each
target that conforms.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from conformance.ledger import Account, Ledger
from conformance.registry import load_checks
from conformance.runner import Plan, run
from conformance.servers import started
from conformance.target import Target
from openapi.document import Document, load
from openapi.requirements import Profile, load_requirements

COSTS = Path(__file__).parent / "costs.json"
CONFORMING = "novita-mock --port 0 --clock manual"
UNDUE = 100
"""Pictures beside these, for what a target should refuse and does not, and for what is tried again."""
OPT_IN = (Profile.V3_STORAGE, Profile.V3_LIMITS)
"""Profiles that are measured only on request; their cost is not in the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What a run against a conforming target sends.

    Attributes:
        images: pictures asked for, by operation.
        most_images: pictures that a target makes at most which has none of the ways to order no work.
        minutes: least time under the documented limits of pictures per minute.
        unknown: requirements without a measured cost.
    """

    requests: int
    tasks: int
    images: dict[str, int] = field(default_factory=dict)
    most_images: int = 0
    usd: float = 0.0
    minutes: int = 0
    unknown: tuple[str, ...] = ()

    @property
    def all_images(self) -> int:
        """Pictures of all operations."""
        return sum(self.images.values())

    @property
    def stop_at(self) -> int:
        """More pictures than a run needs, even against a target with many defects: the default of --max-images."""
        return self.most_images + UNDUE


def forecast(requirements: Iterable[str], document: Document, costs: Mapping[str, Any] | None = None) -> Forecast:
    """What deciding some requirements needs; shared things are counted once.

    Args:
        requirements: ids.
        document: for the documented limits.
        costs: content of costs.json; the one that ships when None.
    """
    known = costs if costs is not None else json.loads(COSTS.read_text(encoding="utf-8"))
    checks, shared = known["checks"], known["shared"]
    chosen = [known["start"]]
    unknown, open_names, seen = [], [], set()
    for requirement in requirements:
        if requirement in checks:
            chosen.append(checks[requirement])
            open_names += checks[requirement]["uses"]
        else:
            unknown.append(requirement)
    while open_names:
        name = open_names.pop()
        if name not in seen:
            seen.add(name)
            chosen.append(shared[name])
            open_names += shared[name]["uses"]
    images: dict[str, int] = {}
    for account in chosen:
        for operation_id, number in account["images"].items():
            images[operation_id] = images.get(operation_id, 0) + number
    return Forecast(
        requests=sum(account["requests"] for account in chosen),
        tasks=sum(account["tasks"] for account in chosen),
        images=images,
        most_images=sum(images.values()) + sum(account.get("spared", 0) for account in chosen),
        usd=round(sum(account["usd"] for account in chosen), 4),
        minutes=_minutes(images, document),
        unknown=tuple(unknown),
    )


def _minutes(images: Mapping[str, int], document: Document) -> int:
    """Whole minutes that pass before the last picture may be asked for; operations have windows of their own."""
    waits = [0]
    for operation_id, number in images.items():
        limit = document.operations[operation_id].pictures_per_minute
        if limit and number:
            waits.append(math.ceil(number / limit) - 1)
    return max(waits)


def costs_of(ledger: Ledger, start: int) -> dict[str, Any]:
    """The content of costs.json.

    Args:
        start: requests that no check caused.
    """
    return {
        "start": _account(Account(requests=start)),
        "checks": {name: _account(account) for name, account in sorted(ledger.checks.items())},
        "shared": {name: _account(account) for name, account in sorted(ledger.shared.items())},
    }


def _account(account: Account) -> dict[str, Any]:
    return {
        "requests": account.requests,
        "tasks": account.tasks,
        "usd": round(account.usd, 4),
        "images": dict(sorted(account.images.items())),
        **({"spared": account.spared} if account.spared else {}),
        "uses": sorted(account.uses),
    }


async def measured(url: str) -> dict[str, Any]:
    """Costs from one run against a conforming server with a virtual clock."""
    rows, registry = load_requirements(), load_checks()
    chosen = tuple(row for row in rows if row.profile not in OPT_IN)
    target = Target(url=url, key="sk-mock-plan", second_key="sk-mock-plan-second", control="/__mock")
    result = await run(target, Plan(requirements=chosen), registry, load(), rows)
    counted = sum(account.requests for account in (*result.ledger.checks.values(), *result.ledger.shared.values()))
    return costs_of(result.ledger, result.spent.requests - counted)


@click.command()
@click.option("--write", is_flag=True, required=True, help="Writes conformance/costs.json.")
@click.option("--server", default=CONFORMING, show_default=True, help="Command of a conforming server.")
def main(write: bool, server: str) -> None:
    """Measures what each check costs."""
    assert write
    with started(server) as url:
        found = asyncio.run(measured(url))
    COSTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
