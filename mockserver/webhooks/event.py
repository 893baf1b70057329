"""The body of a webhook event: the documented envelope round the task-result body (C38).

The payload is what a poll would answer at the same instant, and the URL that the event goes to, which only events
echo (C10). When an event is sent, and how often, is not decided here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from mockserver.answers import View, sample_picture_path, task_result
from mockserver.core.links import V3_TTL_S
from mockserver.core.recipe import ImageType
from mockserver.core.task import Status, Task, TaskType

EVENT_TYPE = "ASYNC_TASK_RESULT"


def event_body(payload: Mapping[str, Any], *, event_type: str = EVENT_TYPE) -> bytes:
    """The bytes of an event."""
    return orjson.dumps({"event_type": event_type, "payload": payload})


def event_payload(task: Task, now_ms: int, view: View) -> dict[str, Any]:
    """The payload of a finished task's event.

    Args:
        task: a v3 task with a webhook.
        now_ms: the instant of the first attempt; links are signed then, and every attempt sends the same bytes.
        view: who signs the links, and their host.

    Raises:
        ValueError: the task has not ended: no event is sent before its end (WEBHOOK-007).
    """
    if not task.status_at(now_ms).terminal:
        raise ValueError(f"task {task.id} has not ended: it owes no event yet")
    found = task_result(task, now_ms, view)
    found["extra"]["webhook"] = {"url": task.delivery.webhook_url}
    return found


def made_up_payload(
    *,
    task_id: str,
    outcome: Status,
    url: str,
    now_ms: int,
    seed: int,
    pictures: int = 1,
    reason: str = "",
    request_info: str = "",
) -> dict[str, Any]:
    """The payload of a task that never was, in the form of a recorded one.

    Args:
        task_id: a lower-case UUID.
        outcome: succeeded, with so many pictures, or failed, with none and a reason.
        url: where the event goes.
        now_ms: when it is said to have ended, milliseconds since the epoch.
        seed: the one it is said to have used.
        pictures: of a success.
        reason: of a failure.
        request_info: the echo of the request; empty, as in older answers, unless given.
    """
    done = outcome is Status.SUCCEED
    kind = ImageType.JPEG
    return {
        "extra": {
            "seed": str(seed),
            "enable_nsfw_detection": False,
            "debug_info": {
                "request_info": request_info,
                "submit_time_ms": str(now_ms - 4000),
                "execute_time_ms": str(now_ms - 3900),
                "complete_time_ms": str(now_ms),
            },
            "webhook": {"url": url},
        },
        "task": {
            "task_id": task_id,
            "status": outcome,
            "reason": "" if done else reason,
            "task_type": TaskType.TXT_TO_IMG,
            "eta": 0,
            "progress_percent": 100 if done else 0,
        },
        "images": [
            {
                "image_url": f"https://pictures.invalid{sample_picture_path(index, kind)}",
                "image_url_ttl": str(V3_TTL_S),
                "image_type": kind,
                "nsfw_detection_result": None,
            }
            for index in range(pictures if done else 0)
        ],
        "videos": [],
        "audios": [],
    }
