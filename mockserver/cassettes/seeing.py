"""What an answer of a service says of a job, read leniently: whatever is not as expected is passed over."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import orjson

from mockserver.cassettes.cassette import Picture, Poll
from mockserver.cassettes.scrubbing import V2_STATUS, reason_of
from mockserver.core.recipe import ImageType
from mockserver.core.task import Status

Seen = tuple[Status, float, "dict[str, Any] | None", list[tuple[Picture, str]]]


def seen_v3(told: Any) -> Seen | None:
    """What a v3 answer says."""
    task, extra = member(told, "task"), member(told, "extra")
    status = status_of(member(task, "status"))
    if status is None:
        return None
    progress = _share(member(task, "progress_percent"), 100)
    if not status.terminal:
        return status, progress, None, []
    times = member(extra, "debug_info")
    queued_ms, work_ms = _times(
        member(times, "submit_time_ms"), member(times, "execute_time_ms"), member(times, "complete_time_ms")
    )
    images = member(told, "images")
    links = []
    for image in images if isinstance(images, list) else []:
        verdict = member(image, "nsfw_detection_result")
        links.append((_picture_of(member(image, "image_type"), verdict), _text(member(image, "image_url"))))
    ending = {
        "status": status,
        "reason": reason_of(member(task, "reason")),
        "seed": _integer(member(extra, "seed")),
        "queued_ms": queued_ms,
        "work_ms": work_ms,
    }
    return status, progress, ending, links


def seen_v2(told: Any) -> Seen | None:
    """What a v2 answer says."""
    data = member(told, "data")
    number = member(data, "status")
    status = V2_STATUS.get(number) if type(number) is int else None
    if status is None:
        return None
    progress = _share(member(data, "progress"), 1)
    if not status.terminal:
        return status, progress, None, []
    times = member(data, "debug_info")
    queued_ms, work_ms = _times(
        member(times, "submit_time_ms"), member(times, "execution_time_ms"), member(times, "finish_time_ms")
    )
    imgs, verdicts = member(data, "imgs"), member(data, "nsfw_detection_result")
    links = []
    for index, link in enumerate(imgs if isinstance(imgs, list) else []):
        verdict = verdicts[index] if isinstance(verdicts, list) and index < len(verdicts) else None
        suffix = urlsplit(_text(link)).path.rpartition(".")[2]
        links.append((_picture_of(suffix, verdict), _text(link)))
    ending = {
        "status": status,
        "reason": reason_of(member(data, "failed_reason")),
        "seed": None,
        "queued_ms": queued_ms,
        "work_ms": work_ms,
    }
    return status, progress, ending, links


def _picture_of(type_: Any, verdict: Any) -> Picture:
    confidence = member(verdict, "confidence")
    known = _text(type_).lower().replace("jpg", "jpeg")
    return Picture(
        type=known if known in list(ImageType) else ImageType.PNG.value,
        nsfw_confidence=float(confidence) if isinstance(confidence, int | float) else None,
    )


def with_file(picture: Picture, file: str | None) -> Picture:
    """A picture that lies in a file."""
    return replace(picture, file=file)


def _times(submitted: Any, started: Any, finished: Any) -> tuple[int | None, int | None]:
    """How long a task waited and worked by the server's own account, if it gave one that can be."""
    found = [_integer(one) for one in (submitted, started, finished)]
    if any(one is None or one <= 0 for one in found):
        return None, None
    begin, start, end = (one or 0 for one in found)
    return (start - begin, end - start) if begin <= start <= end else (None, None)


def same(one: Poll, other: Poll) -> bool:
    """Whether two polls saw the same."""
    return (one.status, one.progress) == (other.status, other.progress)


def thinned(polls: list[Poll]) -> list[Poll]:
    """Every second poll, and all at which the status changed."""
    around = zip([None, *polls[:-1]], polls, [*polls[1:], None], strict=True)
    return [
        poll
        for index, (before, poll, after) in enumerate(around)
        if index % 2 or before is None or after is None or not before.status == poll.status == after.status
    ]


def status_of(value: Any) -> Status | None:
    """A status of the contract; None: it is none."""
    return Status(value) if isinstance(value, str) and value in list(Status) else None


def _share(value: Any, of: float) -> float:
    number = float(value) if isinstance(value, int | float) else 0.0
    return round(min(1.0, max(0.0, number / of)), 4)


def _integer(value: Any) -> int | None:
    if type(value) is int:
        return value
    return int(value) if isinstance(value, str) and value.lstrip("-").isdecimal() and len(value) < 20 else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def member(value: Any, name: str) -> Any:
    """A member of an object; None: there is none."""
    return value.get(name) if isinstance(value, dict) else None


def json_of(body: bytes) -> Any:
    """The JSON of a body; None: it is none."""
    try:
        return orjson.loads(body)
    except ValueError:
        return None
