"""What can be wrong with the document itself: our mistake, never a client's.

DocumentError
├── UnknownKeyword    a keyword that the reader has no meaning for
└── BrokenDocument    a reference, a name or an example that does not fit the rest
"""

from __future__ import annotations


class DocumentError(Exception):
    """The document cannot be used. `pointer` is the JSON pointer of the place (RFC 6901, with a leading #)."""

    def __init__(self, pointer: str, message: str) -> None:
        super().__init__(f"{pointer}: {message}")
        self.pointer = pointer


class UnknownKeyword(DocumentError):
    """A keyword that the reader does not know; `keyword` names it."""

    def __init__(self, pointer: str, keyword: str, kind: str) -> None:
        super().__init__(
            pointer, f"the keyword {keyword!r} is not known in {kind}; teach openapi.vocabulary or remove it"
        )
        self.keyword = keyword


class BrokenDocument(DocumentError):
    """A part of the document that does not fit the rest."""
