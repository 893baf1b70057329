"""What a detector of unsafe pictures must say of itself, read without torch: a server tells of it at its start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from reference_impl.shelf import Kind, Model

LEVELS = (0, 1, 2)
"""Of `nsfw_detection_level`."""


class LevelsError(Exception):
    """A detector does not say which of its labels count, or not rightly; the message says what it should."""


def config_of(model: Model) -> dict[str, Any]:
    """The `config.json` of a detector's folder.

    Raises:
        LevelsError: there is none that can be read.
    """
    try:
        config = orjson.loads((model.path / "config.json").read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise LevelsError(f"{Kind.SAFETY}/{model.name} should hold a config.json: {error}") from None
    if not isinstance(config, dict):
        raise LevelsError(f"{Kind.SAFETY}/{model.name}/config.json should hold a JSON object")
    return config


def is_checker(config: Mapping[str, Any]) -> bool:
    """Whether it is a StableDiffusionSafetyChecker, whose concepts need no `nsfw_levels`."""
    return "StableDiffusionSafetyChecker" in config.get("architectures", ())


def labels_that_count(model: Model, config: Mapping[str, Any]) -> dict[int, frozenset[int]]:
    """For each level the numbers of the labels that count: its own and those of the levels below.

    Args:
        model: an image classification model.
        config: its `config.json`, with `id2label`.

    Raises:
        LevelsError: `nsfw_levels` is missing or names labels that the model does not have.
    """
    named = config.get("id2label", {})
    numbers = {str(name): int(number) for number, name in named.items()} if isinstance(named, dict) else {}
    said = model.shown.get("nsfw_levels")
    levels = '"nsfw_levels": {"0": [labels], "1": [labels], "2": [labels]}'
    wanted = f"{Kind.SAFETY}/{model.name}.json should say {levels}"
    if not isinstance(said, dict) or not set(said) <= set(map(str, LEVELS)) or "0" not in said:
        raise LevelsError(wanted)
    counts: dict[int, frozenset[int]] = {}
    so_far: frozenset[int] = frozenset()
    for level in LEVELS:
        labels = said.get(str(level), [])
        unknown = [label for label in labels if label not in numbers] if isinstance(labels, list) else [labels]
        if unknown:
            raise LevelsError(f"{wanted}; {unknown[0]!r} is none of {', '.join(sorted(numbers))}")
        so_far |= {numbers[label] for label in labels}
        counts[level] = so_far
    return counts


def check_detector(model: Model) -> None:
    """Whether a detector says what it must.

    Raises:
        LevelsError: it does not.
    """
    config = config_of(model)
    if not is_checker(config):
        labels_that_count(model, config)
