"""What the worlds of a test run come to, and the line that says so at its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

LABEL = "novita-mock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Sums over worlds.

    Attributes:
        worlds: how many there were.
        micro_usd: what the service would have taken.
        passed_ms: how long their tests would have waited for the service: what passed on the worlds' clocks.
        took_s: how long they took here, in seconds of the wall.
    """

    worlds: int = 0
    tasks: int = 0
    pictures: int = 0
    micro_usd: int = 0
    passed_ms: int = 0
    took_s: float = 0.0

    def __add__(self, other: Tally) -> Tally:
        mine, others = asdict(self), asdict(other)
        return Tally(**{name: mine[name] + others[name] for name in mine})

    def as_json(self) -> dict[str, float]:
        """For another process."""
        return asdict(self)

    @classmethod
    def from_json(cls, given: Mapping[str, float]) -> Tally:
        """What `as_json` gave."""
        return cls(**given)  # type: ignore[arg-type]  # integers stay what they are on the way

    def line(self) -> str:
        """For the end of a run."""
        from mockserver.money.amounts import counted, usd

        return (
            f"{LABEL}: {counted(self.tasks, 'task')}, {counted(self.pictures, 'picture')} in "
            f"{counted(self.worlds, 'world')}; the service would have taken {usd(self.micro_usd)} USD and "
            f"{minutes(self.passed_ms / 1000)}, here it was {minutes(self.took_s)}"
        )


def minutes(seconds: float) -> str:
    """A length of time as people say it: `0.4 s`, `48 s`, `2.5 min`, `3 h 20 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds / 60:.1f} min"
    hours, rest = divmod(round(seconds / 60), 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"
