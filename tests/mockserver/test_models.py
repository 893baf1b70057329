"""GET /v3/model: filters, pages and cursors, and what real clients put into its query."""

from __future__ import annotations

from typing import Any

import pytest

from openapi.document import Document, Reading
from tests.conftest import Server


def names(server: Server, query: str = "") -> list[str]:
    """The `sd_name` of every model on the page that a query gives."""
    return [model["sd_name"] for model in page(server, query)["models"]]


def page(server: Server, query: str = "") -> dict[str, Any]:
    answer = server.call("GET", f"/v3/model?{query}")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_every_model_fits_the_document(server: Server, document: Document) -> None:
    """The whole list, in the documented reading of the answer."""
    validator = document.response_validator("listModels", 200, Reading.DOCUMENTED)
    for start in (0, 100):
        assert validator.problems(page(server, f"pagination.limit=100&pagination.cursor=c_{start}")) == []


def test_following_the_cursor_shows_each_model_once(server: Server) -> None:
    """Pages of seven, to the empty cursor of the last one; together they are the list."""
    seen: list[str] = []
    cursor = ""
    for _ in range(100):
        found = page(server, f"pagination.limit=7&pagination.cursor={cursor}")
        seen += [model["id"] for model in found["models"]]
        cursor = found["pagination"]["next_cursor"]
        if not cursor:
            break
    assert cursor == ""
    assert len(seen) == len(set(seen)) == len(server.mock.catalogue)


@pytest.mark.parametrize("cursor", ["c_5", "c_c_5", "5"])
def test_an_offset_is_a_cursor_however_it_is_written(server: Server, cursor: str) -> None:
    """C42: clients make up `c_<offset>`, and a helper of the Python client puts `c_` before what it is given."""
    assert names(server, f"pagination.cursor={cursor}")[0] == names(server)[5]


@pytest.mark.parametrize("cursor", ["", "c_", "c_0"])
def test_no_offset_is_the_start(server: Server, cursor: str) -> None:
    """C42: empty means the start, also with the helper's `c_` before it."""
    assert names(server, f"pagination.cursor={cursor}") == names(server)


@pytest.mark.parametrize("cursor", ["c_-1", "c_WzgwNDY2NiwiNTUxOTkiXQ==", "next", f"c_{'9' * 5000}", "c_%C2%B2"])
def test_a_cursor_that_we_never_gave_is_refused(server: Server, cursor: str) -> None:
    """400, with what was expected."""
    answer = server.call("GET", f"/v3/model?pagination.cursor={cursor}")

    assert answer.status_code == 400
    assert "next_cursor" in answer.json()["message"]


def test_a_cursor_behind_the_end_is_an_empty_page(server: Server) -> None:
    """The Python client stops there."""
    assert page(server, "pagination.cursor=c_100000") == {"models": [], "pagination": {"next_cursor": ""}}


@pytest.mark.parametrize("limit", ["0", "101", "-1", "many", ""])
def test_a_limit_outside_1_to_100_is_refused(server: Server, limit: str) -> None:
    """C41: an integer from 1 to 100, written in the query."""
    answer = server.call("GET", f"/v3/model?pagination.limit={limit}")

    assert answer.status_code == 400
    assert "pagination.limit" in answer.json()["message"]


def test_filters_narrow_the_list(server: Server) -> None:
    """Each filter alone, and two together."""
    every = page(server, "pagination.limit=100&filter.types=checkpoint")["models"]

    assert {model["type"]["name"] for model in every} == {"checkpoint"}
    sdxl = page(server, "filter.types=checkpoint&filter.is_sdxl=true")["models"]
    assert {model["is_sdxl"] for model in sdxl} == {True}
    assert 0 < len(sdxl) < len(every)
    found = names(server, "filter.query=DREAMshaper")
    assert found
    assert all("dreamshaper" in name.lower() for name in found)
    assert names(server, "filter.visibility=private") != names(server, "filter.visibility=public")


@pytest.mark.parametrize(
    ("sent", "documented", "because", "strictly"),
    [
        ("filter.is_sdxl=True", "filter.is_sdxl=true", "O6", 400),
        ("filter.is_sdxl=0", "filter.is_sdxl=false", "O6", 400),
        ("filter%5Btypes%5D=vae", "filter.types=vae", "C28", 200),
        ("filter.type=vae", "", "C28", 200),
    ],
)
def test_what_clients_write_is_read_and_told(
    server: Server, strict: Server, sent: str, documented: str, because: str, strictly: int
) -> None:
    """As the documented way to say it, with a finding; a strict server refuses it, or passes over a strange name."""
    assert names(server, sent) == names(server, documented)
    assert because in {reason for finding in server.findings() for reason in finding["because"]}
    assert strict.call("GET", f"/v3/model?{sent}").status_code == strictly


def test_several_kinds_are_asked_for_by_repeating_the_parameter(server: Server, strict: Server) -> None:
    """O5, V3-MODEL-006: clients do so; no page says that it may be repeated."""
    query = "filter.types=vae&filter.types=upscaler&pagination.limit=100"

    kinds = {model["type"]["name"] for model in page(server, query)["models"]}
    assert kinds == {"vae", "upscaler"}
    assert strict.call("GET", f"/v3/model?{query}").status_code == 200
