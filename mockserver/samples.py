"""The pictures of a webhook's test mode: no work was done for them, so they are the same for everybody."""

from __future__ import annotations

import re

from mockserver.core.recipe import ImageType, Recipe

PREFIX = "/test_data/"

_PATH = re.compile(r"/test_data/image_(?P<number>[0-9]{2})\.(?P<kind>png|jpeg|webp)")
_MOST = 8
"""Pictures of one v3 request."""

SAMPLE = Recipe(
    model="webhook test mode",
    prompt="webhook test mode: nothing was drawn",
    width=512,
    height=512,
    count=_MOST,
    steps=1,
    guidance=1.0,
    sampler="none",
    seed=0,
)
"""What all of them are drawn from."""


def sample_of(path: str) -> tuple[int, ImageType] | None:
    """Index and format of the picture at a path; None when there is none."""
    match = _PATH.fullmatch(path)
    if match is None or not 1 <= int(match["number"]) <= _MOST:
        return None
    return int(match["number"]) - 1, ImageType(match["kind"])
