"""Picture links act like pre-signed S3 links."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import pytest

from tests.bodies import TXT2IMG, TXT2IMG_V2, txt2img, txt2img_v2
from tests.conftest import BASE, Server


@pytest.fixture
def link(server: Server) -> str:
    """A fresh link to a finished picture."""
    url: str = server.finished(TXT2IMG, txt2img(seed=1))["images"][0]["image_url"]
    return url


def test_a_link_is_absolute_signed_and_escaped(link: str) -> None:
    """The query has S3's parameters; `/` in it is percent-encoded."""
    parts = urlsplit(link)
    query = parse_qs(parts.query)

    assert link.startswith(f"{BASE}/prod/")
    assert "/" not in parts.query
    assert query["X-Amz-Expires"] == ["3600"]
    assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert len(query["X-Amz-Signature"][0]) == 64
    assert {"X-Amz-Credential", "X-Amz-Date", "X-Amz-SignedHeaders", "x-id"} <= query.keys()


def test_a_link_lives_from_the_poll_for_its_ttl(server: Server, link: str) -> None:
    """Alive in its last second, 403 with S3's XML after; the next poll gives a new one."""
    server.control("POST", "/clock/advance", {"seconds": 3599})
    assert server.download(link).status_code == 200
    server.control("POST", "/clock/advance", {"seconds": 1})
    dead = server.download(link)
    assert dead.status_code == 403
    assert dead.headers["content-type"].startswith("application/xml")
    assert "<Code>AccessDenied</Code><Message>Request has expired</Message>" in dead.text

    task_id = urlsplit(link).path.split("/")[2]
    assert server.download(server.result(task_id)["images"][0]["image_url"]).status_code == 200
    assert "NV203" in [finding["code"] for finding in server.findings()]


def test_a_changed_link_is_refused(server: Server, link: str) -> None:
    """A longer life, another picture or no signature: 403; nonsense never breaks the server."""
    assert "SignatureDoesNotMatch" in server.download(link.replace("Expires=3600", "Expires=9999")).text
    assert "SignatureDoesNotMatch" in server.download(link[:-4] + "0000").text
    assert "AccessDenied" in server.download(link.split("?")[0]).text
    for nonsense in ("X-Amz-Date=x&X-Amz-Expires=y&X-Amz-Signature=z", "X-Amz-Date=%00&X-Amz-Signature=%C3%A9"):
        assert server.download(f"{link.split('?')[0]}?{nonsense}").status_code == 403


def test_head_tells_the_length_without_the_picture(server: Server, link: str) -> None:
    """HEAD has the headers of GET and no body."""
    whole = server.download(link)
    head = server.call("HEAD", link, key=None)

    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["content-length"] == str(len(whole.content))
    assert head.headers["etag"] == whole.headers["etag"]
    assert whole.headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize(
    ("wanted", "start", "stop"),
    [("bytes=0-9", 0, 10), ("bytes=5-", 5, None), ("bytes=-7", -7, None), (f"bytes=9-{'9' * 30}", 9, None)],
)
def test_a_range_gives_its_part(server: Server, link: str, wanted: str, start: int, stop: int | None) -> None:
    """206 with Content-Range."""
    whole = server.download(link).content
    part = server.download(link, range=wanted)

    assert part.status_code == 206
    assert part.content == whole[start:stop]
    assert part.headers["content-range"].endswith(f"/{len(whole)}")


def test_a_range_behind_the_end_is_416_and_a_strange_one_is_ignored(server: Server, link: str) -> None:
    """As S3 answers them."""
    for behind in ("bytes=99999999-", f"bytes={'9' * 5000}-", f"bytes=99999999-{'9' * 30}", "bytes=-0"):
        answer = server.download(link, range=behind)
        assert answer.status_code == 416, behind
        assert "ActualObjectSize" in answer.text
    for strange in ("lines=1-2", "bytes=-", "bytes=5-2", "bytes=0-1,4-5", "bytes=a-b"):
        assert server.download(link, range=strange).status_code == 200, strange


def test_a_known_etag_is_304(server: Server, link: str) -> None:
    """If-None-Match saves the body."""
    etag = server.download(link).headers["etag"]
    answer = server.download(link, **{"if-none-match": etag})

    assert (answer.status_code, answer.content) == (304, b"")


def test_a_picture_nobody_made_is_missing(server: Server) -> None:
    """404 NoSuchKey, also below the prefixes."""
    for path in ("/prod/nothing/here.png", "/prod/x", "/v2_prod/none-0.png", "/v2_prod/a/b/c"):
        answer = server.call("GET", path, key=None)
        assert (answer.status_code, "NoSuchKey" in answer.text) == (404, True)


def test_an_error_is_xml_whatever_the_path_holds(server: Server) -> None:
    """Characters that XML cannot hold are replaced; markup is escaped."""
    answer = server.call("GET", "/prod/%00%08<b>&%EF%BF%BE.png", key=None)
    key = ElementTree.fromstring(answer.text).findtext("Key")

    assert answer.status_code == 404
    assert key == "prod/\ufffd\ufffd<b>&\ufffd.png"


def test_the_host_of_the_call_does_not_matter(server: Server, link: str) -> None:
    """As behind a proxy that forwards its own name, or a broken one."""
    for host in ("pictures.example", 'a/b?c="<', ""):
        assert server.download(link, host=host).status_code == 200


def test_the_key_sent_to_the_picture_host_is_a_finding(server: Server, link: str) -> None:
    """A client that sends its key with a download gives it away."""
    assert server.call("GET", link).status_code == 200
    assert "NV201" in [finding["code"] for finding in server.findings()]
    assert server.control("GET", "/requests")["requests"][-1]["findings"] == 1


def test_v2_pictures_are_kept_as_long_as_asked(server: Server) -> None:
    """img_expire_ttl counts from the end of the task; without it links live seven days."""
    task_id = server.submit(TXT2IMG_V2, txt2img_v2(img_expire_ttl=60))
    week = server.submit(TXT2IMG_V2, txt2img_v2())
    server.finish_all()
    url = server.progress(task_id)["data"]["imgs"][0]
    kept = server.progress(week)["data"]["imgs"][0]

    assert server.download(url).status_code == 200
    assert "X-Amz-Expires=604800" in kept
    server.control("POST", "/clock/advance", {"seconds": 61})
    assert server.download(url).status_code == 403
    assert server.download(kept).status_code == 200


def test_a_stale_picture_is_not_given_after_a_reset(server: Server, link: str) -> None:
    """A reset world starts with the same ids: the old picture must not come back for a new task."""
    server.download(link)
    server.control("POST", "/reset")
    done: dict[str, Any] = server.finished(TXT2IMG, txt2img(seed=2))

    assert urlsplit(done["images"][0]["image_url"]).path == urlsplit(link).path
    again = server.download(done["images"][0]["image_url"])
    assert again.status_code == 200
    assert server.control("POST", "/reset")["worlds"] == 1
