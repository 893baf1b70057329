"""What gives magic inputs away: cheap to look for in every request, so that nearly all of them need no more.

What they mean is in `mockserver.faults.magic`, which is imported when the first one comes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

OPENING = "[[mock:"
CLOSING = "]]"
MODEL_PREFIX = "mock-"
SEEDS_FROM, SEEDS_TO = 4_000_000_000, 4_000_000_999
"""The reserved seeds lie between these two."""

KEY_PREFIX = "sk-mock-"
"""Keys that begin so can name a scenario."""
KEY_MARK = "--"
"""What stands before the scenario's name in a key."""


def may_ask(request: Mapping[str, Any]) -> bool:
    """Whether the drawing part of a valid request may ask for something."""
    prompt: str = request.get("prompt") or ""
    model: str = request.get("model_name") or ""
    seed: int = request.get("seed") or 0
    return OPENING in prompt or model.startswith(MODEL_PREFIX) or SEEDS_FROM <= seed <= SEEDS_TO


def scenario_of_key(key: str) -> str | None:
    """The name of the scenario that a key asks for: `slow-queue` of `sk-mock-mine--slow-queue`."""
    if key.startswith(KEY_PREFIX) and KEY_MARK in key:
        return key.rpartition(KEY_MARK)[2]
    return None
