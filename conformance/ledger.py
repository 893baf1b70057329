"""Who caused which request: each check, and what checks share, with what it cost. `--plan` is made from it.

Shared things are made by whoever asks first; so a check's cost is its own requests and the names of the shared things
it used, and the cost of a choice of checks counts each shared thing once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b

from conformance.budget import Cost


@dataclass(slots=True, kw_only=True)
class Account:
    """What one check, or one shared thing, caused.

    Attributes:
        images: pictures asked for, by operation.
        spared: further pictures that a target would make which knows no test mode, takes no order of none, and was not
            expected to accept.
        uses: names of shared things.
    """

    requests: int = 0
    tasks: int = 0
    usd: float = 0.0
    images: dict[str, int] = field(default_factory=dict)
    spared: int = 0
    uses: set[str] = field(default_factory=set)

    def add(self, operation_id: str, cost: Cost) -> None:
        """Counts one request."""
        self.requests += cost.requests
        self.tasks += cost.tasks
        self.usd += cost.usd
        if cost.images:
            self.images[operation_id] = self.images.get(operation_id, 0) + cost.images


class Ledger:
    """Accounts of one run."""

    def __init__(self) -> None:
        self.checks: dict[str, Account] = {}
        self.shared: dict[str, Account] = {}
        self._current: ContextVar[Account | None] = ContextVar("account", default=None)

    def charge(self, operation_id: str, cost: Cost) -> None:
        """Counts a request for whoever is at work."""
        account = self._current.get()
        if account is not None:
            account.add(operation_id, cost)

    def spare(self, number: int) -> None:
        """Counts pictures of an accepted submit that were not charged."""
        account = self._current.get()
        if account is not None:
            account.spared += number

    @contextmanager
    def check(self, requirement: str) -> Iterator[None]:
        """The block works for a check."""
        with self._working_for(self.checks.setdefault(requirement, Account())):
            yield

    @contextmanager
    def making(self, name: str) -> Iterator[None]:
        """The block makes a shared thing."""
        with self._working_for(self.shared.setdefault(short(name), Account())):
            yield

    def use(self, name: str) -> None:
        """Whoever is at work uses a shared thing."""
        account = self._current.get()
        if account is not None:
            account.uses.add(short(name))

    @contextmanager
    def _working_for(self, account: Account) -> Iterator[None]:
        token = self._current.set(account)
        try:
            yield
        finally:
            self._current.reset(token)


@lru_cache(maxsize=8192)
def short(name: str) -> str:
    """A shared thing's name of bounded length; the whole one holds bodies."""
    head = " ".join(name.split(" ", 2)[:2])[:40]
    return f"{head} {blake2b(name.encode(), digest_size=6).hexdigest()}"
