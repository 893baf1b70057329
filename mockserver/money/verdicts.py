"""Was anything paid for twice? Judged from what happened to the answers of submissions.

Three things look alike from outside, a client that sends the same request again, and differ in money. After a lost
answer the first task exists and is paid for: the repeat is a double spend. After a refusal nothing exists: the repeat
is a safe retry. After an answer that arrived, a repeat with a fixed seed buys pictures that the client has already.

The judge remembers only what is not settled yet, so that while no answer is lost it costs nothing. It holds no
request, only fingerprints (`mockserver.money.fingerprint`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from mockserver.money.amounts import usd
from mockserver.money.fingerprint import fingerprint, has_fixed_seed

MAX_REMEMBERED = 1_000
"""Lost answers, and refusals, that are remembered; the oldest are forgotten."""
MAX_VERDICTS = 1_000
"""Verdicts that are kept one by one; the counts stay exact."""


class VerdictKind(StrEnum):
    """What a repeated request was."""

    DOUBLE_SPEND = "double-spend"
    SAFE_RETRY = "safe-retry"
    REPEATED = "repeated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A repeated request, judged. Instants are virtual milliseconds, amounts micro-USD.

    Attributes:
        kind: double-spend: the first answer was lost; safe-retry: nothing had been made; repeated: the first answer
            had arrived and the seed is fixed.
        fingerprint: what both requests have in common.
        first_task_id: the task that was paid for before; None for a safe retry.
        first_at_ms: when the earlier request was accepted, or refused.
        task_id: the task of the repeat.
        at_ms: when the repeat was accepted.
        wasted_micro_usd: what was paid for nothing; 0 for a safe retry.
        how: how the first answer was lost, or why it was refused; "" for a repeated request.
        refusals: how often the request was refused before the repeat was accepted.
    """

    kind: VerdictKind
    fingerprint: str
    first_task_id: str | None
    first_at_ms: int
    task_id: str
    at_ms: int
    wasted_micro_usd: int
    how: str
    refusals: int = 0

    @property
    def message(self) -> str:
        """For people: what happened, and what to do."""
        later = f"{(self.at_ms - self.first_at_ms) / 1000:g} s later"
        if self.kind is VerdictKind.SAFE_RETRY:
            times = "once" if self.refusals == 1 else f"{self.refusals} times"
            return (
                f"safe retry: the request was refused {times} ({self.how}), nothing had been made; "
                f"task {self.task_id} was accepted {later}"
            )
        wasted = f"{usd(self.wasted_micro_usd)} USD"
        if self.kind is VerdictKind.REPEATED:
            return (
                f"repeated: task {self.task_id} asks for the pictures of task {self.first_task_id} again, {later} and "
                f"with the same seed; {wasted} for pictures that were there already"
            )
        return (
            f"double spend: the answer of task {self.first_task_id} was lost ({self.how}), the same request was "
            f"accepted again as task {self.task_id} {later}; {wasted} wasted. The interface has no idempotency key: "
            "a submission of unknown outcome must not be sent again blindly"
        )


class Loss(NamedTuple):
    """An accepted submission whose answer never reached the client."""

    fingerprint: str
    task_id: str
    at_ms: int
    micro_usd: int
    how: str


class Accepted(NamedTuple):
    """An accepted submission, for `repeated`; `body` is the request that its task keeps."""

    task_id: str
    operation_id: str
    body: bytes
    at_ms: int
    micro_usd: int


class _Refusals(NamedTuple):
    first_at_ms: int
    how: str
    times: int


