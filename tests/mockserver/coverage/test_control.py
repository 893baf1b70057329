"""The control resource: the coverage of a whole server, in three forms."""

from __future__ import annotations

import orjson
import pytest

from mockserver.coverage.collector import Coverage
from mockserver.coverage.model import Universe
from mockserver.coverage.wire import as_json, read_report
from openapi.catalogue import Catalogue
from openapi.document import Document
from tests import bodies
from tests.conftest import Server
from tests.mockserver.coverage.client import Client


@pytest.fixture
def covered(server: Server, document: Document, catalogue: Catalogue, everything: Universe) -> Client:
    """A client of a server that counts coverage."""
    client = Client(document, Coverage(everything, catalogue))
    vars(server.mock)["coverage"] = client.coverage
    return client


def test_it_is_off_unless_asked_for(server: Server) -> None:
    vars(server.mock)["coverage"] = None
    answer = server.call("GET", "/__mock/coverage", key=None)
    assert answer.status_code == 409
    assert answer.json()["detail"] == "coverage is off; start the server with --coverage"


def test_json_is_a_report_that_can_be_read_back(server: Server, covered: Client) -> None:
    covered.submit(bodies.txt2img())
    answer = server.call("GET", "/__mock/coverage", key=None)
    assert read_report(answer.content, "answer") == covered.coverage.report()
    assert answer.json() == orjson.loads(orjson.dumps(as_json(covered.coverage.report())))


@pytest.mark.parametrize(
    ("form", "media", "start"),
    [("text", "text/plain", "Contract coverage  "), ("html", "text/html", "<!doctype html>")],
)
def test_it_is_shown_as_text_and_as_a_page(server: Server, covered: Client, form: str, media: str, start: str) -> None:
    covered.submit(bodies.txt2img())
    answer = server.call("GET", "/__mock/coverage", params={"format": form, "versions": "all"}, key=None)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(media)
    assert answer.text.startswith(start)
    assert "v3 and v2" in answer.text


def test_an_unknown_form_is_refused_with_the_known_ones(server: Server, covered: Client) -> None:
    del covered
    answer = server.call("GET", "/__mock/coverage", params={"format": "pdf"}, key=None)
    assert answer.status_code == 400
    assert "expected one of ['json', 'text', 'html']" in answer.json()["detail"]


def test_it_is_cleared(server: Server, covered: Client) -> None:
    covered.submit(bodies.txt2img())
    assert server.control("DELETE", "/coverage") == {"cleared": True}
    assert covered.seen() == set()


def test_its_document_names_all_three_forms(server: Server) -> None:
    document = server.control("GET", "/openapi.json")
    content = document["paths"]["/__mock/coverage"]["get"]["responses"]["200"]["content"]
    assert list(content) == ["application/json", "text/plain", "text/html"]
