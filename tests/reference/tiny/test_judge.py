"""The judge against drawn scenes, whose truth is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from PIL import Image

from reference_impl.tiny.drawing import draw
from reference_impl.tiny.judge import connected, look, mark
from reference_impl.tiny.scenes import COLOURS, Place, Scene, Shape, Thing, scene_of


def drawn(scenes: Sequence[Scene], edge: int = 256) -> list[Image.Image]:
    pixels = ((draw(scenes, edge, edge) + 1) * 127.5).round().byte().permute(0, 2, 3, 1)
    return [Image.fromarray(one) for one in pixels.numpy()]


def test_it_is_right_on_99_of_100_drawn_scenes() -> None:
    scenes = [scene_of(77, index) for index in range(200)]
    marks = [mark(scene, look(picture)) for scene, picture in zip(scenes, drawn(scenes), strict=True)]
    assert sum(one.all for one in marks) >= 198


@pytest.mark.parametrize("shape", list(Shape))
def test_it_knows_each_shape_in_each_colour(shape: Shape) -> None:
    for at, colour in enumerate(COLOURS):
        background = list(COLOURS)[(at + 3) % len(COLOURS)]
        scene = lone(shape, colour, background)
        seen = look(drawn([scene], 256)[0])
        assert seen.background == background
        assert [(piece.shape, piece.colour) for piece in seen.things] == [(shape, colour)]


def test_it_tells_a_wrong_picture_in_every_respect() -> None:
    asked, other = lone(Shape.RING, "red", "white"), lone(Shape.SQUARE, "blue", "yellow")
    marks = mark(asked, look(drawn([other])[0]))
    assert (marks.background, marks.colour, marks.shape, marks.count) == (False, False, False, True)


def test_it_sees_nothing_on_an_empty_picture() -> None:
    seen = look(Image.new("RGB", (128, 128), COLOURS["green"]))
    assert (seen.background, seen.things) == ("green", ())


def test_a_blot_has_no_shape() -> None:
    rng = np.random.default_rng(0)
    blot = np.repeat(np.repeat(rng.random((12, 12)) < 0.5, 8, 0), 8, 1)
    pixels = np.full((160, 160, 3), 245, dtype=np.uint8)
    pixels[32:128, 32:128][blot] = COLOURS["red"]
    largest = max(look(Image.fromarray(pixels)).things, key=lambda piece: piece.radius)
    assert largest.shape is None


@pytest.mark.parametrize(
    ("x", "y", "place"),
    [(-0.26, 0, Place.LEFT), (0.26, 0, Place.RIGHT), (0, -0.26, Place.TOP), (0, 0.26, Place.BOTTOM), (0, 0, "")],
)
def test_it_says_where_a_thing_is(x: float, y: float, place: str) -> None:
    scene = lone(Shape.CIRCLE, "blue", "white", x=x, y=y, radius=0.2)
    assert look(drawn([scene])[0]).things[0].place == place


def test_pieces_touch_at_corners_too() -> None:
    mask = np.array([[1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 0, 1]], dtype=bool)
    assert sorted(int(piece.sum()) for piece in connected(mask)) == [1, 1, 2]


def lone(shape: Shape, colour: str, background: str, *, x: float = 0.0, y: float = 0.0, radius: float = 0.3) -> Scene:
    """A scene of one thing in exact colours."""
    base = next(scene for index in range(100) if (scene := scene_of(9, index)).count == 1)
    thing = Thing(shape=shape, colour=colour, tint=COLOURS[colour], x=x, y=y, radius=radius)
    said = type(base.said[0])(shape=shape, colour=colour)
    return type(base)(
        caption=f"a {colour} {shape}, {background} background",
        background=background,
        tint=COLOURS[background],
        things=(thing,),
        said=(said,),
        said_background=background,
        count=1,
    )


def test_drawing_repeats_to_the_last_bit() -> None:
    scenes = [scene_of(6, index) for index in range(4)]
    assert torch.equal(draw(scenes, 64, 96), draw(scenes, 64, 96))
