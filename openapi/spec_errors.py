"""What can go wrong on the way from pages to a comparison: the input's fault, and the message says where.

SpecError
├── PageError         a page cannot be read: file, line, what was expected and what came
├── DerivationError   pages do not make one document
├── OverlayError      an overlay cannot be read or applied: file and action
└── FlattenError      a document has a reference that leads nowhere or in a circle
"""

from __future__ import annotations


class SpecError(ValueError):
    """Any of the errors below."""


class PageError(SpecError):
    """A page cannot be read."""


class DerivationError(SpecError):
    """Pages do not make one document."""


class OverlayError(SpecError):
    """An overlay cannot be read or applied."""


class FlattenError(SpecError):
    """A document cannot be flattened."""
