"""The operations of v3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openapi.document import Reading
from reference_impl.http.calls import Call, Parts, read_task, submit


async def create_task(parts: Parts, call: Call) -> Mapping[str, Any]:
    """POST /v3/async/txt2img and /v3/async/img2img: the id stands at the top level (C1)."""
    # The pages take JSON only; who says something else, or nothing, is served unless the server is strict (C40).
    task_id, _ = await submit(parts, call, json_only=parts.reading is Reading.DOCUMENTED)
    return {"task_id": task_id}


async def get_task_result(parts: Parts, call: Call) -> Mapping[str, Any]:
    """GET /v3/async/task-result. A task that failed is an ordinary answer."""
    return parts.results.v3(await read_task(parts, call))


async def list_models(parts: Parts, call: Call) -> Mapping[str, Any]:
    """GET /v3/model."""
    # Several kinds at once are for every server (V3-MODEL-006), though no page says how they are asked for (O5).
    return parts.models.page(call.query(Reading.TOLERATED))
