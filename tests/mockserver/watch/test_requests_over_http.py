"""The journal and the findings as control resources: find, verify, near misses, unmatched calls, exports."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest

from mockserver.control.findings import FINDING_RESOURCES
from mockserver.control.requests import REQUEST_RESOURCES
from mockserver.core.findings import CATALOGUE
from tests.bodies import TXT2IMG, TXT2IMG_V2, txt2img, txt2img_v2
from tests.conftest import Server

RESOURCES = (*REQUEST_RESOURCES, *FINDING_RESOURCES)


def answered(server: Server, verb: str, path: str, json: object = None, *, key: str | None = "", **query: Any) -> Any:
    """The answer of a control call that must succeed and be what its schema says."""
    answer = server.call(verb, f"/__mock{path}", json=json, key=key, params=query or None)
    assert answer.status_code == 200, answer.text
    [resource] = [one for one in RESOURCES if (one.method, one.path) == (verb, path)]
    jsonschema_rs.validator_for(dict(resource.answer or {})).validate(answer.json())
    return answer.json()


def refused(server: Server, path: str, json: object) -> str:
    """Why a control call was refused."""
    answer = server.call("POST", f"/__mock{path}", json=json)
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    detail: str = answer.json()["detail"]
    return detail


@pytest.fixture
def busy(server: Server) -> Server:
    """A server that was asked for three pictures and a result."""
    first = server.submit(TXT2IMG, txt2img(prompt="a boat", steps=20))
    server.submit(TXT2IMG, txt2img(prompt="a boat", steps=80))
    server.submit(TXT2IMG, txt2img(prompt="a house", steps=20))
    server.result(first)
    return server


def test_requests_are_found_by_a_pattern(busy: Server) -> None:
    """Oldest first; `limit` keeps the youngest."""
    boat = {"operation_id": "createTxt2imgTask", "body": {"request": {"prompt": "a boat"}}}
    found = answered(busy, "POST", "/requests/find", boat)
    last = answered(busy, "POST", "/requests/find", boat, limit=1)

    assert [one["request"]["request"]["steps"] for one in found["requests"]] == [20, 80]
    assert (found["total"], last["total"], last["requests"]) == (2, 2, found["requests"][1:])
    assert answered(busy, "POST", "/requests/find", {})["total"] == 4


def test_requests_are_counted_by_a_pattern(busy: Server) -> None:
    """Conditions in it as well."""
    assert answered(busy, "POST", "/requests/count", {"body": {"request": {"steps": {"<=": 50}}}}) == {"count": 2}
    assert answered(
        busy, "POST", "/requests/count", {"method": "GET", "answer": {"task": {"task_id": {"present": True}}}}
    ) == {"count": 1}
    assert answered(busy, "GET", "/requests/count", method="POST") == {"count": 3}


@pytest.mark.parametrize(
    ("expected", "verified", "message"),
    [
        ({}, True, "2 found, as expected (at least 1)"),
        ({"count": 2.0}, True, "2 found, as expected (exactly 2)"),
        ({"at_least": 1, "at_most": 2}, True, "2 found, as expected (1 to 2)"),
        ({"at_most": 5}, True, "2 found, as expected (at most 5)"),
        ({"count": 0}, False, "expected exactly 0 matching, found 2"),
        ({"count": 3}, False, "expected exactly 3 matching, found 2"),
        ({"at_least": 3}, False, "expected at least 3 matching, found 2"),
        ({"at_most": 1}, False, "expected at most 1 matching, found 2"),
    ],
)
def test_a_verification_says_whether_and_why(
    busy: Server, expected: dict[str, int], verified: bool, message: str
) -> None:
    """The count may be exact or have bounds; without one a match is enough."""
    pattern = {"body": {"request": {"prompt": "a boat"}}}
    verdict = answered(busy, "POST", "/requests/verify", {"pattern": pattern, **expected})

    assert (verdict["verified"], verdict["found"], verdict["message"]) == (verified, 2, message)
    too_few = not verified and expected.get("count", expected.get("at_least", 0)) > 2
    assert bool(verdict["near_misses"]) is bool(verdict["summary"]) is too_few


def test_a_failed_verification_tells_the_nearest_request(busy: Server) -> None:
    """In its message, and in full beside it."""
    pattern = {"operation_id": "createTxt2imgTask", "body": {"request": {"prompt": "a boat", "steps": {">": 100}}}}
    verdict = answered(busy, "POST", "/requests/verify", {"pattern": pattern})

    assert verdict["message"] == (
        "expected at least 1 matching, found 0; the nearest is number 2: request.steps: expected > 100, got 80"
    )
    assert [miss["request"]["number"] for miss in verdict["near_misses"]] == [2, 1, 3]
    assert verdict["summary"][0] == "2 requests differ from this in request.steps"


def test_a_verification_of_an_empty_journal_says_so(server: Server) -> None:
    """Nothing was near."""
    verdict = answered(server, "POST", "/requests/verify", {"pattern": {}})
    assert verdict["message"] == "expected at least 1 matching, found 0; the journal is empty"


def test_near_misses_are_asked_for_by_themselves(busy: Server) -> None:
    """Three unless told otherwise."""
    pattern = {"body": {"request": {"prompt": "a house", "steps": 80}}}
    found = answered(busy, "POST", "/requests/near-misses", {"pattern": pattern, "limit": 1.0})

    assert found["found"] == 0
    assert found["near_misses"][0]["differences"] == ["request.steps: expected 80, got 20"]
    assert found["summary"] == [
        "1 request differs from this in request.prompt",
        "1 request differs from this in request.steps",
        "1 request differs from this in request.prompt, request.steps",
        "1 request differs from this in body",
    ]
    assert len(answered(busy, "POST", "/requests/near-misses", {"pattern": pattern})["near_misses"]) == 3


def test_long_lists_of_differences_are_cut(busy: Server) -> None:
    """The rest is counted."""
    pattern = {"body": {"request": {f"f{number}": 1 for number in range(30)}}}
    [miss, *_] = answered(busy, "POST", "/requests/near-misses", {"pattern": pattern})["near_misses"]
    assert len(miss["differences"]) == 21
    assert miss["differences"][-1] == "and 10 more"


@pytest.mark.parametrize(
    ("path", "body", "detail"),
    [
        ("/requests/find", {"url": 1}, "url"),
        ("/requests/find", {"status": {"<=": "x"}}, 'status: <= expects a number, came "x"'),
        ("/requests/count", {"path": {"matches": "("}}, 'path: "(" is no regular expression'),
        ("/requests/verify", {}, "pattern"),
        ("/requests/verify", {"pattern": {}, "count": -1}, "count"),
        (
            "/requests/verify",
            {"pattern": {}, "count": 1, "at_least": 1},
            "expected either count, or at_least and at_most",
        ),
        ("/requests/verify", {"pattern": {}, "at_least": 2, "at_most": 1}, "at_least: 2 is more than at_most, 1"),
        ("/requests/near-misses", {"pattern": {"body": {"a": {"any-of": []}}}}, "body.a: any-of expects a list"),
        ("/requests/near-misses", {"pattern": {}, "limit": 0}, "limit"),
    ],
)
def test_what_cannot_be_asked_is_told(busy: Server, path: str, body: object, detail: str) -> None:
    """As problem+json, with the place."""
    assert detail in refused(busy, path, body)


def test_unmatched_calls_are_told_with_the_nearest_operation(server: Server) -> None:
    """With a key or without one; pictures that are gone are no unknown operations."""
    server.call("POST", "/v3/async/txt2image", json=txt2img())
    server.call("DELETE", "/v3/model", key=None)
    server.call("GET", "/prod/nothing/here.png", key=None)
    server.call("GET", "/v3/model", key=None)
    found = answered(server, "GET", "/requests/unmatched")

    assert [one["message"] for one in found["requests"]] == [
        "no operation POST /v3/async/txt2image; nearest: POST /v3/async/txt2img",
        "no operation DELETE /v3/model; nearest: GET /v3/model",
    ]
    assert found["requests"][0]["nearest"]["operation_id"] == "createTxt2imgTask"
    assert found["total"] == 2
    assert len(answered(server, "GET", "/requests/unmatched", limit=1)["requests"]) == 1


def test_worlds_do_not_find_each_others_requests(busy: Server) -> None:
    """And without a key only calls without one are found."""
    assert answered(busy, "POST", "/requests/count", {}, key="sk-mock-other-one") == {"count": 0}
    busy.call("GET", "/v3/model", key=None)
    assert answered(busy, "POST", "/requests/count", {}, key=None) == {"count": 1}


def test_the_journal_is_exported_as_an_archive(busy: Server, make_server: Any) -> None:
    """Of the key's world, with the public address where there is one."""
    entries = answered(busy, "GET", "/requests.har")["log"]["entries"]
    public = make_server(public_base_url="https://mock.example")
    public.call("GET", "/v3/model", key=None)
    [outside] = answered(public, "GET", "/requests.har", key=None)["log"]["entries"]

    assert [one["request"]["method"] for one in entries] == ["POST", "POST", "POST", "GET"]
    assert entries[0]["request"]["url"] == "http://mock/v3/async/txt2img"
    assert outside["request"]["url"] == "https://mock.example/v3/model"
    assert outside["response"]["status"] == 403


