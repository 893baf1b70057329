"""The whole sweep: the clean run, the cases that concern the program, and each of them several at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from mockserver.sweep.cases import Case
from mockserver.sweep.judging import Evidence, Verdict, judge
from mockserver.sweep.place import Place
from mockserver.sweep.trial import Setup, Stopper, run_once

CLEAN = "clean"
LEAST_S = 10.0
MOST_S = 60.0
TIMES = 4
"""A run may take so many times as long as the clean one, unless the command line says otherwise."""


class NotClean(Exception):
    """The program does not get through without trouble; nothing can be said of it under any.

    Attributes:
        evidence: what it left behind.
    """

    def __init__(self, evidence: Evidence) -> None:
        ended = "did not end in time" if evidence.exit_code is None else f"ended with {evidence.exit_code}"
        super().__init__(f"without any failure the program {ended}")
        self.evidence = evidence


class NothingCame(Exception):
    """The program never called the mock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One case, played."""

    case: Case
    evidence: Evidence
    verdict: Verdict


def clean_run(setup: Setup, *, timeout_s: float | None, stopper: Stopper) -> Evidence:
    """The run in which nothing goes wrong.

    Raises:
        NotClean: it failed.
        NothingCame: it succeeded without a call.
        CannotRun: there is no such program.
    """
    found = run_once(setup, CLEAN, None, timeout_s=MOST_S if timeout_s is None else timeout_s, stopper=stopper)
    if found.exit_code != 0:
        raise NotClean(found)
    if not found.points:
        raise NothingCame
    return found


def allowed_s(clean: Evidence) -> float:
    """How long a run may take, where the command line does not say it."""
    return min(MOST_S, max(LEAST_S, TIMES * clean.seconds))


def play(
    setup: Setup, clean: Evidence, cases: Sequence[Case], *, timeout_s: float, jobs: int, stopper: Stopper
) -> Iterator[Cell]:
    """Plays cases, several at a time, and gives them in their order."""

    def one(case: Case) -> Cell:
        evidence = run_once(setup, case.id, case.situation(), timeout_s=timeout_s, stopper=stopper, clean=clean)
        return Cell(case=case, evidence=evidence, verdict=judge(case, clean, evidence))

    with ThreadPoolExecutor(1 if setup.place is Place.HERE else jobs) as pool:
        futures = [pool.submit(one, case) for case in cases]
        try:
            for future in futures:
                yield future.result()
        except BaseException:
            stopper.stop()
            pool.shutdown(cancel_futures=True)
            raise
