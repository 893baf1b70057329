"""Picture downloads in trouble: every effect with every kind of request, and what a store's answers look like."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import pytest
from PIL import Image

from mockserver.answers import picture_path_v3
from mockserver.faults.effects import effects_at
from mockserver.faults.kinds import Kind
from mockserver.faults.points import Point
from mockserver.running import ServerThread
from tests.mockserver.faults.stage import PATIENCE_S, Ask, Seen, Stage, poll_ask, running

QUICK: dict[Kind, list[Any]] = {
    Kind.STATUS: [
        {"status": 503},
        {"status": {"code": 500, "body": "html"}},
        {"status": {"code": 404, "body": "empty"}},
    ],
    Kind.DELAY: [{"delay": "10ms"}],
    Kind.DRIBBLE: [{"dribble": {"time": "20ms", "pieces": 4}}],
    Kind.TRUNCATE: [{"truncate": 0}, {"truncate": 0.5}, {"truncate": 1}],
    Kind.WRONG_FILE: [{"wrong-file": kind} for kind in ("xml", "html", "content-type", "corrupt", "empty")],
}
REQUESTS: dict[str, tuple[str, dict[str, str]]] = {
    "whole": ("GET", {}),
    "head": ("HEAD", {}),
    "first bytes": ("GET", {"Range": "bytes=0-9"}),
    "last bytes": ("GET", {"Range": "bytes=-10"}),
    "one byte": ("GET", {"Range": "bytes=5-5"}),
    "beyond": ("GET", {"Range": "bytes=99999999-"}),
    "no range": ("GET", {"Range": "bytes=9-0"}),
    "head of a range": ("HEAD", {"Range": "bytes=0-9"}),
    "from a browser": ("GET", {"Origin": "http://app.example", "Accept_Encoding": "gzip"}),
    "known already": ("GET", {"If_None_Match": "ETAG"}),
}


@pytest.fixture(scope="module")
def server() -> Iterator[ServerThread]:
    """A mock behind a socket."""
    with running() as found:
        yield found


@pytest.fixture
def stage(server: ServerThread, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Iterator[Stage]:
    """A world of a test's own; nothing may be logged above INFO while it is used."""
    caplog.set_level(logging.WARNING)
    found = Stage(server, f"sk-{request.node.name}".replace(" ", "-"))
    yield found
    found.close()
    assert [record.getMessage() for record in caplog.get_records("call")] == []


def fetch(stage: Stage, link: str, method: str = "GET", patience_s: float = 10.0, **headers: str) -> Seen:
    """Fetches a picture on a connection of its own."""
    with stage.wire() as wire:
        return wire.ask(Ask(method=method, path=link), patience_s=patience_s, **headers)


def error_of(seen: Seen) -> str:
    """The code of a store's error."""
    return ElementTree.fromstring(seen.body).findtext("Code") or ""


@pytest.mark.parametrize("asked", REQUESTS)
@pytest.mark.parametrize("kind", effects_at(Point.DOWNLOAD), ids=str)
def test_no_request_meets_a_fault_that_breaks_us(stage: Stage, kind: Kind, asked: str) -> None:
    """Parts of files, heads and conditions: each gets something, the log stays empty, the next one is served."""
    link = stage.link()
    right = fetch(stage, link)
    method, headers = REQUESTS[asked]
    if "If_None_Match" in headers:
        headers = {"If_None_Match": right.headers["etag"]}
    for effect in QUICK.get(kind, [kind.value]):
        stage.arm(Point.DOWNLOAD, effect, times=1)
        patience_s = PATIENCE_S if kind is Kind.NO_ANSWER else 10.0
        seen = (
            fetch(stage, link, method, patience_s, **headers)
            if asked != "known already"
            else _known(stage, link, headers)
        )
        assert seen.ending == "silent" if kind is Kind.NO_ANSWER else seen.ending
        if seen.raw.startswith(b"HTTP/1.1 ") and method == "HEAD":
            assert seen.body == b"" or kind is Kind.MALFORMED_CHUNK, "a head has no body, whatever happens"
        assert fetch(stage, link).body == right.body
    assert stage.control("GET", "/faults")["total"] == len(QUICK.get(kind, [kind.value]))


