"""The errors of the picture package.

PictureError
    NotAPicture     the bytes are no PNG, JPEG or WebP whose header can be read
    NotAReceipt     the picture carries no receipt, or one that cannot be trusted
"""

from __future__ import annotations


class PictureError(ValueError):
    """Root of this package's errors: `reason` says in one phrase what was found instead."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NotAPicture(PictureError):
    """The bytes are no picture of a known format, or their header is cut short."""


class NotAReceipt(PictureError):
    """No receipt can be read; `damaged` tells a receipt with a wrong checksum from no receipt at all."""

    def __init__(self, reason: str, *, damaged: bool = False) -> None:
        super().__init__(reason)
        self.damaged = damaged
