"""Builds the application: a value made of document, settings and parts."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

from mockserver.control.app import control_routes, http_error
from mockserver.control.server import package_version
from mockserver.control.table import RESOURCES
from mockserver.downloads import picture_routes
from mockserver.gateway import Contract
from mockserver.mock import Mock, Parts
from mockserver.settings import Settings
from openapi.catalogue import load_catalogue
from openapi.document import Document, load

GZIP_BYTES = 1024
"""Answers shorter than this are not worth compressing."""


class MockApp(Starlette):
    """The application. Calls of the contract that need no middleware take the short way.

    A call without `Origin` needs no CORS headers and one without `Accept-Encoding: gzip` no compression; going through
    those layers all the same would cost as much as the answer itself.

    Args:
        mock: the worlds.
        routes: pictures and the control interface.
    """

    def __init__(self, mock: Mock, routes: list[BaseRoute]) -> None:
        super().__init__(
            routes=routes,
            middleware=[
                Middleware(
                    CORSMiddleware,
                    allow_origins=["*"],
                    allow_methods=["*"],
                    allow_headers=["*"],
                    expose_headers=["novita-mock-findings", "etag", "content-range", "accept-ranges"],
                    max_age=600,
                ),
                Middleware(GZipMiddleware, minimum_size=GZIP_BYTES),
                Middleware(Contract, mock=mock),
            ],
            exception_handlers={HTTPException: http_error},
        )
        self.state.mock = mock
        self._short_way = Contract(super().__call__, mock, plain_only=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a call."""
        await self._short_way(scope, receive, send)


def create_app(
    document: Document | None = None, settings: Settings | None = None, parts: Parts | None = None
) -> MockApp:
    """The mock as an ASGI application; `app.state.mock` is the `Mock` behind it.

    Args:
        document: the contract; the shipped one when left out.
        settings: the server's settings.
        parts: time source, ids, renderer and stores.
    """
    mock = Mock(document or load(), load_catalogue(), settings or Settings(), parts or Parts())
    routes: list[BaseRoute] = [
        *picture_routes(mock),
        *control_routes(mock, RESOURCES, package_version()),
    ]
    return MockApp(mock, routes)
