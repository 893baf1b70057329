"""What leads clients elsewhere: proxies, the vendor's own variables, names, certificates. Nothing is called here."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mockserver.doctor.asking import Found, host_of, is_loopback
from mockserver.doctor.values import Line, note, ok, problem, warning
from mockserver.programs.names import KEY_VARIABLE, URI_VARIABLE, VENDOR_HOST

PROXIES = ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
"""Variables that send plain HTTP, as the mock speaks it, elsewhere."""
DIRECT = ("127.0.0.1", "localhost", "::1")
CERTIFICATES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")

Resolve = Callable[..., list[tuple[Any, ...]]]
"""As `socket.getaddrinfo`."""


def proxies(environment: Mapping[str, str]) -> Iterator[Line]:
    """Whether a proxy of the environment gets the calls that are meant for this machine."""
    named = [name for name in PROXIES if environment.get(name, "").strip()]
    if not named:
        yield ok("proxy", "no proxy is set for HTTP")
        return
    bypass = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    through = [host for host in ("127.0.0.1", "localhost") if not _direct(host, bypass)]
    lacking = [one for one in DIRECT if one not in bypass]
    shown = ", ".join(f"{name}={_without_password(environment[name])}" for name in named)
    if through:
        yield warning(
            "proxy",
            f"{shown}, and NO_PROXY leaves out {' and '.join(through)}: most clients send calls of the mock to the "
            "proxy",
            f"NO_PROXY={','.join(filter(None, (bypass, *lacking)))}",
        )
    else:
        yield ok("proxy", f"{shown}; NO_PROXY keeps this machine out of it")


def _direct(host: str, bypass: str) -> bool:
    """Whether NO_PROXY names a host, in the forms that most clients agree on."""
    entries = [entry.strip().lower().lstrip(".") for entry in bypass.split(",")]
    return any(entry == "*" or entry == host or (entry and host.endswith(f".{entry}")) for entry in entries)


def _without_password(url: str) -> str:
    """A proxy's address without what opens it."""
    return re.sub(r"^([a-zA-Z][a-zA-Z0-9+.-]*://)?[^@/]*@", r"\1...@", url)


def key(environment: Mapping[str, str]) -> Iterator[Line]:
    """The vendor's key; no character of it is shown."""
    value = environment.get(KEY_VARIABLE)
    if value is None:
        yield note(
            "key",
            f"{KEY_VARIABLE} is not set; the mock accepts any key",
            f"export {KEY_VARIABLE}=sk-mock-me, if your client reads it",
        )
        return
    wrong = ""
    if not value.strip():
        wrong = "is empty"
    elif value != value.strip() or any(ord(character) < 32 for character in value):
        wrong = "begins or ends with a space, or holds a line break"
    elif value.lower().startswith("bearer "):
        wrong = "begins with `Bearer`, which clients put in front themselves"
    elif value[0] in "'\"" and value[0] == value[-1]:
        wrong = "has quotes around it, which became part of it"
    elif not value.isascii():
        wrong = "holds characters that no header may hold"
    if wrong:
        yield warning("key", f"{KEY_VARIABLE} {wrong}", "set it to the key alone")
    else:
        yield ok("key", f"{KEY_VARIABLE} is set ({len(value)} characters, not shown)")


def address(environment: Mapping[str, str], asked: Callable[[str], Found]) -> Iterator[Line]:
    """Where clients that read the vendor's variable go; only this machine is asked who answers."""
    value = environment.get(URI_VARIABLE)
    host = host_of(value or "")
    if value is None or not value.strip():
        line = f"{URI_VARIABLE} is not set: clients that read it call the paid service"
        do = f"export {URI_VARIABLE}=http://127.0.0.1:4280"
        yield warning("uri", line, do) if environment.get(KEY_VARIABLE) else note("uri", line, do)
    elif not host or not re.match(r"https?://", value) or _port_is_wrong(value):
        yield problem("uri", f"{URI_VARIABLE}={_shown(value)} is no address", "such as http://127.0.0.1:4280")
    elif host == VENDOR_HOST or host.endswith(f".{VENDOR_HOST.partition('.')[2]}"):
        yield warning(
            "uri",
            f"{URI_VARIABLE} names the paid service ({host}): every task costs money there",
            f"export {URI_VARIABLE}=http://127.0.0.1:4280 for tests",
        )
    elif not is_loopback(host):
        yield note(
            "uri", f"{URI_VARIABLE}={_shown(value)} is another machine; it was not asked", "doctor --url asks it"
        )
    else:
        yield from _own(value, asked)


def _own(value: str, asked: Callable[[str], Found]) -> Iterator[Line]:
    parts = urlsplit(value)
    found = asked(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}")
    if found.mock is None:
        yield warning(
            "uri",
            f"{URI_VARIABLE}={_shown(value)}: there answers {found.words}",
            "start novita-mock there, or change it",
        )
    elif parts.path.strip("/"):
        yield warning(
            "uri",
            f"{URI_VARIABLE}={_shown(value)} has a path; clients put their own paths behind it",
            f"{URI_VARIABLE}={parts.scheme}://{parts.netloc}",
        )
    else:
        yield ok("uri", f"{URI_VARIABLE}={_shown(value)}: there answers {found.words}")


def _port_is_wrong(value: str) -> bool:
    try:
        return urlsplit(value).port == 0
    except ValueError:
        return True


def _shown(value: str) -> str:
    """A URL without password and query, in which keys may stand."""
    return _without_password(value).partition("?")[0][:200]


def localhost(host: str, uri: str, resolve: Resolve = socket.getaddrinfo) -> Iterator[Line]:
    """What `localhost` is here, and whether the mock listens there.

    Args:
        host: where the mock would listen.
        uri: what clients are told; empty: nothing.
        resolve: gives addresses of a name.
    """
    try:
        found = list(dict.fromkeys(str(entry[4][0]) for entry in resolve("localhost", None, type=socket.SOCK_STREAM)))
    except OSError as error:
        yield problem(
            "localhost", f"the name localhost is unknown ({error})", "add '127.0.0.1 localhost' to the hosts file"
        )
        return
    listed = ", ".join(found)
    if not all(ipaddress.ip_address(one.partition("%")[0]).is_loopback for one in found):
        yield problem(
            "localhost", f"localhost is {listed}: not this machine", "correct the hosts file, or say 127.0.0.1"
        )
    elif host not in found and host in ("127.0.0.1", "::1"):
        yield warning(
            "localhost", f"localhost is {listed} only, and the mock listens at {host}", f"say {host} in clients"
        )
    elif found[0] != host and host in found and host_of(uri) == "localhost":
        yield warning(
            "localhost",
            f"localhost is {found[0]} first and {host} after; a client that tries the first alone finds nobody",
            f"{URI_VARIABLE}={uri.replace('localhost', host if ':' not in host else f'[{host}]', 1)}",
        )
    else:
        yield ok("localhost", f"localhost is {listed}")


def certificates(environment: Mapping[str, str]) -> Iterator[Line]:
    """Whether variables about certificates name files that are there; --intercept adds its own to them."""
    lost = [name for name in CERTIFICATES if environment.get(name) and not Path(environment[name]).is_file()]
    for name in lost:
        yield warning(
            "certificates",
            f"{name}={environment[name][:200]} is no file: clients that read it may trust nobody",
            f"unset {name}, or name a file of certificates",
        )
    named = [name for name in CERTIFICATES if environment.get(name) and name not in lost]
    if named:
        yield ok("certificates", f"{' and '.join(named)}: there")
