"""Checks of results, life, pictures, links and detection: green on the mock, red for their own defect only."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image, ImageOps

from conformance.verdict import Verdict
from tests.conformance.defects_of_results import (
    LINKS,
    RESULT_PATH,
    another_seed_inside,
    answers,
    by_time,
    each,
    files,
    files_anew,
    grey,
    info,
    kept_for_ever,
    mixed_up,
    nth_result,
    only_red,
    pixels,
    results,
    submits,
    swapped,
    unknown_at_first,
)
from tests.conformance.harness import Answered, Asked, Wrapper, judge, not_green, of_verdict

TASKS = ("V3-RESULT", "V3-LIFE", "V3-IMAGE", "V3-LINK", "V3-NSFW")


@pytest.mark.parametrize("strict", [False, True], ids=["lenient", "strict"])
def test_the_mock_is_green(strict: bool) -> None:
    result = judge(TASKS, strict=strict)
    assert not_green(result) == {}
    assert result.spent.images <= 30


def test_a_watched_task_is_seen_at_work() -> None:
    outcome = judge(["V3-LIFE-003"]).outcomes["V3-LIFE-003"]
    assert "TASK_STATUS_QUEUED, TASK_STATUS_PROCESSING, TASK_STATUS_SUCCEED" in outcome.message


def test_determinism_is_reported_by_its_degree() -> None:
    outcomes = judge(["V3-IMAGE-007", "V3-IMAGE-012"]).outcomes
    assert outcomes["V3-IMAGE-007"].branches == ("bit-exact",)
    assert all("dB" in branch or "bit-exact" in branch for branch in outcomes["V3-IMAGE-012"].branches)


def test_without_a_clock_the_life_of_an_hour_is_not_measured() -> None:
    from mockserver.core.clock import ClockMode
    from mockserver.settings import Settings

    ids = ["V3-LIFE-001", "V3-LIFE-002", "V3-LINK-003", "V3-LINK-004"]
    result = judge(ids, control="", settings=Settings(clock=ClockMode.parse("auto")))
    assert of_verdict(result, Verdict.UNTESTABLE) == {"V3-LINK-003", "V3-LINK-004"}
    assert of_verdict(result, Verdict.PASS) == {"V3-LIFE-001", "V3-LIFE-002"}


def _status(status: int) -> Any:
    return lambda _, answered: replace(answered, status=status)


def _accepted(_: Asked, answered: Answered) -> Answered:
    return replace(answered, status=203) if answered.status == 200 else answered


def _unknown_is_queued(asked: Asked, answered: Answered) -> Answered:
    if answered.status != 404:
        return answered
    return answered.saying({"task": {"task_id": "x", "status": "TASK_STATUS_QUEUED"}, "images": []}, status=200)


def _queued(body: dict[str, Any], _: int = 0) -> None:
    body["task"].update(status="TASK_STATUS_QUEUED", progress_percent=0)
    body["images"] = []


def _no_images(body: dict[str, Any]) -> None:
    body["images"] = body["images"] or None


def _transposed(body: dict[str, Any]) -> None:
    swapped(body["request"], "width", "height")


def _as_png(asked: Asked, answered: Answered) -> Answered:
    held = io.BytesIO()
    Image.open(io.BytesIO(answered.body)).save(held, "PNG")
    return replace(answered, body=held.getvalue())


def _needs_key(asked: Asked, answered: Answered) -> Answered:
    return answered if asked.headers.get("authorization") else Answered(status=403)


def _dies_early(asked: Asked, answered: Answered, moved_s: float) -> Answered:
    return Answered(status=403) if asked.path.startswith(LINKS) and moved_s > 3000 else answered


def _forgetting() -> Wrapper:
    """Forgets a task 3000 s after its end was told."""
    told_s: dict[bytes, float] = {}

    def forget(asked: Asked, answered: Answered, moved_s: float) -> Answered:
        if asked.path != RESULT_PATH or b"TASK_STATUS_SUCCEED" not in answered.body:
            return answered
        return Answered(status=404) if moved_s - told_s.setdefault(asked.query, moved_s) > 3000 else answered

    return by_time(forget)


def _same_link_twice(body: dict[str, Any]) -> None:
    for entry in body["images"][1:]:
        entry["image_url"] = body["images"][0]["image_url"]


def _level(body: dict[str, Any], level: int) -> None:
    if body.get("extra", {}).get("enable_nsfw_detection"):
        body["extra"].setdefault("nsfw_detection_level", level)


def _reversed(body: dict[str, Any]) -> None:
    extra = body.get("extra", {})
    if extra.get("enable_nsfw_detection"):
        level = extra.get("nsfw_detection_level", 0)
        extra["nsfw_detection_level"] = 2 - level if level in (0, 1, 2) else level


def _clamped(body: dict[str, Any]) -> None:
    if body.get("extra", {}).get("nsfw_detection_level") == 3:
        body["extra"]["nsfw_detection_level"] = 2


def _drawn(body: dict[str, Any]) -> None:
    if body["request"].get("seed", -1) == -1:
        body["request"]["seed"] = 42


def _every_other(body: dict[str, Any], count: int) -> None:
    if count % 2:
        body["task"]["progress_percent"] = 90


DEFECTS: dict[str, tuple[str, Any]] = {
    "another success": ("V3-RESULT-001", lambda: answers(RESULT_PATH, _accepted)),
    "unknown tasks wait": ("V3-RESULT-003", lambda: answers(RESULT_PATH, _unknown_is_queued)),
    "a GET must have a media type": (
        "V3-RESULT-004",
        lambda: answers(
            RESULT_PATH, lambda asked, found: found if "content-type" in asked.headers else Answered(status=400)
        ),
    ),
    "no id in results": ("V3-RESULT-005", lambda: results(lambda body: body["task"].pop("task_id"))),
    "ids in capitals": (
        "V3-RESULT-006",
        lambda: results(lambda body: body["task"].update(task_id=body["task"]["task_id"].upper())),
    ),
    "a word in small letters": ("V3-RESULT-007", lambda: results(each("task", status="running"), "PROCESSING")),
    "another type": ("V3-RESULT-008", lambda: results(each("task", task_type="TXT2IMG"))),
    "a reason of null": ("V3-RESULT-009", lambda: results(each("task", reason=None), "QUEUED")),
    "eta below 0": ("V3-RESULT-010", lambda: results(each("task", eta=-1), "PROCESSING")),
    "progress as text": ("V3-RESULT-010", lambda: results(each("task", progress_percent="50"), "PROCESSING")),
    "half done at the end": ("V3-RESULT-011", lambda: results(each("task", progress_percent=50), "SUCCEED")),
    "null before pictures": ("V3-RESULT-012", lambda: results(_no_images)),
    "audios null": ("V3-RESULT-012", lambda: results(each("", audios=None))),
    "a picture too few": ("V3-RESULT-013", lambda: results(lambda body: body.update(images=body["images"][:1]))),
    "links without host": (
        "V3-RESULT-014",
        lambda: results(
            lambda body: [one.update(image_url=one["image_url"].partition("test")[2]) for one in body["images"]]
        ),
    ),
    "ttl with a unit": ("V3-RESULT-015", lambda: results(each("images", image_url_ttl="1h"))),
    "ttl below 0": ("V3-RESULT-015", lambda: results(each("images", image_url_ttl=-1))),
    "extra null at the end": ("V3-RESULT-017", lambda: results(each("", extra=None), "QUEUED")),
    "seed -1": (
        "V3-RESULT-018",
        lambda: results(lambda body: body["task"]["status"][-7:] == "SUCCEED" or body["extra"].update(seed="-1")),
    ),
    "one seed for all": ("V3-RESULT-020", lambda: submits(_drawn)),
    "times as numbers": ("V3-RESULT-021", lambda: results(each("extra.debug_info", submit_time_ms=5))),
    "times backwards": (
        "V3-RESULT-022",
        lambda: results(
            lambda body: swapped(body["extra"]["debug_info"], "submit_time_ms", "complete_time_ms"), "SUCCEED"
        ),
    ),
    "width for height": (
        "V3-RESULT-023",
        lambda: results(info(lambda read: swapped(read, "width", "height"))),
    ),
    "a video": ("V3-RESULT-025", lambda: results(each("", videos=[{}]))),
    "begins when asked": (
        "V3-LIFE-002",
        lambda: nth_result(lambda body, count: _queued(body) if count == 1 else None),
    ),
    "back to the queue": (
        "V3-LIFE-003",
        lambda: nth_result(lambda body, count: _queued(body) if count == 2 else None, "PROCESSING"),
    ),
    "back after the end": (
        "V3-LIFE-004",
        lambda: nth_result(lambda body, count: _queued(body) if count > 1 else None, "SUCCEED"),
    ),
    "another seed after the end": (
        "V3-LIFE-004",
        lambda: nth_result(lambda body, count: body["extra"].update(seed=str(count)) if count > 1 else 0, "SUCCEED"),
    ),
    "progress goes up and down": ("V3-LIFE-005", lambda: nth_result(_every_other, "PROCESSING")),
    "pictures in the queue": (
        "V3-LIFE-006",
        lambda: results(each("", images=[{"image_url": "https://host.test/x.png"}]), "QUEUED"),
    ),
    "eta at the end": ("V3-LIFE-009", lambda: results(each("task", eta=3), "SUCCEED")),
    "forgets results": ("V3-LIFE-010", _forgetting),
    "files lack their end": (
        "V3-IMAGE-001",
        lambda: files(lambda asked, found: replace(found, body=found.body[:-2]) if found.status == 200 else found),
    ),
    "pictures turned": ("V3-IMAGE-002", lambda: submits(_transposed)),
    "no second pass": ("V3-IMAGE-003", lambda: submits(lambda body: body["request"].pop("hires_fix", None))),
    "png behind all links": (
        "V3-IMAGE-004",
        lambda: files(lambda asked, found: _as_png(asked, found) if asked.path.endswith("webp") else found),
    ),
    "shades of grey": ("V3-IMAGE-005", lambda: pixels(grey)),
    "one picture twice": ("V3-IMAGE-006", lambda: results(_same_link_twice)),
    "prompts are not read": ("V3-IMAGE-010", lambda: submits(each("request", prompt="a tree"))),
    "samplers are not read": ("V3-IMAGE-011", lambda: submits(each("request", sampler_name="Euler"))),
    "webp upside down": ("V3-IMAGE-012", lambda: pixels(ImageOps.flip, "webp")),
    "nothing transparent": ("V3-IMAGE-013", lambda: pixels(lambda image: image.convert("RGB"))),
    "links need the key": ("V3-LINK-001", lambda: files(_needs_key)),
    "links of no type": (
        "V3-LINK-002",
        lambda: files(
            lambda _, found: replace(found, headers={**found.headers, "content-type": "application/octet-stream"})
        ),
    ),
    "links die early": ("V3-LINK-003", lambda: by_time(_dies_early)),
    "links never die": ("V3-LINK-004", kept_for_ever),
    "ranges are not read": (
        "V3-LINK-006",
        lambda: files(lambda _, found: replace(found, status=200) if found.status == 206 else found),
    ),
    "nothing detected": ("V3-NSFW-001", lambda: results(each("images", nsfw_detection_result=None))),
    "always detected": (
        "V3-NSFW-002",
        lambda: results(
            lambda body: [
                one.update(nsfw_detection_result=one["nsfw_detection_result"] or {"valid": True, "confidence": 1})
                for one in body["images"]
            ]
        ),
    ),
    "confidence as text": (
        "V3-NSFW-003",
        lambda: results(
            lambda body: [(one["nsfw_detection_result"] or {}).update(confidence="5") for one in body["images"]]
        ),
    ),
    "detection said to be off": ("V3-NSFW-004", lambda: results(each("extra", enable_nsfw_detection=False))),
    "level 3": ("V3-NSFW-006", lambda: submits(_clamped)),
    "levels the other way round": ("V3-NSFW-007", lambda: submits(_reversed)),
    "level 2 when none is named": ("V3-NSFW-008", lambda: submits(lambda body: _level(body, 2))),
}
DEFECTS |= {
    "no id needed": (
        "V3-RESULT-002",
        lambda: answers(RESULT_PATH, lambda asked, found: found if asked.query else replace(found, status=500)),
    ),
    "jpg for jpeg": (
        "V3-RESULT-016",
        lambda: results(
            lambda body: [one.update(image_type=one["image_type"].replace("jpeg", "jpg")) for one in body["images"]]
        ),
    ),
    "0 is no seed": (
        "V3-RESULT-019",
        lambda: submits(lambda body: body["request"].get("seed") == 0 and body["request"].pop("seed")),
    ),
    "unknown at first": ("V3-LIFE-001", unknown_at_first),
    "files are written anew": ("V3-LIFE-007", files_anew),
    "results of one another": ("V3-LIFE-008", mixed_up),
    "chance in spite of a seed": ("V3-IMAGE-007", lambda: another_seed_inside(lambda seed, count: seed + count)),
    "seeds are not used": ("V3-IMAGE-009", lambda: another_seed_inside(lambda seed, count: 7)),
    "a level of 2 is refused": (
        "V3-NSFW-005",
        lambda: submits(
            lambda body: (
                body.get("extra", {}).get("nsfw_detection_level") == 2 and body["extra"].update(nsfw_detection_level=9)
            )
        ),
    ),
    "links say two hours": ("V3-LINK-005", lambda: results(each("images", image_url_ttl="7200"))),
}
ALSO = {
    "back after the end": {"V3-LIFE-010"},  # a result that is lost is not readable either
    "results of one another": {"V3-IMAGE-002", "V3-RESULT-019", "V3-RESULT-023"},  # each looks at these tasks too
    "chance in spite of a seed": {"V3-IMAGE-008"},  # a seed that was drawn is given the second time
    "seeds are not used": {"V3-IMAGE-008"},
    "links say two hours": {"V3-LINK-003"},  # and they die after one
}
"""What else such a server breaks, by the sentences themselves."""


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_of_tasks_is_red_where_it_belongs(name: str) -> None:
    requirement, make = DEFECTS[name]
    only_red(TASKS, requirement, make(), also=ALSO.get(name, set()))


def _spare(body: dict[str, Any]) -> None:
    """A correct result of another server: what is optional is not there, and something else is."""
    task, extra = body["task"], body["extra"]
    for name in ("reason", "task_type", "eta", "progress_percent"):
        task.pop(name)
    extra.pop("debug_info")
    extra.pop("enable_nsfw_detection")
    body.pop("videos")
    body.pop("audios")
    body.update(request_id="r-1")
    for entry in body["images"]:
        entry["image_url_ttl"] = int(entry["image_url_ttl"])
        if entry["nsfw_detection_result"] is None:
            entry.pop("nsfw_detection_result")


def test_what_is_optional_may_be_absent() -> None:
    assert not_green(judge(TASKS, transport=results(_spare))) == {}
