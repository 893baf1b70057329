"""What a broad look finds, the oracle's or a generator's, and how it changes outcomes that checks have reached.

A check is the first judge of its row. A finding turns a row red only where its check saw nothing, and only when no red
row speaks of the same place or of the same exchange already: one defect turns one clause red.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from conformance.errors import Broken
from conformance.expect import Claim
from conformance.verdict import Outcome, Verdict
from openapi.requirements import Keyword, Requirement, Requirements

SOFT = (Keyword.SHOULD, Keyword.SHOULD_NOT, Keyword.MAY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that the contract does not allow, or only tolerates.

    Attributes:
        requirements: the rows that say so, the most specific ones; empty when none does.
        expected, actual: noun phrases.
        exchanges: numbers in the wire log, the telling one last.
        place: a reference into the document, see `openapi.inventory`.
        tolerated: whether the tolerated reading accepts it.
        because: C- and O-numbers of that tolerance.
        related: further rows that speak of the place; while one of them is red the finding says nothing new.
        claims: what the answers to some of the exchanges should have fulfilled.
    """

    requirements: tuple[str, ...]
    expected: str
    actual: str
    exchanges: tuple[int, ...]
    place: str = ""
    tolerated: bool = False
    because: tuple[str, ...] = ()
    related: tuple[str, ...] = ()
    claims: tuple[tuple[int, Claim], ...] = ()

    def broken(self) -> list[Broken]:
        """The same as the checks would say it, once for each row."""
        return [Broken(row, self.expected, self.actual, self.exchanges, self.claims) for row in self.requirements]


def merged(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """One finding for each place and set of rows: the first, which says how many there were."""
    groups: dict[tuple[object, ...], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.requirements, finding.place, finding.tolerated), []).append(finding)
    return tuple(
        replace(group[0], actual=f"{group[0].actual} (and {len(group) - 1} more)") if group[1:] else group[0]
        for group in groups.values()
    )


def settled(
    outcomes: Mapping[str, Outcome], findings: Iterable[Finding | Broken], rows: Requirements, *, strict: bool
) -> dict[str, Outcome]:
    """The outcomes with what findings change in them.

    Args:
        findings: in the order in which they are to be believed; the first one of a row is kept.
        strict: what is only tolerated fails, as it does in the runner.

    Returns:
        All outcomes; only those that were PASS or WARN can differ.
    """
    found = dict(outcomes)
    by_id = {row.id: row for row in rows}
    for one in findings:
        finding = _finding(one)
        if _explained(finding, found):
            continue
        for row_id in finding.requirements:
            before = found.get(row_id)
            row = by_id.get(row_id)
            if before is None or row is None or before.verdict not in (Verdict.PASS, Verdict.WARN):
                continue
            verdict = _verdict(finding, row, strict=strict)
            if verdict.rank > before.verdict.rank:
                found[row_id] = _outcome(finding, row, verdict, before)
    return found


def _finding(one: Finding | Broken) -> Finding:
    if isinstance(one, Finding):
        return one
    return Finding(
        requirements=(one.requirement,),
        expected=one.expected,
        actual=one.actual,
        exchanges=one.exchanges,
        claims=one.claims,
    )


def _explained(finding: Finding, outcomes: Mapping[str, Outcome]) -> bool:
    """Whether a row that is red already tells of it: one that speaks of the place, or one that rests on the answer."""
    for row_id in (*finding.requirements, *finding.related):
        outcome = outcomes.get(row_id)
        if outcome is not None and not outcome.verdict.green:
            return True
    told = set(finding.exchanges[-1:])
    return any(outcome.verdict is Verdict.FAIL and told & set(outcome.exchanges) for outcome in outcomes.values())


def _verdict(finding: Finding, row: Requirement, *, strict: bool) -> Verdict:
    mild = row.keyword in SOFT or (finding.tolerated and bool(row.tolerated))
    return Verdict.WARN if mild and not strict else Verdict.FAIL


def _outcome(finding: Finding, row: Requirement, verdict: Verdict, before: Outcome) -> Outcome:
    tolerated = finding.tolerated and bool(row.tolerated)
    return replace(
        before,
        verdict=verdict,
        message=f"tolerated: {finding.actual}" if tolerated else row.text,
        expected=finding.expected,
        actual=finding.actual,
        because=tuple(dict.fromkeys((*row.contradictions, *finding.because))),
        exchanges=finding.exchanges,
        claims=tuple((number, claim.data) for number, claim in finding.claims),
    )
