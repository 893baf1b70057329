"""Writes docs/prices.md from the price table in mockserver/money/prices.json.

`python docs/make_prices.py` writes it; with `--check` it exits 1 when the page is not what the table says.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mockserver.core.recipe import Hires, Recipe
from mockserver.core.task import Delivery
from mockserver.money.amounts import usd
from mockserver.money.prices import Basis, Row, shipped_prices

PAGE = Path(__file__).with_name("prices.md")
MEANING = {
    Basis.DOCUMENTED: "a page of the service says so today",
    Basis.FORMER: "a page of the service under its earlier name said so; nothing newer was found",
    Basis.ASSUMED: "nobody says so; the note tells why it is taken",
}
HIRES = Hires(width=1024, height=1024, strength=0.5, upscaler="Latent")


def page() -> str:
    """The page as Markdown: the numbers, what is assumed, and what a few requests come to."""
    prices = shipped_prices()
    lines = [
        "<!-- Written by docs/make_prices.py; do not edit. -->",
        "",
        "# Prices",
        "",
        f"Table of {prices.date}. The ledger, budgets and balances of the mock count with it. It is no offer and no",
        "bill: **most of it is not documented today**, and the table says of every number how well it is founded.",
        "",
        "| basis | meaning |",
        "|---|---|",
        *(f"| {basis.value} | {MEANING[basis]} |" for basis in Basis),
        "",
        "## The numbers",
        "",
        "A picture costs width x height x steps at the rate of its operation and model family, more for a hires pass,",
        "rounded, at least the minimum; NSFW detection comes on top. A submission costs that for each of its pictures.",
        "",
        "| what | number | basis | source, and when it was seen | note |",
        "|---|---|---|---|---|",
        *(_row(row) for row in prices.rows),
        "",
        "Sources are named without `https://`. Amounts are whole micro-USD (0.000001 USD) inside the mock.",
        "",
        "## Assumed beside the numbers",
        "",
        "| about | what the mock does, and why |",
        "|---|---|",
        *(f"| {about} | {note} |" for about, note in prices.notes),
        "",
        "## What requests come to",
        "",
        "| request (txt2img) | one picture, USD | total, USD |",
        "|---|---|---|",
        _example("512x512, 20 steps"),
        _example("1024x1024, 20 steps, 2 pictures", width=1024, height=1024, count=2),
        _example("1024x1024, 30 steps, NSFW detection", width=1024, height=1024, steps=30, nsfw=True),
        _example("512x512, 20 steps, hires pass to 1024x1024", hires=HIRES),
        _example("128x128, 1 step: the minimum", width=128, height=128, steps=1),
        "",
    ]
    return "\n".join(lines)


def _row(row: Row) -> str:
    source = f"`{row.source}`, {row.seen}" if row.source else ""
    return f"| {row.what} | {row.value} {row.unit} | {row.basis.value} | {source} | {row.note} |"


def _example(
    text: str,
    *,
    width: int = 512,
    height: int = 512,
    steps: int = 20,
    count: int = 1,
    hires: Hires | None = None,
    nsfw: bool = False,
) -> str:
    recipe = Recipe(
        model="",
        prompt="",
        width=width,
        height=height,
        count=count,
        steps=steps,
        guidance=7.5,
        sampler="",
        seed=0,
        hires=hires,
    )
    price = shipped_prices().explain("createTxt2imgTask", recipe, Delivery(nsfw=nsfw))
    return f"| {text} | {usd(price.per_picture_micro_usd)} | {usd(price.total_micro_usd)} |"


def main() -> int:
    """Writes or checks the page."""
    parser = argparse.ArgumentParser(description=page.__doc__)
    parser.add_argument("--check", action="store_true", help="exit 1 when the page is stale")
    if not parser.parse_args().check:
        PAGE.write_text(page(), encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page():
        sys.stderr.write(f"{PAGE.name} is stale; run: python docs/make_prices.py\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
