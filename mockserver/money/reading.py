"""An account as JSON: how one is written in a control call or in a scenario, and how it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mockserver.core.errors import Reason
from mockserver.money.account import PROBLEMS, Account, AccountSettings, documented_rate_limits
from mockserver.money.amounts import parse_usd, usd
from openapi.document import Document

DOCUMENTED = "documented"

ACCOUNT_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "rate_limits": {
            "description": "Pictures per minute by operationId; 'documented': those of the vendor's page; null: none.",
            "anyOf": [
                {"enum": [DOCUMENTED, None]},
                {"type": "object", "additionalProperties": {"type": "integer", "minimum": 1}},
            ],
        },
        "retry_after": {"type": "boolean", "description": "Whether a 429 says how long to wait; not documented."},
        "balance": {
            "description": "What the account has, in US dollars; null: no bottom.",
            "type": ["number", "string", "null"],
        },
        "concurrency": {
            "description": "Unfinished tasks at a time; null: no limit.",
            "type": ["integer", "null"],
            "minimum": 1,
        },
        "problem": {
            "description": "Trouble with the account, answered to every submit; null: none.",
            "enum": [*(reason.value for reason in PROBLEMS), None],
        },
    },
}


def read_account(fields: Mapping[str, Any], before: AccountSettings, document: Document) -> AccountSettings:
    """Settings of an account with some of them changed.

    Args:
        fields: what is to be changed, as `ACCOUNT_SCHEMA` has it.
        before: the others.
        document: knows the documented limits and the operations.

    Raises:
        ValueError: something that is not what it may be; says what was expected.
    """
    changes: dict[str, Any] = {}
    for name, value in fields.items():
        match name:
            case "rate_limits":
                changes["rate_limits"] = _rate_limits(value, document)
            case "balance":
                changes["balance_micro_usd"] = None if value is None else parse_usd(value)
            case "problem":
                changes["problem"] = None if value is None else _problem(value)
            case "retry_after" if isinstance(value, bool):
                changes["retry_after"] = value
            case "concurrency" if value is None or (isinstance(value, int) and not isinstance(value, bool)):
                changes["concurrency"] = value
            case "retry_after" | "concurrency":
                raise ValueError(f"{name}: {value!r} is not what it may be")
            case _:
                known = ", ".join(ACCOUNT_SCHEMA["properties"])
                raise ValueError(f"an account has no {name!r}; known: {known}")
    return replace(before, **changes)


def describe_account(account: Account) -> dict[str, Any]:
    """An account as `read_account` reads it, with what is left of its balance."""
    settings = account.settings
    left = account.left_micro_usd
    return {
        "rate_limits": dict(settings.rate_limits) if settings.rate_limits is not None else None,
        "retry_after": settings.retry_after,
        "balance": None if left is None else usd(left),
        "concurrency": settings.concurrency,
        "problem": settings.problem.value if settings.problem is not None else None,
    }


def _rate_limits(value: Any, document: Document) -> Mapping[str, int] | None:
    if value is None:
        return None
    documented = documented_rate_limits(document)
    if value == DOCUMENTED:
        return documented
    if not isinstance(value, Mapping):
        raise ValueError(  # noqa: TRY004  # one kind of error for readers
            f"rate_limits: expected 'documented', null, or pictures per minute by operationId, came {value!r:.80}"
        )
    for name, limit in value.items():
        if name not in documented:
            raise ValueError(f"rate_limits: no submit operation {name!r:.80}; known: {', '.join(documented)}")
        if isinstance(limit, bool) or not isinstance(limit, int):
            raise ValueError(f"rate_limits.{name}: expected a whole number, came {limit!r:.80}")  # noqa: TRY004  # as above
    return dict(value)


def _problem(value: Any) -> Reason:
    known = {reason.value: reason for reason in PROBLEMS}
    if value not in known:
        raise ValueError(f"problem: unknown word {value!r:.80}; expected one of {', '.join(known)}")
    return known[value]
