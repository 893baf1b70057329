"""The simulated classifier: three documented levels, the same numbers for the same seed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.core.nsfw import CATEGORY_WORDS, SAFE_MAX, UNSAFE_MIN, category, confidences


def flagged(prompt: str, level: int) -> bool:
    """Whether a picture of a prompt scores high at a level."""
    [confidence] = confidences(prompt=prompt, level=level, seed=1, count=1)
    return confidence >= UNSAFE_MIN


@pytest.mark.parametrize(
    ("prompt", "by_level"),
    [
        ("a cute dog", (False, False, False)),
        ("a nude statue", (True, True, True)),
        ("a swastika", (True, True, True)),
        ("two people kissing", (False, True, True)),
        ("a red swimsuit on a chair", (False, False, True)),
        ("UNDERWEAR, drying", (False, False, True)),
        ("a swimsuit and a nude statue", (True, True, True)),
        ("nudelman's kissable bikinis", (False, False, False)),
    ],
)
def test_a_level_flags_its_category_and_the_ones_below(prompt: str, by_level: tuple[bool, ...]) -> None:
    """0: explicit content and hate symbols; 1: also partial nudity and kissing; 2: also swimwear and underwear."""
    assert tuple(flagged(prompt, level) for level in (0, 1, 2)) == by_level


def test_the_categories_are_apart() -> None:
    """A word belongs to one level, and there is one category per level."""
    assert len(CATEGORY_WORDS) == 3
    assert len(frozenset.union(*CATEGORY_WORDS)) == sum(map(len, CATEGORY_WORDS))
    assert [category(next(iter(words))) for words in CATEGORY_WORDS] == [0, 1, 2]


@given(st.text(), st.integers(0, 2), st.integers(0, 2**64 - 1), st.integers(1, 64))
def test_confidences_are_repeatable_numbers_from_0_to_100(prompt: str, level: int, seed: int, count: int) -> None:
    """C9: one per picture, higher is more likely unsafe; equal inputs give equal numbers."""
    found = confidences(prompt=prompt, level=level, seed=seed, count=count)

    assert len(found) == count
    assert all(0 <= value <= SAFE_MAX for value in found) or all(UNSAFE_MIN <= value <= 100 for value in found)
    assert found == confidences(prompt=prompt, level=level, seed=seed, count=count)


def test_pictures_of_a_task_and_tasks_of_other_seeds_differ() -> None:
    """The numbers look measured."""
    found = confidences(prompt="a dog", level=0, seed=1, count=8)

    assert len(set(found)) == 8
    assert found != confidences(prompt="a dog", level=0, seed=2, count=8)


def test_a_world_can_choose_its_own_numbers() -> None:
    """They win over the prompt and are repeated in picture order."""
    chosen = confidences(prompt="a nude statue", level=2, seed=1, count=5, chosen=(1.5, 99.0))

    assert chosen == [1.5, 99.0, 1.5, 99.0, 1.5]
