"""What a submission costs: the sources' own examples, the parts of a price, and the table itself."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.core.recipe import Hires
from mockserver.core.task import Delivery, Status
from mockserver.money.prices import SHIPPED, Basis, PriceTable, shipped_prices
from openapi.document import load
from tests.mockserver.builders import make_recipe
from tests.strategies import recipes

RAW: dict[str, Any] = json.loads(SHIPPED.read_text(encoding="utf-8"))
TXT2IMG = "createTxt2imgTask"
PLAIN = Delivery()


def total(delivery: Delivery = PLAIN, operation_id: str = TXT2IMG, **recipe: Any) -> int:
    """The total of a 512x512 picture of 20 steps, changed as told."""
    return shipped_prices().total_micro_usd(operation_id, make_recipe(**recipe), delivery)


def changed(**values: int) -> PriceTable:
    """The shipped table with other numbers in some rows (dots written as two underscores)."""
    given_values = {key.replace("__", "."): value for key, value in values.items()}
    rows = [{**row, "value": given_values.get(row["key"], row["value"])} for row in RAW["rows"]]
    return PriceTable({**RAW, "rows": rows})


@pytest.mark.parametrize("example", RAW["examples"]["drawing"], ids=str)
def test_every_example_of_the_price_page_comes_out(example: dict[str, int]) -> None:
    """Size and steps give the price that the page prints beside them."""
    width, height, steps = example["width"], example["height"], example["steps"]

    assert total(width=width, height=height, steps=steps) == example["micro_usd"]


@pytest.mark.parametrize("example", RAW["examples"]["upscale"], ids=str)
def test_a_hires_pass_adds_the_price_of_an_upscale(example: dict[str, int]) -> None:
    """The page prices the pass as an upscale of the first picture; rounding is done once, on the sum."""
    width, height, scale = example["width"], example["height"], example["scale"]
    hires = Hires(width=width * scale, height=height * scale, strength=0.5, upscaler="Latent")
    without = total(width=width, height=height, steps=20)

    added = total(width=width, height=height, steps=20, hires=hires) - without

    assert abs(added - example["micro_usd"]) <= 100


def test_the_larger_scale_of_a_hires_pass_counts() -> None:
    """512x512 to 1024x512 is priced as to 1024x1024: one side is doubled."""
    wide, high, both = (
        Hires(width=width, height=height, strength=0.5, upscaler="Latent")
        for width, height in ((1024, 512), (512, 1024), (1024, 1024))
    )

    assert total(hires=wide) == total(hires=high) == total(hires=both) == 4200


def test_nsfw_detection_costs_1500_micro_usd_a_picture() -> None:
    """Documented: 0.0015 USD more for each picture, also for those that cost the minimum."""
    nsfw = Delivery(nsfw=True)

    assert total(nsfw, count=3) - total(count=3) == 4500
    assert total(nsfw, width=128, height=128, steps=1) == 3000


def test_a_tiny_picture_costs_the_minimum() -> None:
    """No picture is cheaper than 0.0015 USD."""
    assert total(width=128, height=128, steps=1) == 1500
    assert total(width=128, height=128, steps=1, count=4) == 6000


def test_nothing_is_drawn_in_webhook_test_mode_and_nothing_paid() -> None:
    """The event is a mock; NSFW detection of nothing costs nothing either."""
    assert total(Delivery(test_status=Status.SUCCEED, nsfw=True), count=8) == 0


def test_v2_costs_what_v3_costs() -> None:
    """No page tells them apart."""
    assert total(operation_id="createTxt2imgTaskV2", steps=33) == total(steps=33)
    assert total(operation_id="createImg2imgTaskV2") == total(operation_id="createImg2imgTask")


def test_every_operation_that_takes_submissions_has_a_price() -> None:
    """And nothing else has one."""
    submits = {name for name, one in load().operations.items() if one.method.lower() == "post"}

    assert shipped_prices().operations == submits


@given(
    recipe=recipes(),
    nsfw=st.booleans(),
    sdxl=st.booleans(),
    rate=st.integers(1, 3000),
    unit=st.sampled_from([1, 7, 100, 1000]),
)
def test_the_parts_add_up_to_the_total(recipe: Any, nsfw: bool, sdxl: bool, rate: int, unit: int) -> None:
    """The fast total and the explained one are computed apart and agree, whatever the table says."""
    table = changed(txt2img__sdxl=rate, rounding=unit)
    delivery = Delivery(nsfw=nsfw)

    price = table.explain(TXT2IMG, recipe, delivery, is_sdxl=sdxl)

    assert sum(amount for _, amount in price.parts) == price.per_picture_micro_usd
    assert price.per_picture_micro_usd * recipe.count == price.total_micro_usd
    assert price.total_micro_usd == table.total_micro_usd(TXT2IMG, recipe, delivery, is_sdxl=sdxl)


def test_the_parts_have_names() -> None:
    """What a person reads in the ledger."""
    table = shipped_prices()
    hires = Hires(width=1024, height=1024, strength=0.5, upscaler="Latent")

    full = table.explain(TXT2IMG, make_recipe(hires=hires, count=2), Delivery(nsfw=True))
    tiny = table.explain(TXT2IMG, make_recipe(width=128, height=128), PLAIN)
    test = table.explain(TXT2IMG, make_recipe(), Delivery(test_status=Status.FAILED))

    assert full.parts == (("drawing", 2097), ("hires pass", 2097), ("rounding", 6), ("NSFW detection", 1500))
    assert (full.per_picture_micro_usd, full.count, full.total_micro_usd) == (5700, 2, 11400)
    assert tiny.parts == (("drawing", 131), ("up to the minimum", 1369))
    assert test.parts == (("test mode", 0),)


def test_the_family_matters_only_where_the_table_says_so() -> None:
    """The shipped table has one rate for both, so that a submit need not look the model up."""
    dearer = changed(txt2img__sdxl=800)
    recipe = make_recipe()

    assert shipped_prices().by_family is False
    assert dearer.by_family is True
    assert dearer.total_micro_usd(TXT2IMG, recipe, PLAIN, is_sdxl=True) == 4200
    assert dearer.total_micro_usd(TXT2IMG, recipe, PLAIN, is_sdxl=False) == 2100


def test_every_number_says_where_it_comes_from() -> None:
    """A sourced row has address and date; an assumed one says why."""
    for row in shipped_prices().rows:
        assert row.note, row.key
        assert bool(row.source) == bool(row.seen), row.key
        assert row.source or row.basis is Basis.ASSUMED, row.key


def test_only_what_a_page_of_today_says_is_called_documented() -> None:
    """One number is; nothing else may be presented as such unnoticed."""
    assert [row.key for row in shipped_prices().rows if row.basis is Basis.DOCUMENTED] == ["nsfw"]


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ({**RAW, "format": 2}, "format 2; expected 1"),
        ({**RAW, "rows": RAW["rows"][1:]}, r"missing rows \['txt2img.sd'\]"),
        ({**RAW, "rows": [*RAW["rows"], {**RAW["rows"][0], "key": "lora"}]}, r"unknown rows \['lora'\]"),
        ({**RAW, "rows": [{**RAW["rows"][0], "value": 0.5}, *RAW["rows"][1:]]}, "txt2img.sd is 0.5"),
        ({**RAW, "rows": [{**row, "value": row["value"] and -1} for row in RAW["rows"]]}, "is -1"),
        (
            {**RAW, "rows": [{**row, "value": 0 if row["key"] == "rounding" else row["value"]} for row in RAW["rows"]]},
            "rounding is 0",
        ),
    ],
    ids=["format", "missing", "unknown", "fraction", "negative", "rounding to nothing"],
)
def test_a_broken_table_is_told(broken: dict[str, Any], message: str) -> None:
    """The message names the row."""
    with pytest.raises(ValueError, match=message):
        PriceTable(broken)