def test_findings_have_a_level_and_a_page(server: Server) -> None:
    """Beside what they always had."""
    server.submit(TXT2IMG_V2, txt2img_v2())
    [finding] = answered(server, "GET", "/findings")["findings"]

    assert (finding["code"], finding["name"], finding["level"]) == ("NV403", "deprecated-version", "warning")
    assert (finding["page"], finding["count"], finding["because"]) == ("docs/findings/NV403.md", 1, ["C50"])


def test_findings_are_exported_as_sarif(server: Server) -> None:
    """And cleared with all others."""
    server.submit(TXT2IMG_V2, txt2img_v2())
    [run] = answered(server, "GET", "/findings.sarif")["runs"]
    assert [result["ruleId"] for result in run["results"]] == ["NV403"]

    assert answered(server, "DELETE", "/findings") == {"cleared": 1}
    assert answered(server, "GET", "/findings.sarif")["runs"][0]["results"] == []


def test_the_catalogue_of_codes_is_served(server: Server) -> None:
    """So that a tool can show what a code means."""
    codes = answered(server, "GET", "/findings/codes", key=None)["codes"]
    assert [one["code"] for one in codes] == sorted(CATALOGUE)
    assert all(one["title"] and one["page"].endswith(f"{one['code']}.md") for one in codes)


def test_clearing_answers_as_its_schema_says(busy: Server) -> None:
    """How many entries went."""
    assert answered(busy, "DELETE", "/requests") == {"cleared": 4}
    assert answered(busy, "GET", "/requests")["total"] == 0
