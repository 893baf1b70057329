"""Builds the application: a value made of document, settings and parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from mockserver.gateway import GZIP_BYTES, Contract
from mockserver.mock import Mock, Parts
from mockserver.settings import Settings
from openapi.catalogue import load_catalogue
from openapi.document import Document, load

if TYPE_CHECKING:
    from mockserver.metrics.counting import CountingContract

PREFIX = "/__mock"


class OnDemand:
    """An application that is made at its first call: a client that never asks for it does not wait for its imports."""

    __slots__ = ("_app", "_make")

    def __init__(self, make: Callable[[], ASGIApp]) -> None:
        self._make = make
        self._app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a call."""
        if self._app is None:
            self._app = self._make()
        await self._app(scope, receive, send)


def control_app(mock: Mock) -> ASGIApp:
    """The control interface; the contract compresses its answers itself, and pictures are compressed already."""
    from mockserver.control.app import control_router
    from mockserver.control.table import RESOURCES

    return GZipMiddleware(control_router(mock, RESOURCES), minimum_size=GZIP_BYTES)


def pictures_app(mock: Mock) -> ASGIApp:
    """The picture links of both versions."""
    from mockserver.downloads import Pictures

    return Pictures(mock)


class Behind:
    """What lies behind the contract: the control interface below its prefix, and the pictures.

    Starlette's own routes would do, were it not for paths with a line break, which their patterns do not match.

    Args:
        control: the control interface.
        pictures: every picture link.
    """

    __slots__ = ("_control", "_pictures")

    def __init__(self, control: ASGIApp, pictures: ASGIApp) -> None:
        self._control = control
        self._pictures = pictures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a call that the contract passed on."""
        if scope["path"].startswith(PREFIX):
            await self._control({**scope, "root_path": scope.get("root_path", "") + PREFIX}, receive, send)
        else:
            await self._pictures(scope, receive, send)


class MockApp(Starlette):
    """The application. Calls of the contract that need no middleware take the short way.

    A call without `Origin`, as all but browsers make them, needs no CORS headers; going through that layer all the
    same would cost as much as the answer itself.

    Args:
        mock: the worlds.
        behind: pictures and the control interface.
    """

    def __init__(self, mock: Mock, behind: ASGIApp) -> None:
        super().__init__(
            middleware=[
                Middleware(
                    CORSMiddleware,
                    allow_origins=["*"],
                    allow_methods=["*"],
                    allow_headers=["*"],
                    expose_headers=["novita-mock-findings", "etag", "content-range", "accept-ranges"],
                    max_age=600,
                ),
                Middleware(Contract, mock=mock),
            ],
        )
        self.router.default = behind
        self.router.redirect_slashes = False
        self.state.mock = mock
        self.contract: Contract | CountingContract = Contract(super().__call__, mock, plain_only=True)
        if mock.figures is not None:
            from mockserver.metrics.counting import CountingContract

            self.contract = CountingContract(self.contract, mock.figures.calls)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a call."""
        await self.contract(scope, receive, send)


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
    return MockApp(mock, Behind(OnDemand(lambda: control_app(mock)), OnDemand(lambda: pictures_app(mock))))
