"""Percentages, next tests and their showing: exact, the same every time, and safe to look at."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from html.parser import HTMLParser
from typing import Any

import orjson
import pytest

from mockserver.coverage.item import Dimension, Item, Scope, Versions
from mockserver.coverage.page import as_html
from mockserver.coverage.report import Judgement, Report, percent
from mockserver.coverage.text import as_text
from mockserver.coverage.wire import FORMAT, KIND, SCHEMA, ReportError, as_json, dump, read_report
from openapi.document import Document
from tests import bodies
from tests.mockserver.coverage.client import Client


def item(dimension: Dimension, name: str, **fields: Any) -> Item:
    given = {"scope": Scope.V3, "group": name, "label": name, "share": 1, "needs": "", "test": f"Test {name}."}
    return Item(key=f"{dimension.value}:{name}", dimension=dimension, **{**given, "example": "", **fields})


def report(*pairs: tuple[Item, int], **fields: Any) -> Report:
    return Report(
        contract="1.0.0", items=tuple(one for one, _ in pairs), counts=tuple(count for _, count in pairs), **fields
    )


def busy(client: Client) -> Report:
    """A report with a little of everything."""
    client.submit(bodies.txt2img(steps=100))
    for state in ("QUEUED", "SUCCEED"):
        client.poll("a", state)
    client.call("getTaskResult", query="task_id=b", answer={"reason": "TASK_NOT_FOUND"}, status=404)
    client.coverage.saw_fault("result", "status", operation="getTaskResult", world="w")
    client.coverage.saw_finding("NV401")
    return client.coverage.report()


def test_the_share_of_a_dimension_weighs_the_values_of_a_field_as_one_thing() -> None:
    many = [(item(Dimension.VALUES, f"a{n}", group="a", share=10), 1) for n in range(10)]
    judged = Judgement(report(*many, (item(Dimension.VALUES, "b"), 0)))
    total = judged.total(Dimension.VALUES)
    assert total is not None
    assert total.share == Fraction(1, 2)
    assert total.covered == 10


def test_the_overall_share_is_the_mean_by_weight_of_the_dimensions_that_have_items() -> None:
    judged = Judgement(report((item(Dimension.OPERATIONS, "a"), 1), (item(Dimension.STATES, "b"), 0)))
    weights = Dimension.OPERATIONS.weight, Dimension.STATES.weight
    assert judged.share == Fraction(weights[0], sum(weights))


def test_what_is_not_weighed_changes_nothing() -> None:
    judged = Judgement(report((item(Dimension.OPERATIONS, "a"), 1), (item(Dimension.VERSIONS, "v2", label="v2"), 0)))
    assert judged.share == 1


def test_the_weights_add_up_to_a_hundred() -> None:
    assert sum(dimension.weight for dimension in Dimension) == 100
    assert Dimension.VERSIONS.weight == 0


@pytest.mark.parametrize(
    ("share", "shown"), [(Fraction(1), 100.0), (Fraction(9999, 10000), 99.9), (Fraction(1, 3), 33.3), (Fraction(0), 0)]
)
def test_a_percentage_is_rounded_down(share: Fraction, shown: float) -> None:
    assert percent(share) == shown


def test_versions_that_nobody_called_are_not_judged(client: Client) -> None:
    assert Judgement(client.coverage.report()).versions == ["v3"]
    client.submit(bodies.txt2img_v2(), "createTxt2imgTaskV2")
    assert Judgement(client.coverage.report()).versions == ["v2"]
    client.submit(bodies.txt2img())
    assert Judgement(client.coverage.report()).versions == ["v3", "v2"]
    assert Judgement(client.coverage.report(), Versions.V3).total(Dimension.V2_CODES) is None


def test_everything_seen_is_a_hundred_percent(client: Client) -> None:
    nothing = client.coverage.report()
    everything = replace(nothing, counts=(1,) * len(nothing.items))
    assert Judgement(everything, Versions.ALL).share == 1
    assert Judgement(everything, Versions.ALL).next_tests() == []


def test_the_next_test_is_the_one_that_adds_most_and_its_gain_is_true(client: Client) -> None:
    found = busy(client)
    judged = Judgement(found)
    for one in judged.next_tests(100):
        place = client.coverage.universe.places[one.item.key]
        counts = list(found.counts)
        counts[place] = 1
        assert Judgement(replace(found, counts=tuple(counts)), Versions.V3).share - judged.share == one.gain


def test_a_fault_that_was_not_survived_comes_first(client: Client) -> None:
    first, second = Judgement(busy(client)).next_tests(2)
    assert (first.item.key, first.happened) == ("faults:result:status", 1)
    assert second.gain > first.gain


def test_a_field_is_proposed_before_what_is_inside_it(client: Client) -> None:
    proposed = {one.item.key for one in Judgement(busy(client)).next_tests(10_000)}
    assert "parameters:createTxt2imgTask:request.loras" in proposed
    assert "parameters:createTxt2imgTask:request.loras[].strength" not in proposed
    assert not {key for key in proposed if ":createImg2imgTask:request" in key}


def test_an_outcome_is_proposed_once_its_state_was_seen_and_a_state_once_tasks_are_asked_for(client: Client) -> None:
    def proposed() -> set[str]:
        return {one.item.key for one in Judgement(client.coverage.report()).next_tests(10_000)}

    client.submit(bodies.txt2img())
    assert "operations:getTaskResult" in proposed()
    assert not {key for key in proposed() if key.startswith(("states:", "transitions:", "outcomes:", "links:"))}
    client.poll("a", "QUEUED")
    assert "states:v3:TASK_STATUS_PROCESSING" in proposed()
    assert not {key for key in proposed() if key.startswith("outcomes:")}
    for _ in range(3):
        client.poll("a", "SUCCEED")
    assert "outcomes:v3:TASK_STATUS_SUCCEED" in proposed()


def test_a_report_comes_back_from_its_json_unchanged(client: Client) -> None:
    found = busy(client)
    assert read_report(dump(found), "file") == found


def test_equal_reports_give_equal_bytes_whatever_way_they_are_shown(client: Client) -> None:
    found = busy(client)
    again = read_report(dump(found), "file")
    for show in (dump, as_text, as_html):
        assert show(found) == show(again)


def test_the_json_fits_the_published_schema(client: Client) -> None:
    import jsonschema

    schema = orjson.loads(SCHEMA.read_bytes())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(as_json(busy(client)))
    assert schema["properties"]["format"]["const"] == FORMAT
    assert schema["properties"]["kind"]["const"] == KIND
    assert schema["$defs"]["dimension"]["properties"]["name"]["enum"] == [one.value for one in Dimension]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "other"}, r"expected a coverage report"),
        ({"format": 2}, r"a report of format 2; this novita-mock reads format 1"),
        ({"calls": -1}, r"calls: -1 is less than the minimum"),
        ({"universe": "0" * 16}, r"its items are not those that it was made with"),
        ({"more": 1}, r"report: .*'more'"),
    ],
)
def test_what_is_no_report_is_refused_with_its_name(client: Client, change: dict[str, Any], message: str) -> None:
    changed = orjson.dumps({**as_json(client.coverage.report()), **change})
    with pytest.raises(ReportError, match=f"^shard.json: {message}"):
        read_report(changed, "shard.json")


@pytest.mark.parametrize("data", [b"", b"<html>", b"[]", b"null", b"[" * 2_000])
def test_what_is_not_even_json_is_refused_with_its_name(data: bytes) -> None:
    with pytest.raises(ReportError, match=r"^shard.json: expected a coverage report"):
        read_report(data, "shard.json")


def test_the_text_says_percentages_next_tests_and_findings(client: Client) -> None:
    text = as_text(busy(client))
    assert text.startswith("Contract coverage  ")
    assert re.search(r"^  Operations +#+\.+ +50\.0 % +2 of 4 +weight 10$", text, re.M)
    assert "not judged: v2 codes" in text
    assert "   1. " in text
    assert "This fault happened once, and the client was not seen to get through it." in text
    assert "Findings, which change no percentage: NV401 x1" in text


def hostile(text: str) -> Report:
    """A report whose every text is somebody's."""
    named = item(Dimension.PARAMETERS, text, group=f"op {text}", label=text, test=text, example=text)
    return report((named, 0), (replace(named, key="parameters:2"), 3), findings={text: 1}, happened={})


