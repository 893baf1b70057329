"""Who may be called: loopback, and what --allow-target names. Resolving is here, connecting is not.

A host is resolved once, every address that it has is judged, and the connection is made to the judged addresses: a
name that resolves to something else a moment later leads nowhere else. A redirect is a new target, and nobody here
follows one.
"""

from __future__ import annotations

import asyncio
import re
import socket
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Protocol
from urllib.parse import SplitResult, quote, unquote, urlsplit

from mockserver.outbound.allowed import Address, Allowed, ascii_name, plain

PORTS: Mapping[str, int] = {"http": 80, "https": 443}
"""The schemes that are called, with the port that goes without saying."""

LOOPBACK = ("127.0.0.1", "::1")
"""What `localhost` and the names below it stand for (RFC 6761); no resolver is asked for them."""

_NOT_IN_A_URL = re.compile(r"[\x00-\x20\x7f\\\ud800-\udfff]")
_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_][a-z0-9_-]{0,62})*")
_ENDS_IN_A_NUMBER = re.compile(r"(.*\.)?([0-9]+|0x[0-9a-f]*)")
_TARGET_SAFE = "/?&=+$,;:@!~*'()[]-._%"


class TargetRefused(ValueError):
    """A URL that is not called; the message says why and what to do."""


class BadTarget(TargetRefused):
    """A URL that nobody could call: not absolute, of another scheme, or malformed."""


class Unresolvable(OSError):
    """A name that has no address."""


class Resolver(Protocol):
    """Gives the addresses of a name."""

    async def __call__(self, host: str, port: int) -> list[str]:
        """Every address, as text, in the order in which they should be tried.

        Raises:
            OSError: it has none, or nobody can tell.
        """


class SystemResolver:
    """Asks the machine, as every program on it does."""

    __slots__ = ()

    async def __call__(self, host: str, port: int) -> list[str]:
        """See `Resolver`."""
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(address[0]) for _, _, _, _, address in found))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """A target that passed, with the addresses that were judged.

    Attributes:
        scheme: http or https.
        host: the name or address of the URL, in ASCII, without brackets and without a dot at its end.
        port: the URL's, or its scheme's.
        addresses: where to connect, in order; nowhere else.
        host_header: value of the header Host.
        target: path and query; may hold secrets.
        authorization: value of the header Authorization when the URL names a user; a secret.
    """

    scheme: str
    host: str
    port: int
    addresses: tuple[str, ...]
    host_header: str
    target: str = field(repr=False)
    authorization: str | None = field(default=None, repr=False)


class Targets:
    """Which hosts may be called.

    Args:
        allowed: names, addresses, networks (10.0.0.0/8), each with a port (name:8080) or without; loopback needs none.

    Raises:
        ValueError: an entry is none of these.
    """

    __slots__ = ("_allowed",)

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        self._allowed = tuple(Allowed.parse(entry) for entry in sorted(allowed))

    async def resolve(self, url: str, resolver: Resolver) -> Pinned:
        """The addresses to which a call of a URL may go.

        Raises:
            TargetRefused: the URL is malformed, or leads to an address that is not allowed.
            Unresolvable: the name has no address.
        """
        parts, host, port = read_url(url)
        literal = _literal(host)
        named = any(entry.names(host, port) for entry in self._allowed)
        if literal is not None:
            addresses = [literal]
        elif host == "localhost" or host.endswith(".localhost"):
            addresses = [ip_address(address) for address in LOOPBACK]
        else:
            addresses = await _looked_up(host, port, resolver)
        for address in addresses:
            if not (named or address.is_loopback or any(entry.covers(address, port) for entry in self._allowed)):
                raise TargetRefused(_refusal(host, address, literal is not None))
        user = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}" if parts.username else None
        shown = f"[{host}]" if ":" in host else host
        return Pinned(
            scheme=parts.scheme,
            host=host,
            port=port,
            addresses=tuple(str(address) for address in addresses),
            host_header=shown if port == PORTS[parts.scheme] else f"{shown}:{port}",
            target=_target(parts),
            authorization=f"Basic {b64encode(user.encode()).decode()}" if user else None,
        )


