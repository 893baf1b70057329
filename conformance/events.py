"""The event log of a run, from which every report is derived."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from conformance.budget import Cost
from conformance.verdict import Outcome
from conformance.wire import Exchange


class Ending(StrEnum):
    """How a run came to its end."""

    COMPLETE = "complete"
    INTERRUPTED = "interrupted"
    UNREACHABLE = "unreachable"
    CRASHED = "crashed"
    """By a mistake of ours, outside any check."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """What will be judged.

    Attributes:
        target: the target's URL.
        started_at: ISO 8601, UTC.
        requirements: ids that were chosen, in the order of the file.
        left_out: ids that were not, with the reason.
        options: what was set, by flag; no secret among them.
        revision: of the frozen profiles.
        profiles: those that were chosen; `other_profiles` those that were not.
        not_scored: chosen ids that are newer than the revision: reported, without effect on the exit code.
        expected_failures: id and reason.
    """

    target: str
    started_at: str
    suite: str
    contract: str
    strict: bool
    seed: int
    requirements: tuple[str, ...]
    left_out: dict[str, str] = field(default_factory=dict)
    options: dict[str, object] = field(default_factory=dict)
    safe: bool = False
    revision: str = ""
    profiles: tuple[str, ...] = ()
    other_profiles: tuple[str, ...] = ()
    not_scored: tuple[str, ...] = ()
    expected_failures: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchanged:
    """One request and its answer."""

    exchange: Exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckFinished:
    """A first word on a requirement; a later event of the same requirement replaces it."""

    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduced:
    """A script that shows a violation.

    Attributes:
        verified: whether it was run and showed it again.
        note: what it could not be reduced to, or why there was no trying.
    """

    requirement: str
    script: str
    verified: bool
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """Something about the run that is no verdict on a requirement."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished:
    """The end.

    Attributes:
        spent: what was sent and accepted.
        stopped: why it ended early, a sentence; "" when it did not.
    """

    spent: Cost
    took_s: float
    stopped: str = ""
    ending: Ending = Ending.COMPLETE


Event: TypeAlias = RunStarted | Exchanged | CheckFinished | Reproduced | Noted | RunFinished
Listener: TypeAlias = Callable[[Event], None]
