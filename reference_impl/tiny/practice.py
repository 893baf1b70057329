"""What the networks practise on: scenes that are hard to draw come more often, and some captions tell less.

The judge's questions come from `scenes` alone: nothing here changes what a model is asked when it is measured.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from reference_impl.tiny.scenes import NUMBERS, Place, Scene, Shape, Size, scene, scene_of

Row = Callable[[int, int], Scene]
"""Scene number so-and-so of the endless row that belongs to a seed."""

GROUND_ALONE: Final = 0.05
COLOURS_ALONE: Final = 0.6
GROUNDS: Final = ("{} background", "a {} background", "on a {} background")


def practice(seed: int, index: int) -> Scene:
    """A scene to learn from: every fourth has a star, every eighth is small or at a side, every eighth has several.

    One caption of twenty tells the background alone, as negative prompts do; without these, a network that has never
    met such a sentence is not pushed by it.
    """
    rng = random.Random(f"practice/{seed}/{index}")
    found, wanted = scene_of(seed, index), rng.choices((_any, _star, _little, _several), (4, 2, 1, 1))[0]
    while not wanted(found):
        found = scene(rng)
    if found.said_background and rng.random() < GROUND_ALONE:
        return replace(found, caption=rng.choice(GROUNDS).format(found.background))
    return found


def unshaped(seed: int, index: int) -> Scene:
    """The same, but most captions tell the colours alone, so that shapes must be learned from something else."""
    found, rng = practice(seed, index), random.Random(f"unshaped/{seed}/{index}")
    return replace(found, caption=colours_of(found)) if rng.random() < COLOURS_ALONE else found


def colours_of(drawn: Scene) -> str:
    """A caption that tells how many things there are and their colours, and no shape."""
    if len({thing.colour for thing in drawn.things}) > 1:
        what = " and ".join(f"a {thing.colour} shape" for thing in drawn.things)
    elif drawn.count > 1:
        what = f"{NUMBERS[drawn.count]}{drawn.things[0].colour} shapes"
    else:
        what = f"a {drawn.things[0].colour} shape"
    return f"{what} on a {drawn.background} background"


def _any(drawn: Scene) -> bool:
    del drawn
    return True


def _star(drawn: Scene) -> bool:
    return drawn.things[0].shape is Shape.STAR


def _little(drawn: Scene) -> bool:
    first = drawn.said[0]
    return drawn.count == 1 and (first.size is Size.SMALL or first.place is not Place.UNSAID)


def _several(drawn: Scene) -> bool:
    return drawn.count > 1
