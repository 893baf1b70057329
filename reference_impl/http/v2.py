"""The operations of v2, which is deprecated: every answer has status 200, a code other than 0 is an error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reference_impl.http.calls import Call, Parts, read_task, submit


async def create_task(parts: Parts, call: Call) -> Mapping[str, Any]:
    """POST /v2/txt2img and /v2/img2img."""
    task_id, accepted = await submit(parts, call)
    warn = {"warn": accepted.warning} if accepted.warning else {}
    return {"code": 0, "msg": "", "data": {"task_id": task_id, **warn}}


async def get_progress(parts: Parts, call: Call) -> Mapping[str, Any]:
    """GET /v2/progress."""
    return {"code": 0, "msg": "", "data": parts.results.v2(await read_task(parts, call))}
