"""What the kill matrix says, in numbers, as JSON and as a page."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from conformance.mutants.judging import Bench, Ruling
from conformance.mutants.sites import Site, site_at
from conformance.mutants.untested import REASONS
from conformance.mutants.upstreams import DEFAULT
from conformance.mutants.values import Mutant

SCOPES = {
    "own": "only the broken requirement and what it needs",
    "area": "the area of the broken requirement",
    "all": "every requirement that the mutant can touch",
}
MUSTS = ("MUST", "MUST NOT")
MARKS = ("<!-- mutants -->", "<!-- /mutants -->")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """Mutants that were tried in one way.

    Attributes:
        scope: what was judged of each.
        each: at most so many of each requirement; None for all.
        took_s: wall time.
        worked_s: processor time of all processes, servers too.
    """

    rulings: tuple[Ruling, ...]
    scope: str
    each: int | None = None
    took_s: float = 0.0
    worked_s: float = 0.0

    @property
    def killed(self) -> tuple[Ruling, ...]:
        """Mutants that the suite found."""
        return tuple(one for one in self.rulings if one.killed)

    @property
    def survivors(self) -> tuple[Ruling, ...]:
        """Mutants that the suite let pass."""
        return tuple(one for one in self.rulings if not one.killed)

    @property
    def alone(self) -> tuple[Ruling, ...]:
        """Mutants that were found and turned nothing else red."""
        return tuple(one for one in self.killed if one.alone)

    def words(self) -> str:
        """The numbers, in a sentence or two."""
        number, killed, alone = len(self.rulings), len(self.killed), len(self.alone)
        which = f"{self.each} of each requirement, " if self.each else ""
        return (
            f"{which}judged by {SCOPES[self.scope]}: {killed} of {number} mutants killed ({_share(killed, number)}), "
            f"{alone} ({_share(alone, number)}) with nothing else red; "
            f"{self.took_s:.0f} s, {self.worked_s:.0f} s of processor time"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Passes and what follows from them.

    Attributes:
        passes: the first one tells what is killed, the last one what is alone.
        untested: observable requirements that no mutant breaks, MUSTs first.
        musts: those of them that are a MUST.
        sites: every assertion of the checks.
        command: starts the server behind the mutants.
    """

    passes: tuple[Pass, ...]
    sentences: Mapping[str, str]
    untested: tuple[str, ...]
    musts: tuple[str, ...]
    sites: tuple[Site, ...]
    command: str

    @classmethod
    def of(
        cls,
        bench: Bench,
        catalogue: Mapping[str, Mutant],
        passes: Sequence[Pass],
        command: str,
        sites: Sequence[Site] = (),
    ) -> Summary:
        """Of passes.

        Args:
            catalogue: all mutants, also those that were not tried.
        """
        broken = {mutant.breaks for mutant in catalogue.values()}
        untested = [row for row in bench.rows if row.observable and row.id not in broken]
        musts = tuple(row.id for row in untested if row.keyword in MUSTS)
        return cls(
            passes=tuple(passes),
            sentences={row.id: row.text for row in bench.rows if row.observable},
            untested=(*musts, *(row.id for row in untested if row.id not in musts)),
            musts=musts,
            sites=tuple(sites),
            command=command,
        )

    @property
    def survivors(self) -> tuple[Ruling, ...]:
        """Mutants that the suite let pass, in any pass."""
        return tuple(one for each in self.passes for one in each.survivors)

    @property
    def speaking(self) -> frozenset[Site]:
        """Assertions that some mutant made speak."""
        places = {one.site for each in self.passes for one in each.killed if one.site}
        return frozenset(site for site in (site_at(place, self.sites) for place in places) if site is not None)

    @property
    def shared(self) -> frozenset[str]:
        """Lines of checks that some mutant made red though no assertion stands there: what they call asserts."""
        places = {one.site for each in self.passes for one in each.killed if one.site}
        return frozenset(place for place in places if site_at(place, self.sites) is None)

    @property
    def silent(self) -> tuple[Site, ...]:
        """Assertions that no mutant made speak."""
        spoke = self.speaking
        return tuple(site for site in self.sites if site not in spoke)

    def words(self) -> str:
        """The numbers, in lines."""
        broken = {one.breaks for each in self.passes for one in each.rulings}
        lines = [each.words() for each in self.passes]
        lines.append(
            f"{len(broken)} requirements tried; {len(self.musts)} MUST and "
            f"{len(self.untested) - len(self.musts)} other requirements have no mutant"
        )
        lines.append(
            f"{len(self.speaking)} of {len(self.sites)} assertions of the checks made some mutant red, and "
            f"{len(self.shared)} further lines, where checks rest on what they share"
        )
        return "".join(f"{line[0].upper()}{line[1:]}.\n" for line in lines).rstrip()

    def short(self) -> str:
        """The numbers for the README, in one paragraph."""
        kills, last = self.passes[0], self.passes[-1]
        number, killed, tried, alone = len(kills.rulings), len(kills.killed), len(last.rulings), len(last.alone)
        tested = len(self.sentences) - len(self.untested)
        lines = [
            f"{number:,} mutants break {tested} of {len(self.sentences)} sentences; "
            f"{killed:,} of them ({_share(killed, number)}) are found."
        ]
        if last.scope == "all":
            lines.append(f"With everything judged, {alone} of {tried} ({_share(alone, tried)}) are red nowhere else.")
        lines.append(f"{len(self.speaking)} of the {len(self.sites)} assertions in the checks have killed one.")
        return "\n".join(lines)


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %".replace(".0 %", " %") if whole else "none"


