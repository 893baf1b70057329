"""Drawing aside of the event loop, so that no other call waits for a large picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from mockserver.core.recipe import Recipe

QUICK_PIXELS = 512 * 512
"""Up to this many a picture is drawn sooner than a thread takes over."""

T = TypeVar("T")


async def draw_aside(recipe: Recipe, draw: Callable[[], T], *, slow: bool = False) -> T:
    """Draws on the spot what is quick, in a thread what is not.

    Args:
        recipe: what is drawn; one with source pictures has to read those first, and they may be far larger.
        draw: the drawing; what it shares with other calls must bear a thread.
        slow: it is slow whatever the recipe says, such as several pictures or a slow file format.
    """
    width, height = recipe.size
    reads = recipe.source is not None or recipe.control_units or recipe.ip_adapters
    if not slow and not reads and width * height <= QUICK_PIXELS:
        return draw()
    from starlette.concurrency import run_in_threadpool  # not every run draws a large picture

    return await run_in_threadpool(draw)
