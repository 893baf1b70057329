"""What an account refuses, in which order, and for how long."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.core.errors import Reason, Refusal, V2Code
from mockserver.money.account import PROBLEMS, WINDOW_MS, Account, AccountSettings, documented_rate_limits
from openapi.document import load

TXT2IMG, IMG2IMG = "createTxt2imgTask", "createImg2imgTask"
NOW_MS = 1_709_284_800_000


def nobody() -> int:
    """No task is unfinished."""
    return 0


def refused(
    account: Account,
    *,
    operation_id: str = TXT2IMG,
    pictures: int = 1,
    cost: int = 2_100,
    now_ms: int = NOW_MS,
    unfinished: Callable[[], int] = nobody,
    next_end_ms: Callable[[], int | None] | None = None,
) -> Refusal | None:
    """Why a submission is refused; None when it is not."""
    try:
        account.check(operation_id, pictures, cost, now_ms, unfinished, next_end_ms)
    except Refusal as refusal:
        return refusal
    return None


def submit(account: Account, pictures: int = 1, now_ms: int = NOW_MS, cost: int = 2_100) -> bool:
    """Checks and charges, as a submit does; False when it is refused."""
    if refused(account, pictures=pictures, now_ms=now_ms, cost=cost):
        return False
    account.charge(TXT2IMG, pictures, cost, now_ms)
    return True


def limited(limit: int = 20, *, retry_after: bool = False) -> Account:
    """An account with a rate limit for txt2img."""
    return Account(AccountSettings(rate_limits={TXT2IMG: limit}, retry_after=retry_after))


# Nothing by default


def test_an_account_refuses_nothing_by_default() -> None:
    """And says so, so that a submit need not ask."""
    account = Account()

    assert account.idle
    assert all(submit(account, pictures=64, cost=10**9) for _ in range(100))
    assert account.used(TXT2IMG, NOW_MS) == 0


@pytest.mark.parametrize(
    "settings",
    [
        AccountSettings(rate_limits={}),
        AccountSettings(balance_micro_usd=0),
        AccountSettings(concurrency=1),
        AccountSettings(problem=Reason.API_NOT_ALLOWED),
    ],
    ids=["rate", "balance", "concurrency", "problem"],
)
def test_any_switch_ends_the_idleness(settings: AccountSettings) -> None:
    """At the start, by a change, and back again."""
    changed = Account()
    changed.change(settings)

    assert not Account(settings).idle
    assert not changed.idle
    changed.change(AccountSettings(retry_after=True))
    assert changed.idle


# Rate limits


def test_the_documented_limits_hold_for_both_versions() -> None:
    """20 pictures a minute for txt2img, 10 for img2img; v2 as its twins."""
    assert documented_rate_limits(load()) == {
        "createTxt2imgTask": 20,
        "createImg2imgTask": 10,
        "createTxt2imgTaskV2": 20,
        "createImg2imgTaskV2": 10,
    }


def test_the_picture_beyond_the_limit_is_refused() -> None:
    """Pictures count, not calls."""
    account = limited(20)

    assert submit(account, pictures=8)
    assert submit(account, pictures=8)
    assert not submit(account, pictures=5)
    assert submit(account, pictures=4)
    assert account.used(TXT2IMG, NOW_MS) == 20


def test_a_refused_call_does_not_count() -> None:
    """A client that keeps asking does not keep itself out."""
    account = limited(1)
    submit(account)
    for second in range(1, 60):
        assert not submit(account, now_ms=NOW_MS + second * 1000)

    assert submit(account, now_ms=NOW_MS + 60_000)


def test_the_minute_slides() -> None:
    """A picture counts for 60 s and is then free again, to the millisecond."""
    account = limited(2)
    submit(account, now_ms=NOW_MS)
    submit(account, now_ms=NOW_MS + 30_000)

    assert not submit(account, now_ms=NOW_MS + 59_999)
    assert submit(account, now_ms=NOW_MS + 60_000)
    assert not submit(account, now_ms=NOW_MS + 89_999)


def test_a_refusal_says_when_to_try_again() -> None:
    """Seconds of the world's clock, rounded up; 429 and the v2 code for later."""
    account = limited(2, retry_after=True)
    submit(account, now_ms=NOW_MS)
    submit(account, now_ms=NOW_MS + 10_500)

    refusal = refused(account, now_ms=NOW_MS + 20_000)

    assert refusal
    assert (refusal.reason, refusal.status, refusal.v2_code) == (
        Reason.RATE_LIMIT_EXCEEDED,
        429,
        V2Code.HOST_UNAVAILABLE,
    )
    assert refusal.headers == {"Retry-After": "40"}
    assert refusal.message == (
        "2 pictures of createTxt2imgTask in the last minute, and this call asks for 1; at most 2 a minute. "
        "Try again in 40 s of this world's clock"
    )
    both = refused(account, pictures=2, now_ms=NOW_MS + 20_000)
    assert both
    assert both.headers == {"Retry-After": "51"}