def record(summary: Summary, catalogue: Mapping[str, Mutant]) -> dict[str, Any]:
    """As JSON."""
    return {
        "upstream": summary.command,
        "passes": [
            {
                "scope": each.scope,
                "each": each.each,
                "took_s": round(each.took_s, 1),
                "worked_s": round(each.worked_s, 1),
                "killed": len(each.killed),
                "alone": len(each.alone),
                "mutants": [
                    asdict(one)
                    | {"alone": one.alone, "text": catalogue[one.mutant].text, "took_s": round(one.took_s, 2)}
                    for one in each.rulings
                ],
            }
            for each in summary.passes
        ],
        "untested": list(summary.untested),
        "silent": [site.name for site in summary.silent],
    }


def in_readme(text: str, summary: Summary) -> str:
    """A README with the numbers between its two marks.

    Raises:
        ValueError: it has no such marks.
    """
    start, end = (re.escape(mark) for mark in MARKS)
    found, times = re.subn(f"{start}.*?{end}", lambda _: f"{MARKS[0]}\n{summary.short()}\n{MARKS[1]}", text, flags=re.S)
    if times != 1:
        raise ValueError(f"the README needs the marks {' and '.join(MARKS)} once")
    return found


def markdown(summary: Summary, catalogue: Mapping[str, Mutant]) -> str:
    """The page."""
    lines = [
        "# Mutants" if summary.command == DEFAULT else "# Mutants in front of another server",
        "",
        "A mutant is a correct server with exactly one defect: a proxy in front of a server that keeps the contract,",
        "which changes one thing on the way. The suite is run against each; it must find the requirement that the",
        "mutant breaks, and should find nothing else. This page is written by the matrix itself.",
        "",
        *(f"- {line}" for line in summary.words().splitlines()),
        "",
        f"Behind the mutants stood `{summary.command}`. To start one by hand, in front of a server of your own:",
        "",
        "```sh",
        "novita-conformance mutant accepts-steps-101 --upstream http://127.0.0.1:4280 --port 4281",
        "novita-conformance mutant --list",
        "```",
        "",
        "Where pictures lie in the caller's own bucket shows in that bucket alone. `{s3}` above is an S3 server in",
        "memory; by hand it is started first, and the suite is told of it by the flags that its first line names:",
        "",
        "```sh",
        "python -m conformance.mutants.bucket --port 4290",
        "AWS_ACCESS_KEY_ID=any-key AWS_SECRET_ACCESS_KEY=any-key novita-mock --clock manual --s3 http://127.0.0.1:4290",
        "novita-conformance mutant files-never-straight --upstream http://127.0.0.1:4280 --port 4281",
        "```",
        "",
        "A requirement without a mutant counts as untested, and so does an assertion that no mutant made red; both are",
        "listed below. `python -m conformance.mutants.silenced` goes the other way: it takes one assertion at a time",
        "out of the suite and runs a mutant that it killed, which must then live.",
        "",
        "## Requirements and their mutants",
        "",
        "The last column is filled for mutants that the whole suite was run against. `alone`: nothing else was red;",
        "`with ...`: what else was. A requirement in brackets is one that the same defect cannot help breaking.",
        "",
        "| requirement | mutant | its defect | killed | others |",
        "| --- | --- | --- | --- | --- |",
        *_rows(summary, catalogue),
        "",
        "## Requirements without a mutant",
        "",
        *_untested(summary),
    ]
    lines += [
        "",
        "## Assertions that no mutant made red",
        "",
        "By module of `conformance/checks`, with their lines.",
        "",
    ]
    by_module: dict[str, list[str]] = {}
    for site in summary.silent:
        by_module.setdefault(site.module, []).append(str(site.line))
    lines += [f"- `{module}`: {', '.join(numbers)}" for module, numbers in by_module.items()]
    return "\n".join(lines) + "\n"


def _untested(summary: Summary) -> list[str]:
    if not summary.untested:
        return ["None."]
    lines = ["| requirement | MUST | why |", "| --- | --- | --- |"]
    for name in summary.untested:
        must = "yes" if name in summary.musts else "no"
        lines.append(f"| {name} | {must} | {REASONS.get(name, '**none given**')} |")
    return lines


def _rows(summary: Summary, catalogue: Mapping[str, Mutant]) -> list[str]:
    judged_by_all = {one.mutant: one for each in summary.passes if each.scope == "all" for one in each.rulings}
    shown, lines = "", []
    for one in sorted(summary.passes[0].rulings, key=lambda one: one.breaks):
        text = catalogue[one.mutant].text.replace("|", "\\|")
        killed = "yes" if one.killed else f"**no** ({one.trouble or one.verdict})"
        whole = judged_by_all.get(one.mutant)
        name = "" if one.breaks == shown else one.breaks
        shown = one.breaks
        lines.append(f"| {name} | `{one.mutant}` | {text} | {killed} | {_others(whole) if whole else ''} |")
    return lines


def _others(one: Ruling) -> str:
    if not one.killed:
        return f"**not killed** ({one.trouble or one.verdict})"
    if not one.others:
        return "alone"
    return "with " + ", ".join(f"({name})" if name in one.also else name for name in sorted(one.others))
