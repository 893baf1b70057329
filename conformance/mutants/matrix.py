"""The kill matrix: every mutant against the suite, on as many lanes as there are cores.

`python -m conformance.mutants.matrix` starts a correct server per lane, runs the suite against each mutant in front of
it, and says which requirement saw which mutant. Exit codes: 0 all killed, 1 one survived, 2 wrong use, 3 no server.
"""

from __future__ import annotations

import asyncio
import gc
import json
import resource
import sys
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import click

from conformance import timing
from conformance.mutants.catalogue import load_mutants
from conformance.mutants.judging import (
    Bench,
    Ruling,
    grade,
    looks_at_others,
    outcomes,
    own_ids,
    quick_ids,
    relevant_ids,
    ruling,
)
from conformance.mutants.sites import all_sites
from conformance.mutants.table import Pass, Summary, in_readme, markdown, record
from conformance.mutants.upstreams import S3, STORING, NoUpstream, storing
from conformance.mutants.values import FAITHFUL, Mutant

RENEWED_AFTER = {"own": 150, "area": 60, "all": 40}
"""Mutants that one server sees, by scope; then a fresh one takes over, for worlds and pictures pile up."""
SCOPES = {"own": own_ids, "area": quick_ids, "all": relevant_ids}
"""Which requirements are judged of each mutant."""
COMMAND_HELP = f"Command that starts a correct server; {S3} in it becomes the address of an S3 server with any key."
PAGE, README = Path("docs/conformance/mutants.md"), Path("README.md")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """Mutants for one lane.

    Attributes:
        names: in the order in which they are tried.
    """

    names: tuple[str, ...]
    command: str
    control: str
    scope: str
    keys: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How a pass tries mutants; see `Pass`."""

    scope: str
    each: int | None = None
    lanes: int = 2
    keys: tuple[str, str] | None = None


def bench(control: str) -> Bench:
    """What all rulings of a process share."""
    from conformance.registry import load_checks
    from openapi.document import load
    from openapi.requirements import load_requirements

    return Bench(document=load(), rows=load_requirements(), registry=load_checks(), control=control)


def _lot(lot: Lot) -> list[Ruling]:
    """In a process of its own: tries mutants one after the other."""
    catalogue, held = load_mutants(), bench(lot.control)
    gc.freeze()  # no looking for garbage in the document and the catalogue, which stay
    with storing(lot.command) as (url, bucket):
        mutants = [catalogue[name] for name in lot.names]
        return asyncio.run(_try_all(replace(held, bucket=bucket, keys=lot.keys), mutants, url, lot.scope))


async def _try_all(held: Bench, mutants: Sequence[Mutant], url: str, scope: str) -> list[Ruling]:
    found: list[Ruling] = []
    sound: dict[tuple[bool, bool], Mapping[str, int]] = {}
    known = [mutant for mutant in mutants if mutant.breaks in held.registry]
    needed = {one for mutant in known for one in SCOPES[scope](held, mutant)}
    for mutant in mutants:
        if mutant.breaks not in held.registry:
            found.append(Ruling(mutant=mutant.name, breaks=mutant.breaks, verdict="no check"))
        else:
            judge = mutant.strict, mutant.needs_bucket
            if judge not in sound:
                faultless = replace(FAITHFUL, needs_bucket=mutant.needs_bucket)
                as_it_is = await outcomes(held, faultless, url, needed, strict=mutant.strict)
                sound[judge] = {name: grade(outcome) for name, outcome in as_it_is.items()}
            one = await ruling(held, mutant, url, sound[judge], SCOPES[scope](held, mutant))
            if not one.killed and looks_at_others(held, mutant):
                again = await ruling(held, mutant, url, sound[judge], relevant_ids(held, mutant))
                one = replace(again, others=one.others)  # of what else is red nothing was asked
            found.append(one)
        _say(found[-1])
    return found


def _lots(names: Sequence[str], command: str, control: str, way: Way) -> list[Lot]:
    size = max(1, min(RENEWED_AFTER[way.scope], -(-len(names) // way.lanes)))
    # Neighbours in the catalogue take a like time: every lot gets some of each family.
    count = -(-len(names) // size)
    return [
        Lot(names=tuple(names[start::count]), command=command, control=control, scope=way.scope, keys=way.keys)
        for start in range(count)
    ]


def judged(lots: Iterable[Lot], lanes: int) -> list[Ruling]:
    """Rulings of all lots, which run side by side, each in a process of its own that says them as it goes."""
    with ProcessPoolExecutor(lanes, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        return [one for rulings in pool.map(_lot, lots) for one in rulings]


def tried(catalogue: Mapping[str, Mutant], names: Sequence[str], way: Way, command: str, control: str) -> Pass:
    """One pass over mutants.

    Args:
        names: from which the pass takes those that it wants.
    """
    chosen = some(names, catalogue, way.each) if way.each else list(names)
    started_s, worked_s = timing.now(), _worked_s()
    rulings = judged(_lots(chosen, command, control, way), way.lanes)
    order = {name: place for place, name in enumerate(chosen)}
    return Pass(
        rulings=tuple(sorted(rulings, key=lambda one: order[one.mutant])),
        scope=way.scope,
        each=way.each,
        took_s=timing.now() - started_s,
        worked_s=_worked_s() - worked_s,
    )


def _worked_s() -> float:
    """Processor time of processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--upstream", "command", default=STORING, show_default=True, help=COMMAND_HELP)
