"""Adding reports up: in any order, in any grouping, and only what belongs together."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.coverage.item import Dimension, Item, Scope, Versions
from mockserver.coverage.merge import merge
from mockserver.coverage.report import Judgement, Report
from mockserver.coverage.wire import ReportError, dump, read_report
from tests import bodies
from tests.mockserver.coverage.client import Client

ITEMS = tuple(
    Item(
        key=f"{dimension.value}:{number}",
        dimension=dimension,
        scope=Scope.V3,
        group=f"group {number % 2}",
        label=str(number),
        share=2,
        needs="",
        test="Test it.",
        example="",
    )
    for dimension in (Dimension.OPERATIONS, Dimension.FAULTS)
    for number in range(4)
)
COUNTS = st.lists(st.integers(0, 2**40), min_size=len(ITEMS), max_size=len(ITEMS)).map(tuple)
NAMED = st.dictionaries(st.sampled_from(["a", "b", "c"]), st.integers(0, 2**40))
REPORTS = st.builds(
    Report,
    contract=st.just("1.0.0"),
    items=st.just(ITEMS),
    counts=COUNTS,
    happened=NAMED,
    findings=NAMED,
    calls=st.integers(0, 2**40),
    merged=st.integers(1, 50),
)


@given(first=REPORTS, second=REPORTS)
def test_the_order_never_matters(first: Report, second: Report) -> None:
    assert merge([first, second]) == merge([second, first])


@given(first=REPORTS, second=REPORTS, third=REPORTS)
def test_the_grouping_never_matters(first: Report, second: Report, third: Report) -> None:
    whole = merge([first, second, third])
    assert merge([merge([first, second]), third]) == whole == merge([first, merge([second, third])])
    assert dump(merge([merge([first, second]), third])) == dump(whole)


@given(first=REPORTS, second=REPORTS)
def test_counts_are_added(first: Report, second: Report) -> None:
    both = merge([first, second])
    assert both.counts == tuple(one + other for one, other in zip(first.counts, second.counts, strict=True))
    for name in "abc":
        assert both.findings.get(name, 0) == first.findings.get(name, 0) + second.findings.get(name, 0)
        assert both.happened.get(name, 0) == first.happened.get(name, 0) + second.happened.get(name, 0)


@given(found=REPORTS)
def test_a_report_alone_is_itself(found: Report) -> None:
    assert dump(merge([found])) == dump(found)


@given(first=REPORTS, second=REPORTS)
def test_together_they_cover_no_less_than_each(first: Report, second: Report) -> None:
    both = Judgement(merge([first, second]), Versions.ALL).share
    assert both >= max(Judgement(one, Versions.ALL).share for one in (first, second))


@given(first=REPORTS, second=REPORTS)
def test_merging_what_was_written_is_writing_what_was_merged(first: Report, second: Report) -> None:
    written = [read_report(dump(one), "file") for one in (first, second)]
    assert dump(merge(written)) == dump(merge([first, second]))


def test_two_clients_cover_together_what_each_covered(client: Client) -> None:
    client.submit(bodies.txt2img())
    first = client.coverage.report()
    client.coverage.clear()
    client.submit(bodies.img2img(), "createImg2imgTask")
    both = merge([first, client.coverage.report()])
    counts = dict(zip((item.key for item in both.items), both.counts, strict=True))
    assert counts["operations:createTxt2imgTask"] == counts["operations:createImg2imgTask"] == 1
    assert (both.merged, both.calls) == (2, 2)


def test_reports_about_different_contracts_are_refused_by_name(client: Client) -> None:
    found = client.coverage.report()
    with pytest.raises(ReportError, match=r"^b.json is about contract 2.0.0, a.json about 1.0.0: they cannot be added"):
        merge([found, replace(found, contract="2.0.0")], ["a.json", "b.json"])


def test_reports_with_different_items_are_refused_by_name(client: Client) -> None:
    found = client.coverage.report()
    shorter = replace(found, items=found.items[1:], counts=found.counts[1:])
    with pytest.raises(ReportError, match=r"^b.json and a.json list different items of contract 1.0.0"):
        merge([found, shorter], ["a.json", "b.json"])


def test_no_report_is_refused() -> None:
    with pytest.raises(ReportError, match="no report to add up"):
        merge([])
