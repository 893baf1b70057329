"""Counts of items, what they say in percent, and which test to write next. Values and functions; how it is shown is in
`text` and `page`.

A dimension's percentage is the share of its items that were seen at least once, by the weight of each: the values of a
field weigh as one thing, and so do the operations of a reason. The overall percentage is the mean by weight of the
dimensions that have items.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from math import floor, lcm

from mockserver.coverage.item import Dimension, Item, Scope, Versions


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What clients exercised.

    Attributes:
        contract: version of the document.
        items: everything there is to cover.
        counts: how often each item was seen, in the order of the items.
        happened: how often each fault happened, by key of its item.
        findings: how often each finding was made, by code.
        calls: calls of operations.
        merged: how many reports it was made from.
    """

    contract: str
    items: tuple[Item, ...]
    counts: tuple[int, ...]
    happened: Mapping[str, int] = field(default_factory=dict)
    findings: Mapping[str, int] = field(default_factory=dict)
    calls: int = 0
    merged: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An item and how often it was seen."""

    item: Item
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """A dimension's items that are judged; `share` is in [0, 1]."""

    dimension: Dimension
    rows: tuple[Row, ...]
    share: Fraction

    @property
    def covered(self) -> int:
        """How many items were seen."""
        return sum(row.count > 0 for row in self.rows)

    @property
    def groups(self) -> dict[str, list[Row]]:
        """Items that are shown together, in order."""
        found: dict[str, list[Row]] = {}
        for row in self.rows:
            found.setdefault(row.item.group, []).append(row)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    """A test worth writing.

    Attributes:
        item: what it would cover.
        gain: what that adds to the overall share.
        alike: labels of the other items of the group that were not seen either.
        happened: how often the fault happened without being survived.
    """

    item: Item
    gain: Fraction
    alike: tuple[str, ...]
    happened: int = 0


class Judgement:
    """A report seen for some versions.

    Args:
        report: the counts.
        versions: which are judged.
    """

    def __init__(self, report: Report, versions: Versions = Versions.AUTO) -> None:
        self.report = report
        self.scopes = scopes_of(report, versions)
        self.totals = tuple(self._totals())

    @property
    def versions(self) -> list[str]:
        """The versions that are judged."""
        return [scope.value for scope in (Scope.V3, Scope.V2) if scope in self.scopes]

    @cached_property
    def share(self) -> Fraction:
        """The overall share, in [0, 1]."""
        weight = sum(total.dimension.weight for total in self.totals)
        return sum((total.share * total.dimension.weight for total in self.totals), Fraction()) / (weight or 1)

    def total(self, dimension: Dimension) -> Total | None:
        """A dimension's total; None when it has nothing to judge."""
        return next((total for total in self.totals if total.dimension is dimension), None)

    def next_tests(self, limit: int = 20) -> list[Next]:
        """What to test next: one uncovered item of each group, once what it needs is covered.

        First come faults that happened and that nobody was seen to get through, then what adds most, and of equals
        what nothing of its group was seen of.
        """
        counts = {row.item.key: row.count for total in self.totals for row in total.rows}
        weight = sum(total.dimension.weight for total in self.totals) or 1
        happened = self.report.happened
        found: list[tuple[tuple[bool, Fraction, bool], Next]] = []
        for total in self.totals:
            whole = sum((Fraction(1, row.item.share) for row in total.rows), Fraction())
            for rows in total.groups.values():
                missing = [row.item for row in rows if row.count == 0 and counts.get(row.item.needs, 1) > 0]
                if not missing or not total.dimension.weight:
                    continue
                item = next((one for one in missing if one.key in happened), missing[0])
                one = Next(
                    item=item,
                    gain=Fraction(total.dimension.weight, item.share * weight) / whole,
                    alike=tuple(other.label for other in missing if other is not item),
                    happened=happened.get(item.key, 0),
                )
                begun = any(row.count for row in rows)
                found.append(((one.happened == 0, -one.gain, begun), one))
        found.sort(key=lambda pair: pair[0])  # stable: equal ones stay in the order of the document
        return [one for _, one in found[:limit]]

    def _totals(self) -> Iterator[Total]:
        by_dimension: dict[Dimension, list[Row]] = {dimension: [] for dimension in Dimension}
        for item, count in zip(self.report.items, self.report.counts, strict=True):
            if item.scope in self.scopes:
                by_dimension[item.dimension].append(Row(item=item, count=count))
        for dimension, rows in by_dimension.items():
            if rows:
                yield Total(dimension=dimension, rows=tuple(rows), share=_share(rows))


def scopes_of(report: Report, versions: Versions) -> frozenset[Scope]:
    """Which items are judged."""
    match versions:
        case Versions.V2 | Versions.V3:
            chosen = {Scope(versions.value)}
        case Versions.ALL:
            chosen = {Scope.V2, Scope.V3}
        case Versions.AUTO:
            called = {
                item.label
                for item, count in zip(report.items, report.counts, strict=True)
                if item.dimension is Dimension.VERSIONS and count
            }
            chosen = {scope for scope in (Scope.V2, Scope.V3) if scope.value in called} or {Scope.V3}
    return frozenset({Scope.ANY, *chosen})


def percent(share: Fraction) -> float:
    """A share in percent, one decimal, rounded down: 100 is said of what is complete and of nothing else."""
    return floor(share * 1000) / 10


def _share(rows: list[Row]) -> Fraction:
    """Weights as whole numbers of a common denominator: exact, whatever the order."""
    common = lcm(*(row.item.share for row in rows))
    whole = sum(common // row.item.share for row in rows)
    return Fraction(sum(common // row.item.share for row in rows if row.count), whole)
