"""What a submission costs, by a dated table with a source for every number (`prices.json`, shown in docs/prices.md).

A picture costs its pixels times its steps at a rate of its operation and model family, at least the minimum, rounded
to the vendor's unit; a hires pass and NSFW detection come on top. What is spent and by whom is
`mockserver.money.ledger`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from mockserver.core.recipe import Recipe
from mockserver.core.task import Delivery

SHIPPED = Path(__file__).with_name("prices.json")
FORMAT = 1
"""Version of the file's layout that this module reads."""

_PICO_PER_MICRO = 1_000_000
_FAMILIES = ("sd", "sdxl")
_COMMON_KEYS = ("hires", "minimum", "rounding", "nsfw", "test_mode")


class Basis(StrEnum):
    """How well a number is founded."""

    DOCUMENTED = "documented"
    FORMER = "former"
    ASSUMED = "assumed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A number of the table and where it comes from.

    Attributes:
        key: what the computation knows it by.
        value: the number, in `unit`.
        what: what is paid for.
        basis: documented: a page of the service says so today; former: a page of its earlier name said so; assumed:
            nobody says so, `note` tells why it is taken.
        source: address of the page without the scheme; "" for none.
        seen: date on which the page was read; "" for none.
    """

    key: str
    value: int
    unit: str
    what: str
    basis: Basis
    source: str
    seen: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a submission costs, and why; amounts in micro-USD.

    `parts` are names and amounts that add up to the price of one picture.
    """

    per_picture_micro_usd: int
    count: int
    total_micro_usd: int
    parts: tuple[tuple[str, int], ...]


class PriceTable:
    """Prices by operation, model family and options.

    Args:
        raw: the table as JSON gives it.

    Raises:
        ValueError: it is not such a table; the message names the place.

    Attributes:
        date: when the table was made, which is its version.
        rows: every number with its source.
        notes: what is assumed beside the numbers: subject and text.
        by_family: whether SDXL costs something else; where it does not, nobody needs to look the model up.
    """

    __slots__ = (
        "_hires_steps",
        "_kinds",
        "_minimum",
        "_nsfw",
        "_rates",
        "_sdxl_rates",
        "_test_mode",
        "_unit",
        "by_family",
        "date",
        "notes",
        "rows",
    )

    def __init__(self, raw: Mapping[str, Any]) -> None:
        if raw.get("format") != FORMAT:
            raise ValueError(f"price table: format {raw.get('format')!r}; expected {FORMAT}")
        self.date: str = raw["date"]
        self.rows = tuple(Row(**{**row, "basis": Basis(row["basis"])}) for row in raw["rows"])
        self.notes = tuple((str(note["about"]), str(note["note"])) for note in raw["notes"])
        self._kinds: dict[str, str] = raw["operations"]
        values = _values(self.rows, self._kinds.values())
        self._rates = {operation: values[f"{kind}.sd"] for operation, kind in self._kinds.items()}
        self._sdxl_rates = {operation: values[f"{kind}.sdxl"] for operation, kind in self._kinds.items()}
        self._hires_steps = values["hires"]
        self._minimum = values["minimum"]
        self._unit = values["rounding"]
        self._nsfw = values["nsfw"]
        self._test_mode = values["test_mode"]
        self.by_family = self._rates != self._sdxl_rates

    @property
    def operations(self) -> frozenset[str]:
        """The operations that have a price."""
        return frozenset(self._kinds)

    def total_micro_usd(self, operation_id: str, recipe: Recipe, delivery: Delivery, *, is_sdxl: bool = False) -> int:
        """What a submission costs. Every submit asks: arithmetic only.

        Args:
            operation_id: the operation that was called.
            recipe: what is to be drawn.
            delivery: how it is handed over.
            is_sdxl: whether the checkpoint is an SDXL model; matters only where `by_family` is True.

        Raises:
            KeyError: the operation has no price.
        """
        if delivery.test_status is not None:
            return self._test_mode * recipe.count
        width, height = recipe.width, recipe.height
        work = width * height * recipe.steps
        hires = recipe.hires
        if hires is not None:  # width * height * scale, the larger scale of the two: no division, so no rounding
            wider, higher = hires.width * height, width * hires.height
            work += (wider if wider > higher else higher) * self._hires_steps
        rate = (self._sdxl_rates if is_sdxl else self._rates)[operation_id]
        unit = self._unit
        picture = (2 * work * rate + unit * _PICO_PER_MICRO) // (2 * unit * _PICO_PER_MICRO) * unit
        if picture < self._minimum:
            picture = self._minimum
        if delivery.nsfw:
            picture += self._nsfw
        return picture * recipe.count

    def explain(self, operation_id: str, recipe: Recipe, delivery: Delivery, *, is_sdxl: bool = False) -> Price:
        """The same total with the price of one picture and its parts: drawing, hires, minimum or rounding, NSFW.

        Raises:
            KeyError: the operation has no price.
        """
        if delivery.test_status is not None:
            parts = [("test mode", self._test_mode)]
        else:
            rate = (self._sdxl_rates if is_sdxl else self._rates)[operation_id]
            work = recipe.width * recipe.height * recipe.steps
            parts = [("drawing", work * rate // _PICO_PER_MICRO)]
            if recipe.hires is not None:
                hires = max(recipe.hires.width * recipe.height, recipe.width * recipe.hires.height)
                work += hires * self._hires_steps
                parts.append(("hires pass", work * rate // _PICO_PER_MICRO - parts[0][1]))
            exact = work * rate // _PICO_PER_MICRO
            unit_pico = self._unit * _PICO_PER_MICRO
            rounded = (2 * work * rate + unit_pico) // (2 * unit_pico) * self._unit
            if rounded < self._minimum:
                parts.append(("up to the minimum", self._minimum - exact))
            elif rounded != exact:
                parts.append(("rounding", rounded - exact))
            if delivery.nsfw:
                parts.append(("NSFW detection", self._nsfw))
        per_picture = sum(amount for _, amount in parts)
        return Price(
            per_picture_micro_usd=per_picture,
            count=recipe.count,
            total_micro_usd=per_picture * recipe.count,
            parts=tuple(parts),
        )


@cache
def shipped_prices() -> PriceTable:
    """The table that comes with the package."""
    return PriceTable(orjson.loads(SHIPPED.read_bytes()))


def _values(rows: Iterable[Row], kinds: Iterable[str]) -> dict[str, int]:
    values = {row.key: row.value for row in rows}
    wanted = {*_COMMON_KEYS, *(f"{kind}.{family}" for kind in kinds for family in _FAMILIES)}
    if values.keys() != wanted:
        raise ValueError(
            f"price table: missing rows {sorted(wanted - values.keys())}, unknown rows {sorted(values.keys() - wanted)}"
        )
    for key, value in values.items():
        if type(value) is not int or value < (key == "rounding"):
            raise ValueError(f"price table: row {key} is {value!r}; expected a whole number, 0 or more")
    return values
