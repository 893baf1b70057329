"""Resources of the inspector: the page itself, and its files."""

from __future__ import annotations

from starlette.responses import Response

from mockserver.control.problem import ControlError
from mockserver.control.resource import Call, Resource


def _page(call: Call) -> Response:
    from mockserver.inspector.page import INDEX

    return _file(INDEX, call)


def _asset(call: Call) -> Response:
    return _file(call.path["file"], call)


def _file(name: str, call: Call) -> Response:
    from mockserver.inspector.page import asset  # only who looks needs it

    del call
    found = asset(name)
    if found is None:
        raise ControlError(404, "no-such-file", f"the inspector has no file {name[:40]!r}; its page is at /__mock/")
    return found


PAGE_RESOURCES: tuple[Resource, ...] = (
    Resource(
        method="GET",
        path="/",
        operation_id="getInspector",
        summary="The inspector, for people.",
        handler=_page,
        key="none",
        answer=None,
        also=("text/html",),
    ),
    Resource(
        method="GET",
        path="/inspector/{file}",
        operation_id="getInspectorFile",
        summary="A file of its page.",
        handler=_asset,
        key="none",
        answer=None,
        also=("text/javascript", "text/css", "image/svg+xml"),
    ),
)
