"""What one run found, as a table for the terminal and as a section of docs/reference/benchmarks.md."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version

from benchmarks.reference.bare import Drawn
from benchmarks.reference.cases import Case
from benchmarks.reference.serving import Started

LIBRARIES = ("torch", "diffusers", "transformers", "uvicorn", "starlette")
FIRST_ANSWER_S = 1.0
POLL_MS = 20.0
BATCHED = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One case.

    Attributes:
        served: by the server, round by round.
        bare: by the bare loop, in the same rounds.
        compiled: by bare loops that compile, by how.
    """

    case: Case
    served: Sequence[Drawn]
    bare: Sequence[Drawn]
    compiled: dict[str, Drawn] = field(default_factory=dict)

    @property
    def pace_s(self) -> float:
        """Seconds per picture of the server; the median round."""
        return statistics.median(one.pace_s for one in self.served)

    @property
    def share(self) -> float:
        """Of the bare loop's rate that the server reaches; the median of the rounds' ratios."""
        return statistics.median(
            bare.pace_s / served.pace_s for bare, served in zip(self.bare, self.served, strict=True)
        )

    def share_of(self, how: str) -> float:
        """The same beside a bare loop that compiles."""
        return self.compiled[how].pace_s / self.pace_s

    def figures(self) -> list[str]:
        """The row of the table."""
        bare_s = statistics.median(one.pace_s for one in self.bare)
        compiled = ", ".join(f"{how} {self.share_of(how):.2f}" for how in self.compiled)
        return [
            self.case.name,
            f"{bare_s:.2f} s",
            f"{self.pace_s:.2f} s",
            f"{1 / self.pace_s:.2f}",
            f"{self.share:.3f}",
            compiled or "-",
            _mb(self.bare[-1].memory_mb),
            _mb(self.served[-1].memory_mb),
        ]


@dataclass(slots=True, kw_only=True)
class Results:
    """Everything that one run found.

    Attributes:
        device: `cpu` or `cuda`.
        device_name: what it is.
        when: date.
        load: of the machine just before, in running processes.
        polls_ms: half and 99 of a hundred polls took no longer.
        missing: why something was not measured, by what.
    """

    device: str
    device_name: str
    when: str
    load: float
    rounds: int
    rows: list[Row] = field(default_factory=list)
    polls_ms: tuple[float, float] | None = None
    started: Started | None = None
    missing: dict[str, str] = field(default_factory=dict)

    def aims(self) -> Iterator[tuple[str, str, str, str]]:
        """What, demand, figure, verdict: of all that was measured and has a demand."""
        for row in self.rows:
            case = row.case
            if case.limit_s is not None:
                yield _at_most(f"a picture: {case.name}", case.limit_s, row.pace_s, "s")
            if case.share is not None:
                yield _at_least(f"share of the bare loop's rate: {case.name}", case.share, row.share)
        for row in self.rows:
            alone = next((one for one in self.rows if _is_alone(one.case, row.case)), None)
            if alone is not None and row.case.part == "tiny":
                gain = alone.pace_s / row.pace_s
                yield _at_least(f"{row.case.batch} at once over one by one: {row.case.name}", BATCHED, gain)
        if self.polls_ms is not None:
            yield _at_most("poll while saturated, 99 of 100", POLL_MS, self.polls_ms[1], "ms")
        if self.started is not None:
            yield _at_most("from the command to the first answer", FIRST_ANSWER_S, self.started.answers_s, "s")

    def text(self) -> str:
        """Of the section, in Markdown; also fit for a terminal."""
        lines = [
            f"- Run of {self.when} on {self.device_name}; {os.cpu_count()} cores, {platform.system()} "
            f"{platform.machine()}, Python {platform.python_version()}; load before it {self.load:.1f}.",
            f"- {', '.join(f'{name} {version(name)}' for name in LIBRARIES)}.",
            f"- {self.rounds} rounds for each row, bare loop and server in turns after a first call each to warm up; "
            "medians.",
        ]
        aims = list(self.aims())
        if aims:
            lines += ["", *_table(["aim", "demand", "found", "verdict"], aims)]
        if self.rows:
            head = [
                "pictures",
                "bare loop",
                "server",
                "per second",
                "share",
                "of a compiled loop",
                "bare MB",
                "server MB",
            ]
            lines += ["", *_table(head, [row.figures() for row in self.rows])]
        if self.polls_ms is not None:
            half, most = self.polls_ms
            lines += [
                "",
                f"- Polls while the device is saturated: half within {half:.1f} ms, 99 of 100 in {most:.1f} ms.",
            ]
        if self.started is not None:
            lines += [
                f"- From the command: the first answer after {self.started.answers_s:.2f} s, ready to draw after "
                f"{self.started.ready_s:.1f} s."
            ]
        lines += [f"- Not measured: {what}: {why}" for what, why in self.missing.items()]
        return "\n".join(lines)


def _is_alone(one: Case, batched: Case) -> bool:
    same = (one.model, one.size, one.steps, one.dtype) == (batched.model, batched.size, batched.steps, batched.dtype)
    return same and one.batch == 1 and batched.batch > 1


def _at_most(what: str, demand: float, found: float, unit: str) -> tuple[str, str, str, str]:
    return what, f"≤ {demand:g} {unit}", f"{found:.3g} {unit}", "reached" if found <= demand else "NOT reached"


def _at_least(what: str, demand: float, found: float) -> tuple[str, str, str, str]:
    return what, f"≥ {demand:g}", f"{found:.3f}", "reached" if found >= demand else "NOT reached"


def _mb(memory: float | None) -> str:
    return "-" if memory is None else f"{memory:,.0f}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [head, ["-" * width for width in widths], *rows]
    return [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    ]
