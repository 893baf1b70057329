"""All figures of a checkpoint and of what hangs on it, as one value that is kept beside the models (`figures.json`).

The page about the tiny models and their cards are written from these files (`docs/make_models.py`), never by hand.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from PIL import Image

from reference_impl.tiny import evaluate, measures
from reference_impl.tiny.fitting import Log

FILE: Final = "figures.json"
LARGE: Final = (1024, 1024)
LARGE_COUNT: Final = 6


def measure(
    checkpoint: Path, log: Log, *, pictures: int, size: int, extras: bool, device: str
) -> tuple[dict[str, Any], list[Image.Image]]:
    """Draw held-out prompts with a checkpoint and judge the pictures.

    Args:
        checkpoint: its folder.
        log: told of each figure as it is known.
        pictures: how many plain prompts; small ones and pairs are a quarter as many each.
        size: edge of the pictures.
        extras: also what guidance, negative prompt and strength do, and what hangs on the SD 1.5-shaped checkpoint in
            the same folder of models.
        device: where it draws.

    Returns:
        The figures, ready for JSON, and the pictures of the plain prompts.
    """
    pipeline = evaluate.load(checkpoint, device)
    rows = {
        "plain": (evaluate.questions(pictures), (size, size)),
        "small": (evaluate.questions(pictures // 4, small=True), (size, size)),
        "pairs": (evaluate.questions(pictures // 4, 2), (size, size)),
        "large": (evaluate.questions(LARGE_COUNT), LARGE),
    }
    found: dict[str, Any] = {}
    kept: list[Image.Image] = []
    for name, (scenes, edges) in rows.items():
        drawn = evaluate.paint(pipeline, [scene.caption for scene in scenes], size=edges)
        row = evaluate.figures(scenes, drawn)
        found[name] = _plain(row)
        log(f"{name}: {row.line()}")
        if name == "plain":
            kept = drawn
            found["shapes"] = {shape: part.shape for shape, part in evaluate.by_shape(scenes, drawn).items()}
            for shape, share in found["shapes"].items():
                log(f"  {shape}: shape {share:.2f}")
    if extras:
        found["pushes"] = evaluate.pushes(pipeline)
        for line in found["pushes"]:
            log(line)
        found["extras"] = {}
        for part in measures.ALL:
            found["extras"][part.__name__] = lines = list(part(checkpoint.parents[1]))
            for line in lines:
                log(line)
    return found, kept


def keep(checkpoint: Path, found: Mapping[str, Any]) -> Path:
    """Put a checkpoint's figures into the file of its folder of models, beside those of the others."""
    file = checkpoint.parents[1] / FILE
    known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    file.write_text(json.dumps({**known, checkpoint.name: found}, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return file


def _plain(row: evaluate.Figures) -> dict[str, float | int | None]:
    """A share of no picture is null: NaN is no JSON."""
    return {name: None if value != value else round(value, 4) for name, value in asdict(row).items()}