def _known(stage: Stage, link: str, headers: dict[str, str]) -> Seen:
    """A conditional call: 304 has no length, so it is looked at for a moment only."""
    return fetch(stage, link, patience_s=PATIENCE_S, **headers)


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (400, "InvalidRequest"),
        (403, "AccessDenied"),
        (404, "NoSuchKey"),
        (429, "InvalidRequest"),
        (500, "InternalError"),
        (503, "SlowDown"),
        (504, "InternalError"),
    ],
)
def test_an_error_has_the_stores_form(stage: Stage, code: int, name: str) -> None:
    link = stage.link()
    stage.arm(
        Point.DOWNLOAD, {"status": {"code": code, "retry_after": "1500ms", "message": "an <odd> & text"}}, times=1
    )
    seen = fetch(stage, link)
    assert (seen.status, error_of(seen), seen.headers["retry-after"]) == (code, name, "2")
    assert seen.headers["content-type"] == "application/xml"
    assert ElementTree.fromstring(seen.body).findtext("Message") == "an <odd> & text"


def test_a_corrupt_file_is_the_same_in_parts_and_as_a_whole(stage: Stage) -> None:
    """A client that fetches it in two halves gets the bytes that it would get at once, and never the right ones."""
    link = stage.link()
    right = fetch(stage, link)
    stage.control(
        "POST",
        "/faults",
        {"max_in_a_row": None, "faults": [{"point": "download", "effect": {"wrong-file": "corrupt"}}]},
    )
    whole = fetch(stage, link)
    half = len(right.body) // 2
    parts = [fetch(stage, link, Range=span) for span in (f"bytes=0-{half - 1}", f"bytes={half}-")]
    assert b"".join(part.body for part in parts) == whole.body
    assert [part.status for part in parts] == [206, 206]
    assert len(whole.body) == len(right.body)
    assert whole.body[:32] == right.body[:32], "it begins as a picture does"
    assert whole.body != right.body
    assert whole.headers["etag"] == right.headers["etag"], "whoever compares it with the ETag notices"


def test_a_fault_can_be_for_one_picture_of_a_task(stage: Stage) -> None:
    task_id = stage.submit(image_num=3)
    stage.finish_all()
    links = [image["image_url"] for image in stage.json(poll_ask("v3", task_id))["images"]]
    stage.arm(Point.DOWNLOAD, {"status": 403}, match={"picture": 1})
    assert [fetch(stage, _path(link)).status for link in links] == [200, 403, 200]


def _path(url: str) -> str:
    return "/" + url.split("/", 3)[3]


def test_a_link_that_is_no_good_meets_no_fault(stage: Stage) -> None:
    """An expired or forged link stays what it is, and no fault is spent on it."""
    link = stage.link()
    stage.arm(Point.DOWNLOAD, {"status": 503}, times=1)
    forged = link[:-1] + ("0" if link[-1] != "0" else "1")
    assert error_of(fetch(stage, forged)) in ("SignatureDoesNotMatch", "AccessDenied")
    assert stage.control("GET", "/faults")["total"] == 0
    assert fetch(stage, link).status == 503


def test_the_pictures_of_a_task_that_vanished_are_gone(stage: Stage) -> None:
    """Links that somebody holds all the same do not outlive it."""
    stage.arm(Point.FINISH, "vanish", match={"task": 1})
    gone, kept = stage.submit(), stage.submit()
    stage.finish_all()
    mock = stage.server.mock

    def link(task_id: str) -> str:
        world = mock.world(stage.key)
        task = world.tasks.get(task_id)
        assert task is not None
        return mock.signer.sign(picture_path_v3(task, 0, mock.ids), now_ms=world.clock.now_ms(), ttl_s=60)

    seen = fetch(stage, link(gone))
    assert (seen.status, error_of(seen)) == (404, "NoSuchKey")
    assert fetch(stage, link(kept)).status == 200


def test_downloads_are_written_down_with_what_came_of_them(stage: Stage) -> None:
    """Status 0 says that no answer was sent."""
    link = stage.link()
    for effect in ({"status": 503}, Kind.EMPTY_RESPONSE.value, {"wrong-file": "html"}, {"truncate": 0.5}):
        stage.arm(Point.DOWNLOAD, effect, times=1)
        fetch(stage, link)
        fetch(stage, link)
    entries = [entry for entry in stage.journal() if entry["path"].startswith("/prod/")]
    assert [entry["status"] for entry in entries] == [503, 200, 0, 200, 200, 200, 200, 200]
    positions = [fired["at"] for fired in stage.control("GET", "/faults")["fired"]]
    assert positions == ["download#3", "download#5", "download#7", "download#9"], "calls of the key are numbered"


def test_a_dribbled_picture_is_the_picture(stage: Stage) -> None:
    link = stage.link()
    right = fetch(stage, link)
    stage.arm(Point.DOWNLOAD, {"dribble": {"time": "50ms", "pieces": 1000}}, times=1)
    seen = fetch(stage, link)
    assert seen.body == right.body
    Image.open(io.BytesIO(seen.body)).load()
