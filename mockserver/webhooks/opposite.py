"""The event that says the opposite of another about the same task."""

from __future__ import annotations

import orjson

from mockserver.answers import View, sample_picture_path
from mockserver.core.links import V3_TTL_S
from mockserver.core.recipe import ImageType
from mockserver.core.task import Status

REASON = "the mock was told to contradict an event that it had sent"


def opposite(body: bytes, view: View, now_ms: int) -> bytes:
    """A failure for a success, and a success with a made-up picture for a failure.

    Args:
        body: the event.
        view: who signs the link, and its host.
        now_ms: when it is signed.
    """
    event = orjson.loads(body)
    payload = event["payload"]
    task = payload["task"]
    if task["status"] == Status.SUCCEED:
        task.update(status=Status.FAILED, reason=REASON, progress_percent=0)
        payload["images"] = []
    else:
        task.update(status=Status.SUCCEED, reason="", progress_percent=100)
        path = sample_picture_path(0, ImageType.JPEG)
        payload["images"] = [
            {
                "image_url": view.base_url + view.signer.sign(path, now_ms=now_ms, ttl_s=V3_TTL_S),
                "image_url_ttl": str(V3_TTL_S),
                "image_type": ImageType.JPEG,
                "nsfw_detection_result": None,
            }
        ]
    return orjson.dumps(event)
