"""Speaks to a server in bytes: what no HTTP client would send, and what comes back."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

DEADLINE_S = 10.0
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) [^\r\n]*\r\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer as it stood on the wire; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


def speak(url: str, parts: bytes | Iterable[bytes], *, hang_up: bool = False) -> bytes:
    """Sends bytes over a connection of their own, and reads until the server closes it.

    Args:
        url: the server's address.
        parts: what to send, in one piece or in several.
        hang_up: close our side once everything is sent, as a client that breaks off does.

    Raises:
        TimeoutError: the server neither answered to the end nor closed within the deadline.
    """
    host, port = urlsplit(url).hostname, urlsplit(url).port
    with socket.create_connection((host or "", port or 0), DEADLINE_S) as connection:
        try:
            for part in [parts] if isinstance(parts, bytes) else parts:
                connection.sendall(part)
            if hang_up:
                connection.shutdown(socket.SHUT_WR)
            return _read(connection)
        except (ConnectionResetError, BrokenPipeError):
            return b""  # the server refused to hear more


def _read(connection: socket.socket) -> bytes:
    pieces = []
    while piece := connection.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)


def replies(raw: bytes) -> list[Reply]:
    """The answers in what a server sent.

    Raises:
        ValueError: it is not a row of complete HTTP answers with a stated length.
    """
    found = []
    while raw:
        match = _STATUS.match(raw)
        head, gap, rest = raw.partition(b"\r\n\r\n")
        if match is None or not gap:
            raise ValueError(f"no HTTP answer: {raw[:200]!r}")
        lines = head.split(b"\r\n")[1:]
        pairs = [line.split(b":", 1) for line in lines]
        headers = {name.decode().lower(): value.strip().decode("latin-1") for name, value in pairs}
        status = int(match[1])
        length = 0 if status < 200 else _length(headers, rest)
        if len(rest) < length:
            raise ValueError(f"{length} bytes were promised, {len(rest)} came")
        found.append(Reply(status=status, headers=headers, body=rest[:length]))
        raw = rest[length:]
    return found


def _length(headers: dict[str, str], rest: bytes) -> int:
    if "content-length" in headers:
        return int(headers["content-length"])
    if headers.get("connection") == "close":
        return len(rest)
    raise ValueError(f"an answer without a length: {headers}")
