"""Writes docs/reference/models.md and the cards of the tiny models from what was measured and how long was trained.

`reference_impl/weights/figures.json` comes from `novita-reference evaluate --keep`, `trained.json` beside it from
`novita-reference train`. The words stand in docs/models/*.md.in: how the models are made must be kept true by hand.

`python docs/make_models.py` writes them; with `--check` it exits 1 when a page is not what the figures say.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
WEIGHTS = ROOT / "reference_impl" / "weights"
PAGE = ROOT / "docs" / "reference" / "models.md"
TEXTS = ROOT / "docs" / "models"

FAMILIES = {"shapes-sd15": "SD 1.5 shape", "shapes-sdxl": "SDXL shape"}
ROWS = {
    "plain": "one thing, plain or big",
    "small": "one thing, small or at a side",
    "pairs": "two things",
    "large": "one thing, 1024 x 1024",
}
PARTS = {
    "background": "background",
    "colour": "colour",
    "count": "number",
    "shape": "shape",
    "place": "place",
    "all": "all",
}


def percent(share: float | None) -> str:
    """`97 %`; nothing for what was not asked."""
    return "" if share is None else f"{round(100 * share)} %"


def table(figures: Mapping[str, Any]) -> Iterator[str]:
    """What prompts do, a row for each checkpoint and kind of prompt."""
    yield "| model, prompts | pictures | " + " | ".join(PARTS.values()) + " |"
    yield "|---|---|" + "---|" * len(PARTS)
    for name, family in FAMILIES.items():
        for key, words in ROWS.items():
            row = figures[name][key]
            yield (
                f"| {family}, {words} | {row['pictures']} | " + " | ".join(percent(row[part]) for part in PARTS) + " |"
            )


def shapes(figures: Mapping[str, Any], name: str) -> str:
    """`circle 100 %, square 98 %`."""
    return ", ".join(f"{shape} {percent(share)}" for shape, share in figures[name]["shapes"].items())


def pushes(figures: Mapping[str, Any]) -> Iterator[str]:
    """Guidance, negative prompt and strength of the SD 1.5 shape."""
    yield from (line.replace("place nan, ", "") for line in figures["shapes-sd15"]["pushes"])


def extra(figures: Mapping[str, Any], part: str) -> str:
    """What was measured of one of the things that hang on the SD 1.5 shape."""
    lines = figures["shapes-sd15"]["extras"][part]
    start = lines[0].partition(":")[0].partition(" at ")[0] + " "
    said = [line.removeprefix(start.strip()).lstrip(": ").replace("place nan, ", "") for line in lines]
    return "; ".join(said)


def reached(figures: Mapping[str, Any], name: str) -> str:
    """The figures of a checkpoint for its card."""
    rows = []
    for key, words in ROWS.items():
        row = figures[name][key]
        parts = [f"{said} {percent(row[part])}" for part, said in PARTS.items() if row[part] is not None]
        rows.append(f"- {words} ({row['pictures']} prompts): {', '.join(parts)}")
    listed = "\n".join(rows)
    return f"""\
Held-out prompts, a seed each, 512 x 512, 20 steps, guidance 5, judged by pixels (`reference_impl/tiny/judge.py`):

{listed}

Shape right by shape, of the first row: {shapes(figures, name)}."""


def filled(template: Path, facts: Mapping[str, str]) -> str:
    """The text of a page, its `<<...>>` replaced.

    Raises:
        KeyError: the page asks for what was not measured.
    """
    return re.sub(r"<<([^>]+)>>", lambda found: facts[found[1]], template.read_text(encoding="utf-8"))


def cards() -> Iterator[tuple[Path, Path]]:
    """Each model's card, and the page that it is written from."""
    for weights in sorted(WEIGHTS.glob("*/*")):
        if weights.name == "image_encoder":
            continue
        if weights.is_dir():
            yield weights / "README.md", TEXTS / f"{weights.name}.md.in"
        elif weights.suffix == ".safetensors":
            yield weights.with_suffix(".md"), TEXTS / f"{weights.stem}.md.in"


def pages() -> Iterator[tuple[Path, str]]:
    """Every file, and what it should hold."""
    figures = json.loads((WEIGHTS / "figures.json").read_text(encoding="utf-8"))
    steps = json.loads((WEIGHTS / "trained.json").read_text(encoding="utf-8"))
    extras: Mapping[str, list[str]] = figures["shapes-sd15"]["extras"]
    size = sum(file.stat().st_size for file in WEIGHTS.rglob("*.safetensors")) / 1e6
    facts = {
        "table": "\n".join(table(figures)),
        "pushes": "\n".join(pushes(figures)),
        "megabytes": f"{size:.0f}",
        **{f"shapes:{name}": shapes(figures, name) for name in FAMILIES},
        **{f"reached:{name}": reached(figures, name) for name in FAMILIES},
        **{f"steps:{stage}": str(count) for stage, count in steps.items()},
        **{f"lines:{part}": "\n".join(lines).replace("place nan, ", "") for part, lines in extras.items()},
        **{f"extra:{part}": extra(figures, part) for part in extras},
    }
    for card, template in cards():
        yield card, filled(template, facts)
    yield PAGE, f"<!-- Written by docs/make_models.py; do not edit. -->\n\n{filled(TEXTS / 'page.md.in', facts)}"


def main() -> int:
    """Write or check."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a page is stale")
    check = parser.parse_args().check
    stale = [file for file, text in pages() if not file.exists() or file.read_text(encoding="utf-8") != text]
    for file, text in pages():
        if file in stale and not check:
            file.write_text(text, encoding="utf-8")
    for file in stale:
        sys.stdout.write(
            f"{file.relative_to(ROOT)}: {'stale; run python docs/make_models.py' if check else 'written'}\n"
        )
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
