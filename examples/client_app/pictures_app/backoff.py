"""How long to wait before trying again."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Waits that grow from `first_s` to `longest_s`, each shortened by chance, so that many clients spread out.

    Attributes:
        first_s: the first wait, seconds.
        factor: how much longer each is than the one before.
        longest_s: none is longer.
        tries: how many waits there are before giving up.
        spread: the share of a wait that chance takes away at most, 0 to 1.
    """

    first_s: float = 1.0
    factor: float = 1.6
    longest_s: float = 15.0
    tries: int = 5
    spread: float = 0.2

    def waits_s(self, chance: Callable[[], float] = random.random) -> Iterator[float]:
        """The waits of one call, in seconds.

        Args:
            chance: gives numbers from 0 up to 1.
        """
        wait_s = self.first_s
        for _ in range(self.tries):
            yield wait_s * (1.0 - self.spread * chance())
            wait_s = min(wait_s * self.factor, self.longest_s)