def test_retry_after_is_sent_only_when_it_is_switched_on() -> None:
    """No page documents the header; the message says it always."""
    account = limited(1)
    submit(account)

    refusal = refused(account)

    assert refusal
    assert refusal.headers == {}
    assert "Try again in 60 s" in refusal.message


def test_a_call_beyond_the_limit_itself_needs_an_empty_minute() -> None:
    """v2 allows 64 pictures in a call: it passes when nothing else counts, and then fills its minute."""
    account = limited(20, retry_after=True)
    submit(account, now_ms=NOW_MS)

    refusal = refused(account, pictures=64, now_ms=NOW_MS + 1_000)

    assert refusal
    assert refusal.headers == {"Retry-After": "59"}
    assert submit(account, pictures=64, now_ms=NOW_MS + 60_000)
    assert not submit(account, now_ms=NOW_MS + 119_999)
    assert submit(account, now_ms=NOW_MS + 120_000)


def test_each_operation_has_a_minute_of_its_own() -> None:
    """And one without a limit has none."""
    account = limited(1)
    submit(account)

    assert refused(account)
    assert refused(account, operation_id=IMG2IMG) is None
    account.charge(IMG2IMG, 5, 0, NOW_MS)
    assert account.used(IMG2IMG, NOW_MS) == 0


CALLS = st.lists(st.tuples(st.integers(0, 40_000), st.integers(0, 12)), max_size=40)


@given(calls=CALLS, limit=st.integers(1, 10))
def test_the_window_is_that_of_a_naive_model(calls: list[tuple[int, int]], limit: int) -> None:
    """Every charge kept in a list and counted anew; and a wait that is told is enough, and none too long."""
    account, now_ms = limited(limit, retry_after=True), NOW_MS
    kept: list[tuple[int, int]] = []

    def fits(pictures: int, at_ms: int) -> bool:
        used = sum(count for charged_ms, count in kept if at_ms - WINDOW_MS < charged_ms <= at_ms)
        return used == 0 or used + pictures <= limit

    for later_ms, pictures in calls:
        now_ms += later_ms
        refusal = refused(account, pictures=pictures, now_ms=now_ms)
        assert (refusal is None) == fits(pictures, now_ms)
        if refusal is None:
            account.charge(TXT2IMG, pictures, 0, now_ms)
            kept.append((now_ms, pictures))
        else:
            wait_ms = int(refusal.headers["Retry-After"]) * 1000
            assert fits(pictures, now_ms + wait_ms)
            assert not fits(pictures, now_ms + wait_ms - 1000)


# Tasks at a time


def test_only_so_many_tasks_may_be_unfinished() -> None:
    """The limit is reached by as many; answered as a rate limit is."""
    account = Account(AccountSettings(concurrency=2))

    assert refused(account, unfinished=lambda: 1) is None
    refusal = refused(account, unfinished=lambda: 2)

    assert refusal
    assert refusal.reason is Reason.RATE_LIMIT_EXCEEDED
    assert refusal.message == "2 tasks have not ended; at most 2 at a time. Try again when one has ended"
    assert refusal.headers == {}


def test_when_the_next_task_ends_is_told_if_it_is_known() -> None:
    """Retry-After too, if it is switched on."""
    account = Account(AccountSettings(concurrency=1, retry_after=True))

    refusal = refused(account, unfinished=lambda: 1, next_end_ms=lambda: NOW_MS + 3_001)
    unknown = refused(account, unfinished=lambda: 1, next_end_ms=lambda: None)

    assert refusal
    assert refusal.headers == {"Retry-After": "4"}
    assert refusal.message.endswith("Try again in 4 s of this world's clock")
    assert unknown
    assert unknown.headers == {}


def test_unfinished_tasks_are_counted_only_when_they_are_limited() -> None:
    """Counting walks over all tasks of a world."""

    def counted() -> int:
        raise AssertionError("nobody asked")

    assert refused(Account(AccountSettings(balance_micro_usd=10_000)), unfinished=counted) is None


