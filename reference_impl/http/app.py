"""The ASGI application: one route for each operation of the document, links to pictures, and how the server is."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from types import MappingProxyType

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from openapi.document import Document, Operation, Reading
from reference_impl.clock import Clock, RealClock
from reference_impl.http import v2, v3
from reference_impl.http.answers import JSONAnswer
from reference_impl.http.calls import Call, Handler, Parts
from reference_impl.http.errors import REFUSALS, no_route, v2_error, v3_error
from reference_impl.http.keys import Keys
from reference_impl.http.limits import PicturesPerMinute
from reference_impl.http.models import ModelList
from reference_impl.http.pictures import PATH, SAMPLE_PATH, serve_picture, serve_sample
from reference_impl.http.results import Results
from reference_impl.service import Condition, Service
from reference_impl.settings import Settings
from reference_impl.shelf import Shelf
from reference_impl.submissions import Submissions

_log = logging.getLogger("reference_impl.http")

HANDLERS: Mapping[str, Handler] = MappingProxyType(
    {
        "createTxt2imgTask": v3.create_task,
        "createImg2imgTask": v3.create_task,
        "getTaskResult": v3.get_task_result,
        "listModels": v3.list_models,
        "createTxt2imgTaskV2": v2.create_task,
        "createImg2imgTaskV2": v2.create_task,
        "getProgressV2": v2.get_progress,
    }
)
"""Who answers which operation of the document."""

Endpoint = Callable[[Request], Awaitable[Response]]


def make_app(
    service: Service, shelf: Shelf, document: Document, settings: Settings, clock: Clock | None = None
) -> Starlette:
    """The application; its lifespan starts and stops the service.

    Args:
        service: everything behind HTTP.
        shelf: the models that are listed and may be named.
        document: the contract.
        settings: who may call, how strictly, how much.
        clock: for limits in time; the machine's by default.

    Raises:
        ValueError: the document has an operation without a handler, or the other way round.
    """
    if document.operations.keys() != HANDLERS.keys():
        raise ValueError(f"operations and handlers differ: {sorted(document.operations.keys() ^ HANDLERS.keys())}")
    reading = Reading.DOCUMENTED if settings.strict else Reading.TOLERATED
    parts = Parts(
        document=document,
        service=service,
        submissions=Submissions(document, shelf, reading),
        results=Results(service.links, settings.link_ttl_s),
        models=ModelList(shelf),
        keys=Keys(settings.api_keys, strict=settings.strict),
        limit=PicturesPerMinute(clock or RealClock(), settings.pictures_per_minute),
        reading=reading,
    )
    operations = [
        Route(operation.path, _endpoint(parts, operation), methods=[operation.method])
        for operation in document.operations.values()
    ]
    app = Starlette(
        routes=[
            *operations,
            Route(PATH, partial(serve_picture, service), methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]),
            Route(SAMPLE_PATH, serve_sample),
            Route("/health", _health),
            Route("/ready", partial(_ready, service)),
        ],
        exception_handlers={HTTPException: _no_route, Exception: _fault},
        lifespan=partial(_lifespan, service),
    )
    app.router.redirect_slashes = False  # a path that no page names is not there, however near it is to one
    return app


def _endpoint(parts: Parts, operation: Operation) -> Endpoint:
    """Whose call it is, the handler, and what it raises as its version says it."""
    handler = HANDLERS[operation.operation_id]

    async def answer(request: Request) -> Response:
        try:
            account = parts.keys.account(request, operation)
            return JSONAnswer(await handler(parts, Call(request=request, operation=operation, account=account)))
        except ClientDisconnect:
            return Response(status_code=400)  # which nobody hears
        except Exception as error:
            if not isinstance(error, REFUSALS):
                _log.exception("operation.failed", extra={"operation_id": operation.operation_id})
            if operation.version == "v2":
                return v2_error(error)
            return v3_error(error, creating=operation.body is not None)

    return answer


@asynccontextmanager
async def _lifespan(service: Service, app: Starlette) -> AsyncIterator[None]:
    await service.start()
    try:
        yield
    finally:
        await service.stop()


async def _no_route(request: Request, error: Exception) -> Response:
    """For paths that no page names and for methods that no operation has; the error table knows only 404 for either."""
    return no_route(f"there is no {request.method} {request.url.path}; openapi/openapi.yaml lists what there is")


async def _fault(request: Request, error: Exception) -> Response:
    """For what goes wrong outside the operations; the server's log says what it was."""
    return v3_error(error)


async def _health(request: Request) -> Response:
    """Not of the contract: the server answers."""
    return JSONAnswer({"status": "ok"})


async def _ready(service: Service, request: Request) -> Response:
    """Not of the contract: whether pictures can be drawn; 503 until they can."""
    readiness = await service.readiness()
    status = 200 if readiness.condition is Condition.READY else 503
    return JSONAnswer(
        {"status": readiness.condition.value, "reason": readiness.reason, "waiting": readiness.waiting}, status
    )
