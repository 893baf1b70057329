"""What every refusal is called on the wire: one table for v3 (C37), one for v2 (C33)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from starlette.responses import Response

from reference_impl.http.answers import JSONAnswer
from reference_impl.http.keys import InvalidKey
from reference_impl.http.limits import TooManyPictures
from reference_impl.service import NoSuchTask, QueueFull
from reference_impl.submissions import Fault, Refused


class Wire(NamedTuple):
    """The two names of a refusal: HTTP status and reason of v3, code of v2."""

    status: int
    reason: str
    code: int


_FAULTS: Mapping[Fault, Wire] = MappingProxyType(
    {
        Fault.BODY: Wire(400, "INVALID_REQUEST_BODY", 1),
        Fault.FORM: Wire(400, "INVALID_REQUEST_BODY", 1),
        Fault.RANGE: Wire(400, "INVALID_REQUEST_BODY", 6),
        Fault.SIZE: Wire(400, "INVALID_IMAGE_SIZE", 6),
        # MODEL_NOT_FOUND was seen on the vendor's host; the table of the image API does not have it (O7).
        Fault.MODEL: Wire(400, "INVALID_REQUEST_BODY", 2),
        Fault.SAMPLER: Wire(400, "INVALID_REQUEST_BODY", 8),
        Fault.PICTURE: Wire(400, "INVALID_IMAGE_FORMAT", 1),
        Fault.PICTURE_BYTES: Wire(400, "IMAGE_FILE_EXCEEDS_MAX_SIZE", 6),
        Fault.PICTURE_PIXELS: Wire(400, "IMAGE_EXCEEDS_MAX_RESOLUTION", 6),
        Fault.STORAGE_PATH: Wire(400, "INVALID_CUSTOM_OUTPUT_PATH", 6),
    }
)
_KEY = Wire(403, "INVALID_API_KEY", 4)
_TASK = Wire(404, "TASK_NOT_FOUND", 3)
_BUSY = Wire(429, "RATE_LIMIT_EXCEEDED", 5)
_ROUTE = Wire(404, "API_NOT_FOUND", 10)
_CREATING = Wire(500, "CREATE_TASK_FAILED", -1)
_READING = Wire(500, "GET_RESULT_FAILED", -1)

REFUSALS = (Refused, InvalidKey, NoSuchTask, QueueFull, TooManyPictures)
"""What handlers raise on purpose; all else is a fault of the server."""


def v3_error(error: Exception, *, creating: bool = False) -> Response:
    """The answer of v3 to what a handler raised.

    Args:
        error: one of `REFUSALS`, or anything else for a fault of the server.
        creating: the call was to make a task.
    """
    metadata = {"field": error.field} if isinstance(error, Refused) and error.field else {}
    return _v3(_wire(error, creating=creating), _message(error), metadata, error)


def v2_error(error: Exception) -> Response:
    """The answer of v2: status 200 and a code, whatever a handler raised."""
    return JSONAnswer({"code": _wire(error).code, "msg": _message(error), "data": None})


def no_route(message: str) -> Response:
    """The answer where there is no operation; both versions have the same."""
    return _v3(_ROUTE, message, {})


def _v3(wire: Wire, message: str, metadata: Mapping[str, str], error: Exception | None = None) -> Response:
    headers = {"Retry-After": str(error.wait_s)} if isinstance(error, TooManyPictures) else None
    body = {"code": wire.status, "reason": wire.reason, "message": message, "metadata": metadata}
    return JSONAnswer(body, wire.status, headers)


def _wire(error: Exception, *, creating: bool = False) -> Wire:
    match error:
        case Refused():
            return _FAULTS[error.fault]
        case InvalidKey():
            return _KEY
        case NoSuchTask():
            return _TASK
        case QueueFull() | TooManyPictures():
            return _BUSY
    return _CREATING if creating else _READING


def _message(error: Exception) -> str:
    match error:
        case InvalidKey():
            return "invalid api-key; expected the header `Authorization: Bearer <key>` with a key of this server"
        case NoSuchTask():
            return "no task of this account has this id"
        case QueueFull():
            return "as many pictures wait as may; try again later"
        case Refused() | TooManyPictures():
            return str(error)
    return "the server has a fault; its log says which"
