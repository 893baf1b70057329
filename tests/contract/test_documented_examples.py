"""The documented example bodies, all of them, against the mock; docs/documented-examples.md is held up to date here."""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from openapi.document import Document
from tests.contract.documented import (
    EXPLANATIONS,
    Documented,
    Kind,
    Role,
    differences,
    explained_by,
    json_type,
    link_shape,
    load_documented,
    unexplained,
)
from tests.contract.documented_table import (
    SITUATIONS,
    AnswerRow,
    RequestRow,
    answer_row,
    judged,
    main,
    mock_answer,
    request_row,
)

ENTRIES = {entry.file: entry for entry in load_documented()}
OURS = [entry for entry in ENTRIES.values() if entry.operation]
REQUESTS = [entry for entry in OURS if entry.role is Role.REQUEST]
ANSWERS = [entry for entry in OURS if entry.role is not Role.REQUEST]
COMPARED = [entry for entry in ANSWERS if entry.answers]
ORIGINALS = Path(__file__).parents[3] / "shared" / "contract" / "examples"
"""The collection that the data file was made from, where it lies beside the project."""

by_file = pytest.mark.parametrize("entry", OURS, ids=lambda entry: entry.file)


def test_every_example_is_there_once() -> None:
    """96 files, each of an operation, a webhook or an endpoint that is named as beyond the scope."""
    assert len(load_documented()) == len(ENTRIES) == 96
    assert all(bool(entry.operation) is not bool(entry.outside) for entry in ENTRIES.values())
    assert Counter(entry.role for entry in OURS) == {Role.REQUEST: 22, Role.RESPONSE: 43, Role.WEBHOOK: 2}
    assert {entry.answers for entry in COMPARED} <= SITUATIONS.keys() | ENTRIES.keys()
    assert SITUATIONS.keys() <= {entry.answers for entry in COMPARED}


def test_the_facts_have_the_shape_of_their_originals() -> None:
    """Names, types and numbers are as in the collection; only texts were made neutral."""
    for path in ORIGINALS.glob("*.json"):
        if path.name != "index.json":
            assert shape(ENTRIES[path.name].body) == shape(json.loads(path.read_text("utf-8"))), path.name


@pytest.mark.parametrize("entry", REQUESTS, ids=lambda entry: entry.file)
def test_a_documented_request_is_accepted_or_refused_for_a_cited_reason(entry: Documented) -> None:
    """Accepted by a lenient mock once placeholders are filled in, but for the body without its request object (C12)."""
    row = request_row(entry)

    assert row.filled_in == ("400 INVALID_REQUEST_BODY" if "C12" in entry.contradictions else "accepted")
    if row.as_it_stands != "accepted":
        assert entry.fragment or entry.has_placeholders or "C12" in row.because
    cited = [reason for reason in row.because if reason[0] in "CO" and reason != "C24"]  # C24: both are documented
    assert (row.strict != "accepted") is bool(cited), "a strict mock refuses what a lenient one only tolerates"


@pytest.mark.parametrize("entry", COMPARED, ids=lambda entry: entry.file)
def test_a_documented_answer_is_matched(entry: Documented, document: Document) -> None:
    """The same names and types at every place; where documents disagree, a cited contradiction explains it."""
    row = answer_row(entry, ENTRIES, document)

    assert row.unexplained == ()


@pytest.mark.parametrize("entry", ANSWERS, ids=lambda entry: entry.file)
def test_a_documented_answer_or_event_fits_the_document(entry: Documented, document: Document) -> None:
    """By the lenient reading at least; the list of names is no body of the API."""
    fits = answer_row(entry, ENTRIES, document).fits

    assert (fits == "neither") is (entry.file == "v3-model-textualinversion-names.response.json")


def test_every_explanation_is_needed(document: Document) -> None:
    """An explanation that explains nothing any more would hide the next departure."""
    used = set()
    for entry in COMPARED:
        body, ignored = mock_answer(entry, ENTRIES)
        for found in differences(entry.body, body, ignored=ignored):
            used |= {one for one in EXPLANATIONS if one.because == explained_by(found, entry) and one.explains(found)}

    assert [one for one in EXPLANATIONS if one not in used] == []


