"""The clock that a test moves: two calls under /__test/clock, as docs/conformance/clock.md describes them.

Only with `--test-clock`: whoever can reach the server can set its clock forward then. Links expire by it, events are
tried again, tasks are forgotten, limits per minute end. Drawing is not made faster: as much of the time as may be is
let go by really, while there is something to draw, and only the rest is jumped over.
"""

from __future__ import annotations

import math

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from reference_impl.clock import ShiftedClock
from reference_impl.service import Service

PREFIX = "/__test"
LONGEST_WAIT_S = 5.0
"""Of real time in one call; who waits for more asks again."""


def clock_routes(clock: ShiftedClock, service: Service) -> list[Route]:
    """The two calls.

    Args:
        clock: the server's.
        service: does what falls due.
    """

    async def read(request: Request) -> Response:
        return JSONResponse({"now_ms": clock.now_ms()})

    async def advance(request: Request) -> Response:
        seconds = _seconds(await request.body())
        if seconds is None:
            return JSONResponse({"detail": 'expected {"seconds": 2.5}, 0 or more, and nothing else'}, 400)
        before_ms = clock.now_ms()
        await service.idle(min(seconds, LONGEST_WAIT_S))
        clock.advance(max(0.0, seconds - (clock.now_ms() - before_ms) / 1000))
        await service.catch_up()
        return JSONResponse({"now_ms": clock.now_ms()})

    return [
        Route(f"{PREFIX}/clock", read, methods=["GET"]),
        Route(f"{PREFIX}/clock/advance", advance, methods=["POST"]),
    ]


def _seconds(body: bytes) -> float | None:
    """How far to move; None where that is not what was sent."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(value, dict) or value.keys() != {"seconds"}:
        return None
    seconds = value["seconds"]
    fine = (
        isinstance(seconds, int | float) and not isinstance(seconds, bool) and math.isfinite(seconds) and seconds >= 0
    )
    return float(seconds) if fine else None
