"""The answers of task-result and progress at each stage: keys, types and values as the documented samples have them."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson
import pytest

from mockserver.answers import View, picture_path_v2, picture_path_v3, progress, task_result
from mockserver.core.clock import MAX_MS
from mockserver.core.course import Course
from mockserver.core.links import BadLink, LinkSigner
from mockserver.core.recipe import ImageType
from mockserver.core.task import Delivery, Status, Task, TaskType
from mockserver.parts.ids import SeededIds
from openapi.document import Reading
from tests.bodies import txt2img, txt2img_v2
from tests.mockserver.builders import make_task
from tests.mockserver.reading import contract
from tests.strategies import SPRING_2024_MS

IDS, SIGNER = SeededIds(), LinkSigner(b"secret")
VIEW = View(base_url="http://mock.test", signer=SIGNER, ids=IDS)

SUBMITTED, STARTED, FINISHED = SPRING_2024_MS, SPRING_2024_MS + 69, SPRING_2024_MS + 69 + 4_000
MIDDLE = STARTED + 2_000

IMAGE = {"image_url": "str", "image_url_ttl": "str", "image_type": "str", "nsfw_detection_result": "NoneType"}
V3_SHAPE = {
    # The recorded answer of October 2024, which holds every key (C10).
    "extra": {
        "seed": "str",
        "enable_nsfw_detection": "bool",
        "debug_info": {
            "request_info": "str",
            "submit_time_ms": "str",
            "execute_time_ms": "str",
            "complete_time_ms": "str",
        },
    },
    "task": {
        "task_id": "str",
        "status": "str",
        "reason": "str",
        "task_type": "str",
        "eta": "int",
        "progress_percent": "int",
    },
    "images": [],
    "videos": [],
    "audios": [],
}
V2_SHAPE = {
    # The sample of the progress page; imgs and nsfw_detection_result are null until there is something to list.
    "status": "int",
    "progress": "float",
    "eta_relative": "float",
    "imgs": "NoneType",
    "failed_reason": "str",
    "current_images": ["str"],
    "submit_time": "str",
    "execution_time": "str",
    "txt2img_time": "str",
    "finish_time": "str",
    "info": "str",
    "enable_nsfw_detection": "bool",
    "nsfw_detection_result": "NoneType",
    "debug_info": {
        "submit_time_ms": "int",
        "execution_time_ms": "int",
        "txt2img_time_ms": "int",
        "finish_time_ms": "int",
    },
}
NSFW = {"valid": "bool", "confidence": "float"}


def shape(answer: object) -> Any:
    """Keys and types of an answer on the wire; order and number of items matter."""
    return _shape(orjson.loads(orjson.dumps(answer)))


def _shape(value: object) -> Any:
    if isinstance(value, dict):
        return {name: _shape(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_shape(member) for member in value]
    return type(value).__name__


def task_v3(**fields: Any) -> Task:
    """A v3 task of the times above."""
    body = fields.pop("body", txt2img())
    times = {"submitted_ms": SUBMITTED, "started_ms": STARTED, "finished_ms": FINISHED}
    return make_task(**{**times, "body": json.dumps(body).encode(), **fields})


def task_v2(**fields: Any) -> Task:
    """A v2 task of the times above."""
    return task_v3(**{"operation_id": "createTxt2imgTaskV2", "body": txt2img_v2(), **fields})


def failed(make: Any) -> Task:
    """A task that was ended as a failure in the middle of its work."""
    task: Task = make()
    task.end(MIDDLE, Status.FAILED, "power cut")
    return task


def good(link: str, now_ms: int) -> bool:
    """Whether a link can be followed at an instant."""
    found = urlsplit(link)
    try:
        SIGNER.check(found.path, dict(parse_qsl(found.query)), now_ms=now_ms)
    except BadLink:
        return False
    return True


@pytest.mark.parametrize("now_ms", [SUBMITTED, STARTED, MIDDLE, FINISHED, FINISHED + 10**9])
@pytest.mark.parametrize("nsfw", [False, True])
def test_a_v3_answer_holds_every_key_at_every_stage(now_ms: int, nsfw: bool) -> None:
    """C10: what official clients dereference is never missing and never null."""
    answer = task_result(task_v3(delivery=Delivery(nsfw=nsfw), count=2), now_ms, VIEW)
    images = [{**IMAGE, "nsfw_detection_result": NSFW if nsfw else "NoneType"}] * 2 if now_ms >= FINISHED else []

    assert shape(answer) == {**V3_SHAPE, "images": images}


@pytest.mark.parametrize("now_ms", [SUBMITTED, STARTED, MIDDLE, FINISHED, FINISHED + 10**9])
@pytest.mark.parametrize("nsfw", [False, True])
def test_a_v2_answer_holds_every_key_at_every_stage(now_ms: int, nsfw: bool) -> None:
    """The sample's keys and types; C32 for debug_info."""
    answer = progress(task_v2(delivery=Delivery(nsfw=nsfw), count=2), now_ms, VIEW, [])
    done = now_ms >= FINISHED

    assert shape(answer) == {
        **V2_SHAPE,
        "imgs": ["str", "str"] if done else "NoneType",
        "nsfw_detection_result": [NSFW, NSFW] if done and nsfw else "NoneType",
    }


