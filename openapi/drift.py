"""Compares what pages state (with the overlay on it) with the committed document, fact by fact, in both directions.

Both sides are flattened to fields and aspects (`openapi.flatten`). Descriptions, examples and formats are no facts,
`x-tolerated` belongs to the other reading, and whether an object is closed (`additionalProperties`) is no statement of
a page. An overlay action that has nothing left to do is drift as well: the reason it was written for is gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from openapi.derive import Derivation
from openapi.facts import Page, dotted
from openapi.flatten import Aspect, Fact, Facts, Location, flatten

REPORT_VERSION = 1
"""Version of the JSON report."""


class Kind(StrEnum):
    """How the two sides differ."""

    DIFFERS = "differs"
    ONLY_ON_PAGE = "only-on-page"
    ONLY_IN_DOCUMENT = "only-in-document"
    STALE_OVERLAY = "stale-overlay"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One difference.

    Attributes:
        operation: method and path; the target for a stale overlay action.
        place: where the field travels; empty when a whole operation or an overlay action is meant.
        field: dotted path; empty for the whole body.
        aspect: what differs; empty when a side lacks the field.
        page: what the page says, readable; empty when it says nothing.
        document: what the committed document says.
        source: `file:line` of the page, or the overlay's action.
    """

    kind: Kind
    operation: str
    place: str = ""
    field: str = ""
    aspect: str = ""
    page: str = ""
    document: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The outcome for a set of pages.

    Attributes:
        fields: how many fields the pages have.
        facts: how many facts about them were compared (a fact is an aspect that a side states).
    """

    differences: tuple[Difference, ...]
    fields: int
    facts: int

    def as_json(self) -> dict[str, Any]:
        """The report for programs."""
        return {
            "version": REPORT_VERSION,
            "fields": self.fields,
            "facts": self.facts,
            "differences": [asdict(difference) for difference in self.differences],
        }


def compare(derivation: Derivation, document: Mapping[str, Any]) -> Comparison:
    """The differences between derived pages and a document; operations without a page are not looked at.

    Raises:
        FlattenError: one of the two has a reference that leads nowhere.
    """
    differences: list[Difference] = []
    fields = facts = 0
    for page in derivation.pages:
        fields += len(page.fields)
        ours = flatten(derivation.document, page.method, page.path)
        theirs = flatten(document, page.method, page.path)
        if ours is None or theirs is None:
            kind = Kind.ONLY_ON_PAGE if theirs is None else Kind.ONLY_IN_DOCUMENT
            differences.append(Difference(kind=kind, operation=page.operation, source=page.file))
            continue
        stated = flatten(derivation.stated, page.method, page.path) or {}
        facts += _stated_facts(ours, theirs)
        differences += _operation(page, ours, theirs, stated, derivation)
    for applied, why in derivation.stale_actions():
        source = f"{derivation.overlay.file if derivation.overlay else ''}, action {applied.action.number}"
        differences.append(
            Difference(kind=Kind.STALE_OVERLAY, operation=applied.action.target, page=why, source=source)
        )
    return Comparison(differences=tuple(differences), fields=fields, facts=facts)


def _stated_facts(ours: Mapping[Location, Facts], theirs: Mapping[Location, Facts]) -> int:
    return sum(
        1
        for at in ours.keys() | theirs.keys()
        for aspect in Aspect
        if any(at in side and side[at].aspects[aspect].value for side in (ours, theirs))
    )


def _operation(
    page: Page,
    ours: Mapping[Location, Facts],
    theirs: Mapping[Location, Facts],
    stated: Mapping[Location, Facts],
    derivation: Derivation,
) -> Iterator[Difference]:
    # In page order, then what only the document has; below a field that a side lacks there is nothing more to say.
    missing: set[Location] = set()
    overlay_file = derivation.overlay.file if derivation.overlay else ""
    for at in [*ours, *(at for at in theirs if at not in ours)]:
        place, path = at
        if any((place, path[:length]) in missing for length in range(len(path))):
            missing.add(at)
            continue
        where = {"operation": page.operation, "place": place.value, "field": dotted(path)}
        if at not in theirs:
            missing.add(at)
            source = _full(ours[at].source, page) if at in stated else overlay_file
            yield Difference(kind=Kind.ONLY_ON_PAGE, page=ours[at].summary(), source=source, **where)
        elif at not in ours:
            missing.add(at)
            yield Difference(kind=Kind.ONLY_IN_DOCUMENT, document=theirs[at].summary(), source=page.file, **where)
        else:
            for aspect in Aspect:
                mine, other = ours[at].aspects[aspect], theirs[at].aspects[aspect]
                if mine == other:
                    continue
                source = _full(ours[at].source, page)
                if at not in stated or stated[at].aspects[aspect] != mine:
                    source = f"{source}, changed by {overlay_file}"
                says, reads = _shown(aspect, mine, other)
                yield Difference(
                    kind=Kind.DIFFERS, aspect=aspect.value, page=says, document=reads, source=source, **where
                )


def _full(source: str, page: Page) -> str:
    """`name:line` with the page's name as the caller gave it."""
    _, colon, line = source.rpartition(":")
    return f"{page.file}{colon}{line}" if colon else page.file


def _shown(aspect: Aspect, mine: Fact, other: Fact) -> tuple[str, str]:
    """Both sides for people; of two long value lists only what the other lacks."""
    if aspect is Aspect.ENUM and mine.value and other.value:
        return _values(mine, other), _values(other, mine)
    return mine.shown, other.shown


def _values(mine: Fact, other: Fact) -> str:
    alone = sorted(mine.value - other.value)
    return f"{len(mine.value)} values" + (f", only here: {', '.join(alone)}" if alone else "")


# The report for people -----------------------------------------------------------------------------------------------


def as_text(comparison: Comparison) -> str:
    """The report for the terminal: one block per difference, page first."""
    lines: list[str] = []
    operation = ""
    for difference in comparison.differences:
        if difference.operation != operation:
            operation = difference.operation
            lines += ["", operation] if lines else [operation]
        lines += _block(difference)
    found = len(comparison.differences)
    outcome = f"{found} difference{'s' * (found != 1)}" if found else "no differences"
    lines += [""] if lines else []
    lines.append(f"{comparison.fields} fields, {comparison.facts} facts compared: {outcome}")
    return "\n".join(lines)


def _block(difference: Difference) -> list[str]:
    name = f"{difference.place} {difference.field or '(whole)'}"
    page = f"    page      {difference.page}  ({difference.source})"
    document = f"    document  {difference.document}"
    match difference.kind:
        case Kind.DIFFERS:
            return [f"  {name}: {difference.aspect}", page, document]
        case Kind.ONLY_ON_PAGE if not difference.place:
            return [f"  the document has no such operation  ({difference.source})"]
        case Kind.ONLY_IN_DOCUMENT if not difference.place:
            return [f"  the overlay has removed the operation  ({difference.source})"]
        case Kind.ONLY_ON_PAGE:
            return [f"  {name}: only on the page", page, f"{document}no such field"]
        case Kind.ONLY_IN_DOCUMENT:
            return [f"  {name}: only in the document", f"    page      no such field  ({difference.source})", document]
        case Kind.STALE_OVERLAY:
            return [f"  {difference.page}  ({difference.source})"]
