"""Runs the application on a socket until it is told to stop."""

from __future__ import annotations

import contextlib
import ipaddress
import signal
import socket
from contextlib import closing

import click
import uvicorn

from reference_impl.assembly import CannotStart, data_folder, make_server
from reference_impl.settings import Settings
from reference_impl.shelf import ShelfError
from reference_impl.store.protocol import StoreError

BACKLOG = 2048
GRACE_S = 10
"""How long a stop waits for answers that are being written."""


class _Server(uvicorn.Server):
    """Says when it really answers."""

    def __init__(self, config: uvicorn.Config, url: str) -> None:
        super().__init__(config)
        self._url = url

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer."""
        await super().startup(sockets)
        if self.started:
            click.echo(f"Ready. {self._url}")


def serve(settings: Settings) -> None:
    """Answer until SIGTERM or SIGINT.

    Raises:
        CannotStart: the message says why and what helps.
    """
    try:
        _serve(settings)
    except (StoreError, ShelfError) as error:
        raise CannotStart(str(error)) from None


def _serve(settings: Settings) -> None:
    with (
        data_folder(settings.data, settings.store) as data,
        closing(_bound(settings.host, settings.port)) as listening,
    ):
        url = f"http://{_reachable(settings.host)}:{listening.getsockname()[1]}"
        app = make_server(settings, data, (settings.public_url or url).rstrip("/"))
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="on",
            timeout_graceful_shutdown=GRACE_S,
        )
        server = _Server(config, url)
        _run(server, listening)
        if not server.started:
            raise CannotStart("the server did not start; what went wrong stands above")


def _run(server: uvicorn.Server, listening: socket.socket) -> None:
    """Answer until a signal; to be stopped is no failure.

    When it has stopped, uvicorn raises the signal once more: by default that would end the process as if it had failed.
    """
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[listening])
    finally:
        signal.signal(signal.SIGTERM, before)


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise CannotStart(f"{host} port {port}: {error.strerror}; --port 0 picks a free one") from None


def _reachable(host: str) -> str:
    """The host of a URL by which this machine reaches a server that is bound to it."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.is_unspecified:
        return "127.0.0.1" if address.version == 4 else "[::1]"
    return f"[{host}]" if address.version == 6 else host
