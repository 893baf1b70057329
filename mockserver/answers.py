"""The bodies of the read operations: a task's plan read at an instant, in the form of each version.

v3 (GET /v3/async/task-result): the full set of keys that the recorded answer holds (C10), string seed (C2), string
lifetime (C3), progress 100 at success (C4). v2 (GET /v2/progress): numbers for states, pictures as plain links.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import IntEnum
from functools import lru_cache
from typing import Any

import orjson

from mockserver.core.links import V2_TTL_S, V3_TTL_S, LinkSigner
from mockserver.core.nsfw import confidences
from mockserver.core.recipe import DEFAULT_STEPS, ImageType
from mockserver.core.task import Status, Task
from mockserver.parts.ids import Ids

BEIJING = timezone(timedelta(hours=8))
"""The zone of v2's times without a zone: the documented example pairs 15:08:17 with 07:08:17 UTC in milliseconds."""

KEPT_INFO_BYTES = 4096
"""Requests up to this length are echoed from a cache; longer ones would make it large."""


class V2Status(IntEnum):
    """`data.status` of /v2/progress (known from the official clients, C34)."""

    INITIALISING = 0
    RUNNING = 1
    SUCCESSFUL = 2
    FAILED = 3
    TIMED_OUT = 4


V2_STATUS = {
    Status.QUEUED: V2Status.INITIALISING,
    Status.PROCESSING: V2Status.RUNNING,
    Status.SUCCEED: V2Status.SUCCESSFUL,
    Status.FAILED: V2Status.FAILED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """How tasks are shown: who signs, which names pictures have.

    Attributes:
        base_url: scheme and host of the links, no slash at the end.
        signer: signs them.
        ids: names the picture files.
        link_ttl_s: how long links live; None: as documented.
    """

    base_url: str
    signer: LinkSigner
    ids: Ids
    link_ttl_s: int | None = None


def picture_path_v3(task: Task, index: int, ids: Ids) -> str:
    """Where picture `index` of a v3 task lies; that of a webhook's test mode is one for all (WEBHOOK-006)."""
    if task.delivery.test_status is not None:
        return sample_picture_path(index, task.delivery.image_type)
    name = ids.picture_name(task.id, index)
    return f"/prod/{task.id}/{name}.{task.delivery.image_type}"


def sample_picture_path(index: int, image_type: ImageType) -> str:
    """Path of a picture that test mode makes up; documented is /test_data/image_01.jpeg."""
    return f"/test_data/image_{index + 1:02}.{image_type}"


def picture_path_v2(task: Task, index: int) -> str:
    """Where picture `index` of a v2 task lies."""
    return f"/v2_prod/{task.id}-{index}.{task.delivery.image_type}"


def task_result(task: Task, now_ms: int, view: View) -> dict[str, Any]:
    """The answer of GET /v3/async/task-result."""
    status = task.status_at(now_ms)
    done = status is Status.SUCCEED
    delivery = task.delivery
    return {
        "extra": {
            "seed": str(task.seed),
            "enable_nsfw_detection": delivery.nsfw,
            "debug_info": {
                "request_info": _request_info(task),
                "submit_time_ms": str(task.submitted_ms),
                "execute_time_ms": str(task.started_ms) if now_ms >= task.started_ms else "",
                "complete_time_ms": str(task.finished_ms) if done or status is Status.FAILED else "",
            },
        },
        "task": {
            "task_id": task.id,
            "status": status,
            "reason": task.reason if status is Status.FAILED else "",
            "task_type": task.type,
            "eta": -(-task.eta_ms_at(now_ms) // 1000),
            "progress_percent": int(task.progress_at(now_ms) * 100),
        },
        "images": _images(task, now_ms, view) if done else [],
        "videos": [],
        "audios": [],
    }


def progress(task: Task, now_ms: int, view: View, previews: Sequence[str]) -> dict[str, Any]:
    """The `data` of GET /v2/progress; `previews` are base64 JPEG pictures in progress."""
    status = task.status_at(now_ms)
    done = status is Status.SUCCEED
    started = task.started_ms if now_ms >= task.started_ms else None
    finished = task.finished_ms if done or status is Status.FAILED else None
    return {
        "status": int(V2_STATUS[status]),
        "progress": int(task.progress_at(now_ms) * 10_000) / 10_000,  # down: 1 is for tasks that are done
        "eta_relative": task.eta_ms_at(now_ms) / 1000,
        "imgs": _links_v2(task, now_ms, view) if done else None,
        "failed_reason": task.reason if status is Status.FAILED else "",
        "current_images": list(previews) or [""],
        "submit_time": _beijing(task.submitted_ms),
        "execution_time": _beijing(started),
        "txt2img_time": _beijing(finished),
        "finish_time": _beijing(finished),
        "info": "",
        "enable_nsfw_detection": task.delivery.nsfw,
        "nsfw_detection_result": _nsfw(task) if done and task.delivery.nsfw else None,
        "debug_info": {
            "submit_time_ms": task.submitted_ms,
            "execution_time_ms": started or 0,
            "txt2img_time_ms": finished or 0,
            "finish_time_ms": finished or 0,
        },
    }


def _images(task: Task, now_ms: int, view: View) -> list[dict[str, Any]]:
    found: Sequence[dict[str, Any] | None] = _nsfw(task) if task.delivery.nsfw else [None] * task.count
    kind, ttl_s = task.delivery.image_type, _ttl_s(task, view, V3_TTL_S)
    stored = () if task.course is None else task.course.links
    if task.course is not None and stored:
        ttl_s = task.course.links_ttl_s
    return [
        {
            "image_url": stored[index]
            if stored
            else view.base_url + view.signer.sign(picture_path_v3(task, index, view.ids), now_ms=now_ms, ttl_s=ttl_s),
            "image_url_ttl": str(ttl_s),
            "image_type": kind,
            "nsfw_detection_result": found[index],
        }
        for index in range(task.count)
    ]


def _links_v2(task: Task, now_ms: int, view: View) -> list[str]:
    """Links that live no longer than the pictures are kept (`img_expire_ttl`, counted from the end of the task)."""
    ttl_s = _ttl_s(task, view, V2_TTL_S)
    if task.delivery.ttl_s is not None:
        ttl_s = min(ttl_s, max(0, task.delivery.ttl_s - max(0, now_ms - task.finished_ms) // 1000))
    return [
        view.base_url + view.signer.sign(picture_path_v2(task, index), now_ms=now_ms, ttl_s=ttl_s)
        for index in range(task.count)
    ]


def _ttl_s(task: Task, view: View, documented_s: int) -> int:
    """How long the links of a task's pictures live: the task's own word, its world's, or the documented time."""
    if task.course is not None and task.course.link_ttl_s is not None:
        return task.course.link_ttl_s
    return documented_s if view.link_ttl_s is None else view.link_ttl_s


def _nsfw(task: Task) -> list[dict[str, Any]]:
    found = confidences(
        prompt=_picture_fields(task).get("prompt") or "",
        level=task.delivery.nsfw_level,
        seed=task.seed,
        count=task.count,
        chosen=task.nsfw_confidences,
    )
    return [{"valid": True, "confidence": confidence} for confidence in found]


def _picture_fields(task: Task) -> dict[str, Any]:
    """The part of a request that says what to draw: nested in v3, the whole body in v2."""
    body: dict[str, Any] = orjson.loads(task.body)
    if task.is_v2:
        return body
    request: dict[str, Any] = body["request"]
    return request


def _request_info(task: Task) -> str:
    """The echo of the request as text (C7): what was asked, with the seed in use."""
    make = _kept_info if len(task.body) <= KEPT_INFO_BYTES else _made_info
    return make(task.body, task.seed, task.count)


def _made_info(body: bytes, seed: int, count: int) -> str:
    request = orjson.loads(body)["request"]
    info: dict[str, Any] = {
        "model": request["model_name"],
        "prompts": [request["prompt"]],
        "negative_prompts": [request.get("negative_prompt") or ""],
        "seeds": [seed],
        "height": int(request["height"]),
        "width": int(request["width"]),
        "guidance_scale": request["guidance_scale"],
        "num_images_per_prompt": count,
        "num_inference_steps": int(request["steps"] or DEFAULT_STEPS),
        "sampler_name": request["sampler_name"],
    }
    if request.get("clip_skip"):
        info["clip_skip"] = int(request["clip_skip"])
    if seed >= 2**63:  # more than the fast writer takes
        return json.dumps(info, ensure_ascii=False, separators=(",", ":"))
    return orjson.dumps(info).decode()


_kept_info = lru_cache(maxsize=1024)(_made_info)
"""The same for bodies of the usual size: a client polls its task again and again."""


def _beijing(instant_ms: int | None) -> str:
    """YYYY-MM-DD HH:MM:SS, or nothing before it happened."""
    if instant_ms is None:
        return ""
    return datetime.fromtimestamp(instant_ms // 1000, BEIJING).strftime("%Y-%m-%d %H:%M:%S")
