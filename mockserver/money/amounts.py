"""Amounts of money as text and numbers: whole micro-USD inside, USD outside. And how counts are written."""

from __future__ import annotations

import math

MICRO_PER_USD = 1_000_000
BALANCE_UNIT_MICRO_USD = 100
"""The unit of the vendor's balances: 0.0001 USD."""
MAX_USD = 1_000_000_000
"""Largest amount that is read; floats hold micro-USD exactly up to here."""


def usd(micro_usd: int) -> str:
    """An amount as text without the currency: four decimals, as balances have, or six where it is finer."""
    sign, amount = ("-", -micro_usd) if micro_usd < 0 else ("", micro_usd)
    whole, part = divmod(amount, MICRO_PER_USD)
    if part % BALANCE_UNIT_MICRO_USD:
        return f"{sign}{whole}.{part:06d}"
    return f"{sign}{whole}.{part // BALANCE_UNIT_MICRO_USD:04d}"


def parse_usd(value: float | str) -> int:
    """Micro-USD of an amount in USD: a number, or its text (`0.05`).

    Raises:
        ValueError: not an amount, negative, above a billion, or finer than a micro-USD.
    """
    try:
        amount = float(value)
    except ValueError:
        amount = math.nan
    if not 0 <= amount <= MAX_USD:
        raise ValueError(f"not an amount of USD: {value!r:.80}; expected 0 or more, such as 0.05")
    micro_usd = round(amount * MICRO_PER_USD)
    if abs(amount * MICRO_PER_USD - micro_usd) > 0.01:
        raise ValueError(f"too fine an amount of USD: {value!r:.80}; expected at most six decimals")
    return micro_usd


def counted(number: int, noun: str) -> str:
    """A number with its noun: `1 task`, `2 tasks`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