def test_the_table_is_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    """docs/documented-examples.md says what these tests found."""
    assert main(["--check"]) == 0, capsys.readouterr().out


# ---- the comparison itself -------------------------------------------------------------------------------------------


def renamed(body: Any) -> None:
    body["task"]["state"] = body["task"].pop("status")


def emptied(body: Any) -> None:
    body["images"][0]["nsfw_detection_result"] = None


def numbered(body: Any) -> None:
    body["extra"]["seed"] = int(body["extra"]["seed"])


def shortened(body: Any) -> None:
    del body["images"][-1]


def unsigned(body: Any) -> None:
    for image in body["images"]:
        image["image_url"] = image["image_url"].partition("?")[0]


def extended(body: Any) -> None:
    body["task"]["priority"] = 1


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (renamed, ["`task.status` only the page has it", "`task.state` only the mock has it"]),
        (emptied, ["`images[].nsfw_detection_result` another type (object -> null)"]),
        (numbered, ["`extra.seed` another type"]),
        (shortened, ["`images` another number of entries (4 -> 3)"]),
        (unsigned, ["`images[].image_url` another value"]),
        (extended, ["`task.priority` only the mock has it"]),
    ],
)
def test_a_wrong_answer_is_not_explained_away(spoil: Callable[[Any], None], expected: list[str]) -> None:
    """What no contradiction covers stays a departure: a field renamed, retyped, lost or added, a link unsigned."""
    entry = ENTRIES["v3-txt2img-nsfw.task-result.json"]
    body, ignored = mock_answer(entry, ENTRIES)
    entry_without_c9 = Documented(
        file=entry.file, role=entry.role, body=entry.body, source=entry.source, contradictions=("C3", "C4", "C10")
    )
    assert unexplained(differences(entry.body, body, ignored=ignored), entry_without_c9) == []

    spoiled = copy.deepcopy(body)
    spoil(spoiled)

    found = unexplained(differences(entry.body, spoiled), entry_without_c9)
    told = [str(one) for one in found if one.path != "extra.seed" or one.kind is Kind.TYPE]
    assert len(told) == len(expected)
    assert all(text.startswith(start) for text, start in zip(sorted(told), sorted(expected), strict=True))


def test_a_contradiction_explains_only_where_it_is_cited() -> None:
    """An entry that does not cite C4 must show the progress that the mock shows."""
    entry = ENTRIES["v3-txt2img-nsfw.task-result.json"]
    citing_nothing = Documented(
        file=entry.file, role=entry.role, body=entry.body, source=entry.source, contradictions=()
    )
    found = differences(entry.body, mock_answer(entry, ENTRIES)[0])

    assert "task.progress_percent" in {one.path for one in unexplained(found, citing_nothing)}
    assert "task.progress_percent" not in {one.path for one in unexplained(found, entry)}


def test_links_of_pages_and_of_the_mock_have_one_shape() -> None:
    """Both are pre-signed: the path names task and picture, the query has the same names in the same order."""
    entry = ENTRIES["v3-txt2img-nsfw.task-result.json"]
    body, _ = mock_answer(entry, ENTRIES)

    shapes = {link_shape(image["image_url"]) for image in (*entry.body["images"], *body["images"])}

    assert len(shapes) == 1
    assert None not in shapes


def test_the_table_counts_what_it_shows(document: Document) -> None:
    """Every request and answer of ours has a row."""
    entries, requests, answers = judged(document)

    assert len(entries) == 96
    assert [row.file for row in requests] == [entry.file for entry in REQUESTS]
    assert [row.file for row in answers] == [entry.file for entry in ANSWERS]
    assert isinstance(requests[0], RequestRow)
    assert isinstance(answers[0], AnswerRow)


def shape(value: object) -> object:
    """A JSON value with its texts left out, apart from one: an empty text is a fact."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    return (json_type(value), bool(value)) if isinstance(value, str) else (json_type(value), value)
