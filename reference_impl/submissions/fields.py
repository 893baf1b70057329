"""Values of a body that the document has judged already, read with their defaults."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from reference_impl.jobs import Job
from reference_impl.submissions.refusals import Fault, Refused
from reference_impl.tasks import Delivery

Fields = Mapping[str, Any]

MAX_SEED = 2**63 - 1
"""No page states an upper bound; what databases and random generators hold does."""
_EXACT = 2**53
"""Integers that are written with a point or an exponent arrive as floats, which are exact up to here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """What a body asks for.

    Attributes:
        echo: what answers repeat of it; JSON.
        warning: a remark for the sender; empty when there is none. Only v2 has a place for it.
    """

    job: Job
    delivery: Delivery
    echo: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    warning: str = ""


def given(value: Any, levels: int = 8) -> Any:
    """The value without the fields that are null or empty text: wherever these are accepted they mean absent.

    Fields that no page names may go deeper than so many levels; nobody reads them.
    """
    if not levels:
        return value
    if isinstance(value, dict):
        return {name: given(inner, levels - 1) for name, inner in value.items() if inner is not None and inner != ""}
    return [given(inner, levels - 1) for inner in value] if isinstance(value, list) else value


def integer(fields: Fields, name: str, default: int) -> int:
    """An integer; 20.0 is 20 (JSON knows one kind of number)."""
    return int(fields.get(name, default))


def integer_within(fields: Fields, name: str, default: int, low: int, high: int) -> int:
    """An integer whose range no page states, brought into one that makes sense."""
    return min(high, max(low, integer(fields, name, default)))


def number(fields: Fields, name: str, default: float) -> float:
    """A number, such as a share or a weight."""
    return float(fields.get(name, default))


def whole(fields: Fields, name: str) -> int | None:
    """An integer that has no default."""
    return int(fields[name]) if name in fields else None


def seed(fields: Fields, drawn: int, field: str) -> int:
    """The seed asked for, or the drawn one for -1 and below.

    Raises:
        Refused: it is larger than this server can keep exactly.
    """
    asked = fields.get("seed", -1)
    if asked < 0:
        return drawn
    if asked > MAX_SEED or (isinstance(asked, float) and asked > _EXACT):
        message = f"expected an integer of at most {MAX_SEED}, written without point and exponent; -1 draws a seed"
        raise Refused(Fault.RANGE, field, message)
    return int(asked)


def finite(fields: Fields, name: str, default: float, field: str) -> float:
    """A number whose range no page states, so that 1e999 passes its schema.

    Raises:
        Refused: it is infinite.
    """
    value = number(fields, name, default)
    if not math.isfinite(value):
        raise Refused(Fault.RANGE, field, "expected a finite number")
    return value
