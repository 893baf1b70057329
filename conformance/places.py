"""From a place of the document to the requirements that speak of it.

A validator says where a message is wrong: an operation, a path, a keyword. Each nameable place of the document is tied
to rows by their `names`; this module looks them up and picks the most specific ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from openapi.document import Document
from openapi.inventory import BELOW, Aspect, Inventory, aspect_of
from openapi.requirements import Keyword, Requirement

Step = str | int

_REFUSES = re.compile(r"\b(?:is|are) (?:also )?refused\b|\banswered with status 4|\banswered with a code other than 0")
_ACCEPTS = re.compile(r"\b(?:is|are) accepted\b")
_GENERAL = ("ROBUST-", "V3-ERROR-", "V2-CODE-")
"""Areas whose rows speak of a request's place only to say how it is answered."""
_PLAINEST = ("V3-TXT2IMG-001", "V3-IMG2IMG-001", "V2-TXT2IMG-001", "V2-IMG2IMG-001")
"""These speak of the smallest submits alone; where those are accepted, another row tells why a larger one should be."""
_V2_CODE = "V2-CODE-001"
"""`code` stands in both forms of a v2 answer, so that what is in neither is named by the rows of the good one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A place and the rows that speak of it.

    Attributes:
        place: the reference, with its aspect where it has one.
        requirements: the most specific rows.
        related: all others that speak of the same field.
        because: ids of the tolerance there.
    """

    place: str
    requirements: tuple[str, ...]
    related: tuple[str, ...] = ()
    because: tuple[str, ...] = ()


