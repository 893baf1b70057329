"""Where the runs of a sweep work."""

from __future__ import annotations

from enum import StrEnum


class Place(StrEnum):
    """Where every run works."""

    COPY = "copy"
    EMPTY = "empty"
    HERE = "here"
