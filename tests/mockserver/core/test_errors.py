"""Every error of the contract: one reason, one status, one v2 code."""

from __future__ import annotations

import pytest

from mockserver.core.errors import STATUS, V2_CODE, Reason, Refusal, V2Code
from openapi.document import load


def test_every_reason_has_a_status_and_a_v2_code() -> None:
    """No refusal is left without an answer in either version."""
    assert set(STATUS) == set(Reason) == set(V2_CODE)
    assert V2Code.NORMAL not in V2_CODE.values()


def test_the_statuses_are_those_of_the_documented_table() -> None:
    """Every documented reason has its documented status, and no reason is ours; INTERNAL is from an older copy."""
    statuses = {reason.value: status for reason, status in STATUS.items() if reason is not Reason.INTERNAL}

    assert statuses == dict(load().reasons)
    assert STATUS[Reason.INTERNAL] == 500


def test_a_refusal_answers_with_the_status_of_its_reason() -> None:
    """The table decides, for old reasons and new ones."""
    assert [Refusal(reason, "no").status for reason in Reason] == [STATUS[reason] for reason in Reason]


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        (Reason.BILLING_BALANCE_NOT_ENOUGH, 7),  # C36
        (Reason.BILLING_FAILED, -1),
        (Reason.INVALID_API_KEY, 4),  # C35
        (Reason.MISSING_API_KEY, 4),  # C35
        (Reason.NEED_REAL_NAME_VERIFY, 4),
        (Reason.RATE_LIMIT_EXCEEDED, 5),
        (Reason.ILLEGAL_IMAGE_CONTENT, 11),
        (Reason.GET_RESULT_FAILED, -1),
    ],
)
def test_account_and_billing_reasons_have_their_own_v2_codes(reason: Reason, code: int) -> None:
    """An empty account is 7, an account in trouble 4, a rate limit 5, the service's own fault -1."""
    assert Refusal(reason, "no").v2_body()["code"] == code


def test_every_403_is_the_same_v2_code() -> None:
    """v2 knows one code for whatever is wrong with key or account."""
    assert {V2_CODE[reason] for reason, status in STATUS.items() if status == 403} == {V2Code.INVALID_AUTH}


def test_a_refusal_carries_headers_when_it_is_given_any() -> None:
    """Retry-After is not documented: no refusal has headers of its own accord."""
    assert Refusal(Reason.RATE_LIMIT_EXCEEDED, "no").headers == {}
    assert Refusal(Reason.RATE_LIMIT_EXCEEDED, "no", headers={"Retry-After": "7"}).headers == {"Retry-After": "7"}


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
