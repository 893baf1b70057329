"""Scenes and their captions."""

from __future__ import annotations

from collections import Counter

from reference_impl.tiny.scenes import COLOURS, Shape, scene_of, words


def test_a_scene_depends_on_its_seed_and_number_alone() -> None:
    assert scene_of(3, 41) == scene_of(3, 41)
    assert scene_of(3, 41) != scene_of(3, 42)
    assert scene_of(3, 41) != scene_of(4, 41)


def test_every_shape_colour_and_count_is_met() -> None:
    scenes = [scene_of(0, index) for index in range(600)]
    assert {thing.shape for scene in scenes for thing in scene.things} == set(Shape)
    assert {thing.colour for scene in scenes for thing in scene.things} == set(COLOURS)
    assert set(Counter(scene.count for scene in scenes)) == {1, 2, 3}


def test_a_caption_names_what_its_scene_says() -> None:
    for index in range(300):
        scene = scene_of(1, index)
        for said in scene.said:
            assert said.colour in scene.caption
            assert said.shape in scene.caption
        assert scene.said_background in scene.caption


def test_a_thing_never_has_the_colour_of_its_background() -> None:
    scenes = [scene_of(2, index) for index in range(300)]
    assert all(thing.colour != scene.background for scene in scenes for thing in scene.things)


def test_the_words_of_all_captions_are_known() -> None:
    known = set(words())
    for index in range(500):
        assert set(scene_of(5, index).caption.replace(",", " ").lower().split()) <= known
