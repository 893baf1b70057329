"""Seeded numbers without state: the same inputs give the same number on every machine.

`random.Random` costs microseconds to seed and ties a number to the order of calls; these are functions of their
inputs.
"""

from __future__ import annotations

from hashlib import blake2b

_MASK = (1 << 64) - 1


def mix(seed: int, n: int) -> int:
    """64 well-mixed bits of a seed and a number (SplitMix64)."""
    z = (seed + (n + 1) * 0x9E3779B97F4A7C15) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


def unit(seed: int, n: int) -> float:
    """A number in [0, 1) of a seed and a number."""
    return (mix(seed, n) >> 11) * 2.0**-53  # all 64 bits would round up to 1.0 now and then


def seed_of(*parts: str | bytes | int) -> int:
    """A 64-bit seed of any parts; where one ends and the next begins matters."""
    digest = blake2b(digest_size=8)
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode()
        digest.update(len(data).to_bytes(4, "big"))
        digest.update(data)
    return int.from_bytes(digest.digest(), "big")
