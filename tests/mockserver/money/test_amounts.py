"""Amounts as text: what people read and write."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.money.amounts import parse_usd, usd


@pytest.mark.parametrize(
    ("micro_usd", "text"),
    [(0, "0.0000"), (43_000, "0.0430"), (1_500, "0.0015"), (12_345_678, "12.345678"), (50, "0.000050")],
)
def test_amounts_have_the_decimals_of_a_balance(micro_usd: int, text: str) -> None:
    """Four decimals, or six where four would hide something."""
    assert usd(micro_usd) == text


def test_a_negative_amount_keeps_its_sign() -> None:
    """Rounding down may be a part of a price."""
    assert usd(-48) == "-0.000048"
    assert usd(-1_000_100) == "-1.0001"


@given(st.integers(0, 10**15))
def test_what_is_written_is_read_back(micro_usd: int) -> None:
    """Up to a billion USD, to the micro-USD."""
    assert parse_usd(usd(micro_usd)) == micro_usd


@pytest.mark.parametrize("value", [0.05, "0.05", "  0.05 ", "5e-2"], ids=repr)
def test_amounts_are_read_as_numbers_and_as_texts(value: float | str) -> None:
    """JSON brings numbers, the command line texts."""
    assert parse_usd(value) == 50_000


@pytest.mark.parametrize("value", ["", "free", "$5", "-1", -0.01, "nan", float("inf"), 2e9], ids=repr)
def test_what_is_no_amount_is_refused(value: float | str) -> None:
    """The message shows one."""
    with pytest.raises(ValueError, match=r"expected 0 or more, such as 0\.05"):
        parse_usd(value)


def test_an_amount_finer_than_a_micro_usd_is_refused() -> None:
    """Rounding a budget in silence would make it lie."""
    with pytest.raises(ValueError, match="at most six decimals"):
        parse_usd("0.0000005")
