"""What an account refuses: trouble with the account itself, rate limits, tasks at a time, an empty balance.

Everything is off until it is asked for. An account is checked before a task is made and charged after: what is
refused later, or fails on the way, costs neither money nor a place in the rate window. It reads no clock; the
world's instants are passed in.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mockserver.core.errors import Reason, Refusal
from mockserver.money.amounts import counted, usd
from openapi.document import Document

WINDOW_MS = 60_000
"""The documented limits are pictures per minute; the minute slides."""

PROBLEMS: Mapping[Reason, str] = {
    Reason.INVALID_API_KEY: "the API key is not accepted",
    Reason.MISSING_API_KEY: "there is no API key",
    Reason.BILLING_AUTH_FAILED: "billing refuses this account",
    Reason.BILLING_BALANCE_NOT_ENOUGH: "this account has no credit",
    Reason.BILLING_FAILED: "billing failed; nothing was charged",
    Reason.FEATURE_NOT_ALLOWED: "this account may not use the feature",
    Reason.API_NOT_ALLOWED: "this account may not use the operation",
    Reason.NEED_REAL_NAME_VERIFY: "this account is not verified yet",
}
"""The reasons that speak of the account whatever it asks for, and what is said with them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSettings:
    """What an account refuses; nothing by default.

    Attributes:
        rate_limits: pictures per minute by operationId (`documented_rate_limits`); None: no limit. Each operation has
            a window of its own; one that is not named has no limit.
        retry_after: whether a 429 carries Retry-After; no page documents the header.
        balance_micro_usd: what the account has; None: no bottom.
        concurrency: how many tasks may be unfinished. No page names such a limit: that it exists, and answers as a
            rate limit does, is inferred.
        problem: one of `PROBLEMS`, answered to every submission.

    Raises:
        ValueError: a limit below 1, a balance below 0, or a reason that does not speak of an account.
    """

    rate_limits: Mapping[str, int] | None = None
    retry_after: bool = False
    balance_micro_usd: int | None = None
    concurrency: int | None = None
    problem: Reason | None = None

    def __post_init__(self) -> None:
        for operation_id, limit in (self.rate_limits or {}).items():
            if limit < 1:
                raise ValueError(f"rate limit of {operation_id}: expected 1 picture a minute or more, not {limit}")
        if self.balance_micro_usd is not None and self.balance_micro_usd < 0:
            raise ValueError(f"a balance starts at 0 USD or more, not at {usd(self.balance_micro_usd)}")
        if self.concurrency is not None and self.concurrency < 1:
            raise ValueError(f"concurrency: expected 1 task at a time or more, not {self.concurrency}")
        if self.problem is not None and self.problem not in PROBLEMS:
            raise ValueError(
                f"{self.problem.value} is no trouble with an account; expected one of "
                f"{', '.join(reason.value for reason in PROBLEMS)}"
            )


NO_LIMITS = AccountSettings()


def documented_rate_limits(document: Document) -> dict[str, int]:
    """Pictures per minute by operationId: 20 for txt2img, 10 for img2img.

    The page does not name v2; its operations get the limits of their v3 twins (inferred).
    """
    operations = document.operations
    limits = {name: one.pictures_per_minute for name, one in operations.items() if one.pictures_per_minute}
    twins = {f"{name}V2": limit for name, limit in limits.items() if f"{name}V2" in operations}
    return {**limits, **twins}