class Places:
    """The rows by the places that they name.

    Args:
        document: the contract.
        rows: all requirements.
    """

    def __init__(self, document: Document, rows: Iterable[Requirement]) -> None:
        self._inventory = Inventory.of(document.raw)
        self._rows = {row.id: row for row in rows}
        self._named: dict[str, list[str]] = {}
        self._of_field: dict[str, list[str]] = {}
        for row in self._rows.values():
            for name in row.names:
                for thing in self._inventory.meant(name) if name.endswith(BELOW) else (name,):
                    _note(self._named, thing, row.id)
                    _note(self._of_field, thing.partition("#")[0], row.id)

    def of_answer(
        self, operation_id: str, status: int, path: tuple[Step, ...], keyword: str, *, tolerated: bool = False
    ) -> Spot:
        """Rows for an answer that breaks a keyword at a place.

        Args:
            status: one that the document lists for the operation.
            path: of a key that is missing, with that key.
            tolerated: whether the tolerated reading takes it.
        """
        if operation_id.endswith("V2") and path == ("code",) and keyword != "required":
            place = f"{operation_id}:{status}.code"
            return Spot(place=place, requirements=(_V2_CODE,), related=self._about(place))
        return self._spot(f"{operation_id}:{status}.", path, keyword, tolerated=tolerated)

    def of_request(
        self, operation_id: str, path: tuple[Step, ...], keyword: str, *, null: bool = False, tolerated: bool = False
    ) -> Spot:
        """The row that says that a body which breaks a keyword at a place is refused; of several the plainest.

        Args:
            null: whether null stands there; many fields have a row of its own for that.
        """
        if keyword in ("additionalProperties", "unevaluatedProperties"):
            path = path[:-1]
        spot = self._spot(f"{operation_id}:", path, keyword, tolerated=tolerated)
        found = self._that(_REFUSES, spot.requirements)
        place = spot.place.partition("#")[0]
        if keyword == "type" and not tolerated:
            found = self._preferring(found, f"{place}#{Aspect.REQUIRED}", wanted=null)
        if not tolerated:
            found = self._preferring(found, f"{place}#{Aspect.TOLERATED}", wanted=False)
        must = tuple(row for row in found if self._rows[row].keyword is Keyword.MUST)
        found = (must or found)[:1]
        related = tuple(row for row in self._about(place) if row not in found)
        return Spot(place=spot.place, requirements=found, related=related, because=spot.because)

    def of_acceptance(
        self, operation_id: str, path: tuple[Step, ...], aspects: Iterable[Aspect], *, empty: bool = False
    ) -> Spot:
        """The row that says that a valid value at a place is accepted.

        Args:
            aspects: what the value shows of its field; the first one that a row names decides.
            empty: whether it is an empty object or list, which has a row of its own in places.
        """
        place = self._reference(f"{operation_id}:", path)
        about = self._about(place)
        for name in (*(f"{place}#{aspect}" for aspect in aspects), place):
            found = self._that(_ACCEPTS, self._named.get(name, []))
            found = tuple(row for row in found if row not in _PLAINEST and self._rows[row].keyword is Keyword.MUST)
            if found:
                row = min(found, key=lambda one: ("empty" in self._rows[one].text) != empty)
                return Spot(place=name, requirements=(row,), related=tuple(one for one in about if one != row))
        return Spot(place=place, requirements=(), related=about)

    def of_query(self, operation_id: str, name: str) -> Spot:
        """Rows that speak of a query parameter."""
        place = f"{operation_id}:query.{name}"
        return Spot(place=place, requirements=(), related=self._about(place))

    def _spot(self, before: str, path: tuple[Step, ...], keyword: str, *, tolerated: bool) -> Spot:
        place = self._reference(before, path)
        aspect = aspect_of(keyword) or {
            "required": Aspect.REQUIRED,
            "additionalProperties": Aspect.UNKNOWN,
            "null": Aspect.NULL,
        }.get(keyword)
        name = f"{place}#{aspect}" if aspect else place
        found = tuple(self._named.get(name) or self._named.get(place, []))
        because: tuple[str, ...] = ()
        if tolerated:
            found, because = self._tolerating(before, path, keyword, found)
        elif not found:
            found = self._above(before, path)
        related = tuple(row for row in self._about(place) if row not in found)
        return Spot(place=name, requirements=found, related=related, because=because)

    def _tolerating(
        self, before: str, path: tuple[Step, ...], keyword: str, found: tuple[str, ...]
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The rows of the tolerance that takes a value: that of the field itself, else of what holds it."""
        mark = f"{self._reference(before, path)}#{Aspect.TOLERATED}"
        both = tuple(row for row in found if mark in self._rows[row].names)
        if both:
            return both, self._because(mark)
        start = path[:-1] if keyword == "required" else path
        for length in range(len(start), -1, -1):
            mark = f"{self._reference(before, start[:length])}#{Aspect.TOLERATED}"
            if rows := tuple(self._named.get(mark, ())):
                return self._only_tolerated(rows, mark), self._because(mark)
        return found, ()

    def _only_tolerated(self, rows: tuple[str, ...], mark: str) -> tuple[str, ...]:
        """Rows that name nothing else of the field, where there are such: those of null and of the empty text."""
        place = mark.partition("#")[0]
        alone = tuple(
            row
            for row in rows
            if not any(name.startswith(f"{place}#") and name != mark for name in self._rows[row].names)
        )
        return alone or rows

    def _because(self, mark: str) -> tuple[str, ...]:
        return tuple(sorted(self._inventory.because.get(mark, ())))

    def _above(self, before: str, path: tuple[Step, ...]) -> tuple[str, ...]:
        for length in range(len(path) - 1, 0, -1):
            if rows := self._named.get(self._reference(before, path[:length])):
                return tuple(rows)
        return ()

    def _reference(self, before: str, path: tuple[Step, ...]) -> str:
        """A place as rows write it; a key of an open map is `*` there."""
        text = before + _dotted(path) if path else f"{before}body"
        if text not in self._inventory.things and path:
            wild = before + _dotted((*path[:-1], "*"))
            if wild in self._inventory.things:
                return wild
        return text

    def _that(self, says: re.Pattern[str], rows: Iterable[str]) -> tuple[str, ...]:
        return tuple(row for row in rows if says.search(self._rows[row].text) and not row.startswith(_GENERAL))

    def _preferring(self, rows: tuple[str, ...], name: str, *, wanted: bool) -> tuple[str, ...]:
        """Those that name something, or do not; all of them when that leaves none."""
        return tuple(row for row in rows if (name in self._rows[row].names) == wanted) or rows

    def _about(self, place: str) -> tuple[str, ...]:
        return tuple(self._of_field.get(place, ()))


def _note(index: dict[str, list[str]], key: str, row: str) -> None:
    held = index.setdefault(key, [])
    if row not in held:
        held.append(row)


def _dotted(path: tuple[Step, ...]) -> str:
    return "".join(_steps(path)).lstrip(".")


def _steps(path: tuple[Step, ...]) -> Iterator[str]:
    for step in path:
        yield "[]" if isinstance(step, int) else f".{step}"