@pytest.mark.parametrize("stage", [SUBMITTED, MIDDLE, FINISHED, "failed"])
def test_every_answer_is_one_that_the_document_describes(stage: int | str) -> None:
    """The mock must not lie: both versions, every stage, the documented reading."""
    now_ms = MIDDLE if isinstance(stage, str) else stage
    nsfw = Delivery(nsfw=True)
    v3, v2 = (
        (failed(task_v3), failed(task_v2)) if stage == "failed" else (task_v3(delivery=nsfw), task_v2(delivery=nsfw))
    )
    shown = {
        "getTaskResult": task_result(v3, now_ms, VIEW),
        "getProgressV2": {"code": 0, "msg": "", "data": progress(v2, now_ms, VIEW, [])},
    }

    for operation_id, answer in shown.items():
        plain = orjson.loads(orjson.dumps(answer))
        assert contract().response_validator(operation_id, 200, Reading.DOCUMENTED).problems(plain) == []


def test_a_queued_v3_task() -> None:
    """Nothing has happened but the submission."""
    answer = task_result(task_v3(), SUBMITTED, VIEW)

    assert answer["task"] == {
        "task_id": "4f2d0c3e-0000-4000-8000-000000000001",
        "status": "TASK_STATUS_QUEUED",
        "reason": "",
        "task_type": "TXT_TO_IMG",
        "eta": 5,
        "progress_percent": 0,
    }
    assert answer["extra"]["debug_info"] | {"request_info": ""} == {
        "request_info": "",
        "submit_time_ms": str(SUBMITTED),
        "execute_time_ms": "",
        "complete_time_ms": "",
    }


def test_a_v3_task_at_work() -> None:
    """Half done: progress in whole percent, eta in whole seconds, rounded up; no pictures yet."""
    answer = task_result(task_v3(), MIDDLE, VIEW)

    assert (answer["task"]["status"], answer["task"]["progress_percent"]) == ("TASK_STATUS_PROCESSING", 50)
    assert answer["task"]["eta"] == 2
    assert task_result(task_v3(), MIDDLE - 1, VIEW)["task"]["eta"] == 3
    assert task_result(task_v3(), FINISHED - 1, VIEW)["task"]["progress_percent"] == 99
    assert answer["extra"]["debug_info"]["execute_time_ms"] == str(STARTED)
    assert answer["images"] == []


def test_a_v3_task_that_succeeded() -> None:
    """C4: 100 at success; C2 and C3: seed and lifetime are strings."""
    answer = task_result(task_v3(count=3, delivery=Delivery(image_type=ImageType.WEBP)), FINISHED, VIEW)

    assert (answer["task"]["status"], answer["task"]["progress_percent"]) == ("TASK_STATUS_SUCCEED", 100)
    assert (answer["task"]["eta"], answer["task"]["reason"]) == (0, "")
    assert answer["extra"]["seed"] == "7"
    assert answer["extra"]["debug_info"]["complete_time_ms"] == str(FINISHED)
    assert [image["image_type"] for image in answer["images"]] == ["webp"] * 3
    assert {image["image_url_ttl"] for image in answer["images"]} == {"3600"}
    assert len({image["image_url"].partition("?")[0] for image in answer["images"]}) == 3


def test_a_v3_task_that_failed() -> None:
    """An ordinary answer: the reason in words, empty arrays, progress 0."""
    answer = task_result(failed(task_v3), MIDDLE, VIEW)

    assert shape(answer) == V3_SHAPE
    assert (answer["task"]["status"], answer["task"]["reason"]) == ("TASK_STATUS_FAILED", "power cut")
    assert (answer["task"]["eta"], answer["task"]["progress_percent"]) == (0, 0)


def test_a_reason_shows_only_once_the_task_has_failed() -> None:
    """C10: "" unless failed; what is planned is not told beforehand."""
    task = task_v3(outcome=Status.FAILED, reason="it will break")

    assert [task_result(task, now_ms, VIEW)["task"]["reason"] for now_ms in (SUBMITTED, MIDDLE, FINISHED)] == [
        "",
        "",
        "it will break",
    ]
    v2 = task_v2(outcome=Status.FAILED, reason="it will break")
    assert [progress(v2, now_ms, VIEW, [])["failed_reason"] for now_ms in (SUBMITTED, MIDDLE, FINISHED)] == [
        "",
        "",
        "it will break",
    ]


