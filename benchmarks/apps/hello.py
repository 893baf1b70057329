"""The smallest Starlette application, for the start-up comparison: one route, no middleware, nothing else imported."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


async def hello(request: Request) -> JSONResponse:
    """Answers a constant."""
    del request
    return JSONResponse({"task_id": "1"})


app = Starlette(routes=[Route("/v3/async/txt2img", hello, methods=["POST"])])