class Account:
    """The state of a world's account: what is left of its balance, and the pictures of the last minute.

    Args:
        settings: what it refuses.

    Attributes:
        settings: what it refuses.
        idle: nothing is refused: neither `check` nor `charge` needs to be called.
        left_micro_usd: what is left of the balance; None: no bottom.
    """

    __slots__ = ("_windows", "idle", "left_micro_usd", "settings")

    def __init__(self, settings: AccountSettings = NO_LIMITS) -> None:
        self.settings = settings
        self.left_micro_usd = settings.balance_micro_usd
        self._windows: dict[str, _Window] = {}
        self.idle = _is_idle(settings)

    def change(self, settings: AccountSettings) -> None:
        """Takes over settings; the last minute still counts, and a balance that is not changed stays as spent."""
        if settings.balance_micro_usd != self.settings.balance_micro_usd:
            self.left_micro_usd = settings.balance_micro_usd
        self.settings = settings
        self.idle = _is_idle(settings)

    def top_up(self, micro_usd: int) -> None:
        """Adds to the balance; one without a bottom stays so."""
        if self.left_micro_usd is not None:
            self.left_micro_usd += micro_usd

    def check_problem(self) -> None:
        """Refuses while the account is in trouble.

        Raises:
            Refusal: the trouble that is set.
        """
        problem = self.settings.problem
        if problem is not None:
            raise Refusal(problem, f"{PROBLEMS[problem]} (set for this world)")

    def check(
        self,
        operation_id: str,
        pictures: int,
        cost_micro_usd: int,
        now_ms: int,
        unfinished: Callable[[], int],
        next_end_ms: Callable[[], int | None] | None = None,
    ) -> None:
        """Passes a submission that the account allows; changes nothing.

        Trouble with the account comes first, then the rate limit, tasks at a time, and the balance.

        Args:
            operation_id: what is called.
            pictures: how many it asks for; that many places in the window.
            cost_micro_usd: what it costs.
            now_ms: the world's instant.
            unfinished: counts the tasks that have not ended; asked only when their number is limited.
            next_end_ms: when the next of them ends, if that is known.

        Raises:
            Refusal: it does not; a rate limit says in how many virtual seconds to try again.
        """
        settings = self.settings
        self.check_problem()
        if settings.rate_limits is not None:
            self._check_rate(operation_id, pictures, now_ms)
        if settings.concurrency is not None and (count := unfinished()) >= settings.concurrency:
            end_ms = next_end_ms() if next_end_ms else None
            raise self._too_many(
                f"{counted(count, 'task')} {'has' if count == 1 else 'have'} not ended; "
                f"at most {settings.concurrency} at a time",
                None if end_ms is None else end_ms - now_ms,
            )
        left = self.left_micro_usd
        if left is not None and cost_micro_usd > left:
            raise Refusal(
                Reason.BILLING_BALANCE_NOT_ENOUGH,
                f"the call costs {usd(cost_micro_usd)} USD and the account has {usd(left)} USD",
            )

    def charge(self, operation_id: str, pictures: int, cost_micro_usd: int, now_ms: int) -> None:
        """Books a submission whose task was made: money from the balance, pictures into the window."""
        if self.left_micro_usd is not None:
            self.left_micro_usd -= cost_micro_usd
        limits = self.settings.rate_limits
        if limits is not None and operation_id in limits and pictures > 0:
            window = self._windows.get(operation_id)
            if window is None:
                window = self._windows[operation_id] = _Window()
            window.add(pictures, now_ms)

    def used(self, operation_id: str, now_ms: int) -> int:
        """Pictures of an operation that count at an instant."""
        window = self._windows.get(operation_id)
        return 0 if window is None else window.used_at(now_ms)

    def reset(self, settings: AccountSettings = NO_LIMITS) -> None:
        """Starts again with settings: nothing spent, an empty minute."""
        self._windows.clear()
        self.settings = settings
        self.left_micro_usd = settings.balance_micro_usd
        self.idle = _is_idle(settings)

    def _check_rate(self, operation_id: str, pictures: int, now_ms: int) -> None:
        limit = (self.settings.rate_limits or {}).get(operation_id)
        window = self._windows.get(operation_id)
        if limit is None or window is None:
            return
        wait_ms = window.wait_ms(pictures, limit, now_ms)
        if wait_ms:
            raise self._too_many(
                f"{counted(window.used_at(now_ms), 'picture')} of {operation_id} in the last minute, "
                f"and this call asks for {pictures}; at most {limit} a minute",
                wait_ms,
            )

    def _too_many(self, what: str, wait_ms: int | None) -> Refusal:
        if wait_ms is None:
            return Refusal(Reason.RATE_LIMIT_EXCEEDED, f"{what}. Try again when one has ended")
        wait_s = max(1, -(-wait_ms // 1000))
        headers = {"Retry-After": str(wait_s)} if self.settings.retry_after else None
        return Refusal(
            Reason.RATE_LIMIT_EXCEEDED, f"{what}. Try again in {wait_s} s of this world's clock", headers=headers
        )


class _Window:
    """Pictures of the last minute of one operation: a picture of instant t counts until t + 60 s, then no more."""

    __slots__ = ("_charges", "_used")

    def __init__(self) -> None:
        self._charges: deque[tuple[int, int]] = deque()
        self._used = 0

    def add(self, pictures: int, now_ms: int) -> None:
        self.used_at(now_ms)
        self._charges.append((now_ms, pictures))
        self._used += pictures

    def used_at(self, now_ms: int) -> int:
        """Pictures that count; forgets those that do so no more."""
        charges, gone_ms = self._charges, now_ms - WINDOW_MS
        while charges and charges[0][0] <= gone_ms:
            self._used -= charges.popleft()[1]
        return self._used

    def wait_ms(self, pictures: int, limit: int, now_ms: int) -> int:
        """How long until a call fits; 0: now.

        A call for more pictures than the limit fits into an empty window only: v2 allows 64 pictures in a call, and
        one that could never succeed would make every "try again" a lie. It then fills the window for its minute.
        """
        left = self.used_at(now_ms)
        room = max(0, limit - pictures)
        if left <= room:
            return 0
        for at_ms, count in self._charges:
            left -= count
            if left <= room:
                return at_ms + WINDOW_MS - now_ms
        raise AssertionError("an empty window has room for every call")


def _is_idle(settings: AccountSettings) -> bool:
    return (
        settings.rate_limits is None
        and settings.balance_micro_usd is None
        and settings.concurrency is None
        and settings.problem is None
    )
