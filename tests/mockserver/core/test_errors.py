"""Every error of the contract: one reason, one status, one v2 code."""

from __future__ import annotations

import pytest

from mockserver.core.errors import STATUS, V2_CODE, Reason, Refusal, V2Code


def test_every_reason_has_a_status_and_a_v2_code() -> None:
    """No refusal is left without an answer in either version."""
    assert set(STATUS) == set(Reason) == set(V2_CODE)
    assert V2Code.NORMAL not in V2_CODE.values()


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        (Reason.INVALID_REQUEST_BODY, 400),
        (Reason.IMAGE_FILE_EXCEEDS_MAX_SIZE, 400),
        (Reason.INVALID_IMAGE_FORMAT, 400),
        (Reason.IMAGE_EXCEEDS_MAX_RESOLUTION, 400),
        (Reason.INVALID_IMAGE_SIZE, 400),
        (Reason.INVALID_CUSTOM_OUTPUT_PATH, 400),
        (Reason.ILLEGAL_PROMPT, 400),
        (Reason.INVALID_API_KEY, 403),
        (Reason.API_NOT_FOUND, 404),
        (Reason.TASK_NOT_FOUND, 404),
        (Reason.CREATE_TASK_FAILED, 500),
        (Reason.INTERNAL, 500),
    ],
)
def test_the_status_of_a_reason_is_the_documented_one(reason: Reason, status: int) -> None:
    """The table of the image API; C35 for the key."""
    assert Refusal(reason, "no").status == status


def test_the_v3_body_has_four_keys() -> None:
    """C37: code is the HTTP status, metadata a map of strings."""
    body = Refusal(Reason.TASK_NOT_FOUND, "no task", metadata={"task_id": "1"}).v3_body()

    assert body == {"code": 404, "reason": "TASK_NOT_FOUND", "message": "no task", "metadata": {"task_id": "1"}}


def test_the_v2_body_has_a_code_and_no_data() -> None:
    """The clients read `data: null` beside a code other than 0."""
    assert Refusal(Reason.TASK_NOT_FOUND, "no task").v2_body() == {"code": 3, "msg": "no task", "data": None}


def test_a_refusal_can_name_a_v2_code_of_its_own() -> None:
    """An unknown model is INVALID_REQUEST_BODY in v3 and code 2 in v2 (C27)."""
    refusal = Refusal(Reason.INVALID_REQUEST_BODY, "no model", v2_code=V2Code.MODEL_NOT_EXIST)

    assert refusal.v2_body()["code"] == 2
    assert refusal.v3_body()["code"] == 400


def test_the_v2_codes_are_the_documented_numbers() -> None:
    """C33: -1 and 0 to 10 from the page, 11 from a client."""
    assert sorted(int(code) for code in V2Code) == list(range(-1, 12))
    assert (V2Code.INTERNAL_ERROR, V2Code.INVALID_AUTH, V2Code.SAMPLER_NOT_EXIST) == (-1, 4, 8)
