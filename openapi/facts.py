"""What a documentation page states, as values: a page is an operation with fields, a field is a bundle of facts.

Reading pages is `openapi.pages`, making schemas of facts is `openapi.derive`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

Scalar = str | int | float | bool
"""A value of an enumeration or a default."""

ITEMS = "[]"
"""Path step from an array of objects into one of its objects."""


class Place(StrEnum):
    """Where a field travels."""

    HEADER = "header"
    QUERY = "query"
    PATH = "path"
    BODY = "body"
    RESPONSE = "response"


class Type(StrEnum):
    """The types that pages name; their JSON Schema words."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    OBJECT = "object"
    ARRAY = "array"
    NULL = "null"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """An interval: of the value of a number, the length of a string in characters, the length of an array."""

    low: int | float | None = None
    high: int | float | None = None
    low_open: bool = False
    high_open: bool = False

    def __str__(self) -> str:
        if self.low is None:
            return f"{'<' if self.high_open else '<='} {self.high}"
        if self.high is None:
            return f"{'>' if self.low_open else '>='} {self.low}"
        return f"{'(['[not self.low_open]}{self.low}, {self.high}{')]'[not self.high_open]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureLimits:
    """How large a picture that travels as text may be: pixels, and bytes of the file."""

    max_pixels: int | None = None
    max_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field as the page states it.

    Attributes:
        path: names from the outside in; `ITEMS` stands between an array and the fields of its objects.
        type: of a value that is not null; `NULL` when null is the only type named.
        items: of an array, the type of its items.
        nullable: the page types it as nullable.
        bounds: see `Bounds`; which of the three they mean follows from the type.
        enum: the values of an "Enum:" list, or of the titled lists of names; empty when there is none.
        titles: title and names of each titled list ("Controlnets for SD 1.5: a, b"), in page order.
        default: None when the page names none (no page names null as a default).
        picture: limits of a picture, where the page states any.
        line: of the opening tag, counted from 1.
    """

    place: Place
    path: tuple[str, ...]
    type: Type
    items: Type | None = None
    nullable: bool = False
    required: bool = False
    bounds: Bounds | None = None
    enum: tuple[Scalar, ...] = ()
    titles: tuple[tuple[str, tuple[str, ...]], ...] = ()
    default: Scalar | None = None
    picture: PictureLimits | None = None
    line: int = field(default=0, compare=False)

    @property
    def name(self) -> str:
        """The path as the reports write it: `controlnet.units[].model_name`."""
        return dotted(self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What one page states about one operation.

    Attributes:
        file: as given by the caller, for messages.
        method: upper case.
        path: of the route, without host and query.
        fields: in page order, parents before their properties.
        notes: sentences that look like a fact but could not be read, each with its line.
    """

    file: str
    method: str
    path: str
    fields: tuple[Field, ...]
    notes: tuple[str, ...] = ()

    @property
    def operation(self) -> str:
        """Method and path."""
        return f"{self.method} {self.path}"


def dotted(path: Sequence[str]) -> str:
    """`("units", "[]", "name")` as `units[].name`."""
    return ".".join(path).replace(f".{ITEMS}", ITEMS)
