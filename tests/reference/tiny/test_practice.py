"""What the networks practise on, and what their hand-made parts do before any training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch
from torch.nn import functional

from reference_impl.tiny import models
from reference_impl.tiny.control_training import Sight, train_control
from reference_impl.tiny.fitting import Plan
from reference_impl.tiny.hints import outline
from reference_impl.tiny.pools import Words
from reference_impl.tiny.practice import colours_of, practice, unshaped
from reference_impl.tiny.scenes import COLOURS, Shape, scene_of, words
from reference_impl.tiny.unet_training import Lessons, noise_levels
from reference_impl.tiny.upscaler_training import train_upscaler, upscaler, upscaler_loss

torch.set_num_threads(1)
SCENES = [practice(0, index) for index in range(800)]


def test_hard_scenes_come_more_often_than_chance_wants_them() -> None:
    plain = [scene_of(0, index) for index in range(len(SCENES))]
    stars = [sum(scene.things[0].shape is Shape.STAR for scene in row) for row in (SCENES, plain)]
    several = [sum(scene.count > 1 for scene in row) for row in (SCENES, plain)]
    assert stars[0] > 1.6 * stars[1]
    assert several[0] > 0.8 * several[1]


def test_practice_knows_no_words_of_its_own() -> None:
    known = set(words())
    for row in (practice, unshaped):
        for index in range(300):
            assert set(row(0, index).caption.replace(",", " ").lower().split()) <= known


def test_some_captions_tell_the_background_alone() -> None:
    alone = Counter("background" in scene.caption and len(scene.caption.split()) <= 4 for scene in SCENES)
    assert 0.01 < alone[True] / len(SCENES) < 0.1


def test_a_caption_of_colours_tells_no_shape() -> None:
    for index in range(200):
        caption = colours_of(scene_of(3, index))
        assert not any(shape in caption.split() for shape in [*Shape, *(shape.plural for shape in Shape)])
        assert any(colour in caption for colour in COLOURS)


def test_a_fresh_controlnet_sees_where_lines_run_in_each_cell() -> None:
    """Each of a cell's sixteen parts has a channel of its own; a line arrives as strong as it is."""
    net = models.control_net(models.unet(models.SD15))
    hints = outline([scene_of(5, index) for index in range(2)], 256, 256)
    with torch.no_grad():
        seen = models.sight_of(net, hints)
    # Three halvings, of which each gives half of a square's sum: eight times the mean.
    wanted = functional.avg_pool2d(hints[:, :1], 8) * 8 * models.HINT_GAIN
    quarters = functional.pixel_unshuffle(functional.pixel_unshuffle(wanted, 2), 2)
    assert seen.shape == (2, 16, 8, 8)
    seen, wanted = seen.sort(1).values, quarters.sort(1).values
    assert torch.equal(seen[wanted == 0], wanted[wanted == 0])
    assert torch.allclose(seen[wanted > models.HINT_GAIN], wanted[wanted > models.HINT_GAIN], rtol=0.1)
    assert float(wanted.max()) > models.HINT_GAIN


def test_kept_sights_are_what_the_net_would_see() -> None:
    net = models.control_net(models.unet(models.SD15))
    scenes = [scene_of(6, index) for index in range(2)]
    sight = Sight(net)
    first, again = sight.of(scenes, 8, 8), sight.of(scenes[::-1], 8, 8)
    with torch.no_grad():
        direct = net.controlnet_cond_embedding.conv_out(first)
        whole = net.controlnet_cond_embedding(outline(scenes, 256, 256))
    assert torch.equal(first, again.flip(0))
    assert torch.allclose(direct, whole, atol=1e-4)


def blind(captions: Sequence[str], chance: int) -> Words:
    """Every caption read alike."""
    del chance
    return Words(context=torch.zeros(len(captions), 77, 64), pooled=torch.empty(len(captions), 0))


def test_a_few_steps_give_the_controlnet_an_effect() -> None:
    torch.manual_seed(0)
    unet = models.unet(models.SD15).eval()
    control = models.control_net(unet)
    fixed = [one.clone() for one in models.fixed_sight(control)]
    lessons = Lessons(kind=models.SD15, encode=blind, batch=4, first=0, sizes=((8, 8, 1.0),), pool=8, row=unshaped)
    train_control(unet, control, lessons, noise_levels(), Plan(steps=2, rate=1e-3, warmup=1), lambda line: None)
    assert control.controlnet_down_blocks[0].weight.count_nonzero() > 0
    assert all(torch.equal(one, other) for one, other in zip(fixed, models.fixed_sight(control), strict=True))


def test_an_untrained_upscaler_makes_each_pixel_four_times_as_large() -> None:
    small = torch.rand(1, 3, 8, 8)
    with torch.no_grad():
        large = upscaler()(small)
    assert torch.allclose(large, small.repeat_interleave(4, 2).repeat_interleave(4, 3), atol=1e-5)


def test_the_upscaler_practises_where_edges_are(tmp_path: Path) -> None:
    torch.manual_seed(0)
    assert all(upscaler_loss(upscaler(), 0, step) > 1e-3 for step in range(4))
    trained = train_upscaler(upscaler(), Plan(steps=2, rate=1e-3), lambda line: None, tmp_path / "state.pt")
    assert not torch.equal(trained.conv_last.weight, upscaler().conv_last.weight)
