"""Findings as Python warnings, so that a suite filters them, or turns them into errors, with what it has for that."""

from __future__ import annotations


class NovitaFindingWarning(UserWarning):
    """The client under test did something that it should not; the message begins with the finding's code."""


class NovitaFindingNote(NovitaFindingWarning):
    """A finding of level `note`: worth knowing, seldom worth a red test."""


class NovitaFindingError(NovitaFindingWarning):
    """A finding of level `error`: costs money, loses pictures or gives the key away."""


# A warning's summary names its class; that of a private module would not be what users write into their filters.
for _public in (NovitaFindingWarning, NovitaFindingNote, NovitaFindingError):
    _public.__module__ = "mockserver.testing"
