"""What links lead to."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import httpx
import pytest

from tests.reference.http.conftest import MakeFront
from tests.reference.http.front import Front
from tests.reference.submissions.bodies import txt2img, txt2img_v2

SMALL: dict[str, Any] = {"width": 128, "height": 128, "steps": 1}


def link_of(front: Front, **extra: Any) -> str:
    """The link to the picture of a new task."""
    url: str = front.ended(txt2img(extra, **SMALL))["images"][0]["image_url"]
    return url


def refusal(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of a refusal in the form of S3's."""
    assert answer.headers["content-type"].startswith("application/xml")
    return answer.status_code, ElementTree.fromstring(answer.text).findtext("Code") or ""


@pytest.mark.parametrize("word", ["png", "jpeg", "webp"])
def test_a_link_is_served_without_a_key(lenient: Front, word: str) -> None:
    """V3-LINK-001 and 002."""
    url = link_of(lenient, response_image_type=word)
    answer = lenient.download(url)
    head = lenient.download(url, "HEAD")
    assert (answer.status_code, answer.headers["content-type"]) == (200, f"image/{word}")
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(answer.content)))


def test_a_range_gives_the_bytes_asked_for(lenient: Front) -> None:
    """V3-LINK-006."""
    url = link_of(lenient)
    whole = lenient.download(url).content
    part = lenient.download(url, range="bytes=10-19")
    assert (part.status_code, part.content) == (206, whole[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(whole)}"
    assert lenient.download(url, range="bytes=-5").content == whole[-5:]
    assert lenient.download(url, range=f"bytes={len(whole)}-").status_code == 416


def test_a_link_ends_when_its_time_has_passed(lenient: Front) -> None:
    """V3-LINK-003 and 004."""
    result = lenient.ended(txt2img(**SMALL))
    url = result["images"][0]["image_url"]
    assert result["images"][0]["image_url_ttl"] == "3600"
    lenient.clock.advance(3590)
    assert lenient.download(url).status_code == 200
    fresh = lenient.result(result["task"]["task_id"])["images"][0]["image_url"]
    lenient.clock.advance(12)
    assert refusal(lenient.download(url)) == (403, "AccessDenied")
    assert lenient.download(fresh).status_code == 200


def test_a_link_of_v2_lives_from_the_end_of_its_task(lenient: Front) -> None:
    """V2-IMAGE-005."""
    task_id = lenient.submit("/v2/txt2img", txt2img_v2(**SMALL, img_expire_ttl=60))
    while not (progress := lenient.progress(task_id))["imgs"]:
        pass
    lenient.clock.advance(55)
    assert lenient.download(lenient.progress(task_id)["imgs"][0]).status_code == 200
    lenient.clock.advance(10)
    assert refusal(lenient.download(progress["imgs"][0])) == (403, "AccessDenied")
    assert refusal(lenient.download(lenient.progress(task_id)["imgs"][0])) == (403, "AccessDenied")


def test_the_life_of_links_can_be_set(make_front: MakeFront) -> None:
    front = make_front(link_ttl_s=60)
    image = front.ended(txt2img(**SMALL))["images"][0]
    assert image["image_url_ttl"] == "60"
    front.clock.advance(62)
    assert front.download(image["image_url"]).status_code == 403


def test_a_link_that_was_changed_is_refused_as_s3_does(lenient: Front) -> None:
    url = link_of(lenient)
    path, _, query = url.partition("?")
    assert refusal(lenient.download(path)) == (403, "AccessDenied")
    assert refusal(lenient.download(url.replace("X-Amz-Expires=3600", "X-Amz-Expires=99999"))) == (
        403,
        "SignatureDoesNotMatch",
    )
    assert refusal(lenient.download(f"{path[:-5]}0.png?{query}"))[0] == 403
    assert refusal(lenient.download(url, "DELETE")) == (405, "MethodNotAllowed")


def test_a_picture_that_is_gone_is_not_found(lenient: Front) -> None:
    url = link_of(lenient)
    for file in lenient.house.pictures.glob("*/*"):
        file.unlink()
    assert refusal(lenient.download(url)) == (404, "NoSuchKey")
    assert refusal(lenient.download("/test_data/image_02.jpeg")) == (404, "NoSuchKey")


def test_the_key_stands_in_no_link(make_front: MakeFront) -> None:
    """V3-AUTH-007."""
    front = make_front(api_keys=("an-account",))
    assert "an-account" not in link_of(front)


def test_a_fault_beside_the_operations_is_an_answer_too(lenient: Front) -> None:
    async def broken(*args: object) -> None:
        raise RuntimeError("the disk is gone")

    url = link_of(lenient)
    lenient.house.service.picture = broken  # type: ignore[assignment,method-assign]
    answer = lenient.download(url)
    assert (answer.status_code, answer.json()["code"]) == (500, 500)
    assert "disk" not in answer.text
