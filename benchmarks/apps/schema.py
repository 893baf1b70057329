"""What one would write by hand: Starlette, one compiled JSON Schema, tasks in a dict; no keys, time or journal."""

from __future__ import annotations

import uuid

import jsonschema_rs
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from openapi.document import Reading, load

_document = load().rendered(Reading.DOCUMENTED)
_operation = _document["paths"]["/v3/async/txt2img"]["post"]
_validator = jsonschema_rs.validator_for(
    {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "components": _document["components"],
        **_operation["requestBody"]["content"]["application/json"]["schema"],
    }
)
_tasks: dict[str, dict[str, object]] = {}


async def submit(request: Request) -> JSONResponse:
    """Checks the body and keeps it."""
    body = orjson.loads(await request.body())
    if not _validator.is_valid(body):
        return JSONResponse({"reason": "INVALID_REQUEST_BODY"}, status_code=400)
    task_id = str(uuid.uuid4())
    _tasks[task_id] = body
    return JSONResponse({"task_id": task_id})


async def poll(request: Request) -> JSONResponse:
    """Answers that the task is done."""
    task_id = request.query_params["task_id"]
    if task_id not in _tasks:
        return JSONResponse({"reason": "TASK_NOT_FOUND"}, status_code=404)
    return JSONResponse(
        {
            "extra": {"seed": "1", "enable_nsfw_detection": False},
            "task": {
                "task_id": task_id,
                "status": "TASK_STATUS_SUCCEED",
                "reason": "",
                "task_type": "TXT_TO_IMG",
                "eta": 0,
                "progress_percent": 100,
            },
            "images": [{"image_url": "http://127.0.0.1/1.png", "image_url_ttl": "3600", "image_type": "png"}],
            "videos": [],
            "audios": [],
        }
    )


app = Starlette(
    routes=[
        Route("/v3/async/txt2img", submit, methods=["POST"]),
        Route("/v3/async/task-result", poll, methods=["GET"]),
    ]
)
