"""Results as a table for the terminal, as JSON and as docs/benchmarks.md, each aim with reached or not reached."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version

from benchmarks.load import CONNECTIONS, Load

FORMAT = 1
"""Version of the JSON."""


@dataclass(slots=True, kw_only=True)
class Results:
    """Everything one run found; what is absent has its reason in `missing`.

    Attributes:
        when: date of the run.
        loads: by server and operation.
        start_s: by server, median seconds from the command to the first right answer.
        start_ratio: by server, that time over a bare Starlette's started just before.
        job_ms, render_ms, thousand, memory_mb: see `benchmarks.inprocess`.
        full_store_ratio: submit rate at the bound of tasks over the rate into an empty store.
        idle_plan: by operation, rate with an idle fault plan over the rate without one, in process.
        words: what each server does per request.
        missing: why something was not measured.
        notes: how the run was made.
    """

    when: str
    loads: dict[str, dict[str, Load]] = field(default_factory=dict)
    start_s: dict[str, float] = field(default_factory=dict)
    start_ratio: dict[str, float] = field(default_factory=dict)
    job_ms: dict[str, float] = field(default_factory=dict)
    render_ms: dict[str, float] = field(default_factory=dict)
    thousand: dict[str, float] = field(default_factory=dict)
    memory_mb: dict[str, float] = field(default_factory=dict)
    full_store_ratio: float | None = None
    idle_plan: dict[str, float] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def share(self, operation: str, server: str = "novita-mock") -> float | None:
        """Rate of a server over the limit's."""
        load = self.loads.get(server, {}).get(operation)
        return None if load is None else load.share

    def beside(self, operation: str, server: str) -> float | None:
        """Rate of the mock over the rate of another server."""
        ours, theirs = self.share(operation), self.share(operation, server)
        return None if ours is None or theirs is None else ours / theirs


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """A demand, the figure found for it, and how they compare."""

    what: str
    demand: float
    found: float | None
    at_least: bool = False
    unit: str = ""

    @property
    def reached(self) -> bool | None:
        """Whether the figure fulfils the demand; None when there is no figure."""
        if self.found is None:
            return None
        return self.found >= self.demand if self.at_least else self.found <= self.demand

    @property
    def verdict(self) -> str:
        """In words."""
        return {True: "reached", False: "NOT reached", None: "not measured"}[self.reached]

    def figures(self) -> tuple[str, str]:
        """Demand and figure as text."""
        sign = "≥" if self.at_least else "≤"
        found = "-" if self.found is None else f"{_number(self.found)}{self.unit}"
        return f"{sign} {_number(self.demand)}{self.unit}", found


def aims(results: Results) -> list[Aim]:
    """What this project wants to reach."""
    return [
        Aim(what="submit, share of the limit", demand=0.45, found=results.share("submit"), at_least=True),
        Aim(what="submit, times aimock's", demand=1.0, found=results.beside("submit", "aimock"), at_least=True),
        Aim(what="poll, share of the limit", demand=0.6, found=results.share("poll"), at_least=True),
        Aim(
            what="submit with an idle fault plan, times without",
            demand=0.95,
            found=results.idle_plan.get("submit"),
            at_least=True,
        ),
        Aim(
            what="poll with an idle fault plan, times without",
            demand=0.95,
            found=results.idle_plan.get("poll"),
            at_least=True,
        ),
        Aim(what="start-up, times a bare Starlette's", demand=1.4, found=results.start_ratio.get("novita-mock")),
        Aim(what="job in process with 512x512 PNG", demand=5, found=results.job_ms.get("asgi"), unit=" ms"),
        Aim(what="drawing a 1024x1024 PNG", demand=12, found=results.render_ms.get("png"), unit=" ms"),
        Aim(what="1,000 tasks of 60 virtual seconds", demand=2, found=results.thousand.get("seconds"), unit=" s"),
        Aim(
            what="process with 100,000 finished tasks", demand=200, found=results.memory_mb.get("total_mb"), unit=" MB"
        ),
    ]


def machine() -> str:
    """The machine in words that name nothing but its size."""
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"


def versions(packages: Mapping[str, str]) -> str:
    """Versions of what took part."""
    ours = ("novita-mock", "starlette", "uvicorn", "httptools", "uvloop", "jsonschema-rs", "orjson", "pillow")
    return ", ".join([*(f"{name} {version(name)}" for name in ours), *(f"{k} {v}" for k, v in packages.items())])


