"""Checks and what they are bound to: one function per requirement, found by the requirement's id."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from conformance.trial import Trial

CheckFunction: TypeAlias = "Callable[[Trial], Awaitable[None]]"


class Phase(IntEnum):
    """When a check runs; those of one phase run side by side, and a phase begins when the one before has ended."""

    NORMAL = 0
    RETRIES = 1
    """May move a virtual clock by minutes: webhooks that are tried again."""
    EXPIRY = 2
    """May move it by hours: links that expire."""
    LIMITS = 3
    """Uses up what the account may do in a minute."""
    LAST = 4
    """Looks at what all others sent and received; sends only what makes it decide something when it runs alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """The code that decides one requirement.

    Attributes:
        requirement: its id.
        needs: requirements without which this one cannot be judged; while one of them is red it is BLOCKED.
    """

    requirement: str
    run: CheckFunction
    needs: tuple[str, ...] = ()
    phase: Phase = Phase.NORMAL


class Registry:
    """Checks by requirement."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}

    def add(self, check: Check) -> None:
        """Binds a check.

        Raises:
            ValueError: the requirement has one already.
        """
        if check.requirement in self._checks:
            raise ValueError(f"{check.requirement} has two checks")
        self._checks[check.requirement] = check

    def __getitem__(self, requirement: str) -> Check:
        return self._checks[requirement]

    def __contains__(self, requirement: str) -> bool:
        return requirement in self._checks

    def __iter__(self) -> Iterator[Check]:
        return iter(self._checks.values())

    def __len__(self) -> int:
        return len(self._checks)


class Area:
    """Collects the checks of one module; `conformance.checks.*` each have one, named `area`."""

    def __init__(self) -> None:
        self.checks: list[Check] = []

    def check(
        self,
        requirement: str,
        *,
        needs: tuple[str, ...] = (),
        phase: Phase = Phase.NORMAL,
    ) -> Callable[[CheckFunction], CheckFunction]:
        """Binds the function below to a requirement."""

        def bind(run: CheckFunction) -> CheckFunction:
            self.checks.append(Check(requirement=requirement, run=run, needs=needs, phase=phase))
            return run

        return bind


def load_checks() -> Registry:
    """All checks of the suite."""
    from conformance import checks

    registry = Registry()
    for module in sorted(iter_modules(checks.__path__), key=lambda found: found.name):
        area = getattr(import_module(f"conformance.checks.{module.name}"), "area", None)
        for check in area.checks if isinstance(area, Area) else ():
            registry.add(check)
    return registry
