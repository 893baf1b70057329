"""A sweep as JSON (`report.schema.json`), and as lines for the terminal."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from mockserver import __version__
from mockserver.money.amounts import counted, usd
from mockserver.programs.names import KEY
from mockserver.sweep.cases import Case
from mockserver.sweep.judging import Evidence, Mark, Rating
from mockserver.sweep.sweeping import Cell
from mockserver.sweep.trial import Setup

FORMAT = "novita-mock-sweep/1"
SIGNS = {Rating.GOOD: "+", Rating.WEAK: "~", Rating.BAD: "!", Rating.NONE: " "}
COLOURS = {Rating.GOOD: "green", Rating.WEAK: "yellow", Rating.BAD: "red", Rating.NONE: "bright_black"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """A sweep that has been played.

    Attributes:
        left_out: cases at points that the program never comes to.
        timeout_s: how long a run was allowed to take.
    """

    setup: Setup
    clean: Evidence
    cells: Sequence[Cell]
    left_out: Sequence[Case]
    timeout_s: float
    jobs: int

    @property
    def red(self) -> bool:
        """Whether the program did what no program should do."""
        return any(cell.verdict.rating is Rating.BAD for cell in self.cells)

    @property
    def weak(self) -> bool:
        """Whether it gave up where it could have gone on."""
        return any(cell.verdict.rating is Rating.WEAK for cell in self.cells)

    def counts(self) -> dict[Mark, int]:
        """How often each mark was given; every mark is there."""
        found = Counter(mark for cell in self.cells for mark in cell.verdict.marks)
        return {mark: found[mark] for mark in Mark}


def tape_of(case: Case) -> str:
    """The tape's file below the output folder."""
    return f"tapes/{case.id}.tape"


def repeat(sweep: Sweep, case: Case) -> str:
    """The command that plays a cell again, in the folder in which the sweep began."""
    setup = sweep.setup
    out = setup.out.relative_to(setup.source) if setup.out.is_relative_to(setup.source) else setup.out
    situation = f"--tape {shlex.quote(str(out / tape_of(case)))}"
    if case.scenario:
        situation = f"--scenario {case.scenario} --seed {setup.settings.seed}"
    further = [] if str(setup.settings.clock) == "auto" else ["--clock", str(setup.settings.clock)]
    further += ["--strict"] if setup.settings.strict else []
    further += ["--key", "KEY"] if setup.key != KEY else []
    if setup.hosts:
        further += ["--intercept", *(part for host in setup.hosts[1:] for part in ("--answer-for", host))]
    return f"novita-mock run {situation}{''.join(' ' + part for part in further)} -- {shlex.join(setup.program)}"


def as_json(sweep: Sweep) -> dict[str, Any]:
    """The report."""
    setup = sweep.setup
    return {
        "format": FORMAT,
        "version": __version__,
        "command": list(setup.program),
        "intercept": list(setup.hosts),
        "clock": str(setup.settings.clock),
        "seed": setup.settings.seed,
        "timeout_s": sweep.timeout_s,
        "jobs": sweep.jobs,
        "red": sweep.red,
        "counts": {mark.value: count for mark, count in sweep.counts().items()},
        "clean": {**_run(sweep.clean), "points": sorted(point.value for point in sweep.clean.points)},
        "cells": [_cell(sweep, cell) for cell in sweep.cells],
        "left_out": [{"case": case.id, "name": case.name, "point": case.point.value} for case in sweep.left_out],
    }


def _cell(sweep: Sweep, cell: Cell) -> dict[str, Any]:
    case, verdict = cell.case, cell.verdict
    return {
        "case": case.id,
        "name": case.name,
        "point": case.point.value,
        "best": case.best.value,
        "rules": [dict(rule) for rule in case.rules],
        "scenario": case.scenario or None,
        "marks": [mark.value for mark in verdict.marks],
        "silent": verdict.silent,
        "rating": verdict.rating.value,
        "detail": verdict.detail,
        "tape": tape_of(case),
        "repeat": repeat(sweep, case),
        **_run(cell.evidence),
    }


def _run(seen: Evidence) -> dict[str, Any]:
    return {
        "exit_code": seen.exit_code,
        "seconds": round(seen.seconds, 3),
        "tasks": seen.tasks,
        "pictures": seen.pictures,
        "usd": usd(seen.micro_usd),
        "double_spends": seen.double_spends,
        "unclaimed": seen.unclaimed,
        "findings": {code.value: count for code, count in seen.findings.items()},
        "fired": list(seen.fired),
        "files": [{"path": one.path, "kind": one.kind.value, "what": one.what} for one in seen.files],
        "leaks": list(seen.leaks),
    }


def marks_of(cell: Cell) -> str:
    """The marks of a cell in one text."""
    text = ", ".join(mark.value for mark in cell.verdict.marks)
    return f"{text} silently" if cell.verdict.silent else text


def row(cell: Cell, widest: int) -> tuple[str, str]:
    """A line of the terminal, and its colour."""
    verdict = cell.verdict
    text = f"{SIGNS[verdict.rating]} {cell.case.id:{widest}}  {marks_of(cell):16}  {verdict.detail}"
    return text.rstrip(), COLOURS[verdict.rating]


def closing(sweep: Sweep) -> Iterable[str]:
    """The last lines."""
    counts = ", ".join(f"{count} {mark.value}" for mark, count in sweep.counts().items() if count)
    yield f"{counted(len(sweep.cells), 'run')}: {counts}"
    if sweep.left_out:
        points = ", ".join(dict.fromkeys(case.point.value for case in sweep.left_out))
        yield f"{counted(len(sweep.left_out), 'failure')} left out, since the program never came to {points}"
