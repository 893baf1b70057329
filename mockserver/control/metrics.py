"""The resource that Prometheus reads: one for the whole server, without a key, since it names no world.

It lies below `/__mock/` like everything else that is the mock's own: the paths beside it are the contract's, and
`/metrics` is answered there as every path that the contract does not know.
"""

from __future__ import annotations

from starlette.responses import Response

from mockserver.control.problem import ControlError
from mockserver.control.resource import Call, Resource


async def _metrics(call: Call) -> Response:
    figures = call.mock.figures
    if figures is None:
        raise ControlError(409, "metrics", "metrics are off; start the server with --metrics")
    text, media_type = await figures.written(call.headers.get(b"accept", b"").decode("latin-1"))
    return Response(text, headers={"Content-Type": media_type, "Cache-Control": "no-store"})


METRIC_RESOURCES: tuple[Resource, ...] = (
    Resource(
        method="GET",
        path="/metrics",
        operation_id="getMetrics",
        summary="Figures of the server for Prometheus, as its own text format or OpenMetrics; needs --metrics.",
        handler=_metrics,
        key="none",
        answer=None,
        also=("text/plain", "application/openmetrics-text"),
    ),
)