def test_the_terminal_gets_no_control_characters() -> None:
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", as_text(hostile("\x1b[2J\x9b31m\r\nred")))


class Page(HTMLParser):
    """Tags and text of a page; fails on a tag that is not closed where it was opened."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.text = ""
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        if tag not in ("meta", "wbr"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def close(self) -> None:
        super().close()
        assert self._open == []


def read_page(html: str) -> Page:
    page = Page()
    page.feed(html)
    page.close()
    return page


def test_the_page_names_no_address_and_runs_nothing(client: Client) -> None:
    html = as_html(busy(client))
    page = read_page(html)
    assert not re.search(r"https?:|//[a-z]|url\(|@import|javascript:", html)
    assert "script" not in page.tags
    assert not {name for name in page.attributes if name.startswith("on") or name == "src"}
    assert "default-src 'none'" in html


def test_a_field_name_with_markup_is_shown_as_text() -> None:
    text = '<script>alert("1")</script>&amp;\'><img src=x onerror=alert(1)>'
    page = read_page(as_html(hostile(text)))
    assert text in page.text.replace("\n", "")
    assert not {"script", "img"} & set(page.tags)
    assert "onerror" not in page.attributes


def test_the_page_shows_every_item_that_is_judged(client: Client) -> None:
    found = busy(client)
    page = as_html(found)
    rows = sum(len(total.rows) for total in Judgement(found).totals)
    assert page.count('class="item seen"') + page.count('class="item missing"') == rows
    assert "prefers-color-scheme: dark" in page


def test_the_words_of_items_come_from_the_document(client: Client, document: Document) -> None:
    assert all(operation_id in dump(client.coverage.report()).decode() for operation_id in document.operations)
