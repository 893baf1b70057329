"""The ledger: exact sums for ever, single entries within a bound, budgets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mockserver.money.ledger import Entry, Ledger, Spent

TXT2IMG, IMG2IMG = "createTxt2imgTask", "createImg2imgTask"

ENTRIES = st.lists(
    st.builds(
        Entry,
        task_id=st.uuids().map(str),
        at_ms=st.integers(0, 10**13),
        operation_id=st.sampled_from([TXT2IMG, IMG2IMG, "createTxt2imgTaskV2"]),
        pictures=st.integers(0, 64),
        micro_usd=st.integers(0, 10**9),
    ),
    max_size=30,
)


@given(entries=ENTRIES, bound=st.integers(1, 10))
def test_sums_count_everything_and_entries_are_the_youngest(entries: list[Entry], bound: int) -> None:
    """The ledger equals what was accepted, however little of it is kept one by one."""
    ledger = Ledger(max_entries=bound)
    for entry in entries:
        ledger.add(*entry)

    spent, parts = ledger.spent, ledger.by_operation()

    assert spent.tasks == len(entries)
    assert spent.pictures == sum(entry.pictures for entry in entries)
    assert spent.micro_usd == sum(entry.micro_usd for entry in entries)
    assert parts.keys() == {entry.operation_id for entry in entries}
    for operation_id, part in parts.items():
        assert part.micro_usd == sum(entry.micro_usd for entry in entries if entry.operation_id == operation_id)
        assert part.tasks == sum(entry.operation_id == operation_id for entry in entries)
    assert sum(part.pictures for part in parts.values()) == spent.pictures
    assert ledger.entries() == entries[-bound:]
    assert ledger.dropped == max(0, len(entries) - bound)


def test_an_empty_ledger_has_spent_nothing() -> None:
    """Sums over nothing are nothing."""
    ledger = Ledger()

    assert ledger.spent == Spent(tasks=0, pictures=0, micro_usd=0)
    assert ledger.by_operation() == {}
    assert ledger.entries() == []


def test_a_limit_keeps_the_youngest_entries() -> None:
    """Oldest first, as tasks are listed."""
    ledger = Ledger()
    for number in range(4):
        ledger.add(f"task-{number}", number, TXT2IMG, 1, 2100)

    assert [entry.task_id for entry in ledger.entries(2)] == ["task-2", "task-3"]
    assert ledger.entries(0) == []
    assert len(ledger.entries(99)) == 4


def test_a_budget_says_how_much_was_spent_on_what() -> None:
    """One line for an assertion."""
    ledger = Ledger()
    for number in range(11):
        ledger.add(f"task-{number}", number, TXT2IMG, 1, 3100)
    ledger.add("task-11", 11, IMG2IMG, 3, 8900)

    broken, kept = ledger.within(40_000), ledger.within(43_000)

    assert not broken.ok
    assert broken.message == "spent 0.0430 USD of 0.0400; 12 tasks, 14 pictures"
    assert kept.ok


def test_a_budget_is_broken_by_one_micro_usd() -> None:
    """Amounts are whole numbers: no rounding hides the last one."""
    ledger = Ledger()
    ledger.add("task", 0, TXT2IMG, 1, 40_001)

    assert ledger.within(40_000).message == "spent 0.040001 USD of 0.0400; 1 task, 1 picture"
    assert not ledger.within(40_000).ok
    assert ledger.within(40_001).ok


def test_a_cleared_ledger_starts_again() -> None:
    """A world that is reset has spent nothing."""
    ledger = Ledger(max_entries=1)
    ledger.add("a", 0, TXT2IMG, 1, 1)
    ledger.add("b", 0, TXT2IMG, 1, 1)

    ledger.clear()

    assert ledger.spent.tasks == ledger.dropped == 0
    assert ledger.entries() == []
