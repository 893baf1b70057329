"""What nearly was what a test expected: the entries nearest to a pattern, and the operation nearest to a path."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from heapq import nsmallest

from mockserver.core.journal import Entry
from mockserver.watch.patterns import Difference, Pattern

MAX_DIFFERENCES = 20
"""Differences told of one entry."""
MAX_GROUPS = 5
"""Lines of a summary."""
MAX_PATH = 200
"""Characters of a path that are compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NearMiss:
    """An entry that is not what a pattern expects.

    Attributes:
        entry: the call.
        differences: where it differs.
        distance: how far away it is; 1 a place, more for another operation, method or path.
    """

    entry: Entry
    differences: tuple[Difference, ...]
    distance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A journal held against a pattern.

    Attributes:
        found: the entries that match, oldest first.
        near: the nearest of the others, nearest first; of equally near ones the newest.
        summary: lines such as "3 requests differ from this in request.prompt".
    """

    found: tuple[Entry, ...]
    near: tuple[NearMiss, ...]
    summary: tuple[str, ...]


def compare(entries: Iterable[Entry], pattern: Pattern, limit: int) -> Comparison:
    """Holds every entry against a pattern.

    Args:
        entries: of a journal, oldest first.
        pattern: what is expected.
        limit: how many near misses are given.
    """
    found: list[Entry] = []
    missed: list[NearMiss] = []
    for entry in entries:
        differences = tuple(pattern.differences(entry))
        if differences:
            distance = sum(one.weight for one in differences)
            missed.append(NearMiss(entry=entry, differences=differences, distance=distance))
        else:
            found.append(entry)
    near = nsmallest(limit, missed, key=lambda miss: (miss.distance, -miss.entry.number))
    return Comparison(found=tuple(found), near=tuple(near), summary=tuple(_summary(missed)))


def _summary(missed: Sequence[NearMiss]) -> list[str]:
    """How many entries differ in the same places; the nearest places first."""
    groups: dict[tuple[str, ...], tuple[float, int]] = {}
    for miss in missed:
        places = tuple(dict.fromkeys(one.where for one in miss.differences))
        nearest, count = groups.get(places, (miss.distance, 0))
        groups[places] = min(nearest, miss.distance), count + 1
    ordered = sorted(groups.items(), key=lambda group: (group[1][0], -group[1][1]))
    lines = []
    for places, (_, count) in ordered[:MAX_GROUPS]:
        verb = "request differs" if count == 1 else "requests differ"
        shown = ", ".join(places[:MAX_DIFFERENCES]) + (" and more" if len(places) > MAX_DIFFERENCES else "")
        lines.append(f"{count} {verb} from this in {shown}")
    if len(ordered) > MAX_GROUPS:
        rest = sum(count for _, (_, count) in ordered[MAX_GROUPS:])
        lines.append(f"{rest} more differ in other places")
    return lines


def nearest_operation(method: str, path: str, operations: Mapping[str, tuple[str, str]]) -> str:
    """The id of the operation that a call nearly was: the most similar path, of equal ones that with its method.

    The version counts extra: whoever forgets `async` in `/v3/async/txt2img` did not mean `/v2/txt2img`.

    Args:
        method: of the call.
        path: of the call.
        operations: method and path by operation id.

    Raises:
        ValueError: there are no operations.
    """

    def likeness(operation_id: str) -> tuple[float, bool]:
        its_method, its_path = operations[operation_id]
        likeness = SequenceMatcher(None, path[:MAX_PATH], its_path, autojunk=False).ratio()
        same_version = path.split("/")[1:2] == its_path.split("/")[1:2]
        return likeness + (0.25 if same_version else 0), its_method == method

    return max(operations, key=likeness)
