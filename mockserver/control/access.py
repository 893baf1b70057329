"""Whose world a control call acts on: that of its key, or, for the inspector, one named by `?world=`.

A world's id is no secret (`GET /worlds` lists them), so naming one is left to whoever sits at this machine: it is
refused where the server takes listed keys only, to pages of other sites, and under names that somebody else's DNS could
point here (DNS rebinding). A key works everywhere.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from starlette.requests import Request

from mockserver.access import read_credential
from mockserver.control.problem import ControlError
from mockserver.core.errors import Refusal
from mockserver.mock import Mock
from mockserver.world import World

WORLD = "world"
"""The query parameter."""

_OWN_NAMES = (".localhost", ".test", ".internal", ".local", ".lan", ".home.arpa")
"""Names that no public DNS gives out."""
_SAME_SITE = (None, "same-origin", "none")


def world_of(request: Request, mock: Mock, *, required: bool) -> World | None:
    """The world that a call acts on; None where it needs none and names none.

    Raises:
        ControlError: no key where one is needed, a refused key, or a world that cannot be named like this.
    """
    authorization = request.headers.get("authorization")
    named = request.query_params.get(WORLD)
    if named is not None and authorization is not None:
        raise ControlError(400, "query", "expected a key or ?world=, came both")
    if named is not None:
        check_named(request, mock)
        return _named(named, mock)
    if authorization is None and not required:
        return None
    try:
        credential = read_credential(
            authorization.encode("latin-1") if authorization is not None else None,
            None,
            version="",
            strict=False,
            keys=mock.settings.keys,
            magic=mock.settings.magic,
        )
    except Refusal as refusal:
        raise ControlError(403, "key", refusal.message) from None
    return mock.world(credential.key)


def check_named(request: Request, mock: Mock) -> None:
    """Passes a call that may name a world without its key.

    Raises:
        ControlError: it may not; says why and what to do.
    """
    if mock.settings.keys:
        raise ControlError(403, "key", "this server takes listed keys only (--key): a world is opened by its key")
    host = request.headers.get("host", "")
    origin = request.headers.get("origin")
    other = origin is not None and urlsplit(origin).netloc.lower() != host.lower()
    if other or request.headers.get("sec-fetch-site") not in _SAME_SITE:
        raise ControlError(403, "origin", "a page of another site cannot name a world; it needs the world's key")
    if not _is_own(host, mock):
        raise ControlError(
            403,
            "host",
            f"under the name {host[:80]!r} a world is opened by its key; 127.0.0.1, localhost, or the host of "
            "--public-base-url need none",
        )


def _named(id: str, mock: Mock) -> World:
    found = next((world for world in mock.worlds if world.id == id), None)
    if found is None:
        raise ControlError(404, "no-such-world", f"no world {id[:40]!r}; GET /__mock/worlds lists them")
    return found


def _is_own(host: str, mock: Mock) -> bool:
    try:
        name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return False
    public = mock.settings.public_base_url
    if "." not in name and ":" not in name:  # a machine of this network, or a container beside this one
        return bool(name)
    if name.endswith(_OWN_NAMES) or (public is not None and urlsplit(public).hostname == name):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
