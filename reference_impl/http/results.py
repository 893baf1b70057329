"""A task as it is answered: the result of v3, which webhooks carry as well, and the progress of v2."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from io import BytesIO
from types import MappingProxyType
from typing import Any

import orjson

from reference_impl.jobs import Nsfw
from reference_impl.links import Links
from reference_impl.tasks import Picture, Status, Task, TaskView

TASK_TYPES: Mapping[str, str] = MappingProxyType({"createTxt2imgTask": "TXT_TO_IMG", "createImg2imgTask": "IMG_TO_IMG"})
"""`task.task_type` by operation; the operations of v3."""
_V2_STATUS = MappingProxyType({Status.QUEUED: 0, Status.PROCESSING: 1, Status.SUCCEED: 2, Status.FAILED: 3})
"""The numbers that clients know (C34); 4, took too long, does not occur here."""
_V2_KEEP_S = 604_800


class Results:
    """Writes results.

    Args:
        links: signs the links of pictures, anew each time.
        link_ttl_s: seconds that a link of v3 lives, counted from the answer.
    """

    def __init__(self, links: Links, link_ttl_s: int) -> None:
        self._links = links
        self._link_ttl_s = link_ttl_s

    def v3(self, view: TaskView) -> dict[str, Any]:
        """The body of a result (openapi.yaml#/components/schemas/TaskResult), every key filled in (C10)."""
        task = view.task
        return {
            "extra": {
                "seed": str(task.seed),
                "enable_nsfw_detection": task.delivery.nsfw_detection,
                "debug_info": {
                    "request_info": orjson.dumps(task.echo, default=dict).decode() if task.echo else "",
                    "submit_time_ms": str(task.submitted_ms),
                    "execute_time_ms": _or_empty(task.started_ms),
                    "complete_time_ms": _or_empty(task.ended_ms),
                },
            },
            "task": {
                "task_id": task.task_id,
                "task_type": TASK_TYPES[task.operation_id],
                "status": task.status.value,
                "reason": task.reason,
                "eta": round(view.eta_s, 1),
                "progress_percent": int(view.progress * 100),
            },
            "images": [self._image(task, picture) for picture in task.pictures],
            "videos": [],
            "audios": [],
        }

    def event(self, view: TaskView) -> dict[str, Any]:
        """The `payload` of a webhook's event: the result, and where the event goes."""
        payload = self.v3(view)
        if view.task.delivery.webhook:
            payload["extra"]["webhook"] = {"url": view.task.delivery.webhook.url}
        return payload

    def v2(self, view: TaskView) -> dict[str, Any]:
        """`data` of a progress answer (openapi.yaml#/components/schemas/V2Progress)."""
        task = view.task
        drawn_ms = task.ended_ms if task.status is Status.SUCCEED else None
        preview = view.preview if task.echo.get("previews") else None
        return {
            "status": _V2_STATUS[task.status],
            "progress": round(view.progress, 3),
            "eta_relative": round(view.eta_s, 1),
            "imgs": [self._v2_link(task, picture) for picture in task.pictures] or None,
            "failed_reason": task.reason,
            "current_images": [_as_jpeg(preview) if preview else ""],
            "submit_time": _v2_time(task.submitted_ms),
            "execution_time": _v2_time(task.started_ms),
            "txt2img_time": _v2_time(drawn_ms),
            "finish_time": _v2_time(task.ended_ms),
            "info": "",
            "enable_nsfw_detection": task.delivery.nsfw_detection,
            "nsfw_detection_result": [_nsfw(picture.nsfw) for picture in task.pictures]
            if task.delivery.nsfw_detection
            else None,
            "debug_info": {
                "submit_time_ms": task.submitted_ms,
                "execution_time_ms": task.started_ms or 0,
                "txt2img_time_ms": drawn_ms or 0,
                "finish_time_ms": task.ended_ms or 0,
            },
        }

    def _image(self, task: Task, picture: Picture) -> dict[str, Any]:
        ttl_s = self._link_ttl_s if task.delivery.link_ttl_s is None else task.delivery.link_ttl_s
        return {
            "image_url": picture.url or self._links.sign(task.task_id, picture.name, ttl_s),
            # Text, as nearly every answer on record has it (C3); 0 says nothing of a link into the caller's own bucket.
            "image_url_ttl": "0" if picture.url else str(ttl_s),
            "image_type": picture.file_format.value,
            "nsfw_detection_result": _nsfw(picture.nsfw) if task.delivery.nsfw_detection else None,
        }

    def _v2_link(self, task: Task, picture: Picture) -> str:
        """A link of v2 lives from the end of its task, not from the answer."""
        ttl_s = _V2_KEEP_S if task.delivery.link_ttl_s is None else task.delivery.link_ttl_s
        return picture.url or self._links.sign(task.task_id, picture.name, ttl_s, task.ended_ms)


def _nsfw(nsfw: Nsfw | None) -> dict[str, Any]:
    """False is the contract's own word for a check that did not work; without a detector none did."""
    return {"valid": nsfw.valid, "confidence": nsfw.confidence} if nsfw else {"valid": False, "confidence": 0}


def _or_empty(instant_ms: int | None) -> str:
    return "" if instant_ms is None else str(instant_ms)


def _v2_time(instant_ms: int | None) -> str:
    """UTC; the page names no zone."""
    return "" if instant_ms is None else f"{datetime.fromtimestamp(instant_ms / 1000, UTC):%Y-%m-%d %H:%M:%S}"


def _as_jpeg(png: bytes) -> str:
    """A preview as v2 shows it: JPEG in base64."""
    from PIL import Image  # only wanted while a task runs and somebody looks

    file = BytesIO()
    with Image.open(BytesIO(png)) as picture:
        picture.convert("RGB").save(file, "JPEG", quality=85)
    return base64.b64encode(file.getvalue()).decode()
