"""A server of the v3 image API as it is after one evening: something to try `novita-conformance` on.

    python examples/half_finished_server.py 8000
    novita-conformance run http://127.0.0.1:8000 --api-key sk-one-12345 --profile v3-core --task-timeout 5

What is wrong with it:

1. The submit wraps its answer, `{"code": 0, "data": {"task_id": ...}}`, as version 2 does.
2. Only a submit looks at the key. A result is shown to whoever sends any `Authorization`, to another account too.
3. Errors are `{"error": "..."}`, without code, reason and message. An unknown task, a missing task id and a body of
   another shape than expected end in status 500.
4. Of the fields of a request only width, height and image_num have their range checked, and none its type. Samplers,
   lists, nested objects and `extra` are taken as they come, and any name of a model will do.
5. The words for the status are guessed. The one for success is wrong too, so that no task ever ends for its caller.
6. Width and height of the picture are swapped, and the second pass (hires_fix) is not made.
7. The picture depends on the prompt alone: each seed and each picture of a task gives the same one, in one flat colour.
8. Each file is a png, whatever format was asked for and is told. A transparent background is not made.
9. The seed that was drawn is not told, but -1; the kind of the task has the wrong word.
10. There are no image to image, no model list, no webhooks and no version 2.
"""

from __future__ import annotations

import hashlib
import io
import secrets
import sys
import time
from typing import Any
from uuid import UUID

import uvicorn
from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

KEYS = {"sk-one-12345", "sk-two-12345"}
REQUIRED = ("model_name", "prompt", "width", "height", "image_num", "steps", "guidance_scale", "sampler_name")
PENDING, RUNNING, SUCCESS = "TASK_STATUS_PENDING", "TASK_STATUS_RUNNING", "TASK_STATUS_SUCCESS"


class Server:
    """Tasks in memory.

    Args:
        words: for a task that waits, one at work and one that is done.
        work_s: how long a task takes.
    """

    def __init__(self, words: tuple[str, str, str] = (PENDING, RUNNING, SUCCESS), work_s: float = 0.5) -> None:
        self.words = words
        self.work_s = work_s
        self.tasks: dict[str, dict[str, Any]] = {}
        self.app = Starlette(
            routes=[
                Route("/v3/async/txt2img", self.submit, methods=["POST"]),
                Route("/v3/async/task-result", self.result),
                Route("/files/{task_id}/{number}.png", self.file),
            ]
        )

    async def submit(self, request: Request) -> Response:
        """Takes a task."""
        if "authorization" not in request.headers:
            return error(401, "no key")
        if request.headers["authorization"].removeprefix("Bearer ") not in KEYS:
            return error(401, "wrong key")
        try:
            body = await request.json()
        except ValueError:
            return error(400, "not JSON")
        if "request" not in body:
            return error(400, "request is missing")
        wanted = body["request"]
        for name in REQUIRED:
            if name not in wanted:
                return error(400, f"{name} is missing")
        if not (128 <= wanted["width"] <= 2048 and 128 <= wanted["height"] <= 2048):
            return error(400, "the size is out of range")
        if not 1 <= wanted["image_num"] <= 8:
            return error(400, "image_num is out of range")
        task_id = str(UUID(bytes=secrets.token_bytes(16), version=4))
        kind = body.get("extra", {}).get("response_image_type", "png")
        self.tasks[task_id] = {"began": time.monotonic(), "request": wanted, "kind": kind}
        return JSONResponse({"code": 0, "msg": "", "data": {"task_id": task_id}})

    async def result(self, request: Request) -> Response:
        """Tells how far a task is."""
        if "authorization" not in request.headers:
            return error(401, "no key")
        task_id = request.query_params["task_id"]
        task = self.tasks[task_id]
        done = min((time.monotonic() - task["began"]) / self.work_s, 1.0)
        count = task["request"]["image_num"] if done == 1 else 0
        urls = [f"{request.base_url}files/{task_id}/{number}.png" for number in range(count)]
        images = [{"image_url": url, "image_url_ttl": "3600", "image_type": task["kind"]} for url in urls]
        told = {
            "task_id": task_id,
            "task_type": "txt2img",
            "status": self.words[int(done * 2)],
            "reason": "",
            "eta": round((1 - done) * self.work_s, 1),
            "progress_percent": int(done * 100),
        }
        seed = str(task["request"].get("seed", -1))
        return JSONResponse({"extra": {"seed": seed}, "task": told, "images": images})

    async def file(self, request: Request) -> Response:
        """Draws a picture."""
        task = self.tasks.get(request.path_params["task_id"])
        if task is None:
            return Response("gone", 404)
        asked = task["request"]
        colour = tuple(hashlib.sha256(str(asked["prompt"]).encode("utf-8", "replace")).digest()[:3])
        held = io.BytesIO()
        Image.new("RGB", (asked["height"], asked["width"]), colour).save(held, "PNG")
        return Response(held.getvalue(), media_type="image/png")


def error(status: int, text: str) -> JSONResponse:
    """What went wrong, in the only form that this server knows."""
    return JSONResponse({"error": text}, status)


if __name__ == "__main__":
    uvicorn.run(Server().app, port=int(sys.argv[1]), log_level="warning")
