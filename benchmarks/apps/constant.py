"""The limit: an ASGI application that reads the body and answers a constant."""

from __future__ import annotations

from typing import Any

BODY = b'{"task_id":"8f0d8e39-1f0c-4c8e-9e2c-0a6d0c9f9d11"}'
HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(BODY))]


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answers everything alike."""
    while scope["method"] == "POST" and (await receive()).get("more_body", False):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": BODY})