def test_an_img2img_task_says_so() -> None:
    """C6: IMG_TO_IMG."""
    assert task_result(task_v3(type=TaskType.IMG_TO_IMG), FINISHED, VIEW)["task"]["task_type"] == "IMG_TO_IMG"


def test_links_are_signed_for_the_path_of_the_picture() -> None:
    """Scheme and host as asked, `/prod/<task_id>/<32 hex digits>.<ext>`, good for an hour from the poll."""
    task = task_v3(count=2)
    later = FINISHED + 10**7
    links = [image["image_url"] for image in task_result(task, later, VIEW)["images"]]

    assert [urlsplit(link).path for link in links] == [picture_path_v3(task, index, IDS) for index in (0, 1)]
    assert all(link.startswith(f"http://mock.test/prod/{task.id}/") for link in links)
    assert all(good(link, later) and good(link, later + 3_599_000) for link in links)
    assert not any(good(link, later + 3_600_000) for link in links)


def test_request_info_is_the_request_as_text() -> None:
    """C7: JSON inside a string, with the seed in use; the keys of the recording, in its order."""
    body = txt2img(negative_prompt="blurry", image_num=2, width=1024, seed=-1, prompt="Ünïcode ☃")
    info = task_result(task_v3(body=body, seed=99, count=2), SUBMITTED, VIEW)["extra"]["debug_info"]["request_info"]

    assert list(json.loads(info).items()) == [
        ("model", "dreamshaper_8_93211.safetensors"),
        ("prompts", ["Ünïcode ☃"]),
        ("negative_prompts", ["blurry"]),
        ("seeds", [99]),
        ("height", 512),
        ("width", 1024),
        ("guidance_scale", 7.5),
        ("num_images_per_prompt", 2),
        ("num_inference_steps", 20),
        ("sampler_name", "Euler a"),
    ]


@pytest.mark.parametrize(("sent", "shown"), [(2, 2), (0, None), (None, None), ("absent", None)])
def test_clip_skip_is_in_request_info_only_when_sent(sent: Any, shown: int | None) -> None:
    """0 and null are not set (C11)."""
    body = txt2img() if sent == "absent" else txt2img(clip_skip=sent)
    info = task_result(task_v3(body=body), SUBMITTED, VIEW)["extra"]["debug_info"]["request_info"]

    assert json.loads(info).get("clip_skip") == shown


@pytest.mark.parametrize("seed", [0, 2**32 - 1, 2**63 - 1, 2**63, 2**64, 10**40])
def test_a_seed_of_any_size_is_shown_to_the_last_digit(seed: int) -> None:
    """No upper bound is stated (C2)."""
    answer = orjson.loads(orjson.dumps(task_result(task_v3(seed=seed), FINISHED, VIEW)))

    assert answer["extra"]["seed"] == str(seed)
    assert json.loads(answer["extra"]["debug_info"]["request_info"])["seeds"] == [seed]


def test_detection_results_stand_beside_their_picture_in_v3_and_in_a_list_in_v2() -> None:
    """C9: same task, same numbers, in picture order."""
    nsfw = Delivery(nsfw=True)
    chosen = (1.5, 99.25)
    v3 = task_result(task_v3(delivery=nsfw, count=3, nsfw_confidences=chosen), FINISHED, VIEW)
    v2 = progress(task_v2(delivery=nsfw, count=3, nsfw_confidences=chosen), FINISHED, VIEW, [])
    expected = [{"valid": True, "confidence": confidence} for confidence in (1.5, 99.25, 1.5)]

    assert [image["nsfw_detection_result"] for image in v3["images"]] == expected
    assert v2["nsfw_detection_result"] == expected
    assert v3["extra"]["enable_nsfw_detection"] is v2["enable_nsfw_detection"] is True


def test_a_classifier_reads_the_prompt_of_its_own_version() -> None:
    """A stray `request` field of a v2 body (C22) is not taken for the v3 object."""
    nsfw = Delivery(nsfw=True, nsfw_level=0)
    for stray in ({"prompt": "a nude statue"}, "text", None):
        task = task_v2(delivery=nsfw, body=txt2img_v2(prompt="a dog", request=stray))
        [found] = progress(task, FINISHED, VIEW, [])["nsfw_detection_result"]
        assert found["confidence"] < 50
    [found] = progress(task_v2(delivery=nsfw, body=txt2img_v2(prompt="a nude statue")), FINISHED, VIEW, [])[
        "nsfw_detection_result"
    ]
    assert found["confidence"] > 50


