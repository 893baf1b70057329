"""The simulated classifier behind `enable_nsfw_detection`.

It reads the prompt, not the picture: plain words put a request into one of the three documented categories
(`extra.nsfw_detection_level`). A level flags its own category and those of the levels below it, so the same prompt
can score high at level 2 and low at level 0. Confidences are a function of the task's seed and the picture's index.
"""

from __future__ import annotations

import re

from mockserver.core.chance import unit

CATEGORY_WORDS: tuple[frozenset[str], ...] = (
    frozenset({"nude", "nudity", "naked", "explicit", "swastika"}),  # flagged at every level
    frozenset({"topless", "kiss", "kissing"}),  # flagged from level 1
    frozenset({"swimwear", "swimsuit", "bikini", "underwear", "lingerie"}),  # flagged at level 2
)
SAFE_MAX = 12.0
UNSAFE_MIN = 85.0

_WORD = re.compile(r"[a-z]+")


def category(prompt: str) -> int | None:
    """The lowest level that flags a prompt (0 to 2); None when none does."""
    words = set(_WORD.findall(prompt.lower()))
    return next((level for level, flagged in enumerate(CATEGORY_WORDS) if words & flagged), None)


def confidences(
    *, prompt: str, level: int, seed: int, count: int, chosen: tuple[float, ...] | None = None
) -> list[float]:
    """One confidence per picture in picture order: 0 to 100, higher is more likely unsafe.

    Args:
        prompt: what was asked for.
        level: 0 to 2, the strictness asked for.
        seed: the task's seed.
        count: number of pictures.
        chosen: a world's own numbers, repeated as often as needed; they win.
    """
    if chosen:
        return [chosen[index % len(chosen)] for index in range(count)]
    found = category(prompt)
    low, high = (UNSAFE_MIN, 100.0) if found is not None and found <= level else (0.0, SAFE_MAX)
    return [round(low + (high - low) * unit(seed, index), 4) for index in range(count)]
