"""Resources of a world's money: what was spent, on what, what was paid twice, and a budget to hold it against."""

from __future__ import annotations

from typing import Any

from mockserver.control.problem import ControlError
from mockserver.control.resource import Call, Resource, Schema, closed
from mockserver.money.amounts import parse_usd, usd
from mockserver.money.ledger import Spent
from mockserver.money.verdicts import Accepted, Verdict, repeated

MAX_ENTRIES = 1000

_TEXT: Schema = {"type": "string"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_INSTANT: Schema = {"type": "integer", "description": "Milliseconds since the epoch, of the world's clock."}
_MICRO: Schema = {"type": "integer", "description": "Millionths of a US dollar."}
_USD: Schema = {"type": "string", "description": "US dollars.", "examples": ["0.0043"]}

_SPENT = {"tasks": _COUNT, "pictures": _COUNT, "micro_usd": _MICRO, "usd": _USD}
_VERDICT = closed(
    {
        "kind": {"type": "string", "enum": ["double-spend", "safe-retry", "repeated"]},
        "first_task_id": {"type": ["string", "null"]},
        "task_id": _TEXT,
        "first_at_ms": _INSTANT,
        "at_ms": _INSTANT,
        "wasted_micro_usd": _MICRO,
        "wasted_usd": _USD,
        "how": _TEXT,
        "message": _TEXT,
    },
    "kind",
    "first_task_id",
    "task_id",
    "first_at_ms",
    "at_ms",
    "wasted_micro_usd",
    "wasted_usd",
    "how",
    "message",
)
_ENTRY = closed(
    {"task_id": _TEXT, "at_ms": _INSTANT, "operation_id": _TEXT, "pictures": _COUNT, "micro_usd": _MICRO, "usd": _USD},
    "task_id",
    "at_ms",
    "operation_id",
    "pictures",
    "micro_usd",
    "usd",
)
_UNCLAIMED = closed(
    {"task_id": _TEXT, "at_ms": _INSTANT, "micro_usd": _MICRO, "usd": _USD, "how": _TEXT},
    "task_id",
    "at_ms",
    "micro_usd",
    "usd",
    "how",
)
_LEDGER = closed(
    {
        "prices": {"type": "string", "description": "Date of the price table, which is its version."},
        "spent": closed(_SPENT, *_SPENT),
        "by_operation": {"type": "object", "additionalProperties": closed(_SPENT, *_SPENT)},
        "wasted_micro_usd": {"description": "By double spends.", **_MICRO},
        "balance_micro_usd": {"type": ["integer", "null"], "description": "What is left; null: no bottom."},
        "entries": {"type": "array", "items": _ENTRY},
        "entries_dropped": _COUNT,
        "verdicts": {"type": "array", "items": _VERDICT},
        "unclaimed": {
            "type": "array",
            "items": _UNCLAIMED,
            "description": "Paid for; the answer was lost, and nobody has asked for the task since.",
        },
    },
    "prices",
    "spent",
    "by_operation",
    "wasted_micro_usd",
    "balance_micro_usd",
    "entries",
    "entries_dropped",
    "verdicts",
    "unclaimed",
)


def _describe_spent(spent: Spent) -> dict[str, Any]:
    return {
        "tasks": spent.tasks,
        "pictures": spent.pictures,
        "micro_usd": spent.micro_usd,
        "usd": usd(spent.micro_usd),
    }


def _describe_verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "kind": verdict.kind.value,
        "first_task_id": verdict.first_task_id,
        "task_id": verdict.task_id,
        "first_at_ms": verdict.first_at_ms,
        "at_ms": verdict.at_ms,
        "wasted_micro_usd": verdict.wasted_micro_usd,
        "wasted_usd": usd(verdict.wasted_micro_usd),
        "how": verdict.how,
        "message": verdict.message,
    }


def _ledger(call: Call) -> dict[str, Any]:
    world = call.own
    verdicts = world.verdicts.verdicts()
    accepted = [
        Accepted(task.id, task.operation_id, task.body, task.submitted_ms, task.price_micro_usd) for task in world.tasks
    ]
    verdicts += repeated(accepted, verdicts)
    return {
        "prices": call.mock.prices.date,
        "spent": _describe_spent(world.ledger.spent),
        "by_operation": {name: _describe_spent(spent) for name, spent in world.ledger.by_operation().items()},
        "wasted_micro_usd": world.verdicts.wasted_micro_usd,
        "balance_micro_usd": world.account.left_micro_usd,
        "entries": [
            {
                "task_id": entry.task_id,
                "at_ms": entry.at_ms,
                "operation_id": entry.operation_id,
                "pictures": entry.pictures,
                "micro_usd": entry.micro_usd,
                "usd": usd(entry.micro_usd),
            }
            for entry in world.ledger.entries(call.query.get("limit", MAX_ENTRIES))
        ],
        "entries_dropped": world.ledger.dropped,
        "verdicts": [_describe_verdict(verdict) for verdict in verdicts],
        "unclaimed": [
            {
                "task_id": loss.task_id,
                "at_ms": loss.at_ms,
                "micro_usd": loss.micro_usd,
                "usd": usd(loss.micro_usd),
                "how": loss.how,
            }
            for loss in world.verdicts.unclaimed()
        ],
    }


def _check_budget(call: Call) -> dict[str, Any]:
    try:
        budget_micro_usd = parse_usd(call.body["budget_usd"])
    except ValueError as error:
        raise ControlError(400, "budget", f"budget_usd: {error}") from None
    check = call.own.ledger.within(budget_micro_usd)
    return {"ok": check.ok, "message": check.message, "spent": _describe_spent(check.spent)}


def _top_up(call: Call) -> dict[str, Any]:
    try:
        micro_usd = parse_usd(call.body["usd"])
    except ValueError as error:
        raise ControlError(400, "amount", f"usd: {error}") from None
    account = call.own.account
    if account.left_micro_usd is None:
        raise ControlError(409, "no-balance", "this world's balance has no bottom; set one with PATCH /worlds/current")
    account.top_up(micro_usd)
    return {"balance_micro_usd": account.left_micro_usd, "balance_usd": usd(account.left_micro_usd)}


_AMOUNT: Schema = {"type": ["number", "string"], "description": "US dollars.", "examples": [0.05]}

LEDGER_RESOURCES: tuple[Resource, ...] = (
    Resource(
        method="GET",
        path="/ledger",
        operation_id="getLedger",
        summary="What the key's accepted submissions would have cost, and what was paid twice.",
        handler=_ledger,
        query={"limit": {"type": "integer", "minimum": 0, "maximum": MAX_ENTRIES}},
        answer=_LEDGER,
    ),
    Resource(
        method="POST",
        path="/ledger/budget",
        operation_id="checkBudget",
        summary="Holds what was spent against a budget.",
        handler=_check_budget,
        body=closed({"budget_usd": _AMOUNT}, "budget_usd"),
        answer=closed(
            {"ok": {"type": "boolean"}, "message": _TEXT, "spent": closed(_SPENT, *_SPENT)}, "ok", "message", "spent"
        ),
    ),
    Resource(
        method="POST",
        path="/ledger/top-up",
        operation_id="topUpBalance",
        summary="Adds to a balance that was set.",
        handler=_top_up,
        body=closed({"usd": _AMOUNT}, "usd"),
        answer=closed({"balance_micro_usd": _MICRO, "balance_usd": _USD}, "balance_micro_usd", "balance_usd"),
    ),
)
