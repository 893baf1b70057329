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
    IMAGE_NO_FACE_DETECTED = "IMAGE_NO_FACE_DETECTED"
    INVALID_CUSTOM_OUTPUT_PATH = "INVALID_CUSTOM_OUTPUT_PATH"
    ILLEGAL_PROMPT = "ILLEGAL_PROMPT"
    ILLEGAL_IMAGE_CONTENT = "ILLEGAL_IMAGE_CONTENT"
    INVALID_AUDIO_FILE = "INVALID_AUDIO_FILE"
    BILLING_BALANCE_NOT_ENOUGH = "BILLING_BALANCE_NOT_ENOUGH"
    MISSING_API_KEY = "MISSING_API_KEY"  # only when a test asks for it: the service was seen to answer the next (C35)
    INVALID_API_KEY = "INVALID_API_KEY"
    BILLING_AUTH_FAILED = "BILLING_AUTH_FAILED"
    FEATURE_NOT_ALLOWED = "FEATURE_NOT_ALLOWED"
    API_NOT_ALLOWED = "API_NOT_ALLOWED"
    NEED_REAL_NAME_VERIFY = "NEED_REAL_NAME_VERIFY"
    API_NOT_FOUND = "API_NOT_FOUND"
    TASK_NOT_FOUND = "TASK_NOT_FOUND"
    RATE_LIMIT_EXCEEDED = "RATE_LIMIT_EXCEEDED"
    CREATE_TASK_FAILED = "CREATE_TASK_FAILED"
    GET_RESULT_FAILED = "GET_RESULT_FAILED"
    TASK_FAILED = "TASK_FAILED"
    BILLING_FAILED = "BILLING_FAILED"
    INTERNAL = "INTERNAL"  # in none of today's tables: an older copy of the documentation has it


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
    Reason.IMAGE_NO_FACE_DETECTED: 400,
    Reason.INVALID_CUSTOM_OUTPUT_PATH: 400,
    Reason.ILLEGAL_PROMPT: 400,
    Reason.ILLEGAL_IMAGE_CONTENT: 400,
    Reason.INVALID_AUDIO_FILE: 400,
    Reason.BILLING_BALANCE_NOT_ENOUGH: 400,
    Reason.MISSING_API_KEY: 400,
    Reason.INVALID_API_KEY: 403,
    Reason.BILLING_AUTH_FAILED: 403,
    Reason.FEATURE_NOT_ALLOWED: 403,
    Reason.API_NOT_ALLOWED: 403,
    Reason.NEED_REAL_NAME_VERIFY: 403,
    Reason.API_NOT_FOUND: 404,
    Reason.TASK_NOT_FOUND: 404,
    Reason.RATE_LIMIT_EXCEEDED: 429,
    Reason.CREATE_TASK_FAILED: 500,
    Reason.GET_RESULT_FAILED: 500,
    Reason.TASK_FAILED: 500,
    Reason.BILLING_FAILED: 500,
    Reason.INTERNAL: 500,
}

V2_CODE: Mapping[Reason, V2Code] = {
    Reason.INVALID_REQUEST_BODY: V2Code.INVALID_JSON,
    Reason.IMAGE_FILE_EXCEEDS_MAX_SIZE: V2Code.PARAM_RANGE_OUT_OF_LIMIT,
    Reason.INVALID_IMAGE_FORMAT: V2Code.INVALID_JSON,
    Reason.IMAGE_EXCEEDS_MAX_RESOLUTION: V2Code.PARAM_RANGE_OUT_OF_LIMIT,
    Reason.INVALID_IMAGE_SIZE: V2Code.PARAM_RANGE_OUT_OF_LIMIT,
    Reason.IMAGE_NO_FACE_DETECTED: V2Code.INVALID_JSON,
    Reason.INVALID_CUSTOM_OUTPUT_PATH: V2Code.INVALID_JSON,
    Reason.ILLEGAL_PROMPT: V2Code.PROMPT_ILLEGAL,
    Reason.ILLEGAL_IMAGE_CONTENT: V2Code.PROMPT_ILLEGAL,
    Reason.INVALID_AUDIO_FILE: V2Code.INVALID_JSON,
    Reason.BILLING_BALANCE_NOT_ENOUGH: V2Code.COST_BALANCE_FAILURE,
    Reason.MISSING_API_KEY: V2Code.INVALID_AUTH,
    Reason.INVALID_API_KEY: V2Code.INVALID_AUTH,
    Reason.BILLING_AUTH_FAILED: V2Code.INVALID_AUTH,
    Reason.FEATURE_NOT_ALLOWED: V2Code.INVALID_AUTH,
    Reason.API_NOT_ALLOWED: V2Code.INVALID_AUTH,
    Reason.NEED_REAL_NAME_VERIFY: V2Code.INVALID_AUTH,
    Reason.API_NOT_FOUND: V2Code.NOT_SUPPORT,
    Reason.TASK_NOT_FOUND: V2Code.TASK_ID_NOT_EXIST,
    Reason.RATE_LIMIT_EXCEEDED: V2Code.HOST_UNAVAILABLE,
    Reason.CREATE_TASK_FAILED: V2Code.HOST_UNAVAILABLE,
    Reason.GET_RESULT_FAILED: V2Code.INTERNAL_ERROR,
    Reason.TASK_FAILED: V2Code.INTERNAL_ERROR,
    Reason.BILLING_FAILED: V2Code.INTERNAL_ERROR,
    Reason.INTERNAL: V2Code.INTERNAL_ERROR,
}
"""The v2 table has a dozen codes, and no page pairs them with reasons. C35 and C36 give 4 for the key and 7 for the
balance. The rest is chosen by what a client should do: 1 or 6, correct the request; 4, look after the account (each
403); 5, try again later, which is all that is left for a rate limit; 11, change what was asked for; -1, the service's
own fault. BILLING_FAILED is -1 and not 7: topping up would not help."""


class Refusal(Exception):
    """A call that the contract answers with an error.

    Attributes:
        reason: the v3 reason.
        message: what was expected, what came, what to try; for people.
        metadata: string map of the v3 body.
        v2_code: the code when the call is a v2 call.
        headers: further headers of the answer, in both versions (Retry-After).
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        v2_code: V2Code | None = None,
        metadata: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.metadata = dict(metadata or {})
        self.headers: Mapping[str, str] = dict(headers or {})
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
