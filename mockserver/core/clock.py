"""A world's clock: virtual milliseconds since the epoch, read from a wall clock or moved by hand.

Four kinds: `real` runs with the wall, `x<N>` runs N times as fast, `manual` stands until it is moved, and `auto` runs
with the wall and also jumps when a task is polled (the jump is decided in `mockserver.world`). Time only moves
forward until the world is reset: what was finished stays finished.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

Wall = Callable[[], int]
"""Milliseconds since the epoch; never runs backwards."""

MAX_MS = 253_402_214_399_000
"""The end of time: a day before the year 9999 ends, so that its date can be said in every zone (v2 says Beijing's)."""

_DURATION = re.compile(r"(?P<amount>\d+(?:\.\d+)?)(?P<unit>ms|s|m|h|d|w)")
_UNIT_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}


class ClockKind(StrEnum):
    """How a clock moves."""

    REAL = "real"
    SCALED = "scaled"
    MANUAL = "manual"
    AUTO = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockMode:
    """A kind and its rate: virtual milliseconds per millisecond of the wall."""

    kind: ClockKind
    rate: float

    @classmethod
    def parse(cls, text: str) -> ClockMode:
        """Reads `real`, `x<N>` (for example `x100`), `manual` or `auto`.

        Raises:
            ValueError: anything else; the message lists the words.
        """
        word = text.strip().lower()
        match word:
            case "real":
                return cls(kind=ClockKind.REAL, rate=1.0)
            case "manual":
                return cls(kind=ClockKind.MANUAL, rate=0.0)
            case "auto":
                return cls(kind=ClockKind.AUTO, rate=1.0)
        if re.fullmatch(r"x\d+(\.\d{1,6})?", word) and 0 < (rate := float(word[1:])) <= 1_000_000:
            return cls(kind=ClockKind.SCALED, rate=rate)
        raise ValueError(
            f"unknown clock {text!r:.80}: expected real, manual, auto, or x<N>, N at most 1000000, as in x100"
        )

    def __str__(self) -> str:
        """The text that `parse` reads back to an equal mode."""
        if self.kind is not ClockKind.SCALED:
            return self.kind.value
        return "x" + f"{self.rate:.6f}".rstrip("0").rstrip(".")


def parse_duration_ms(value: float | str) -> int:
    """Milliseconds of a duration: a number of seconds, or text such as `90s`, `2h30m`, `500ms`, `1w`.

    Raises:
        ValueError: not a duration, negative, or beyond the year 9999.
    """
    if isinstance(value, str):
        text = value.strip().lower()
        parts = list(_DURATION.finditer(text))
        if not parts or "".join(part.group() for part in parts) != text:
            raise ValueError(
                f"not a duration: {value!r:.80}; expected seconds as a number, or text like '90s' or '2h30m'"
            )
        amount = sum(float(part["amount"]) * _UNIT_MS[part["unit"]] for part in parts)
    else:
        amount = value * 1000
    if not 0 <= amount <= MAX_MS:
        raise ValueError(f"duration out of range: {value!r:.80}; expected 0 or more, and no further than the year 9999")
    return round(amount)


class Clock:
    """The clock of one world.

    Args:
        wall: the time source behind it.
        mode: how it moves.
    """

    __slots__ = ("_frozen", "_initial", "_now_ms", "_rate", "_wall", "_wall_ms", "mode")

    def __init__(self, wall: Wall, mode: ClockMode) -> None:
        self._wall = wall
        self._initial = mode
        self.mode = mode
        self._frozen = False
        self._rate = mode.rate
        self._wall_ms = wall()
        self._now_ms = self._wall_ms

    def now_ms(self) -> int:
        """The instant, in virtual milliseconds since the epoch."""
        rate = self._rate
        if rate == 0.0:
            return self._now_ms
        elapsed_ms = self._wall() - self._wall_ms
        now_ms = self._now_ms + (elapsed_ms if rate == 1.0 else int(elapsed_ms * rate))
        return now_ms if now_ms < MAX_MS else MAX_MS  # min() costs twice as much, on every call

    @property
    def frozen(self) -> bool:
        """Whether `freeze` stopped it."""
        return self._frozen

    @property
    def jumps(self) -> bool:
        """Whether polls move it (`auto`, and not frozen)."""
        return self.mode.kind is ClockKind.AUTO and not self._frozen

    def wall_s_until(self, instant_ms: int) -> float | None:
        """Seconds of the wall until the clock gets to an instant by itself; None when it stands."""
        if self._rate == 0.0:
            return None
        return max(0, instant_ms - self.now_ms()) / self._rate / 1000.0

    def jump_to(self, instant_ms: int) -> None:
        """Moves forward to an instant; an instant that has passed changes nothing.

        Raises:
            ValueError: beyond the year 9999.
        """
        if instant_ms > MAX_MS:
            raise ValueError("the clock cannot go beyond the year 9999")
        now = self.now_ms()
        self._anchor(max(now, instant_ms))

    def advance(self, by_ms: int) -> None:
        """Moves forward by a duration in milliseconds."""
        self.jump_to(self.now_ms() + by_ms)

    def set(self, instant_ms: int) -> None:
        """Sets the instant.

        Raises:
            ValueError: the instant has passed; reset the world to go back.
        """
        if instant_ms < self.now_ms():
            raise ValueError("the clock only moves forward; reset the world to start again at an earlier time")
        self.jump_to(instant_ms)

    def freeze(self) -> None:
        """Stops the clock, whatever its mode; verbs still move it."""
        self._anchor(self.now_ms())
        self._frozen = True
        self._rate = 0.0

    def resume(self) -> None:
        """Lets a frozen clock run again in its mode."""
        self._anchor(self.now_ms())
        self._frozen = False
        self._rate = self.mode.rate

    def change(self, mode: ClockMode) -> None:
        """Goes on from the present instant in another mode; a frozen clock stays frozen until it is resumed."""
        self._anchor(self.now_ms())
        self.mode = mode
        self._rate = 0.0 if self._frozen else mode.rate

    def reset(self, *, keep_time: bool) -> None:
        """Back to the first mode, running; at the wall's time, or no earlier than now when `keep_time` is set."""
        now = max(self.now_ms(), self._wall()) if keep_time else self._wall()
        self.mode = self._initial
        self._anchor(now)
        self._frozen = False
        self._rate = self.mode.rate

    def _anchor(self, now_ms: int) -> None:
        self._wall_ms = self._wall()
        self._now_ms = now_ms
