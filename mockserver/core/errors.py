"""Every error answer of the contract in one place.

A call is answered with one of them by raising `Refusal`. The wire status of each v3 reason stands in `STATUS`, the v2
code for the same situation in `V2_CODE`; which of two documented answers is meant, contradictions C33 to C37 decide.
Errors of the control interface are none of the contract's: `mockserver.control.problem`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, StrEnum


class Reason(StrEnum):
    """The `reason` of a v3 error body (the error table of the image, video and audio APIs)."""

    INVALID_REQUEST_BODY = "INVALID_REQUEST_BODY"
    IMAGE_FILE_EXCEEDS_MAX_SIZE = "IMAGE_FILE_EXCEEDS_MAX_SIZE"
    INVALID_IMAGE_FORMAT = "INVALID_IMAGE_FORMAT"
    IMAGE_EXCEEDS_MAX_RESOLUTION = "IMAGE_EXCEEDS_MAX_RESOLUTION"
    INVALID_IMAGE_SIZE = "INVALID_IMAGE_SIZE"
    INVALID_CUSTOM_OUTPUT_PATH = "INVALID_CUSTOM_OUTPUT_PATH"
    ILLEGAL_PROMPT = "ILLEGAL_PROMPT"
    INVALID_API_KEY = "INVALID_API_KEY"
    API_NOT_FOUND = "API_NOT_FOUND"
    TASK_NOT_FOUND = "TASK_NOT_FOUND"
    CREATE_TASK_FAILED = "CREATE_TASK_FAILED"
    INTERNAL = "INTERNAL"


class V2Code(IntEnum):
    """The `code` of a v2 answer (the table of the /v2/progress page, C33); 11 is known from a client only."""

    NORMAL = 0
    INTERNAL_ERROR = -1
    INVALID_JSON = 1
    MODEL_NOT_EXIST = 2
    TASK_ID_NOT_EXIST = 3
    INVALID_AUTH = 4
    HOST_UNAVAILABLE = 5
    PARAM_RANGE_OUT_OF_LIMIT = 6
    COST_BALANCE_FAILURE = 7
    SAMPLER_NOT_EXIST = 8
    TIMEOUT = 9
    NOT_SUPPORT = 10
    PROMPT_ILLEGAL = 11


STATUS: Mapping[Reason, int] = {
    Reason.INVALID_REQUEST_BODY: 400,
    Reason.IMAGE_FILE_EXCEEDS_MAX_SIZE: 400,
    Reason.INVALID_IMAGE_FORMAT: 400,
    Reason.IMAGE_EXCEEDS_MAX_RESOLUTION: 400,
    Reason.INVALID_IMAGE_SIZE: 400,
    Reason.INVALID_CUSTOM_OUTPUT_PATH: 400,
    Reason.ILLEGAL_PROMPT: 400,
    Reason.INVALID_API_KEY: 403,
    Reason.API_NOT_FOUND: 404,
    Reason.TASK_NOT_FOUND: 404,
    Reason.CREATE_TASK_FAILED: 500,
    Reason.INTERNAL: 500,
}

V2_CODE: Mapping[Reason, V2Code] = {
    Reason.INVALID_REQUEST_BODY: V2Code.INVALID_JSON,
    Reason.IMAGE_FILE_EXCEEDS_MAX_SIZE: V2Code.PARAM_RANGE_OUT_OF_LIMIT,
    Reason.INVALID_IMAGE_FORMAT: V2Code.INVALID_JSON,
    Reason.IMAGE_EXCEEDS_MAX_RESOLUTION: V2Code.PARAM_RANGE_OUT_OF_LIMIT,
    Reason.INVALID_IMAGE_SIZE: V2Code.PARAM_RANGE_OUT_OF_LIMIT,
    Reason.INVALID_CUSTOM_OUTPUT_PATH: V2Code.INVALID_JSON,
    Reason.ILLEGAL_PROMPT: V2Code.PROMPT_ILLEGAL,
    Reason.INVALID_API_KEY: V2Code.INVALID_AUTH,
    Reason.API_NOT_FOUND: V2Code.NOT_SUPPORT,
    Reason.TASK_NOT_FOUND: V2Code.TASK_ID_NOT_EXIST,
    Reason.CREATE_TASK_FAILED: V2Code.HOST_UNAVAILABLE,
    Reason.INTERNAL: V2Code.INTERNAL_ERROR,
}


class Refusal(Exception):
    """A call that the contract answers with an error.

    Attributes:
        reason: the v3 reason.
        message: what was expected, what came, what to try; for people.
        metadata: string map of the v3 body.
        v2_code: the code when the call is a v2 call.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        v2_code: V2Code | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.metadata = dict(metadata or {})
        self.v2_code = V2_CODE[reason] if v2_code is None else v2_code

    @property
    def status(self) -> int:
        """HTTP status of the v3 answer."""
        return STATUS[self.reason]

    def v3_body(self) -> dict[str, object]:
        """The v3 error body (C37)."""
        return {
            "code": self.status,
            "reason": self.reason.value,
            "message": self.message,
            "metadata": self.metadata,
        }

    def v2_body(self) -> dict[str, object]:
        """The v2 error body: HTTP 200, a code other than 0, no data."""
        return {"code": int(self.v2_code), "msg": self.message, "data": None}
