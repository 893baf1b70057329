"""The model of a run that every report is written from: made from its events, free of secrets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from conformance.budget import Cost
from conformance.events import CheckFinished, Ending, Event, Exchanged, Noted, Reproduced, RunFinished, RunStarted
from conformance.exit_codes import ExitCode
from conformance.expected import excuse, stale
from conformance.redaction import Redactor
from conformance.report.shown import Shown, shown
from conformance.verdict import Outcome, Verdict, worst
from conformance.wire import Exchange
from openapi.document import Document
from openapi.requirements import Requirement, Requirements

INCONCLUSIVE = (Verdict.UNTESTABLE, Verdict.BLOCKED, Verdict.UNSTABLE)
MOST_EXCHANGES = 12
"""Of one requirement; of more the first two and the last ones are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """Shows a violation again; `verified`: it was run and did."""

    text: str
    verified: bool
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """What came of the first try, where it was tried again."""

    verdict: Verdict
    expected: str
    actual: str
    exchanges: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One requirement and what was found.

    Attributes:
        row: the requirement.
        exchanges: numbers, those that show it; for a green one those that its check sent.
        scored: whether it has an effect on the exit code.
        excuse: why a red verdict has none, though it is scored.
    """

    row: Requirement
    verdict: Verdict
    message: str = ""
    expected: str = ""
    actual: str = ""
    blocked_by: str = ""
    because: tuple[str, ...] = ()
    branches: tuple[str, ...] = ()
    exchanges: tuple[int, ...] = ()
    took_s: float = 0.0
    scored: bool = True
    excuse: str = ""
    stale: bool = False
    first: Try | None = None
    script: Script | None = None

    @property
    def id(self) -> str:
        """The requirement's."""
        return self.row.id

    @property
    def counts(self) -> bool:
        """Whether its verdict has an effect on the exit code."""
        return self.scored and not self.excuse

    @property
    def sentence(self) -> str:
        """What holds for a correct server."""
        return self.row.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A run.

    Attributes:
        started: what was asked for; without secrets.
        entries: in the order of the requirements' file.
        exchanges: those that entries name, each made ready for readers when it is asked for.
        notes: about the run; no verdicts.
        meanings: what each C-number stands for.
        profiles: what each profile is about.
    """

    started: RunStarted
    entries: tuple[Entry, ...]
    spent: Cost
    took_s: float
    ending: Ending
    stopped: str = ""
    exchanges: Mapping[int, Shown] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    meanings: Mapping[str, str] = field(default_factory=dict)
    profiles: Mapping[str, str] = field(default_factory=dict)

    @property
    def exit_code(self) -> ExitCode:
        """What the run means as an exit status."""
        by_ending = {
            Ending.INTERRUPTED: ExitCode.INTERRUPTED,
            Ending.UNREACHABLE: ExitCode.UNREACHABLE,
            Ending.CRASHED: ExitCode.HARNESS_ERROR,
        }
        if self.ending in by_ending:
            return by_ending[self.ending]
        found = {entry.verdict for entry in self.entries if entry.counts}
        if Verdict.ERROR in found:
            return ExitCode.HARNESS_ERROR
        if Verdict.FAIL in found or self.stale:
            return ExitCode.VIOLATION
        if not self.decided or found & set(INCONCLUSIVE):
            return ExitCode.INCONCLUSIVE
        return ExitCode.CONFORMANT

    @property
    def decided(self) -> bool:
        """Whether anything was: a run in which all is not applicable has seen nothing of the target."""
        return any(entry.verdict is not Verdict.NOT_APPLICABLE and entry.scored for entry in self.entries)

    @property
    def stale(self) -> tuple[str, ...]:
        """Expected failures that are none any more."""
        return tuple(entry.id for entry in self.entries if entry.stale)

    @property
    def verdict(self) -> Verdict:
        """The worst of what counts."""
        return worst(entry.verdict for entry in self.entries if entry.counts)

    @property
    def counts(self) -> dict[Verdict, int]:
        """How many of each verdict, the worst last."""
        counted = Counter(entry.verdict for entry in self.entries)
        return {verdict: counted[verdict] for verdict in Verdict}

    @property
    def blocks(self) -> Counter[str]:
        """How many other requirements could not be judged, by the broken one."""
        return Counter(entry.blocked_by for entry in self.entries if entry.verdict is Verdict.BLOCKED)

    def of(self, *verdicts: Verdict) -> tuple[Entry, ...]:
        """Entries with one of some verdicts; those that block most others first, for they are to be repaired first."""
        blocks = self.blocks
        found = [entry for entry in self.entries if entry.verdict in verdicts]
        return tuple(sorted(found, key=lambda entry: -blocks[entry.id]))

    def by_profile(self) -> dict[str, dict[Verdict, int]]:
        """Profile, and how many of each verdict."""
        found: dict[str, Counter[Verdict]] = {}
        for entry in self.entries:
            found.setdefault(entry.row.profile, Counter())[entry.verdict] += 1
        return {profile: {verdict: counted[verdict] for verdict in Verdict} for profile, counted in found.items()}

    def unmeasured(self) -> dict[str, list[Entry]]:
        """Entries that were not decided, by reason."""
        found: dict[str, list[Entry]] = {}
        for entry in self.entries:
            if entry.verdict in INCONCLUSIVE:
                reason = f"{entry.blocked_by} is broken" if entry.verdict is Verdict.BLOCKED else entry.message
                found.setdefault(reason, []).append(entry)
        return dict(sorted(found.items(), key=lambda group: -len(group[1])))


def report_of(events: Sequence[Event], rows: Requirements, document: Document, redactor: Redactor) -> Report:
    """The report of a run.

    Args:
        events: all of them, in order.
    """
    [started] = [event for event in events if isinstance(event, RunStarted)]
    finished = next((event for event in reversed(events) if isinstance(event, RunFinished)), None)
    stopped = finished.stopped if finished else "the log ends before the run"
    outcomes = {event.outcome.requirement: event.outcome for event in events if isinstance(event, CheckFinished)}
    scripts = {event.requirement: event for event in events if isinstance(event, Reproduced)}
    wire = {event.exchange.number: event.exchange for event in events if isinstance(event, Exchanged)}
    asked: dict[str, list[int]] = {}
    for number in sorted(wire):
        asked.setdefault(wire[number].asked_by, []).append(number)
    late = set(stale(outcomes, started.expected_failures))
    not_scored = set(started.not_scored)
    by_id = {row.id: row for row in rows}
    entries = tuple(
        _entry(
            by_id[one],
            outcomes.get(one) or Outcome(requirement=one, verdict=Verdict.UNTESTABLE, message=_not_reached(stopped)),
            redactor,
            asked=asked.get(one, []),
            scored=one not in not_scored,
            stale=one in late,
            expected=started.expected_failures,
            script=scripts.get(one),
        )
        for one in started.requirements
    )
    return Report(
        started=_without_secrets(started, redactor),
        entries=entries,
        spent=finished.spent if finished else Cost(),
        took_s=finished.took_s if finished else 0.0,
        ending=finished.ending if finished else Ending.INTERRUPTED,
        stopped=redactor.text(stopped),
        exchanges=_Exchanges(_named(entries, wire), redactor),
        notes=tuple(redactor.text(event.text) for event in events if isinstance(event, Noted)),
        meanings=document.references,
        profiles={str(profile): said for profile, said in rows.profiles.items()},
    )


def _not_reached(stopped: str) -> str:
    return f"not measured: {stopped}" if stopped else "not measured: the run ended before it"


def _entry(
    row: Requirement,
    outcome: Outcome,
    redactor: Redactor,
    *,
    asked: list[int],
    scored: bool,
    stale: bool,
    expected: Mapping[str, str],
    script: Reproduced | None,
) -> Entry:
    first = outcome.first
    return Entry(
        row=row,
        verdict=outcome.verdict,
        message=redactor.text(outcome.message),
        expected=redactor.text(outcome.expected),
        actual=redactor.text(outcome.actual),
        blocked_by=outcome.blocked_by,
        because=outcome.because,
        branches=tuple(map(redactor.text, outcome.branches)),
        exchanges=_bounded(outcome.exchanges or tuple(asked)),
        took_s=round(outcome.took_s, 4),
        scored=scored,
        stale=stale,
        excuse=excuse(outcome, expected),
        first=Try(
            verdict=first.verdict,
            expected=redactor.text(first.expected),
            actual=redactor.text(first.actual),
            exchanges=_bounded(first.exchanges),
        )
        if first
        else None,
        script=Script(text=redactor.text(script.script), verified=script.verified, note=script.note)
        if script
        else None,
    )


def _bounded(numbers: Iterable[int]) -> tuple[int, ...]:
    kept = tuple(dict.fromkeys(numbers))
    return kept if len(kept) <= MOST_EXCHANGES else (*kept[:2], *kept[2 - MOST_EXCHANGES :])


def _named(entries: Iterable[Entry], wire: Mapping[int, Exchange]) -> dict[int, Exchange]:
    wanted = {number for entry in entries for number in entry.exchanges}
    wanted |= {number for entry in entries if entry.first for number in entry.first.exchanges}
    return {number: wire[number] for number in sorted(wanted & wire.keys())}


class _Exchanges(Mapping[int, Shown]):
    """Exchanges by number, free of secrets: a fifth of a run's work, which a run without report files can spare."""

    def __init__(self, wire: Mapping[int, Exchange], redactor: Redactor) -> None:
        self._wire = wire
        self._redactor = redactor
        self._made: dict[int, Shown] = {}

    def __getitem__(self, number: int) -> Shown:
        found = self._made.get(number)
        if found is None:
            found = self._made[number] = shown(self._wire[number], self._redactor)
        return found

    def __iter__(self) -> Iterator[int]:
        return iter(self._wire)

    def __len__(self) -> int:
        return len(self._wire)


def _without_secrets(started: RunStarted, redactor: Redactor) -> RunStarted:
    options = {name: redactor.value(value) for name, value in started.options.items()}
    return replace(started, target=redactor.text(started.target), options=options)