class Verdicts:
    """The judge of one world.

    For each accepted submission: while `pending`, tell `submitted`; then `lost`, if its answer is. For one that
    failed before anything was made: `refused_before_commit`. Fingerprints are those of the request as it was sent.

    Args:
        max_remembered: lost answers, and refused requests, that are remembered.
        max_verdicts: verdicts that are kept one by one.

    Attributes:
        double_spends: how many there were.
        safe_retries: how many there were.
        wasted_micro_usd: what the double spends wasted together.
        forgotten: lost answers and refusals that went at the bound; their repeats are not judged.
    """

    __slots__ = (
        "_fingerprints",
        "_lost",
        "_max_remembered",
        "_refused",
        "_verdicts",
        "double_spends",
        "forgotten",
        "safe_retries",
        "wasted_micro_usd",
    )

    def __init__(self, max_remembered: int = MAX_REMEMBERED, max_verdicts: int = MAX_VERDICTS) -> None:
        self._max_remembered = max_remembered
        self._verdicts: deque[Verdict] = deque(maxlen=max_verdicts)
        self._lost: dict[str, dict[str, Loss]] = {}  # by fingerprint, then by task, the oldest first
        self._fingerprints: dict[str, str] = {}  # of every lost task, the oldest first
        self._refused: dict[str, _Refusals] = {}
        self.double_spends = self.safe_retries = self.wasted_micro_usd = self.forgotten = 0

    @property
    def pending(self) -> bool:
        """Whether anything is remembered that the next submission could repeat."""
        return bool(self._fingerprints or self._refused)

    def lost(self, fingerprint: str, task_id: str, at_ms: int, micro_usd: int, how: str) -> None:
        """The answer of an accepted submission never reached the client.

        Args:
            fingerprint: of the request.
            task_id: the task that exists and is paid for.
            at_ms: when it was accepted.
            micro_usd: what it cost.
            how: how the answer was lost, such as `CONNECTION_RESET_BY_PEER`.
        """
        self.learned(task_id)
        if len(self._fingerprints) >= self._max_remembered:
            self.learned(next(iter(self._fingerprints)))
            self.forgotten += 1
        loss = Loss(fingerprint, task_id, at_ms, micro_usd, how)
        self._lost.setdefault(fingerprint, {})[task_id] = loss
        self._fingerprints[task_id] = fingerprint

    def refused_before_commit(self, fingerprint: str, at_ms: int, how: str) -> None:
        """A submission failed before anything was made: repeating it costs nothing."""
        before = self._refused.pop(fingerprint, None)  # put at the end: it is the one refused last
        if before is not None:
            self._refused[fingerprint] = before._replace(times=before.times + 1)
            return
        if len(self._refused) >= self._max_remembered:
            del self._refused[next(iter(self._refused))]
            self.forgotten += 1
        self._refused[fingerprint] = _Refusals(at_ms, how, 1)

    def submitted(self, fingerprint: str, task_id: str, at_ms: int, micro_usd: int) -> Verdict | None:
        """A submission was accepted; gives the verdict if it repeats one that is remembered.

        A repeat settles one lost answer, the oldest: a request lost twice and sent three times is two double spends.
        """
        refused = self._refused.pop(fingerprint, None)
        losses = self._lost.get(fingerprint)
        if losses:
            loss = next(iter(losses.values()))
            self.learned(loss.task_id)
            self.double_spends += 1
            self.wasted_micro_usd += loss.micro_usd
            verdict = Verdict(
                kind=VerdictKind.DOUBLE_SPEND,
                fingerprint=fingerprint,
                first_task_id=loss.task_id,
                first_at_ms=loss.at_ms,
                task_id=task_id,
                at_ms=at_ms,
                wasted_micro_usd=loss.micro_usd,
                how=loss.how,
                refusals=refused.times if refused else 0,
            )
        elif refused:
            self.safe_retries += 1
            verdict = Verdict(
                kind=VerdictKind.SAFE_RETRY,
                fingerprint=fingerprint,
                first_task_id=None,
                first_at_ms=refused.first_at_ms,
                task_id=task_id,
                at_ms=at_ms,
                wasted_micro_usd=0,
                how=refused.how,
                refusals=refused.times,
            )
        else:
            return None
        self._verdicts.append(verdict)
        return verdict

    def learned(self, task_id: str) -> None:
        """The client knows a task after all (it asked for it, or its webhook came): its answer is lost no more."""
        fingerprint = self._fingerprints.pop(task_id, None)
        if fingerprint is not None:
            losses = self._lost[fingerprint]
            del losses[task_id]
            if not losses:
                del self._lost[fingerprint]

    def unclaimed(self) -> list[Loss]:
        """Lost answers that nobody made up for, oldest first: paid for, and nobody knows the tasks."""
        return [self._lost[fingerprint][task_id] for task_id, fingerprint in self._fingerprints.items()]

    def verdicts(self) -> list[Verdict]:
        """Double spends and safe retries, oldest first; at the bound the oldest are gone."""
        return list(self._verdicts)

    def clear(self) -> None:
        """Forgets everything; for a world that starts again."""
        self._lost.clear()
        self._fingerprints.clear()
        self._refused.clear()
        self._verdicts.clear()
        self.double_spends = self.safe_retries = self.wasted_micro_usd = self.forgotten = 0


def repeated(accepted: Iterable[Accepted], judged: Collection[Verdict] = ()) -> list[Verdict]:
    """Identical requests with a fixed seed among accepted submissions, oldest first: the same pictures paid twice.

    Worked out when it is asked for, so that no submission pays for it. Weaker than a double spend: the client may
    want it so. Each repeat is held against the one before it.

    Args:
        accepted: the submissions in the order in which they were accepted.
        judged: verdicts that stand; what they call a double spend is not told again.
    """
    told = {verdict.task_id for verdict in judged if verdict.kind is VerdictKind.DOUBLE_SPEND}
    before: dict[str, Accepted] = {}
    found = []
    for one in accepted:
        if not has_fixed_seed(one.operation_id, one.body):
            continue
        same = fingerprint(one.operation_id, one.body)
        first = before.get(same)
        before[same] = one
        if first is not None and one.task_id not in told:
            found.append(
                Verdict(
                    kind=VerdictKind.REPEATED,
                    fingerprint=same,
                    first_task_id=first.task_id,
                    first_at_ms=first.at_ms,
                    task_id=one.task_id,
                    at_ms=one.at_ms,
                    wasted_micro_usd=one.micro_usd,
                    how="",
                )
            )
    return found
