"""What the kill matrix says, in numbers, as JSON and as a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from conformance.mutants.judging import Bench, Ruling
from conformance.mutants.values import Mutant

_SCOPES = {"own": " (only the broken requirement was judged)", "area": " in its area", "all": ""}
MUSTS = ("MUST", "MUST NOT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Rulings and what follows from them.

    Attributes:
        untested: observable requirements that no mutant breaks, by whether they are a MUST.
        took_s: wall time of all.
    """

    rulings: tuple[Ruling, ...]
    sentences: Mapping[str, str]
    untested_musts: tuple[str, ...]
    untested_others: tuple[str, ...]
    command: str
    took_s: float
    scope: str = "all"

    @classmethod
    def of(
        cls,
        bench: Bench,
        catalogue: Mapping[str, Mutant],
        rulings: Sequence[Ruling],
        command: str,
        took_s: float,
        scope: str = "all",
    ) -> Summary:
        """Of rulings.

        Args:
            catalogue: all mutants, also those that were not tried.
        """
        broken = {mutant.breaks for mutant in catalogue.values()}
        untested = [row for row in bench.rows if row.observable and row.id not in broken]
        return cls(
            rulings=tuple(rulings),
            sentences={row.id: row.text for row in bench.rows},
            untested_musts=tuple(row.id for row in untested if row.keyword in MUSTS),
            untested_others=tuple(row.id for row in untested if row.keyword not in MUSTS),
            command=command,
            took_s=took_s,
            scope=scope,
        )

    @property
    def survivors(self) -> tuple[Ruling, ...]:
        """Mutants that the suite let pass."""
        return tuple(one for one in self.rulings if not one.killed)

    def words(self) -> str:
        """The numbers, in lines."""
        killed = [one for one in self.rulings if one.killed]
        total = len(self.rulings)
        return (
            f"{len(killed)} of {total} mutants killed ({_share(len(killed), total)}), "
            f"{sum(one.alone for one in killed)} of them ({_share(sum(one.alone for one in killed), len(killed))}) "
            f"with nothing else red{_SCOPES[self.scope]}; {self.took_s:.0f} s.\n"
            f"{len({one.breaks for one in self.rulings})} requirements tried, "
            f"{len(self.untested_musts)} MUST and {len(self.untested_others)} other requirements have no mutant."
        )


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "none"


def record(summary: Summary, catalogue: Mapping[str, Mutant]) -> dict[str, Any]:
    """As JSON."""
    return {
        "upstream": summary.command,
        "took_s": round(summary.took_s, 1),
        "killed": sum(one.killed for one in summary.rulings),
        "alone": sum(one.killed and one.alone for one in summary.rulings),
        "mutants": [
            asdict(one) | {"alone": one.alone, "text": catalogue[one.mutant].text, "took_s": round(one.took_s, 2)}
            for one in summary.rulings
        ],
        "untested": [*summary.untested_musts, *summary.untested_others],
    }


def markdown(summary: Summary, catalogue: Mapping[str, Mutant]) -> str:
    """The page."""
    by_requirement: dict[str, list[Ruling]] = {}
    for one in summary.rulings:
        by_requirement.setdefault(one.breaks, []).append(one)
    lines = [
        "# Mutants",
        "",
        "A mutant is a correct server with exactly one defect: a proxy in front of a server that keeps the contract,",
        "which changes one thing on the way. The suite is run against each; it must find the requirement that the",
        "mutant breaks, and should find nothing else. This page is written by `make mutants`.",
        "",
        *summary.words().splitlines(),
        "",
        f"Behind the mutants stood `{summary.command}`. To start one by hand, in front of a server of your own:",
        "",
        "```sh",
        "novita-conformance mutant accepts-steps-101 --upstream http://127.0.0.1:4280 --port 4281",
        "novita-conformance mutant --list",
        "```",
        "",
        "## Requirements and their mutants",
        "",
        "`alone`: nothing else was red. `with ...`: what else was; a requirement in brackets is one that the same",
        "defect cannot help breaking.",
        "",
        "| requirement | mutant | its defect | killed | others |",
        "| --- | --- | --- | --- | --- |",
    ]
    for requirement in sorted(by_requirement):
        for place, one in enumerate(by_requirement[requirement]):
            text = catalogue[one.mutant].text.replace("|", "\\|")
            name = requirement if place == 0 else ""
            killed = "yes" if one.killed else f"**no** ({one.trouble or one.verdict})"
            lines.append(f"| {name} | `{one.mutant}` | {text} | {killed} | {_others(one)} |")
    lines += ["", "## Requirements without a mutant", ""]
    lines += ["They count as untested.", ""]
    for title, untested in (("MUST", summary.untested_musts), ("others", summary.untested_others)):
        lines.append(f"- {title}: {', '.join(untested) or 'none'}")
    return "\n".join(lines) + "\n"


def _others(one: Ruling) -> str:
    if not one.others:
        return "alone"
    return "with " + ", ".join(f"({name})" if name in one.also else name for name in sorted(one.others))
