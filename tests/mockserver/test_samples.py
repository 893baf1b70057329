"""The pictures of a webhook's test mode, and calls that are webhooks of our own."""

from __future__ import annotations

import pytest

from mockserver.outbound.sender import LOOP_HEADER
from tests.bodies import TXT2IMG, txt2img
from tests.conftest import Server


def webhook_test(status: str = "TASK_STATUS_SUCCEED") -> dict[str, object]:
    return {
        "webhook": {
            "url": "http://127.0.0.1:9/hook",
            "test_mode": {"enabled": True, "return_task_status": status},
        }
    }


@pytest.mark.parametrize(("kind", "magic"), [("jpeg", b"\xff\xd8\xff"), ("png", b"\x89PNG"), ("webp", b"RIFF")])
def test_the_pictures_of_test_mode_can_be_downloaded(server: Server, kind: str, magic: bytes) -> None:
    """WEBHOOK-006: their path is /test_data/image_01.jpeg; nothing was drawn for them."""
    found = server.finished(TXT2IMG, txt2img({**webhook_test(), "response_image_type": kind}, image_num=2))
    first, second = (image["image_url"] for image in found["images"])
    assert f"/test_data/image_01.{kind}?" in first
    assert f"/test_data/image_02.{kind}?" in second
    answer = server.download(first)
    assert (answer.status_code, answer.headers["content-type"]) == (200, f"image/{kind}")
    assert answer.content.startswith(magic)
    assert server.download(second).content != answer.content


@pytest.mark.parametrize("path", ["/test_data/image_00.png", "/test_data/image_09.png", "/test_data/image_01.gif"])
def test_there_are_no_other_pictures(server: Server, path: str) -> None:
    assert "NoSuchKey" in server.download(path).text


def test_a_link_without_its_signature_is_refused(server: Server) -> None:
    assert server.download("/test_data/image_01.png").status_code == 403


def test_a_link_ends(server: Server) -> None:
    """By the wall: the picture belongs to no world."""
    found = server.finished(TXT2IMG, txt2img(webhook_test()))
    url = found["images"][0]["image_url"]
    server.wall.now_ms = server.control("GET", "/clock")["now_ms"] + 3_599_000
    assert server.download(url).status_code == 200
    server.wall.now_ms += 2_000
    assert "Request has expired" in server.download(url).text


@pytest.mark.parametrize(("method", "path"), [("POST", TXT2IMG), ("GET", "/v3/model")])
def test_an_operation_takes_no_webhooks(server: Server, method: str, path: str) -> None:
    """An event that came back as a submit would never end."""
    answer = server.call(method, path, json=txt2img() if method == "POST" else None, headers={LOOP_HEADER: "msg_1"})
    assert answer.status_code == 400
    assert "inbox" in answer.json()["message"]
