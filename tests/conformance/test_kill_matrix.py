"""A mutant of each area is killed, every requirement has one or a reason, and the matrix says so in numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from conformance.mutants.catalogue import load_mutants
from conformance.mutants.judging import Bench, Ruling, own_ids, ruling
from conformance.mutants.matrix import README, bench
from conformance.mutants.silenced import silenced, spread
from conformance.mutants.sites import all_sites, site_at, sites_of
from conformance.mutants.table import MARKS, Pass, Summary, in_readme, markdown, record
from conformance.mutants.untested import REASONS
from conformance.mutants.upstreams import DEFAULT, upstream
from conformance.registry import Phase, load_checks
from tests.conformance.loops import in_a_loop

CATALOGUE = load_mutants()
SITES = all_sites()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with upstream(DEFAULT) as url:
        yield url


@pytest.fixture(scope="module")
def held() -> Bench:
    return bench("/__mock")


def one_of_each_area() -> list[str]:
    """The first mutant of each area whose check does not wait for what all others did."""
    found: dict[str, str] = {}
    registry = load_checks()
    for mutant in sorted(CATALOGUE.values(), key=lambda one: (one.breaks, one.name)):
        if registry[mutant.breaks].phase is not Phase.LAST:
            found.setdefault(mutant.breaks.rpartition("-")[0], mutant.name)
    return list(found.values())


QUICK = one_of_each_area()


@pytest.mark.parametrize("name", QUICK)
@in_a_loop
async def test_a_mutant_of_each_area_is_killed(name: str, server: str, held: Bench) -> None:
    mutant = CATALOGUE[name]
    found = await ruling(held, mutant, server, {}, own_ids(held, mutant))
    assert found.killed, found


def test_the_matrix_names_survivors_and_what_has_no_mutant(held: Bench) -> None:
    own = Pass(
        rulings=(
            Ruling(
                mutant="accepts-steps-101", breaks="V3-TXT2IMG-013", verdict="FAIL", killed=True, site=SITES[0].name
            ),
            Ruling(mutant="accepts-no-steps", breaks="V3-TXT2IMG-013", verdict="PASS"),
        ),
        scope="own",
    )
    whole = Pass(
        rulings=(replace(own.rulings[0], others={"V3-LIFE-001": "FAIL"}),),
        scope="all",
        each=1,
        took_s=2.0,
        worked_s=3.0,
    )
    summary = Summary.of(held, CATALOGUE, [own, whole], "a-server", SITES)
    assert [one.mutant for one in summary.survivors] == ["accepts-no-steps"]
    assert "1 of 2 mutants killed (50 %)" in summary.words()
    assert "1 of 1 mutants killed (100 %), 0 (0 %) with nothing else red; 2 s, 3 s of processor time" in summary.words()
    assert summary.silent == SITES[1:]
    page = markdown(summary, CATALOGUE)
    assert "**no** (PASS) |  |" in page
    assert "yes | with V3-LIFE-001 |" in page
    assert "none given" not in page
    assert record(summary, CATALOGUE)["passes"][0]["killed"] == 1
    readme = in_readme("Before\n<!-- mutants -->\nold\n<!-- /mutants -->\nAfter\n", summary)
    assert readme.startswith("Before\n<!-- mutants -->\n2 mutants break")
    assert "old" not in readme
    with pytest.raises(ValueError, match="marks"):
        in_readme("no marks", summary)


def test_the_readme_has_a_place_for_the_numbers() -> None:
    text = README.read_text(encoding="utf-8")
    assert [text.count(mark) for mark in MARKS] == [1, 1]


def test_each_observable_requirement_has_a_mutant_or_a_reason(held: Bench) -> None:
    broken = {mutant.breaks for mutant in CATALOGUE.values()}
    assert {row.id for row in held.rows if row.observable} - broken == set(REASONS)


CODE = """
async def several(t):
    await t.all(
        t.refused("x", body)
        for body in bodies
    )
    t.expect(answer, status(200))
    t.expect(answer, status(200), blame="V3-LIFE-001")
    cases = [case(t)]
    raise Broken("V3-LIFE-002", "a", "b")

def plain(t):
    if wrong:
        t.fail(
            "this",
            "that",
        )
"""


def test_assertions_are_found_where_a_traceback_shows_them() -> None:
    found = sorted(sites_of("some", CODE))
    assert [(site.line, site.last_line) for site in found] == [(3, 6), (7, 7), (10, 10), (14, 17)]
    assert site_at("some:15", found) == found[-1]
    assert site_at("some:9", found) is None
    assert site_at("other:7", found) is None


@in_a_loop
async def test_a_kill_knows_its_assertion(server: str, held: Bench) -> None:
    mutant = CATALOGUE["accepts-steps-101"]
    found = await ruling(held, mutant, server, {}, {mutant.breaks})
    site = site_at(found.site, SITES)
    assert site is not None
    assert site.module == "txt2img_v3_refusals"


@in_a_loop
async def test_a_mutant_lives_when_the_assertion_that_killed_it_is_silenced(server: str, held: Bench) -> None:
    mutants = spread([CATALOGUE[name] for name in QUICK], 8)
    found = [one async for one in silenced(held, mutants, server, 6)]
    assert len(found) == 6
    assert all(one.holds for one in found), [one.words() for one in found]
    assert sum(not one.after.killed for one in found) >= 4, [one.words() for one in found]
