"""Builds the application: a value made of document, settings and parts."""

from __future__ import annotations

from openapi.document import Document, load
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import BaseRoute

from mockserver.control.app import control_routes, http_error
from mockserver.control.server import package_version
from mockserver.control.table import RESOURCES
from mockserver.downloads import picture_routes
from mockserver.gateway import Contract
from mockserver.mock import Mock, Parts
from mockserver.settings import Settings
from openapi.catalogue import load_catalogue

GZIP_BYTES = 1024
"""Answers shorter than this are not worth compressing."""


def create_app(
    document: Document | None = None, settings: Settings | None = None, parts: Parts | None = None
) -> Starlette:
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
    app = Starlette(
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
    app.state.mock = mock
    return app
