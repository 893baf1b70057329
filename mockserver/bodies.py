"""Reads the body of a call, within its bound."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockserver.core.errors import Reason, Refusal

if TYPE_CHECKING:
    from starlette.types import Receive

    from openapi.document import Operation

SMALL_BODY_BYTES = 4096
"""Below it a body is copied: a caller in this process may hand over a far larger buffer, and the body is kept."""
TEXT_BODY_BYTES = 1024 * 1024
"""Bound of bodies that hold no picture: a prompt has at most 1024 characters."""

_MOST_DIGITS = 18
"""A length with more digits is beyond every bound by its first ones."""


class CallerGone(Exception):
    """Nobody waits for the answer any more."""


async def read_body(receive: Receive, content_length: bytes | None, operation: Operation, most_bytes: int) -> bytes:
    """The whole body.

    Raises:
        Refusal: it is too large; as soon as that is known.
        CallerGone: the connection ended before the body did.
    """
    has_pictures = operation.operation_id != "createTxt2imgTask"
    limit = most_bytes if has_pictures else TEXT_BODY_BYTES
    if content_length is not None and content_length.isdigit():
        announced = int(content_length[:_MOST_DIGITS])
        if announced > limit:
            raise _too_large(has_pictures, announced, limit)
    message = await receive()
    if message["type"] == "http.disconnect":
        raise CallerGone
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False):
        if len(body) > limit:
            raise _too_large(has_pictures, len(body), limit)
        return bytes(memoryview(body)) if len(body) < SMALL_BODY_BYTES else body
    chunks, size = [body], len(body)
    while message.get("more_body", False):
        message = await receive()
        if message["type"] == "http.disconnect":
            raise CallerGone
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise _too_large(has_pictures, size, limit)
        chunks.append(chunk)
    return b"".join(chunks)


def _too_large(has_pictures: bool, size: int, limit: int) -> Refusal:
    reason = Reason.IMAGE_FILE_EXCEEDS_MAX_SIZE if has_pictures else Reason.INVALID_REQUEST_BODY
    return Refusal(reason, f"the body has {size} bytes or more; at most {limit} are read")