# Balance


def test_an_account_pays_until_it_cannot() -> None:
    """The last micro-USD may be spent; then 400 BILLING_BALANCE_NOT_ENOUGH, v2 code 7 (C36)."""
    account = Account(AccountSettings(balance_micro_usd=4_200))

    assert submit(account)
    assert submit(account)
    refusal = refused(account)

    assert account.left_micro_usd == 0
    assert refusal
    assert (refusal.status, refusal.v2_body()["code"]) == (400, 7)
    assert refusal.message == "the call costs 0.0021 USD and the account has 0.0000 USD"


def test_a_balance_can_be_topped_up_and_set_anew() -> None:
    """Other settings do not bring spent money back."""
    account = Account(AccountSettings(balance_micro_usd=2_100))
    submit(account)

    account.change(AccountSettings(balance_micro_usd=2_100, concurrency=9))
    assert account.left_micro_usd == 0
    account.top_up(500)
    assert account.left_micro_usd == 500
    account.change(AccountSettings(balance_micro_usd=9_000))
    assert account.left_micro_usd == 9_000
    account.change(AccountSettings())
    account.top_up(1)
    assert account.left_micro_usd is None


# Trouble


@pytest.mark.parametrize("problem", PROBLEMS)
def test_an_account_in_trouble_is_refused_everything(problem: Reason) -> None:
    """With the documented reason; calls that submit nothing can be refused too."""
    account = Account(AccountSettings(problem=problem))

    refusal = refused(account)

    assert refusal
    assert refusal.reason is problem
    with pytest.raises(Refusal, match=re.escape(PROBLEMS[problem])):
        account.check_problem()


def test_trouble_comes_first_then_rate_then_tasks_then_balance() -> None:
    """One refusal at a time; taking the first cause away shows the next."""
    everything = {"rate_limits": {TXT2IMG: 1}, "concurrency": 1, "balance_micro_usd": 1}
    account = Account(AccountSettings(problem=Reason.NEED_REAL_NAME_VERIFY, **everything))  # type: ignore[arg-type]  # a short way to write them
    account.charge(TXT2IMG, 1, 0, NOW_MS)

    def told() -> str:
        refusal = refused(account, unfinished=lambda: 1)
        return refusal.message.partition(";")[0] if refusal else "nothing"

    seen = [told()]
    account.change(AccountSettings(**everything))  # type: ignore[arg-type]  # as above
    seen.append(told())
    account.change(AccountSettings(concurrency=1, balance_micro_usd=1))
    seen.append(told())
    account.change(AccountSettings(balance_micro_usd=1))
    seen.append(told())

    assert seen == [
        "this account is not verified yet (set for this world)",
        "1 picture of createTxt2imgTask in the last minute, and this call asks for 1",
        "1 task has not ended",
        "the call costs 0.0021 USD and the account has 0.000001 USD",
    ]


def test_a_check_alone_changes_nothing() -> None:
    """What fails between check and charge costs nothing."""
    account = Account(AccountSettings(rate_limits={TXT2IMG: 1}, balance_micro_usd=2_100))

    assert [refused(account) for _ in range(3)] == [None, None, None]
    assert (account.used(TXT2IMG, NOW_MS), account.left_micro_usd) == (0, 2_100)


def test_a_reset_account_has_spent_nothing() -> None:
    """Balance and minute start again."""
    settings = AccountSettings(rate_limits={TXT2IMG: 1}, balance_micro_usd=2_100)
    account = Account(settings)
    submit(account)

    account.reset(settings)

    assert submit(account)
    account.reset()
    assert account.idle


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"rate_limits": {TXT2IMG: 0}}, "createTxt2imgTask: expected 1 picture a minute or more, not 0"),
        ({"balance_micro_usd": -1}, r"a balance starts at 0 USD or more, not at -0\.000001"),
        ({"concurrency": 0}, "expected 1 task at a time or more, not 0"),
        ({"problem": Reason.TASK_NOT_FOUND}, "TASK_NOT_FOUND is no trouble with an account; expected one of INVALID_"),
    ],
    ids=["rate", "balance", "concurrency", "problem"],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, object], message: str) -> None:
    """The message says what was expected."""
    with pytest.raises(ValueError, match=message):
        AccountSettings(**wrong)  # type: ignore[arg-type]  # wrong on purpose
