"""The ledger of a world: what was accepted and what it costs.

A submission is paid for when it is accepted; a task that fails later is not refunded, since no page says that one is.
Totals are exact for ever; single entries are kept up to a bound, the oldest go first.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

from mockserver.money.amounts import counted, usd

MAX_ENTRIES = 10_000
"""Entries of a world that are kept one by one: at most 2.5 MB, a quarter kilobyte each."""


class Entry(NamedTuple):
    """An accepted submission; `at_ms` is the virtual instant, amounts are micro-USD."""

    task_id: str
    at_ms: int
    operation_id: str
    pictures: int
    micro_usd: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Sums over submissions; micro-USD."""

    tasks: int
    pictures: int
    micro_usd: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetCheck:
    """Whether what was spent lies within a budget; micro-USD."""

    budget_micro_usd: int
    spent: Spent

    @property
    def ok(self) -> bool:
        """Nothing was spent beyond the budget; all of it may be."""
        return self.spent.micro_usd <= self.budget_micro_usd

    @property
    def message(self) -> str:
        """For people: `spent 0.0430 USD of 0.0400; 12 tasks, 14 pictures`."""
        spent = self.spent
        return (
            f"spent {usd(spent.micro_usd)} USD of {usd(self.budget_micro_usd)}; "
            f"{counted(spent.tasks, 'task')}, {counted(spent.pictures, 'picture')}"
        )


class Ledger:
    """Accepted submissions of one world and their sums.

    Args:
        max_entries: how many single entries are kept; the sums count all.
    """

    __slots__ = ("_entries", "_sums")

    def __init__(self, max_entries: int = MAX_ENTRIES) -> None:
        self._entries: deque[tuple[str, int, str, int, int]] = deque(maxlen=max_entries)
        self._sums: dict[str, list[int]] = {}

    def add(self, task_id: str, at_ms: int, operation_id: str, pictures: int, micro_usd: int) -> None:
        """Books an accepted submission. Every submit does: a tuple and three sums."""
        self._entries.append((task_id, at_ms, operation_id, pictures, micro_usd))
        sums = self._sums.get(operation_id)
        if sums is None:
            sums = self._sums[operation_id] = [0, 0, 0]
        sums[0] += 1
        sums[1] += pictures
        sums[2] += micro_usd

    @property
    def spent(self) -> Spent:
        """The sums over everything that was ever accepted."""
        tasks, pictures, micro_usd = (sum(column) for column in zip((0, 0, 0), *self._sums.values(), strict=True))
        return Spent(tasks=tasks, pictures=pictures, micro_usd=micro_usd)

    def by_operation(self) -> dict[str, Spent]:
        """The sums by operation, in order of first use."""
        return {
            operation_id: Spent(tasks=tasks, pictures=pictures, micro_usd=micro_usd)
            for operation_id, (tasks, pictures, micro_usd) in self._sums.items()
        }

    def entries(self, limit: int | None = None) -> list[Entry]:
        """The kept entries, oldest first; `limit` keeps the youngest."""
        kept = [Entry(*entry) for entry in self._entries]
        return kept if limit is None else kept[max(0, len(kept) - limit) :]

    @property
    def dropped(self) -> int:
        """Entries that are no longer kept; the sums still count them."""
        return self.spent.tasks - len(self._entries)

    def within(self, budget_micro_usd: int) -> BudgetCheck:
        """Holds what was spent against a budget."""
        return BudgetCheck(budget_micro_usd=budget_micro_usd, spent=self.spent)

    def clear(self) -> None:
        """Forgets everything, sums included; for a world that starts again."""
        self._entries.clear()
        self._sums.clear()
