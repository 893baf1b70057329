"""Scenes of the tiny world as values, and the sentences that describe them. No pixels here and no torch."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

Rgb = tuple[float, float, float]

COLOURS: Final[Mapping[str, tuple[int, int, int]]] = MappingProxyType(
    {
        "red": (220, 30, 30),
        "green": (30, 170, 50),
        "blue": (40, 70, 220),
        "yellow": (240, 215, 40),
        "white": (245, 245, 245),
        "black": (15, 15, 15),
        "purple": (140, 50, 170),
        "orange": (245, 135, 30),
    }
)
JITTER: Final = 8.0  # a drawn colour differs from its name's by at most this, in steps of 255


class Shape(StrEnum):
    """What a thing may be."""

    CIRCLE = "circle"
    SQUARE = "square"
    TRIANGLE = "triangle"
    RING = "ring"
    CROSS = "cross"
    STAR = "star"

    @property
    def plural(self) -> str:
        """`crosses`, `stars`."""
        return self + ("es" if self is Shape.CROSS else "s")


class Size(StrEnum):
    """How big a thing is called."""

    PLAIN = ""
    SMALL = "small"
    BIG = "big"


class Place(StrEnum):
    """Where a thing is said to be."""

    UNSAID = ""
    LEFT = "left"
    RIGHT = "right"
    TOP = "top"
    BOTTOM = "bottom"


RADII: Final[Mapping[Size, tuple[float, float]]] = MappingProxyType(
    {Size.SMALL: (0.17, 0.21), Size.PLAIN: (0.26, 0.33), Size.BIG: (0.37, 0.43)}
)
PLACES: Final[Mapping[Place, tuple[float, float]]] = MappingProxyType(
    {
        Place.LEFT: (-0.26, 0.0),
        Place.RIGHT: (0.26, 0.0),
        Place.TOP: (0.0, -0.26),
        Place.BOTTOM: (0.0, 0.26),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """One drawn object.

    Attributes:
        shape: what it is.
        colour: the name of its colour.
        tint: its colour as drawn, 0 to 255.
        x: centre, right of the picture's middle, in widths (-0.5 to 0.5).
        y: centre, below the picture's middle, in heights (-0.5 to 0.5).
        radius: half its size, in units of the shorter side.
    """

    shape: Shape
    colour: str
    tint: Rgb
    x: float
    y: float
    radius: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a caption tells of one thing; an empty string is not told."""

    shape: str = ""
    colour: str = ""
    size: Size = Size.PLAIN
    place: Place = Place.UNSAID


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A picture before it is drawn, and its caption.

    Attributes:
        caption: the sentence.
        background: the name of the background's colour.
        tint: the background as drawn, 0 to 255.
        things: one to three, drawn in this order.
        said: what the caption tells of the first and of the second thing (the second may be missing).
        said_background: what it tells of the background; empty if nothing.
        count: how many things there are.
    """

    caption: str
    background: str
    tint: Rgb
    things: tuple[Thing, ...]
    said: tuple[Said, ...]
    said_background: str
    count: int


OPENINGS: Final = ("a photo of ", "a picture of ", "a drawing of ", "best quality, ", "masterpiece, ", "an image of ")
ENDINGS: Final = (
    ", best quality",
    ", highly detailed",
    ", masterpiece",
    ", simple",
    ", flat colors",
    ", 4k",
    ", sharp",
)
ARTICLES: Final = ("a ", "a ", "a ", "one ", "the ", "")
NUMBERS: Final = ("", "", "two ", "three ")
BACKDROPS: Final = (
    " on a {} background",
    " on a {} background",
    ", {} background",
    ", {} background",
    " on {}",
    " in front of a {} background",
)


def words() -> list[str]:
    """Every word that a caption can hold, and some that prompts hold, for the tokenizer."""
    own = [*COLOURS, *Shape, *(shape.plural for shape in Shape), *Size, *Place, "shape", "shapes", "something"]
    phrases = [*OPENINGS, *ENDINGS, *ARTICLES, *NUMBERS, *BACKDROPS, "on the left and and", "at the top of in with"]
    common = (
        "an cat dog girl boy woman man landscape tree house sky worst low bad quality blurry ugly nsfw style of by no "
        "not large little huge tiny middle center pastel dark light gray pink brown cyan gold silver four five six many"
    )
    spoken = " ".join([*phrases, common]).replace("{}", " ").replace(",", " ").split()
    return sorted({word.lower() for word in [*own, *spoken] if word})


def scene_of(seed: int, index: int) -> Scene:
    """Scene number `index` of the endless row that belongs to `seed`: the same whatever was drawn before."""
    return scene(random.Random(f"{seed}/{index}"))


def scene(rng: random.Random) -> Scene:
    """A scene as chance wants it: mostly one thing, now and then two or three."""
    background, first, second = rng.sample(list(COLOURS), 3)
    kind = rng.random()
    if kind < 0.70:
        things, said = _one(rng, first)
    elif kind < 0.80:
        things, said = _alike(rng, first, 2)
    elif kind < 0.86:
        things, said = _alike(rng, first, 3)
    else:
        things, said = _pair(rng, first, second)
    count = len(things)
    said_background = background if rng.random() < 0.92 else ""
    caption = _sentence(rng, said, count, said_background)
    if rng.random() < 0.7:
        caption = caption.replace("a orange", "an orange")  # the others write it as many people do
    if rng.random() < 0.12:
        caption = rng.choice(OPENINGS) + caption
    if rng.random() < 0.12:
        caption += rng.choice(ENDINGS)
    return Scene(
        caption=caption,
        background=background,
        tint=_tint(rng, background),
        things=things,
        said=said,
        said_background=said_background,
        count=count,
    )


def _one(rng: random.Random, colour: str) -> tuple[tuple[Thing, ...], tuple[Said, ...]]:
    shape = rng.choice(list(Shape))
    size = rng.choices(list(Size), (6, 2, 3))[0]
    place = rng.choice(list(PLACES)) if size is not Size.BIG and rng.random() < 0.3 else Place.UNSAID
    low, high = RADII[size]
    if place is not Place.UNSAID and size is Size.PLAIN:
        low, high = 0.18, 0.22  # a thing at the side must end before the edge
    radius = rng.uniform(low, high)
    if place is Place.UNSAID:
        room = max(0.47 - radius, 0.02) * 0.5
        x, y = rng.uniform(-room, room), rng.uniform(-room, room)
    else:
        x, y = (at + rng.uniform(-0.03, 0.03) for at in PLACES[place])
    whole = rng.random()
    said = Said(
        shape="" if whole < 0.04 else shape,
        colour="" if 0.04 <= whole < 0.09 else colour,
        size=size,
        place=place,
    )
    return (_thing(rng, shape, colour, x, y, radius),), (said,)


def _alike(rng: random.Random, colour: str, count: int) -> tuple[tuple[Thing, ...], tuple[Said, ...]]:
    shape = rng.choice(list(Shape))
    radius = rng.uniform(0.17, 0.21) if count == 2 else rng.uniform(0.12, 0.14)
    step = 0.5 if count == 2 else 0.32
    middle = (count - 1) / 2
    things = tuple(
        _thing(rng, shape, colour, (at - middle) * step + rng.uniform(-0.01, 0.01), rng.uniform(-0.06, 0.06), radius)
        for at in range(count)
    )
    said = Said(shape=shape, colour=colour)
    return things, (said, said)


def _pair(rng: random.Random, first: str, second: str) -> tuple[tuple[Thing, ...], tuple[Said, ...]]:
    one, other = rng.choice(list(Shape)), rng.choice(list(Shape))
    things = tuple(
        _thing(rng, shape, colour, x + rng.uniform(-0.01, 0.01), rng.uniform(-0.06, 0.06), rng.uniform(0.17, 0.21))
        for shape, colour, x in ((one, first, -0.25), (other, second, 0.25))
    )
    return things, (Said(shape=one, colour=first), Said(shape=other, colour=second))


def _thing(rng: random.Random, shape: Shape, colour: str, x: float, y: float, radius: float) -> Thing:
    return Thing(shape=shape, colour=colour, tint=_tint(rng, colour), x=x, y=y, radius=radius)


def _tint(rng: random.Random, colour: str) -> Rgb:
    red, green, blue = (min(255.0, max(0.0, part + rng.uniform(-JITTER, JITTER))) for part in COLOURS[colour])
    return red, green, blue


def _sentence(rng: random.Random, said: Sequence[Said], count: int, background: str) -> str:
    first = said[0]
    if len(said) == 2 and said[0] != said[1]:
        second = said[1]
        what = f"a {first.colour} {first.shape} and a {second.colour} {second.shape}"
    elif count > 1:
        what = f"{NUMBERS[count]}{first.colour} {Shape(first.shape).plural}"
    else:
        size = rng.choice(("big", "large")) if first.size is Size.BIG else str(first.size)
        what = " ".join(part for part in (size, first.colour, first.shape or "shape") if part)
        what = rng.choice(ARTICLES) + what
        if first.place in (Place.LEFT, Place.RIGHT):
            what += f" on the {first.place}"
        elif first.place in (Place.TOP, Place.BOTTOM):
            what += f" at the {first.place}"
    return what + (rng.choice(BACKDROPS).format(background) if background else "")


def distinct(a: str, b: str) -> float:
    """How far two named colours are apart, in steps of 255 (Euclidean)."""
    return math.dist(COLOURS[a], COLOURS[b])
