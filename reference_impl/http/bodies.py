"""The body of a submit, as bytes: bounded, and JSON by its header where that is asked for."""

from __future__ import annotations

from starlette.requests import Request

from reference_impl.submissions import Fault, Refused

MAX_BYTES = 32 * 1024 * 1024
"""Two source pictures of the greatest documented size in base64, and room for the rest."""


async def read_body(request: Request, *, json_only: bool) -> bytes:
    """The whole body.

    Args:
        request: the request; what is left of a body that is too large is not read.
        json_only: another Content-Type than JSON, or none, is refused (C40).

    Raises:
        Refused: the body is too large, or says that it is something else.
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if json_only and content_type != "application/json":
        raise Refused(Fault.BODY, "", "expected a body with the header `Content-Type: application/json`")
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > MAX_BYTES:
        raise _too_large()
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BYTES:
            raise _too_large()
        parts.append(part)
    return b"".join(parts)


def _too_large() -> Refused:
    return Refused(Fault.BODY, "", f"expected a body of at most {MAX_BYTES} bytes; send smaller pictures")