def as_json(results: Results, packages: Mapping[str, str]) -> dict[str, object]:
    """The results as JSON values."""
    return {
        "format": FORMAT,
        "when": results.when,
        "machine": machine(),
        "versions": versions(packages),
        "loads": {
            name: {operation: {key: getattr(load, key) for key in load.__slots__} for operation, load in found.items()}
            for name, found in results.loads.items()
        },
        "start_s": results.start_s,
        "start_ratio": results.start_ratio,
        "job_ms": results.job_ms,
        "render_ms": results.render_ms,
        "thousand_tasks": results.thousand,
        "memory_mb": results.memory_mb,
        "full_store_ratio": results.full_store_ratio,
        "idle_plan": results.idle_plan,
        "missing": results.missing,
        "aims": [
            {
                "what": aim.what,
                "demand": aim.demand,
                "at_least": aim.at_least,
                "found": aim.found,
                "verdict": aim.verdict,
            }
            for aim in aims(results)
        ],
    }


def markdown(results: Results, packages: Mapping[str, str]) -> str:
    """docs/benchmarks.md, whole."""
    return "\n".join(_lines(results, packages)) + "\n"


def terminal(results: Results, packages: Mapping[str, str]) -> str:
    """The same tables, for reading as they are."""
    lines = list(_lines(results, packages))
    return "\n".join(line.removeprefix("## ") for line in lines[lines.index("## Aims") :])


def _lines(results: Results, packages: Mapping[str, str]) -> Iterator[str]:
    yield from (
        "# Benchmarks",
        "",
        "Written by `make bench ARGS=--write`; do not edit. Every figure comes from one run on one machine, servers",
        "taking turns; the ratios carry over to other machines, the absolute figures do not.",
        "",
        f"- Run of {results.when} on {machine()}.",
        f"- {versions(packages)}.",
        *(f"- {note}" for note in results.notes),
        "",
        "## Aims",
        "",
    )
    yield from _table(
        ("aim", "demand", "found", "verdict"), [(aim.what, *aim.figures(), aim.verdict) for aim in aims(results)]
    )
    yield from (
        "",
        "## Requests per second",
        "",
        f"`wrk`, one thread, {CONNECTIONS} connections, one server process. *Share* is of the limit (what uvicorn",
        "reaches with an application that does nothing), measured just before and just after. Medians of the rounds,",
        "in brackets the lowest and the highest. *Start-up* is from the command to the first right answer, and in",
        "brackets over the bare Starlette's just before.",
        "",
    )
    yield from _table(("server", "submit", "share", "poll", "share", "start-up"), list(_load_rows(results)))
    yield ""
    yield from (f"- **{name}**: {words}." for name, words in results.words.items())
    yield from ("", "## In one process", "")
    yield from _table(("what", "figure"), list(_process_rows(results)))
    if results.missing:
        yield from ("", "## Not measured", "")
        yield from (f"- **{name}**: {' '.join(reason.split())}" for name, reason in results.missing.items())


def _load_rows(results: Results) -> Iterator[tuple[str, ...]]:
    for name in results.words:
        row = [name]
        for operation in ("submit", "poll"):
            load = results.loads.get(name, {}).get(operation)
            share = results.share(operation, name)
            if load is None:
                row += ["-" if name == "hello" else "not measured", "-"]
            else:
                row += [f"{load.per_s:,.0f} ({load.lowest_per_s:,.0f}-{load.highest_per_s:,.0f})"]
                row += ["-" if share is None else f"{share:.2f}"]
        started = results.start_s.get(name)
        over = results.start_ratio.get(name)
        row.append(
            ("-" if name == "limit" else "not measured")
            if started is None
            else f"{started * 1000:,.0f} ms" + (f" ({over:.2f})" if over is not None else "")
        )
        yield tuple(row)


def _process_rows(results: Results) -> Iterator[tuple[str, str]]:
    for name, figure in results.job_ms.items():
        how = "ASGI application called directly" if name == "asgi" else "httpx.ASGITransport"
        yield f"job: submit, polls on the `auto` clock, download of a new 512x512 PNG ({how})", f"{figure:.2f} ms"
    for name, figure in results.render_ms.items():
        yield f"drawing a new 1024x1024 picture, {name}", f"{figure:.1f} ms"
    if results.thousand:
        found = results.thousand
        what = (
            f"1,000 tasks of 60 virtual seconds, {found['polls']:,.0f} polls, {found['virtual_s']:,.0f} virtual seconds"
        )
        yield what, f"{found['seconds']:.2f} s"
    if results.memory_mb:
        found = results.memory_mb
        yield f"process with {found['tasks']:,.0f} finished tasks, resident", f"{found['total_mb']:.0f} MB"
        yield "of it over the empty mock", f"{found['growth_mb']:.0f} MB"
    if results.full_store_ratio is not None:
        yield "submit rate with the task store at its bound over an empty one", f"{results.full_store_ratio:.2f}"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> Iterator[str]:
    """A Markdown table whose columns also line up in a terminal."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]

    def line(row: tuple[str, ...]) -> str:
        return "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"

    yield line(head)
    yield "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    yield from (line(row) for row in rows)


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.2f}"
