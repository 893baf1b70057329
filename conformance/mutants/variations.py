"""Allowed variations: servers that differ from a correct one in what the contract leaves free, and turn nothing red.

`python -m conformance.mutants.variations` runs the suite against each with several seeds. Exit codes: 0 nothing is red,
1 something is, 2 wrong use, 3 no server.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path

import click

from conformance import timing
from conformance.budget import Limits
from conformance.connections import connected
from conformance.errors import Unreachable
from conformance.mutants.allowed import Variation, together
from conformance.mutants.judging import Bench, grade, outcomes
from conformance.mutants.matrix import bench
from conformance.mutants.proxy import Proxy
from conformance.mutants.serving import listening
from conformance.mutants.upstreams import DEFAULT, NoUpstream, upstream
from conformance.mutants.values import FAITHFUL, Mutant
from conformance.verdict import Outcome, Verdict

FAMILIES = ("allowed_results", "allowed_wire", "allowed_names", "allowed_strict", "allowed_v2")
PAGE = Path("docs/conformance/variations.md")
ANSWER_S, TASK_S, RUN_S = 60.0, 300.0, 1200.0
"""Longer than in a usual run: nothing here is slow by itself, and how busy this machine is must turn nothing red."""
RENEWED_AFTER = 12
"""Runs that one server sees; then a fresh one takes over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What the suite said of a variation with one seed.

    Attributes:
        red: what is worse than without the variation, by requirement: verdict and message.
        warned: requirements that are tolerated now and were not before.
        trouble: why there are no verdicts; "" when there are.
        beside: other variations of the same server.
    """

    name: str
    seed: int
    red: dict[str, str] = field(default_factory=dict)
    warned: tuple[str, ...] = ()
    trouble: str = ""
    took_s: float = 0.0
    beside: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        """Whether nothing is red."""
        return not self.red and not self.trouble


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """Runs for one lane.

    Attributes:
        runs: variations of one server, and the seed.
    """

    runs: tuple[tuple[tuple[str, ...], int], ...]
    command: str
    control: str


def load_variations() -> Mapping[str, Variation]:
    """All variations by name, family by family.

    Raises:
        ValueError: two have the same name.
    """
    found: dict[str, Variation] = {}
    for family in FAMILIES:
        for one in import_module(f"conformance.mutants.{family}").VARIATIONS:
            if one.name in found:
                raise ValueError(f"two variations are named {one.name}")
            found[one.name] = one
    return found


async def seen(
    held: Bench, variation: Variation, seed: int, url: str, ids: Iterable[str] = ()
) -> Mapping[str, Outcome]:
    """Outcomes by requirement of a variation before a correct server.

    Raises:
        TimeoutError: the run did not end.
        Unreachable: nobody answers.
    """
    mutant = variation.of(seed)
    chosen = set(ids) or _concerned(held, mutant)
    if variation.wire is None:
        return await outcomes(held, mutant, url, chosen)
    return await _over_a_port(held, variation, mutant, url, chosen)


def _concerned(held: Bench, mutant: Mutant) -> set[str]:
    """Requirements that a variation can touch at all: all but those of the other version."""
    versions = {"V2-" if operation.endswith("V2") else "V3-" for operation in mutant.ops}
    other = {"V2-", "V3-"} - versions if len(versions) == 1 else set()
    found = {row.id for row in held.rows if row.id in held.registry and row.id[:3] not in other}
    return found | {need for one in found for need in held.registry[one].needs if need in held.registry}


async def _over_a_port(
    held: Bench, variation: Variation, mutant: Mutant, url: str, ids: set[str]
) -> Mapping[str, Outcome]:
    """For what happens below requests and answers, which a run in one process does not see."""
    from conformance.runner import Plan, run
    from conformance.target import Target

    chosen = tuple(row for row in held.rows if row.id in held.registry and row.id in ids)
    async with connected() as network:
        proxy = Proxy(mutant, url, held.document, network)
        async with listening(variation.wire(proxy) if variation.wire else proxy) as address:
            proxy.hooks_at = address
            key = f"sk-mock-{mutant.name}"
            target = Target(
                url=address,
                key=key,
                second_key=f"{key}-second",
                control=held.control,
                timeout_s=held.timeout_s,
                task_timeout_s=held.task_timeout_s,
            )
            plan = Plan(requirements=chosen, limits=Limits(max_time_s=held.longest_s), again=held.again)
            async with asyncio.timeout(held.longest_s * 1.2):
                result = await run(target, plan, held.registry, held.document, held.rows)
    return result.outcomes


async def judged(
    held: Bench, variation: Variation, seed: int, url: str, sound: Mapping[str, int], ids: Iterable[str] = ()
) -> Finding:
    """What turned worse.

    Args:
        sound: grades of the same server as it is.
    """
    started_s = timing.now()
    try:
        found = await seen(held, variation, seed, url, ids)
    except (TimeoutError, Unreachable) as error:
        return Finding(name=variation.name, seed=seed, trouble=f"{type(error).__name__}: {error}".rstrip(": "))
    worse = {name: one for name, one in found.items() if grade(one) > sound.get(name, 0)}
    return Finding(
        name=variation.name,
        seed=seed,
        red={name: _said(one) for name, one in worse.items() if grade(one) > 1},
        warned=tuple(name for name, one in worse.items() if grade(one) == 1),
        took_s=timing.now() - started_s,
    )


def _said(outcome: Outcome) -> str:
    if outcome.verdict is Verdict.BLOCKED:
        return f"BLOCKED by {outcome.blocked_by}"
    wanted = f"expected {outcome.expected}, got {outcome.actual}" if outcome.expected else outcome.message
    return f"{outcome.verdict.value}: {wanted}"


async def _all(held: Bench, lot: Lot, url: str) -> list[Finding]:
    faultless = await outcomes(held, FAITHFUL, url)
    sound = {name: grade(outcome) for name, outcome in faultless.items()}
    catalogue = load_variations()
    findings: list[Finding] = []
    for names, seed in lot.runs:
        findings += await _tried(held, [catalogue[name] for name in names], seed, url, sound)
    return findings


async def _tried(
    held: Bench, ones: Sequence[Variation], seed: int, url: str, sound: Mapping[str, int]
) -> list[Finding]:
    """Variations in one server; when something is red, each in a server of its own."""
    if len(ones) > 1:
        found = await judged(held, together("several", ones), seed, url, sound)
        _tell(replace(found, name=" + ".join(one.name for one in ones)))
        if found.good:
            names = [one.name for one in ones]
            return [
                Finding(name=name, seed=seed, beside=tuple(other for other in names if other != name)) for name in names
            ]
    findings: list[Finding] = []
    for one in ones:
        findings.append(await judged(held, one, seed, url, sound))
        _tell(findings[-1])
    return findings


def piles(names: Sequence[str], size: int, seed: int) -> list[tuple[str, ...]]:
    """Variations dealt to servers, so that none of a server hides another of it."""
    catalogue = load_variations()
    found: list[list[str]] = []
    for name in random.Random(seed).sample(names, k=len(names)):
        fits = (pile for pile in found if len(pile) < size and all(_go(catalogue[name], catalogue[x]) for x in pile))
        pile = next(fits, None)
        if pile is None or catalogue[name].apart:
            found.append([name])
        else:
            pile.append(name)
    return [tuple(pile) for pile in found]


def _go(one: Variation, other: Variation) -> bool:
    """Whether one server can have both: names that begin alike are about the same thing."""
    first, second = one.of(0), other.of(0)
    clash = (first.event and second.event) or (first.picture and second.picture) or (one.wire and other.wire)
    alike = one.name.removeprefix("v2-").split("-")[0] == other.name.removeprefix("v2-").split("-")[0]
    return not (clash or alike or one.apart or other.apart)


def _lot(lot: Lot) -> list[Finding]:
    """In a process of its own."""
    with upstream(lot.command) as url:
        held = replace(bench(lot.control), timeout_s=ANSWER_S, task_timeout_s=TASK_S, longest_s=RUN_S)
        return asyncio.run(_all(held, lot, url))


def markdown(findings: Sequence[Finding], command: str) -> str:
    """The page for docs/."""
    catalogue = load_variations()
    by_name: dict[str, list[Finding]] = {}
    for one in findings:
        by_name.setdefault(one.name, []).append(one)
    red = sum(not one.good for one in findings)
    beside = sum(bool(one.beside) for one in findings)
    lines = [
        "# Allowed variations",
        "",
        "Correct servers differ in what the contract leaves free, and no check may turn red for that. Each of these is",
        f"made by a proxy in front of a correct server (`{command}`), with seeds for what can be drawn; a variation",
        "that the contract only tolerates may get warnings.",
        "",
        f"{len(by_name)} variations, {len(findings)} runs, {red} of them with something red. In {beside} of the runs",
        "the server had other variations as well; one with something red is tried again with each alone.",
        "",
        "| Variation | What the server does | Runs | Red | Tolerated with a warning |",
        "|---|---|---|---|---|",
    ]
    for name, found in by_name.items():
        bad = sorted({key for one in found for key in one.red} | {one.trouble for one in found if one.trouble})
        warned = sorted({key for one in found for key in one.warned})
        text = catalogue[name].text.replace("|", "\\|")
        lines.append(f"| `{name}` | {text} | {len(found)} | {', '.join(bad) or 'none'} | {', '.join(warned) or '-'} |")
    return "\n".join([*lines, "", "Made by `python -m conformance.mutants.variations --write`.", ""])


def _tell(one: Finding) -> None:
    words = one.trouble or "; ".join(f"{name} {said}" for name, said in one.red.items())
    warned = f" (warned: {', '.join(one.warned)})" if one.warned else ""
    click.echo(f"{one.name}/{one.seed}: {words or 'nothing red'}{warned} ({one.took_s:.1f} s)")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--upstream", "command", default=DEFAULT, show_default=True, help="Command that starts a correct server.")
@click.option("--control", default="/__mock", show_default=True, help="Its control interface; empty for none.")
@click.option("--only", multiple=True, metavar="NAME", help="This variation, or those that begin so; repeatable.")
@click.option("--seeds", default=3, show_default=True, type=click.IntRange(1, 100), help="Runs of each.")
@click.option("--lanes", default=2, show_default=True, type=click.IntRange(1, 64), help="Servers side by side.")
@click.option(
    "--together",
    "together_",
    default=1,
    show_default=True,
    type=click.IntRange(1, 100),
    help="Variations in one server; where something is red, each is tried alone.",
)
@click.option("--write", is_flag=True, help=f"Write {PAGE}.")
def main(
    command: str, control: str, only: tuple[str, ...], seeds: int, lanes: int, together_: int, write: bool
) -> None:
    """Run the suite against servers that differ in what is left free; nothing may be red."""
    names = [name for name in load_variations() if not only or name.startswith(only)]
    if not names:
        raise click.UsageError("no such variation")
    runs = [(pile, seed) for seed in range(1, seeds + 1) for pile in piles(names, together_, seed)]
    count = -(-len(runs) // max(1, min(RENEWED_AFTER, -(-len(runs) // lanes))))
    lots = [Lot(runs=tuple(runs[start::count]), command=command, control=control) for start in range(count)]
    findings: list[Finding] = []
    try:
        with ProcessPoolExecutor(lanes, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
            for found in pool.map(_lot, lots):
                findings += found
    except NoUpstream as error:
        click.echo(str(error), err=True)
        sys.exit(3)
    order = {name: place for place, name in enumerate(names)}
    findings.sort(key=lambda one: (order[one.name], one.seed))
    if write:
        PAGE.write_text(markdown(findings, command), encoding="utf-8")
    bad = sum(not one.good for one in findings)
    click.echo(f"{len(findings)} runs of {len(names)} variations, {bad} with something red.")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
