"""Findings: what a client did that the contract does not document, or that a mock cannot vouch for.

A lenient acceptance is never silent: it is a finding that names what was sent and the contradiction (C-number) that
makes the mock tolerate it. Equal findings are counted, not repeated. A finding may quote what a client sent, so its
texts are cut at a length, and a world holds a bounded number of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from mockserver.core.codes import CATALOGUE, About, Code, Level

__all__ = ["CATALOGUE", "MAX_TEXT", "About", "Code", "Finding", "Findings", "Level"]

MAX_TEXT = 1000
"""Characters of `Finding.where` and `Finding.message` that are kept."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of finding at one place.

    Attributes:
        code: what kind.
        where: operationId and field, or header.
        message: what was done, and what the contract says.
        because: the contradictions the mock's answer rests on.
    """

    code: Code
    where: str
    message: str
    because: tuple[str, ...] = ()

    @property
    def level(self) -> Level:
        """How bad it is."""
        return CATALOGUE[self.code].level


class Findings:
    """Counted findings of one world, at most `limit` different ones (further ones are only counted in `dropped`).

    Args:
        limit: how many different ones are kept.
        clean: cuts secrets out of a text; what a client sent may be quoted.
    """

    __slots__ = ("_clean", "_counts", "_limit", "dropped")

    def __init__(self, limit: int = 100, clean: Callable[[str], str] | None = None) -> None:
        self._counts: dict[Finding, int] = {}
        self._clean = clean
        self._limit = limit
        self.dropped = 0

    def add(self, findings: Iterable[Finding]) -> tuple[Finding, ...]:
        """Counts findings, and gives them as they may be kept: cut, and without secrets."""
        kept = tuple(_cut(given if self._clean is None else _cleaned(given, self._clean)) for given in findings)
        for finding in kept:
            if finding in self._counts:
                self._counts[finding] += 1
            elif len(self._counts) < self._limit:
                self._counts[finding] = 1
            else:
                self.dropped += 1
        return kept

    def counted(self) -> list[tuple[Finding, int]]:
        """Each finding with how often it was made, in order of first appearance."""
        return list(self._counts.items())

    def clear(self) -> None:
        """Forgets all."""
        self._counts.clear()
        self.dropped = 0


def _cleaned(finding: Finding, clean: Callable[[str], str]) -> Finding:
    where, message = clean(finding.where), clean(finding.message)
    if (where, message) == (finding.where, finding.message):
        return finding
    return replace(finding, where=where, message=message)


def _cut(finding: Finding) -> Finding:
    if len(finding.where) <= MAX_TEXT and len(finding.message) <= MAX_TEXT:
        return finding
    return replace(finding, where=_start(finding.where), message=_start(finding.message))


def _start(text: str) -> str:
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 3] + "..."
