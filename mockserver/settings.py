"""What a server is started with; the one place that reads the environment.

Flags, variables and the configuration file are put together by the command line (`mockserver.cli`, `mockserver.flags`),
which calls `unknown_variables` for its warning.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mockserver.core.clock import ClockMode
from mockserver.core.fleet import FleetSettings
from mockserver.faults.plan import DEFAULT_IN_A_ROW
from mockserver.money.account import NO_LIMITS, AccountSettings
from mockserver.webhooks.settings import WebhookSettings

if TYPE_CHECKING:
    from mockserver.faults.scenario import Scenario
    from mockserver.faults.tape import Decisions
    from mockserver.storage.s3 import StorageSettings

ENV_PREFIX = "NOVITA_MOCK"
DEFAULT_PORT = 4280


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of what the server holds. What happens at each is said in docs/limits.md.

    Attributes:
        worlds: API keys with state at the same time; beyond it the one used longest ago is forgotten.
        tasks: tasks of all worlds; beyond it the oldest finished one is forgotten (then TASK_NOT_FOUND).
        task_bytes: bytes of all tasks' requests, source pictures apart; as `tasks`.
        journal_entries: calls kept per world.
        journal_bytes: bodies kept by all journals.
        deliveries: webhook deliveries that a world remembers; those still owed never go.
        input_bytes: source pictures kept.
        picture_bytes: drawn pictures kept for the next download.
        body_bytes: the largest request body that is read.
        wait_s: how long a control call may wait for events, in seconds of the wall.
    """

    worlds: int = 1_000
    tasks: int = 250_000
    task_bytes: int = 512 * 1024 * 1024
    journal_entries: int = 1_000
    journal_bytes: int = 64 * 1024 * 1024
    deliveries: int = 10_000
    input_bytes: int = 256 * 1024 * 1024
    picture_bytes: int = 64 * 1024 * 1024
    body_bytes: int = 64 * 1024 * 1024
    wait_s: int = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A server's settings.

    Attributes:
        clock: how the worlds' clocks move.
        strict: refuse what the documentation does not state; the default accepts what real clients send.
        seed: decides ids, drawn seeds and jitter of every world.
        fleet: how fast tasks are.
        keys: the only API keys accepted; empty: any key is.
        any_model: accept model names that the catalogue does not hold.
        illegal_words: a prompt with one of these (lower case) is refused as ILLEGAL_PROMPT.
        public_base_url: scheme and host of the picture links; None: the address the client used.
        magic: prompts, model names, seeds and the header Prefer can ask for trouble.
        scenario: the situation that every world starts in.
        in_a_row: faults in a row that an operation of a world may suffer; None: no bound.
        replay: what a tape says happens, by world; None: rules decide.
        webhooks: how events are delivered.
        allow_targets: hosts besides loopback that may be called: names, addresses, networks, with a port or without.
        storage: where custom storage puts pictures; None: they stay with the mock.
        coverage: count what of the contract is exercised.
        metrics: count for Prometheus; /__mock/metrics.
        account: what every world's account refuses at its start.
        limits: bounds of what is held.
    """

    clock: ClockMode = field(default_factory=lambda: ClockMode.parse("real"))
    strict: bool = False
    seed: int = 0
    fleet: FleetSettings = field(default_factory=FleetSettings)
    keys: frozenset[str] = frozenset()
    any_model: bool = False
    illegal_words: tuple[str, ...] = ()
    public_base_url: str | None = None
    magic: bool = True
    scenario: Scenario | None = None
    in_a_row: int | None = DEFAULT_IN_A_ROW
    replay: Decisions | None = None
    webhooks: WebhookSettings = field(default_factory=WebhookSettings)
    allow_targets: frozenset[str] = frozenset()
    storage: StorageSettings | None = None
    coverage: bool = False
    metrics: bool = False
    account: AccountSettings = NO_LIMITS
    limits: Limits = field(default_factory=Limits)


def unknown_variables(known: Iterable[str], environment: Mapping[str, str] | None = None) -> list[str]:
    """Names of set variables with our prefix that no setting has; a slip of the pen is told, not ignored."""
    found = os.environ if environment is None else environment  # noqa: TID251  # the one reader
    allowed = set(known)
    return sorted(name for name in found if name.startswith(f"{ENV_PREFIX}_") and name not in allowed)
