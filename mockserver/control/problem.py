"""Errors of the control interface, as RFC 9457 problem details."""

from __future__ import annotations

from http import HTTPStatus

import orjson
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"


class ControlError(Exception):
    """A control call that cannot be done.

    Attributes:
        status: HTTP status.
        detail: what was expected, what came, what to try.
        type: stable last part of the problem's type, for programs.
    """

    def __init__(self, status: int, type: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.type = type
        self.detail = detail

    def response(self) -> Response:
        """The problem+json answer."""
        body = {
            "type": f"urn:novita-mock:problem:{self.type}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
        }
        return Response(orjson.dumps(body), self.status, media_type=MEDIA_TYPE)
