"""The agenda: errands in the order of their instants."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mockserver.core.agenda import Agenda

INSTANTS = st.lists(st.integers(0, 50), max_size=30)


@given(INSTANTS, st.integers(0, 50))
def test_what_is_due_comes_in_order_and_once(instants: list[int], now_ms: int) -> None:
    """Errands of the same instant keep the order in which they were entered."""
    agenda: Agenda[int] = Agenda()
    for number, at_ms in enumerate(instants):
        agenda.enter(at_ms, number)
    due = list(agenda.take_due(now_ms))
    assert due == sorted((n for n, at_ms in enumerate(instants) if at_ms <= now_ms), key=lambda n: (instants[n], n))
    assert len(agenda) == len(instants) - len(due)
    assert agenda.next_ms() == min((at_ms for at_ms in instants if at_ms > now_ms), default=None)


@given(INSTANTS, st.integers(0, 40))
def test_what_was_withdrawn_never_comes(instants: list[int], gone: int) -> None:
    """The others keep their order."""
    agenda: Agenda[int] = Agenda()
    for number, at_ms in enumerate(instants):
        agenda.enter(at_ms, number)
    assert agenda.withdraw(gone) is (gone < len(instants))
    assert agenda.withdraw(gone) is False
    expected = [n for n in sorted(range(len(instants)), key=lambda n: (instants[n], n)) if n != gone]
    assert list(agenda.take_due(50)) == expected
