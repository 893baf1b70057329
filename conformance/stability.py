"""Runs the suite again and again on one server and says which verdicts were not the same each time.

`python -m conformance.stability URL` takes the flags of `novita-conformance run`. Exit codes: 0 the same verdicts in
every run, 1 not so, 2 wrong use, 3 a run did not come to its end.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from conformance.errors import NoClock
from conformance.events import Ending
from conformance.job import Job, perform
from conformance.run_options import RunCommand, is_given, job_of, run_flags
from conformance.verdict import Verdict

if TYPE_CHECKING:
    import httpx

OTHERS = ("plan", "reports", "events", "repro", "repro_dir")
"""Flags of a single run, which mean nothing here."""
# It ends by itself when whoever started it is gone, however that went.
_SPIN = "import os\nparent = os.getppid()\nwhile os.getppid() == parent:\n    sum(range(1_000_000))"


@dataclass(frozen=True, slots=True, kw_only=True)
class Once:
    """One of the runs.

    Attributes:
        said: verdict and message by requirement.
        stopped: why it did not come to its end; "" when it did.
        load: processes that wanted the machine, on average of the last minute; None where that is not known.
    """

    said: Mapping[str, tuple[Verdict, str]]
    took_s: float
    stopped: str = ""
    load: float | None = None

    @property
    def words(self) -> str:
        """In one line."""
        counted = Counter(verdict for verdict, _ in self.said.values())
        found = ", ".join(f"{counted[verdict]} {verdict}" for verdict in Verdict if counted[verdict])
        load = "" if self.load is None else f", load {self.load:.1f}"
        return f"{self.stopped or found or 'nothing decided'} ({self.took_s:.1f} s{load})"


def repeated(
    job: Job, runs: int, tell: Callable[[Once], object], transport: httpx.AsyncBaseTransport | None = None
) -> list[Once]:
    """So many runs, one after the other; it ends early with one that did not come to its end.

    Args:
        tell: hears of each run.
        transport: in place of the network.

    Raises:
        NoClock: the user named a clock that is not there.
    """
    found: list[Once] = []
    while len(found) < runs and not (found and found[-1].stopped):
        report = perform(job, transport=transport)
        complete = report.ending is Ending.COMPLETE and not report.stopped
        one = Once(
            said={entry.id: (entry.verdict, entry.actual or entry.message) for entry in report.entries},
            took_s=report.took_s,
            stopped="" if complete else report.stopped or str(report.ending),
            load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        )
        found.append(one)
        tell(one)
    return found


def news(run: Once, first: Once) -> list[str]:
    """What a run says otherwise than the first one, in lines."""
    return [
        f"{name}: {verdict}, not {first.said[name][0]}: {message or first.said[name][1]}"
        for name, (verdict, message) in run.said.items()
        if name in first.said and verdict is not first.said[name][0]
    ]


def unsteady(runs: Sequence[Once]) -> dict[str, str]:
    """Requirements whose verdict was not the same in every run: how often each, and what the rarest rests on."""
    found: dict[str, str] = {}
    for requirement in dict.fromkeys(name for run in runs for name in run.said):
        said = [run.said.get(requirement, (Verdict.ERROR, "not decided")) for run in runs]
        counted = Counter(verdict for verdict, _ in said).most_common()
        if len(counted) > 1:
            rarest = counted[-1][0]
            number, message = next((place, words) for place, (one, words) in enumerate(said, 1) if one is rarest)
            times = ", ".join(f"{times} times {verdict}" for verdict, times in counted)
            found[requirement] = f"{times}; run {number}: {message}"
    return found


@contextmanager
def busy(cores: int) -> Iterator[Sequence[subprocess.Popen[bytes]]]:
    """Keeps so many cores busy meanwhile, each with a process."""
    spinning = [subprocess.Popen([sys.executable, "-c", _SPIN], stdin=subprocess.DEVNULL) for _ in range(cores)]
    try:
        yield spinning
    finally:
        for process in spinning:
            process.kill()
            process.wait()


def words(runs: Sequence[Once]) -> str:
    """What all runs say together, in lines."""
    rows = {name for run in runs for name in run.said}
    took = [run.took_s for run in runs]
    loads = [run.load for run in runs if run.load is not None]
    load = f", load {min(loads):.1f} to {max(loads):.1f}" if loads else ""
    lines = [f"{len(runs)} runs of {len(rows)} requirements, {min(took):.1f} to {max(took):.1f} s each{load}."]
    whole = runs
    if runs[-1].stopped:
        lines.append(f"The last one did not come to its end: {runs[-1].stopped}")
        whole = runs[:-1]
    found = unsteady(whole)
    if found:
        lines += ["Not the same in all of them:", *(f"  {name}: {text}" for name, text in found.items())]
    elif len(whole) > 1:
        lines.append(f"Every verdict was the same in {'all' if whole is runs else len(whole)} of them.")
    return "\n".join(lines)


@click.command(cls=RunCommand, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@run_flags
@click.option("--runs", default=20, show_default=True, type=click.IntRange(2), help="One after the other.")
@click.option("--busy", "cores", default=0, show_default=True, type=click.IntRange(0, 256), help="Cores kept busy.")
def main(runs: int, cores: int, **options: Any) -> None:
    """Judge the server at URL again and again; every verdict must be the same each time."""
    for name in OTHERS:
        if is_given(name):
            raise click.UsageError(f"--{name.replace('_', '-').rstrip('s')} belongs to one run: novita-conformance run")
    job = replace(job_of(options), repro=False)
    told: list[Once] = []

    def tell(one: Once) -> None:
        told.append(one)
        click.echo(f"run {len(told)}: {one.words}")
        for line in () if one.stopped else news(one, told[0]):
            click.echo(f"  {line}")

    try:
        with busy(cores):
            found = repeated(job, runs, tell)
    except NoClock as error:
        raise click.UsageError(str(error)) from None
    click.echo(words(found))
    sys.exit(3 if found[-1].stopped else int(bool(unsteady(found))))


if __name__ == "__main__":
    main()
