"""The page's files, read when they are asked for, and the headers that keep it to itself.

The policy lets the page run its own modules and talk to its own server, nothing else: what a client sent is shown as
text, and could do nothing even if it were not.
"""

from __future__ import annotations

from pathlib import Path

from starlette.responses import Response

ASSETS = Path(__file__).parent / "assets"
INDEX = "index.html"

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
MEDIA_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}


def asset(name: str) -> Response | None:
    """A file of the page; None when there is none of that name."""
    path = ASSETS / name
    if path.suffix not in MEDIA_TYPES or path.parent != ASSETS or not path.is_file():
        return None
    return Response(path.read_bytes(), headers=HEADERS, media_type=MEDIA_TYPES[path.suffix])
