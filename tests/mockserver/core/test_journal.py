"""The journal: the newest calls of each world, within a budget that all worlds share."""

from __future__ import annotations

import tracemalloc
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mockserver.core.findings import Code, Finding
from mockserver.core.journal import (
    BODY_BYTES,
    ENTRY_BYTES,
    FINDING_BYTES,
    KEPT_HEADERS,
    MAX_TOLD,
    Entry,
    Journal,
    JournalBudget,
)


def write(journal: Journal, **fields: Any) -> None:
    """Writes a call; what a test does not name is plain."""
    plain: dict[str, Any] = {
        "at_ms": 0,
        "method": "POST",
        "path": "/",
        "query": b"",
        "operation_id": "createTxt2imgTask",
        "status": 200,
        "headers": (),
        "request": b"",
        "answer": b"",
        "findings": 0,
    }
    journal.write(**{**plain, **fields})


def numbers(journal: Journal) -> list[int]:
    return [entry.number for entry in journal]


def test_an_entry_keeps_what_was_asked_and_answered() -> None:
    """Every field of a call can be read back."""
    journal = Journal(JournalBudget())
    write(
        journal,
        at_ms=5,
        path="/v3/async/task-result",
        query=b"task_id=1",
        status=404,
        headers=((b"accept", b"*/*"),),
        request=b"{}",
        answer=b"no",
        findings=3,
    )
    [entry] = journal

    assert (entry.number, entry.at_ms, entry.method, entry.status, entry.findings) == (1, 5, "POST", 404, 3)
    assert (entry.path, entry.query, entry.headers) == (
        "/v3/async/task-result",
        b"task_id=1",
        ((b"accept", b"*/*"),),
    )
    assert (entry.request, entry.answer) == (b"{}", b"no")


def test_long_bodies_are_cut_and_their_length_is_kept() -> None:
    """A 10 MB picture costs a journal 8 KiB."""
    journal = Journal(JournalBudget())
    write(journal, request=b"a" * 10**7, answer=b"b" * (BODY_BYTES + 1))
    [entry] = journal

    assert (len(entry.request), entry.request_bytes) == (BODY_BYTES, 10**7)
    assert (len(entry.answer), entry.answer_bytes) == (BODY_BYTES, BODY_BYTES + 1)


def test_a_journal_keeps_the_newest_calls_and_goes_on_numbering() -> None:
    """Beyond its limit the oldest entries go."""
    journal = Journal(JournalBudget(), limit=3)
    for _ in range(5):
        write(journal)

    assert numbers(journal) == [3, 4, 5]
    assert journal.written == 5


def test_a_journal_of_no_entries_writes_nothing() -> None:
    """`--journal-entries 0` switches it off."""
    budget = JournalBudget()
    journal = Journal(budget, limit=0)
    write(journal, request=b"x")

    assert len(journal) == 0
    assert budget.total_bytes == 0


def test_over_the_budget_the_journal_written_to_longest_ago_pays_first() -> None:
    """A busy world does not lose its newest calls to an idle one."""
    budget = JournalBudget(max_bytes=4 * (ENTRY_BYTES + 101))
    idle, busy = Journal(budget), Journal(budget)
    for _ in range(2):
        write(idle, answer=b"x" * 100)
    for _ in range(4):
        write(busy, answer=b"x" * 100)

    assert numbers(idle) == []
    assert numbers(busy) == [1, 2, 3, 4]

    write(idle, answer=b"x" * 100)
    assert numbers(busy) == [2, 3, 4]
    assert numbers(idle) == [3]


def test_an_entry_larger_than_the_budget_is_not_kept() -> None:
    """The budget holds even then."""
    budget = JournalBudget(max_bytes=100)
    journal = Journal(budget)
    write(journal)

    assert len(journal) == 0
    assert budget.total_bytes == 0


def test_clearing_gives_the_bytes_back_and_starts_numbering_again() -> None:
    """A world that starts again has an empty journal."""
    budget = JournalBudget()
    journal = Journal(budget)
    write(journal, request=b"x" * 10)
    journal.clear()
    assert (budget.total_bytes, journal.written, len(journal)) == (0, 0, 0)

    write(journal)
    assert numbers(journal) == [1]


def test_queries_paths_and_headers_count_too() -> None:
    """A URL of 64 KB is not free."""
    budget = JournalBudget()
    write(Journal(budget), path="/" * 10, query=b"q" * 1_000, headers=((b"user-agent", b"u" * 500),))

    assert budget.total_bytes == ENTRY_BYTES + 10 + 1_000 + 10 + 500


def test_the_entrys_own_cost_is_about_right() -> None:
    """What the budget counts is what an entry takes, within a third."""
    budget = JournalBudget()
    journal = Journal(budget, limit=5_000)
    tracemalloc.start()
    try:
        for number in range(2_000):
            write(journal, at_ms=1_709_284_800_000 + number, query=b"task_id=%036d" % number, answer=b"%0500d" % number)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert 0.67 < budget.total_bytes / taken < 1.5


def test_secrets_are_no_kept_header() -> None:
    """The key travels in headers that are not on the list."""
    assert not KEPT_HEADERS & {b"authorization", b"x-omni-key", b"cookie", b"proxy-authorization"}


@given(
    calls=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 400), st.integers(0, 9)), max_size=80),
    limit=st.integers(1, 6),
    max_bytes=st.integers(0, 6_000),
)
def test_the_budget_is_exact_and_never_exceeded(calls: list[tuple[int, int, int]], limit: int, max_bytes: int) -> None:
    """Whatever is written and cleared in many worlds, the total is the sum of what is kept, and bounded."""
    budget = JournalBudget(max_bytes)
    journals = [Journal(budget, limit) for _ in range(6)]
    for which, size, dice in calls:
        if dice == 0:
            journals[which].clear()
        else:
            write(journals[which], answer=b"x" * size)
        kept: list[Entry] = [entry for journal in journals for entry in journal]
        assert budget.total_bytes == sum(entry.size for entry in kept) <= max_bytes
        assert all(len(journal) <= limit for journal in journals)
        assert all(numbers(journal) == sorted(numbers(journal)) for journal in journals)


def test_the_words_of_findings_are_kept_within_bounds_and_counted() -> None:
    """An entry says what was found in its call; that costs its journal as much as it is long."""
    budget = JournalBudget()
    journal = Journal(budget)
    write(journal)
    before = budget.total_bytes
    findings = tuple(Finding(Code.TOLERATED_REQUEST, f"field {number}", "m" * 100) for number in range(MAX_TOLD + 3))
    journal.explain(findings)
    [entry] = journal

    assert entry.told == findings[:MAX_TOLD]
    assert budget.total_bytes - before == MAX_TOLD * (FINDING_BYTES + len("field 0") + 100)
    journal.clear()
    assert budget.total_bytes == 0


def test_findings_of_an_entry_that_is_not_kept_are_dropped() -> None:
    """Where the journal is off, or the entry is larger than the budget."""
    off = Journal(JournalBudget(), limit=0)
    write(off)
    off.explain((Finding(Code.TOLERATED_REQUEST, "field", "message"),))
    assert len(off) == 0
    budget = JournalBudget(max_bytes=ENTRY_BYTES + 20)
    small = Journal(budget)
    write(small)
    small.explain((Finding(Code.TOLERATED_REQUEST, "field", "m" * 500),))
    assert (len(small), budget.total_bytes) == (0, 0)