@click.option("--control", default="/__mock", show_default=True, help="Its control interface; empty for none.")
@click.option(
    "--keys",
    nargs=2,
    metavar="KEY KEY",
    help="Two accounts of a server that does not take any key. Without them each mutant has accounts of its own.",
)
@click.option(
    "--only", multiple=True, metavar="NAME", help="This mutant, or those of a requirement or area; repeatable."
)
@click.option(
    "--scope",
    type=click.Choice(list(SCOPES)),
    help="What is judged of each mutant: the broken requirement, its area, or all that it can touch. Without it there "
    "are two passes: all mutants by the broken requirement, and one of each requirement by all.",
)
@click.option("--each", type=click.IntRange(1), metavar="N", help="At most N mutants of each requirement.")
@click.option("--lanes", default=2, show_default=True, type=click.IntRange(1, 64), help="Servers side by side.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Where to write the rulings.")
@click.option("--write", is_flag=True, help=f"Write {PAGE} and the numbers in {README}.")
@click.option("--page", "page", type=click.Path(path_type=Path), help="Where to write the page, and that alone.")
def main(
    command: str,
    control: str,
    keys: tuple[str, str] | None,
    only: tuple[str, ...],
    scope: str | None,
    each: int | None,
    lanes: int,
    json_path: Path | None,
    write: bool,
    page: Path | None,
) -> None:
    """Run every mutant against the suite and say which survived."""
    catalogue = load_mutants()
    meant = [name for name, mutant in catalogue.items() if not only or _is_meant(mutant, only)]
    if not meant:
        raise click.UsageError("no such mutant")
    names = seen_behind(command, meant, catalogue)
    ways = [("own", each), ("all", each or 1)] if scope is None else [(scope, each)]
    try:
        passes = [
            tried(catalogue, names, Way(scope=one, each=most, lanes=lanes, keys=keys), command, control)
            for one, most in ways
        ]
    except NoUpstream as error:
        click.echo(str(error), err=True)
        sys.exit(3)
    summary = Summary.of(bench(control), catalogue, passes, command, all_sites())
    if json_path:
        json_path.write_text(json.dumps(record(summary, catalogue), indent=1, ensure_ascii=False) + "\n")
    if page:
        page.write_text(markdown(summary, catalogue), encoding="utf-8")
    if write:
        PAGE.write_text(markdown(summary, catalogue), encoding="utf-8")
        README.write_text(in_readme(README.read_text(encoding="utf-8"), summary), encoding="utf-8")
    click.echo(summary.words())
    sys.exit(1 if summary.survivors else 0)


def seen_behind(command: str, names: Sequence[str], catalogue: Mapping[str, Mutant]) -> list[str]:
    """Those whose defects show in front of a server that a command starts; it is said how many do not.

    Raises:
        click.UsageError: none does.
    """
    found = [name for name in names if S3 in command or not catalogue[name].needs_bucket]
    if len(found) < len(names):
        missing = f"{len(names) - len(found)} mutants need a server with a bucket: say with {S3} where it is told of it"
        if not found:
            raise click.UsageError(missing)
        click.echo(f"Left out: {missing}", err=True)
    return found


def some(names: Sequence[str], catalogue: Mapping[str, Mutant], each: int) -> list[str]:
    """The first few of each requirement."""
    taken: dict[str, int] = {}
    found: list[str] = []
    for name in names:
        breaks = catalogue[name].breaks
        taken[breaks] = taken.get(breaks, 0) + 1
        if taken[breaks] <= each:
            found.append(name)
    return found


def _is_meant(mutant: Mutant, only: tuple[str, ...]) -> bool:
    return any(word == mutant.name or mutant.breaks == word or mutant.breaks.startswith(f"{word}-") for word in only)


def _say(one: Ruling) -> None:
    others = "" if one.alone else f" with {', '.join(one.others)}"
    said = "killed" if one.killed else f"SURVIVED ({one.trouble or one.verdict})"
    click.echo(f"{one.mutant}: {one.breaks} {said}{others} ({one.took_s:.1f} s)")


if __name__ == "__main__":
    main()
