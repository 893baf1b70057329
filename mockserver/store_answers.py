"""Answers of a store like S3: its errors as XML, and files that arrive corrupt; `downloads` decides which is due."""

from __future__ import annotations

import re
from html import escape

from starlette.responses import Response

from mockserver.core.chance import mix
from mockserver.core.errors import STATUS, Reason
from mockserver.faults.effects import Effect
from mockserver.trouble import gateway_body, retry_after

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML cannot hold, not even escaped; a path may."""
_S3_ERRORS = {
    400: ("InvalidRequest", "The request is not valid."),
    403: ("AccessDenied", "Access Denied"),
    404: ("NoSuchKey", "The specified key does not exist."),
    500: ("InternalError", "We encountered an internal error. Please try again."),
    503: ("SlowDown", "Please reduce your request rate."),
}
"""What S3 calls a status; any other is called after its class."""

_INTACT_BYTES = 32
"""A corrupt file begins as its format does: only who decodes it notices."""
_CORRUPT_EVERY = 64


def no_such_key(path: str) -> Response:
    """404: there is no such file."""
    return s3_error(404, "NoSuchKey", "The specified key does not exist.", Key=path.lstrip("/")[:1024])


def s3_error(status: int, code: str, message: str, **fields: str) -> Response:
    """An error in S3's form, `fields` among its members."""
    members = {"Code": code, "Message": message, **fields, "RequestId": "MOCK0000MOCK0000", "HostId": "novita-mock"}
    inner = "".join(f"<{name}>{_xml_text(value)}</{name}>" for name, value in members.items())
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{inner}</Error>'
    return Response(text, status, media_type="application/xml")


def _xml_text(text: str) -> str:
    return escape(_NO_XML.sub("\N{REPLACEMENT CHARACTER}", text), quote=False)


def told_error(effect: Effect, path: str) -> Response:
    """The error answer of a `status` effect, in S3's form unless it asks for another body."""
    code, reason = effect.integer("code"), effect.text("reason")
    status = code or STATUS[Reason(reason or Reason.INTERNAL)]
    if effect.text("body") == "json":  # the form of errors here is S3's
        other = ("InternalError" if status >= 500 else "InvalidRequest", "the mock was told to answer this")
        name, message = _S3_ERRORS.get(status, other)
        fields = {"Key": path.lstrip("/")[:1024]} if status == 404 else {}
        response = s3_error(status, name, effect.text("message") or message, **fields)
    else:
        body, media_type = gateway_body(effect, status)
        response = Response(body, status, {"Content-Type": media_type.decode()})
    for header, value in retry_after(effect):
        response.headers[header.decode()] = value.decode()
    return response


def corrupted(data: bytes, seed: int) -> bytes:
    """A file with one byte changed in each part of `_CORRUPT_EVERY`, the same for the same seed."""
    found = bytearray(data)
    for n, start in enumerate(range(_INTACT_BYTES, len(found), _CORRUPT_EVERY)):
        drawn = mix(seed, n)
        at = start + drawn % min(_CORRUPT_EVERY, len(found) - start)
        found[at] ^= 1 + (drawn >> 32) % 255
    return bytes(found)
