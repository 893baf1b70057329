"""Seeded numbers: functions of their inputs, the same on every machine."""

from __future__ import annotations

from statistics import fmean

from hypothesis import given
from hypothesis import strategies as st

from mockserver.core import chance


def test_numbers_are_the_same_on_every_machine() -> None:
    """Ids, seeds and jitter of a recorded run can be repeated elsewhere: the values are pinned."""
    assert chance.mix(0, 0) == 0xE220A8397B1DCDAF  # the first output of SplitMix64 with seed 0
    assert chance.seed_of("world", 0, "sk-test") == 0x96E770DC0C2AF469


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**32))
def test_a_unit_is_from_0_to_below_1(seed: int, n: int) -> None:
    """1 itself never comes out, so `int(k * unit)` is always a valid index."""
    assert 0.0 <= chance.unit(seed, n) < 1.0


def test_a_unit_stays_below_1_for_the_largest_mix() -> None:
    """All 64 bits set, divided as they are, would round up to 1.0."""
    seed = 0x31628AF67B2131AB
    assert chance.mix(seed, 0) == 2**64 - 1

    assert chance.unit(seed, 0) < 1.0


def test_units_are_spread_evenly() -> None:
    """Neighbouring positions give unrelated numbers: the mean and the tenths are as they should be."""
    found = [chance.unit(7, n) for n in range(10_000)]

    assert abs(fmean(found) - 0.5) < 0.02
    assert all(900 < sum(tenth / 10 <= value < (tenth + 1) / 10 for value in found) < 1_100 for tenth in range(10))


def test_a_seed_depends_on_where_parts_end() -> None:
    """("ab", "c") and ("a", "bc") are different things."""
    assert chance.seed_of("ab", "c") != chance.seed_of("a", "bc")
    assert chance.seed_of("a") != chance.seed_of("a", "")
    assert chance.seed_of("a", 1) == chance.seed_of(b"a", "1")