@pytest.mark.parametrize(
    ("now_ms", "status", "share", "eta_s"),
    [
        (SUBMITTED, 0, 0.0, 4.069),
        (MIDDLE, 1, 0.5, 2.0),
        (FINISHED - 1, 1, 0.9997, 0.001),
        (FINISHED, 2, 1.0, 0.0),
    ],
)
def test_a_v2_task_in_numbers(now_ms: int, status: int, share: float, eta_s: float) -> None:
    """C34: states 0 to 3; the share done is 1 only when it is done."""
    answer = progress(task_v2(), now_ms, VIEW, [])

    assert (answer["status"], answer["progress"], answer["eta_relative"]) == (status, share, eta_s)


def test_a_v2_task_that_failed() -> None:
    """State 3, the reason, and no pictures."""
    answer = progress(failed(task_v2), MIDDLE, VIEW, [])

    assert shape(answer) == V2_SHAPE
    assert (answer["status"], answer["failed_reason"], answer["imgs"]) == (3, "power cut", None)
    assert answer["eta_relative"] == 0


def test_v2_times_are_beijings_and_empty_before_they_happen() -> None:
    """The sample pairs 15:08:17 with 07:08:17 UTC in milliseconds."""
    queued, working, done = (progress(task_v2(), now_ms, VIEW, []) for now_ms in (SUBMITTED, MIDDLE, FINISHED))
    names = ("submit_time", "execution_time", "txt2img_time", "finish_time")
    start, end = "2024-03-01 17:20:00", "2024-03-01 17:20:04"

    assert [queued[name] for name in names] == [start, "", "", ""]
    assert [working[name] for name in names] == [start, start, "", ""]
    assert [done[name] for name in names] == [start, start, end, end]
    assert queued["debug_info"]["execution_time_ms"] == 0
    assert done["debug_info"] == {
        "submit_time_ms": SUBMITTED,
        "execution_time_ms": STARTED,
        "txt2img_time_ms": FINISHED,
        "finish_time_ms": FINISHED,
    }


def test_previews_are_listed_as_they_are_and_one_empty_text_stands_for_none() -> None:
    """`[""]` when they are switched off."""
    assert progress(task_v2(), MIDDLE, VIEW, ["/9j/1", "/9j/2"])["current_images"] == ["/9j/1", "/9j/2"]
    assert progress(task_v2(), MIDDLE, VIEW, [])["current_images"] == [""]


def test_v2_links_live_for_a_week() -> None:
    """`/v2_prod/<task_id>-<n>.png`, 604800 s from the poll."""
    task = task_v2(count=2)
    links = progress(task, FINISHED, VIEW, [])["imgs"]

    assert [urlsplit(link).path for link in links] == [picture_path_v2(task, index) for index in (0, 1)]
    assert all("X-Amz-Expires=604800&" in link for link in links)
    assert all(good(link, FINISHED + 604_799_000) and not good(link, FINISHED + 604_801_000) for link in links)


def test_v2_links_live_no_longer_than_the_pictures_are_kept() -> None:
    """img_expire_ttl counts from the end of the task, not from the poll."""
    task = task_v2(delivery=Delivery(ttl_s=60))
    [early], [late], [too_late] = (
        progress(task, FINISHED + passed_ms, VIEW, [])["imgs"] for passed_ms in (0, 45_000, 10**6)
    )

    assert "X-Amz-Expires=60&" in early
    assert "X-Amz-Expires=15&" in late
    assert "X-Amz-Expires=0&" in too_late
    assert not good(too_late, FINISHED + 10**6)


def test_v2_times_at_the_end_of_time() -> None:
    """The last instant has a date in Beijing too."""
    task = task_v2(submitted_ms=MAX_MS, started_ms=MAX_MS, finished_ms=MAX_MS)
    assert progress(task, MAX_MS, VIEW, [])["finish_time"].startswith("9999-")
    assert task_result(task_v3(finished_ms=MAX_MS), MAX_MS, VIEW)["images"]


def test_a_task_whose_pictures_are_on_their_way_has_no_time_of_its_end() -> None:
    """Its work is done, and it is not: it may fail yet."""
    task = make_task(course=Course(held=True))
    told = task_result(task, 6_000, VIEW)
    assert (told["task"]["status"], told["extra"]["debug_info"]["complete_time_ms"]) == (Status.PROCESSING, "")
    shown = progress(task, 6_000, VIEW, ())
    assert (shown["finish_time"], shown["debug_info"]["finish_time_ms"]) == ("", 0)
