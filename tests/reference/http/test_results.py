"""What becomes of a task, as the two versions tell it."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from io import BytesIO
from itertools import pairwise
from typing import Any

import pytest
from PIL import Image

from openapi.document import Document, Reading
from tests.reference.fakes import UNDRAWABLE, UNSAFE, Painter, PaintingWorker
from tests.reference.http.conftest import MakeFront
from tests.reference.http.front import Front
from tests.reference.servers import until
from tests.reference.submissions.bodies import PICTURE, img2img, img2img_v2, txt2img, txt2img_v2

SMALL: dict[str, Any] = {"width": 128, "height": 128, "steps": 4}


class Gate:
    """Lets a painter go on step by step."""

    def __init__(self) -> None:
        self.permits = threading.Semaphore(0)
        self.worker = PaintingWorker(Painter(self._wait))

    def _wait(self) -> None:
        assert self.permits.acquire(timeout=20)

    def let(self, steps: int) -> None:
        self.permits.release(steps)


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.let(1000)  # whatever a test has left


@pytest.mark.parametrize(
    ("path", "body", "kind"),
    [
        ("/v3/async/txt2img", txt2img(**SMALL), "TXT_TO_IMG"),
        ("/v3/async/img2img", img2img(**SMALL), "IMG_TO_IMG"),
    ],
)
def test_a_result_of_v3_holds_every_key(
    lenient: Front, document: Document, path: str, body: dict[str, Any], kind: str
) -> None:
    """V3-RESULT."""
    result = lenient.ended(body, path)
    assert document.response_validator("getTaskResult", 200, Reading.DOCUMENTED).problems(result) == []
    assert result["task"] | {"task_id": ""} == {
        "task_id": "",
        "task_type": kind,
        "status": "TASK_STATUS_SUCCEED",
        "reason": "",
        "eta": 0,
        "progress_percent": 100,
    }
    times = [int(result["extra"]["debug_info"][f"{name}_time_ms"]) for name in ("submit", "execute", "complete")]
    assert times == sorted(times)
    assert (result["videos"], result["audios"]) == ([], [])


def test_answers_repeat_the_request(lenient: Front) -> None:
    result = lenient.ended(txt2img({"enable_nsfw_detection": False}, **SMALL, seed=5, prompt="日本 \U0001f600 \x07 \\"))
    told = json.loads(result["extra"]["debug_info"]["request_info"])
    assert (told["prompts"], told["seeds"], told["num_inference_steps"]) == (["日本 \U0001f600 \x07 \\"], [5], 4)
    assert (result["extra"]["seed"], result["extra"]["enable_nsfw_detection"]) == ("5", False)


@pytest.mark.parametrize("word", ["png", "jpeg", "webp"])
def test_pictures_are_of_the_format_and_number_asked_for(lenient: Front, word: str) -> None:
    """V3-RESULT-013 and 016, V3-IMAGE-004."""
    result = lenient.ended(txt2img({"response_image_type": word}, **SMALL, image_num=3))
    files = {lenient.download(image["image_url"]).content for image in result["images"]}
    assert {image["image_type"] for image in result["images"]} == {word}
    assert {(picture.format, picture.size) for picture in map(Image.open, map(BytesIO, files))} == {
        (word.upper(), (128, 128))
    }
    assert len(files) == 3


def test_a_task_that_fails_is_an_ordinary_answer(lenient: Front, document: Document) -> None:
    """V3-RESULT-027."""
    result = lenient.ended(txt2img(**SMALL, prompt=UNDRAWABLE))
    assert result["task"]["status"] == "TASK_STATUS_FAILED"
    assert "cannot draw that" in result["task"]["reason"]
    assert result["images"] == []
    progress = lenient.ended_v2(txt2img_v2(**SMALL) | {"prompt": UNDRAWABLE})
    assert (progress["status"], progress["imgs"]) == (3, None)
    assert "cannot draw that" in progress["failed_reason"]
    assert document.response_validator("getProgressV2", 200).problems({"code": 0, "data": progress}) == []


def test_progress_moves_with_the_steps_and_pictures_come_at_the_end(make_front: MakeFront, gate: Gate) -> None:
    """V3-LIFE-003 and 005."""
    front = make_front(worker=gate.worker)
    task_id = front.submit("/v3/async/txt2img", txt2img(**SMALL | {"steps": 10}))
    seen = [front.result(task_id)]
    for step in range(10):
        gate.let(1)
        wanted = 10 * step + 10

        def moved(wanted: int = wanted) -> Any:
            found = front.result(task_id)
            return found if found["task"]["progress_percent"] >= wanted * 0.9 - 1 else None

        seen.append(until(moved))
    shares = [result["task"]["progress_percent"] for result in seen]
    assert all(one <= other for one, other in pairwise(shares))
    assert len(set(shares)) > 5
    assert all(not result["images"] for result in seen if result["task"]["status"] != "TASK_STATUS_SUCCEED")
    assert seen[0]["task"]["status"] in ("TASK_STATUS_QUEUED", "TASK_STATUS_PROCESSING")


@pytest.mark.parametrize(("extra", "shown"), [(None, True), ({"enable_progress_info": False}, False)])
def test_previews_of_v2_are_jpeg_unless_they_are_declined(
    make_front: MakeFront, gate: Gate, extra: Any, shown: bool
) -> None:
    """V2-PROGRESS-009 and 010."""
    front = make_front(worker=gate.worker)
    task_id = front.submit("/v2/txt2img", txt2img_v2(**SMALL | {"steps": 10}, extra=extra))
    gate.let(6)
    progress = until(lambda: found if (found := front.progress(task_id))["progress"] > 0.5 else None)
    (preview,) = progress["current_images"]
    assert bool(preview) is shown
    if shown:
        assert Image.open(BytesIO(base64.b64decode(preview))).format == "JPEG"
    assert (progress["status"], progress["imgs"], progress["finish_time"]) == (1, None, "")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v2/txt2img", txt2img_v2(**SMALL, batch_size=2, n_iter=2)),
        ("/v2/img2img", img2img_v2(**SMALL, batch_size=2, n_iter=2, mask=PICTURE)),
    ],
)
def test_progress_of_v2_tells_how_a_task_has_ended(
    lenient: Front, document: Document, path: str, body: dict[str, Any]
) -> None:
    """V2-PROGRESS."""
    progress = lenient.ended_v2(body, path)
    assert document.response_validator("getProgressV2", 200).problems({"code": 0, "data": progress}) == []
    assert (progress["status"], progress["progress"], progress["eta_relative"]) == (2, 1, 0)
    assert len(set(progress["imgs"])) == 4
    assert progress["current_images"] == [""]
    times = [progress[f"{name}_time"] for name in ("submit", "execution", "txt2img", "finish")]
    assert times == sorted(times)
    assert all(times)
    assert lenient.download(progress["imgs"][0]).headers["content-type"] == "image/png"


def test_a_remark_on_a_request_of_v2_stands_in_its_answer(lenient: Front) -> None:
    """V2-SUBMIT-005."""
    answer = lenient.call("POST", "/v2/txt2img", json=txt2img_v2(**SMALL, batch_size=0))
    assert answer.json()["data"]["warn"] == "batch_size 0 is read as 1"


@pytest.mark.parametrize(
    ("prompt", "level", "wanted"),
    [
        ("a circle", 0, {"valid": True, "confidence": 0.0}),
        (UNSAFE, 0, {"valid": True, "confidence": 60.0}),
        (UNSAFE, 2, {"valid": True, "confidence": 90.0}),
    ],
)
def test_detection_is_told_for_each_picture(lenient: Front, prompt: str, level: int, wanted: dict[str, Any]) -> None:
    """V3-NSFW-001, V2-PROGRESS-013."""
    extra = {"enable_nsfw_detection": True, "nsfw_detection_level": level}
    result = lenient.ended(txt2img(extra, **SMALL, prompt=prompt, image_num=2))
    assert [image["nsfw_detection_result"] for image in result["images"]] == [wanted, wanted]
    assert result["extra"]["enable_nsfw_detection"] is True
    progress = lenient.ended_v2(txt2img_v2(**SMALL, extra=extra) | {"prompt": prompt})
    assert progress["nsfw_detection_result"] == [wanted]


def test_without_detection_nothing_is_told(lenient: Front) -> None:
    """V3-NSFW-002, V2-PROGRESS-014."""
    result = lenient.ended(txt2img({"nsfw_detection_level": 2}, **SMALL))
    assert [image["nsfw_detection_result"] for image in result["images"]] == [None]
    assert lenient.ended_v2(txt2img_v2(**SMALL))["nsfw_detection_result"] is None


def test_each_version_shows_its_own_tasks(lenient: Front) -> None:
    v3 = lenient.submit("/v3/async/txt2img", txt2img(**SMALL))
    v2 = lenient.submit("/v2/txt2img", txt2img_v2(**SMALL))
    assert lenient.call("GET", "/v2/progress", params={"task_id": v3}).json()["code"] == 3
    assert lenient.call("GET", "/v3/async/task-result", params={"task_id": v2}).status_code == 404


def test_an_event_says_what_a_result_says(lenient: Front, document: Document) -> None:
    """WEBHOOK-004 and 005."""
    result = lenient.ended(txt2img({"webhook": {"url": "http://127.0.0.1:9/events"}}, **SMALL))
    (event,) = lenient.loop.run_until_complete(lenient.house.sent(1))
    assert document.webhooks["asyncTaskResult"].problems(event, Reading.DOCUMENTED) == []
    assert event["payload"]["task"] == result["task"]
    assert event["payload"]["extra"].pop("webhook") == {"url": "http://127.0.0.1:9/events"}
    assert event["payload"]["extra"] == result["extra"]


@pytest.mark.parametrize("word", ["png", "jpeg", "webp"])
def test_a_test_mode_that_ends_well_shows_a_picture_that_is_always_there(lenient: Front, word: str) -> None:
    """WEBHOOK-014 and 020."""
    test_mode = {"enabled": True, "return_task_status": "TASK_STATUS_SUCCEED"}
    extra = {"response_image_type": word, "webhook": {"url": "http://127.0.0.1:9/events", "test_mode": test_mode}}
    result = lenient.ended(txt2img(extra, **SMALL, image_num=2))
    assert [image["image_type"] for image in result["images"]] == [word, word]
    assert lenient.worker.drawn == []
    answer = lenient.download(result["images"][0]["image_url"])
    assert (answer.status_code, answer.headers["content-type"]) == (200, f"image/{word}")
    assert Image.open(BytesIO(answer.content)).format == word.upper()


def test_a_test_mode_that_fails_shows_none(lenient: Front) -> None:
    """WEBHOOK-015."""
    test_mode = {"enabled": True, "return_task_status": "TASK_STATUS_FAILED"}
    result = lenient.ended(txt2img({"webhook": {"url": "http://127.0.0.1:9/", "test_mode": test_mode}}, **SMALL))
    assert (result["task"]["status"], result["images"]) == ("TASK_STATUS_FAILED", [])
    assert result["task"]["reason"]