def read_url(url: str) -> tuple[SplitResult, str, int]:
    """The parts of a URL, its host in ASCII and lower case, and its port.

    Raises:
        BadTarget: nobody could call it.
    """
    if _NOT_IN_A_URL.search(url):  # readers of URLs disagree about these, and a disagreement is a hole
        raise BadTarget(
            "the URL holds a space, a control character, a backslash or half a character; percent-encode it"
        )
    try:
        parts = urlsplit(url)
        port, named = parts.port, parts.hostname
    except ValueError:  # its text would repeat what may be a password
        raise BadTarget("no URL: its host or its port is malformed") from None
    if parts.scheme not in PORTS:
        raise BadTarget(f"expected a URL that begins with http:// or https://, not {parts.scheme[:20] or 'nothing'!r}")
    if not named:
        raise BadTarget("the URL names no host; expected for example http://127.0.0.1:8000/webhook")
    if port == 0:
        raise BadTarget("port 0 is no port; expected 1 to 65535")
    return parts, _host(named), port or PORTS[parts.scheme]


def shown_url(url: str) -> str:
    """A URL as it may be printed and kept: without user, password, fragment and the values of its query."""
    try:
        parts, host, port = read_url(url)
    except BadTarget:
        return "(no URL)"
    shown = f"[{host}]" if ":" in host else host
    where = shown if port == PORTS[parts.scheme] else f"{shown}:{port}"
    names = [pair.partition("=")[0] for pair in parts.query.split("&") if pair]
    query = "?" + "&".join(f"{name}=***" for name in names) if names else ""
    return f"{parts.scheme}://{'***@' if parts.username else ''}{where}{parts.path}{query}"


def lane_of(url: str) -> str:
    """`host:port` of a URL: what deliveries to the same receiver have in common; empty for a malformed one."""
    try:
        _, host, port = read_url(url)
    except BadTarget:
        return ""
    return f"{host}:{port}"


def _host(named: str) -> str:
    """The host in one spelling: lower case, ASCII, no dot at its end, an address as addresses are written.

    Raises:
        BadTarget: it is neither a name nor an address.
    """
    try:
        host = ascii_name(named)
    except UnicodeError:
        raise BadTarget("the URL's host is no name") from None
    if ":" in host:
        try:
            address = IPv6Address(host)
        except ValueError:
            raise BadTarget(f"[{host[:60]}] is no IPv6 address") from None
        if address.scope_id is not None:
            raise BadTarget("an address with a zone (%) belongs to one machine's interface and is not called")
        return str(address)
    if _ENDS_IN_A_NUMBER.fullmatch(host):
        return _ipv4(host)
    if not _NAME.fullmatch(host):
        raise BadTarget(f"{host[:60]!r} is no host name")
    return host


def _ipv4(host: str) -> str:
    """An IPv4 address in any spelling that a connection understands: 127.1, 0x7f000001, 0177.0.0.1, 2130706433."""
    try:
        return str(IPv4Address(socket.inet_aton(host)))
    except OSError:
        raise BadTarget(f"{host[:60]!r} is no IPv4 address") from None


def _literal(host: str) -> Address | None:
    try:
        return plain(ip_address(host))
    except ValueError:
        return None


async def _looked_up(host: str, port: int, resolver: Resolver) -> list[Address]:
    try:
        found = await resolver(host, port)
    except (OSError, UnicodeError) as error:
        raise Unresolvable(f"{host} has no address: {error}") from None
    if not found:
        raise Unresolvable(f"{host} has no address")
    return [plain(ip_address(address)) for address in found]


def _refusal(host: str, address: Address, literal: bool) -> str:
    if literal:
        return f"{host} is not this machine. To send there, start with --allow-target {host}"
    return f"{host} resolves to {address}, which is not this machine. To send there, start with --allow-target {host}"


def _target(parts: SplitResult) -> str:
    query = f"?{parts.query}" if parts.query else ""
    return quote((parts.path or "/") + query, safe=_TARGET_SAFE)
