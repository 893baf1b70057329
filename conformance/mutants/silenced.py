"""Mutates the suite itself: silences one assertion at a time, and a mutant that died there must live.

`python -m conformance.mutants.silenced` looks for mutants that died at assertions of their own, and runs each again
without that assertion. One that dies all the same dies by something else, which is told. Exit codes: 0 all live, 1 one
died at the silenced assertion again, 3 no server.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

import click

from conformance.errors import Broken
from conformance.mutants.catalogue import load_mutants
from conformance.mutants.judging import Bench, Ruling, own_ids, ruling
from conformance.mutants.matrix import COMMAND_HELP, bench, seen_behind, some
from conformance.mutants.upstreams import STORING, NoUpstream, storing
from conformance.mutants.values import Mutant
from conformance.registry import Check, Registry
from conformance.runner import site_of
from conformance.target import Bucket
from conformance.trial import Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class Silenced:
    """A mutant with and without the assertion at which it died."""

    before: Ruling
    after: Ruling

    @property
    def holds(self) -> bool:
        """Whether the assertion is what killed it."""
        return self.after.site != self.before.site

    def words(self) -> str:
        """In one line."""
        then = f"dies elsewhere, {self.after.site or self.after.message}" if self.after.killed else "lives"
        return f"{self.before.site} silenced: {self.before.mutant} ({self.before.breaks}) {then}"


def without(held: Bench, requirement: str, site: str) -> Bench:
    """A bench on which the check of a requirement ends as if all was well when the assertion at a site would end it."""
    registry = Registry()
    for check in held.registry:
        registry.add(_deaf(check, site) if check.requirement == requirement else check)
    return replace(held, registry=registry)


def _deaf(check: Check, site: str) -> Check:
    async def run(t: Trial) -> None:
        try:
            await check.run(t)
        except Broken as end:
            if end.requirement != check.requirement or site_of(end) != site:
                raise

    return replace(check, run=run)


async def silenced(
    held: Bench, mutants: Sequence[Mutant], url: str, most: int | None = None
) -> AsyncIterator[Silenced]:
    """Silences assertions, one after the other, each once.

    Args:
        mutants: whose deaths tell the assertions.
        most: of them; None for all that are found.
    """
    done: set[str] = set()
    for mutant in mutants:
        if most is not None and len(done) >= most:
            return
        ids = own_ids(held, mutant)
        before = await ruling(held, mutant, url, {}, ids)
        if before.killed and before.site and before.site not in done:
            done.add(before.site)
            after = await ruling(without(held, mutant.breaks, before.site), mutant, url, {}, ids)
            yield Silenced(before=before, after=after)


def spread(mutants: Sequence[Mutant], number: int) -> list[Mutant]:
    """The same mutants, so ordered that the first few come from everywhere."""
    step = max(1, len(mutants) // number)
    return [mutant for start in range(step) for mutant in mutants[start::step]]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--upstream", "command", default=STORING, show_default=True, help=COMMAND_HELP)
@click.option("--control", default="/__mock", show_default=True, help="Its control interface; empty for none.")
@click.option("--sample", type=click.IntRange(1), metavar="N", help="N assertions, from all areas; without it all.")
def main(command: str, control: str, sample: int | None) -> None:
    """Silence assertions and say whether the mutants that they killed live."""
    held, catalogue = bench(control), load_mutants()
    seen = seen_behind(command, list(catalogue), catalogue)
    names = some(seen, catalogue, 1) if sample else seen
    mutants = [catalogue[name] for name in names if catalogue[name].breaks in held.registry]
    chosen = spread(mutants, sample) if sample else mutants

    async def all_of_them(url: str, bucket: Bucket | None) -> list[Silenced]:
        found = []
        async for one in silenced(replace(held, bucket=bucket), chosen, url, sample):
            click.echo(one.words())
            found.append(one)
        return found

    try:
        with storing(command) as (url, bucket):
            found = asyncio.run(all_of_them(url, bucket))
    except NoUpstream as error:
        click.echo(str(error), err=True)
        sys.exit(3)
    lived, elsewhere = sum(not one.after.killed for one in found), sum(one.after.killed and one.holds for one in found)
    click.echo(f"{len(found)} assertions silenced: {lived} mutants live, {elsewhere} die elsewhere.")
    sys.exit(0 if all(one.holds for one in found) else 1)


if __name__ == "__main__":
    main()
