"""Servers by requirements, from their reports: as Markdown and as an HTML page that needs nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from conformance.report.html import SIGNS, WORDS
from conformance.report.json_report import Decided, Written
from conformance.report.markdown import SIGNS as EMOJI
from conformance.report.markdown import code, plain
from conformance.verdict import Verdict

TEMPLATE = "matrix.html.j2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A requirement, and what each server does about it; None where its run did not choose it."""

    row: Decided
    cells: tuple[Decided | None, ...]

    @property
    def differs(self) -> bool:
        """Whether the servers do not agree."""
        return len({cell.verdict if cell else None for cell in self.cells}) > 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """All of it; `names` are unique."""

    reports: tuple[Written, ...]
    names: tuple[str, ...]
    rows: tuple[Row, ...]

    def counts(self) -> list[Counter[Verdict]]:
        """How many of each verdict, by server."""
        return [Counter(one.verdict for one in report.requirements.values()) for report in self.reports]


def matrix(reports: Sequence[Written]) -> Matrix:
    """The matrix of some reports, in their order."""
    known: dict[str, Decided] = {}
    for report in reports:
        known = {**report.requirements, **known}
    order = sorted(known, key=lambda one: (min(_place(report, one) for report in reports), one))
    names = _unique([_name(report, reports) for report in reports])
    rows = tuple(Row(row=known[one], cells=tuple(report.requirements.get(one) for report in reports)) for one in order)
    return Matrix(reports=tuple(reports), names=names, rows=rows)


def _name(report: Written, reports: Sequence[Written]) -> str:
    """The name of its file, after that of its folder where files of several folders have the same."""
    folders = {other.folder for other in reports if other.name == report.name}
    return f"{report.folder}/{report.name}" if len(folders) > 1 else report.name


def _unique(names: Sequence[str]) -> tuple[str, ...]:
    seen: Counter[str] = Counter()
    found = []
    for name in names:
        seen[name] += 1
        found.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return tuple(found)


def _place(report: Written, requirement: str) -> int:
    ids = list(report.requirements)
    return ids.index(requirement) if requirement in report.requirements else len(ids)


def as_markdown(found: Matrix) -> str:
    """A table of counts, then one of the requirements on which not all servers are green."""
    used = [verdict for verdict in Verdict if any(counts[verdict] for counts in found.counts())]
    lines = [f"| Server | {' | '.join(f'{EMOJI[one]} {one}' for one in used)} |", "|---|" + "---:|" * len(used)]
    for name, report, counts in zip(found.names, found.reports, found.counts(), strict=True):
        numbers = " | ".join(str(counts[one] or "") for one in used)
        lines.append(f"| {plain(name)} {code(report.target)} | {numbers} |")
    red = [row for row in found.rows if any(cell and not cell.verdict.green for cell in row.cells)]
    if red:
        lines += ["", f"| Requirement | {' | '.join(map(plain, found.names))} |", "|---|" + ":---:|" * len(found.names)]
        lines += [
            f"| **{row.row.id}** {row.row.level}: {plain(row.row.text)} | "
            f"{' | '.join(EMOJI[cell.verdict] if cell else '' for cell in row.cells)} |"
            for row in red
        ]
    return "\n".join(lines) + "\n"


def as_html(found: Matrix) -> str:
    """One page."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    engine = Environment(
        loader=PackageLoader("conformance", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    engine.filters["sign"] = SIGNS.__getitem__
    engine.filters["words"] = WORDS.__getitem__
    engine.filters["css"] = lambda verdict: f"v-{verdict.lower().replace('_', '-')}"
    areas: dict[str, list[Row]] = {}
    for row in found.rows:
        areas.setdefault(row.row.area, []).append(row)
    used = [verdict for verdict in Verdict if any(counts[verdict] for counts in found.counts())]
    page = engine.get_template(TEMPLATE).render(matrix=found, counts=found.counts(), used=used, areas=areas)
    return page.lstrip()
