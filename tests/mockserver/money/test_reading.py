"""An account as JSON."""

from __future__ import annotations

from typing import Any

import pytest

from mockserver.core.errors import Reason
from mockserver.money.account import NO_LIMITS, Account, AccountSettings
from mockserver.money.reading import describe_account, read_account
from openapi.document import Document


def test_the_documented_limits_have_a_name(document: Document) -> None:
    found = read_account({"rate_limits": "documented"}, NO_LIMITS, document)
    assert found.rate_limits is not None
    assert (found.rate_limits["createTxt2imgTask"], found.rate_limits["createImg2imgTaskV2"]) == (20, 10)


def test_what_is_not_named_stays(document: Document) -> None:
    before = AccountSettings(concurrency=3, retry_after=True)
    found = read_account({"balance": 0.5, "problem": "BILLING_AUTH_FAILED"}, before, document)
    assert found == AccountSettings(
        concurrency=3, retry_after=True, balance_micro_usd=500_000, problem=Reason.BILLING_AUTH_FAILED
    )


def test_null_takes_a_limit_away(document: Document) -> None:
    before = AccountSettings(rate_limits={"createTxt2imgTask": 5}, balance_micro_usd=1, concurrency=1)
    cleared = {"rate_limits": None, "balance": None, "concurrency": None, "problem": None, "retry_after": False}
    assert read_account(cleared, before, document) == NO_LIMITS


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"rate_limits": "some"}, "documented"),
        ({"rate_limits": {"listModels": 3}}, "createTxt2imgTask"),
        ({"rate_limits": {"createTxt2imgTask": 0}}, "1 picture a minute or more"),
        ({"rate_limits": {"createTxt2imgTask": True}}, "whole number"),
        ({"balance": -1}, "0 or more"),
        ({"balance": "much"}, "0 or more"),
        ({"concurrency": 0}, "1 task at a time or more"),
        ({"concurrency": "2"}, "concurrency"),
        ({"retry_after": 1}, "retry_after"),
        ({"problem": "TASK_NOT_FOUND"}, "NEED_REAL_NAME_VERIFY"),
        ({"credit": 3}, "balance"),
    ],
    ids=str,
)
def test_what_cannot_be_read_says_what_was_expected(document: Document, fields: dict[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        read_account(fields, NO_LIMITS, document)


def test_what_is_shown_can_be_read_again(document: Document) -> None:
    settings = AccountSettings(
        rate_limits={"createTxt2imgTask": 5}, retry_after=True, balance_micro_usd=12_300, concurrency=2
    )
    shown = describe_account(Account(settings))
    assert shown["balance"] == "0.0123"
    assert read_account(shown, NO_LIMITS, document) == settings
