"""Training: the same seed gives the same step; a run that is stopped goes on as if it had not been."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from reference_impl.tiny import models, tokens
from reference_impl.tiny.decoder_training import decoder_loss
from reference_impl.tiny.drawing import cells, draw
from reference_impl.tiny.fitting import Fit, Plan
from reference_impl.tiny.pools import Pool
from reference_impl.tiny.scenes import scene_of, words
from reference_impl.tiny.text_training import FIELDS, TextRecipe, facts, train_text
from reference_impl.tiny.transfer import carry_lora, carry_over, reading_map
from reference_impl.tiny.unet_training import Lessons, draw_times, noise_levels, plain, sd15_reader, sdxl_reader, v_loss

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return models.tokenizer(tmp_path_factory.mktemp("tokenizer"))


@pytest.fixture(scope="module")
def reader(tokenizer: Any) -> Any:
    torch.manual_seed(0)
    return sd15_reader(models.text_encoder(len(tokenizer)).eval(), tokenizer)


def test_words_of_the_tiny_world_are_one_token_each(tokenizer: Any) -> None:
    assert tokenizer.tokenize("two green squares") == ["two</w>", "green</w>", "squares</w>"]
    assert all(len(tokenizer.tokenize(word)) == 1 for word in words() if word.isalpha())


def test_any_text_can_be_encoded(tokenizer: Any) -> None:
    ids = tokenizer("Größe 七 ☂ xqzt").input_ids
    assert tokenizer.unk_token_id not in ids[1:-1]
    assert len(tokens.byte_letters()) == 256


def test_the_fixed_encoder_gives_the_cells_means() -> None:
    pictures = draw([scene_of(5, index) for index in range(2)], 256, 256)
    with torch.no_grad():
        latents = models.autoencoder().encode(pictures).latents
    assert torch.allclose(latents, cells(pictures, models.CELL), atol=1e-4)


def test_facts_have_a_place_in_their_fields() -> None:
    for index in range(200):
        assert all(0 <= fact < size for fact, size in zip(facts(scene_of(0, index)), FIELDS, strict=True))


def train(reader: Any, plan: Plan, state: Path | None = None, stop: int | None = None) -> list[torch.Tensor]:
    """A few steps of a UNet; gives its weights."""
    torch.manual_seed(1)
    unet = models.unet(models.SD15)
    lessons = Lessons(kind=models.SD15, encode=reader, batch=4, first=99, pool=16)
    levels, call = noise_levels(), plain(unet)
    fit = Fit(parameters=list(unet.parameters()), plan=replace(plan, steps=stop or plan.steps), state=state)
    fit.run(lambda step: v_loss(call, lessons.at(step), levels), lambda line: None)
    return [one.detach().clone() for one in unet.parameters()]


def test_two_runs_of_a_seed_are_the_same(reader: Any) -> None:
    plan = Plan(steps=1, rate=1e-3, decay=0.0)
    one, other = train(reader, plan), train(reader, plan)
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_stopped_run_goes_on_as_if_it_had_not_been(reader: Any, tmp_path: Path) -> None:
    plan = Plan(steps=3, rate=1e-3, decay=0.0)
    whole = train(reader, plan)
    train(reader, plan, tmp_path / "state.pt", stop=2)
    resumed = train(reader, plan, tmp_path / "state.pt")
    assert all(torch.equal(a, b) for a, b in zip(whole, resumed, strict=True))


def test_a_few_steps_lower_the_decoders_loss() -> None:
    torch.manual_seed(0)
    model = models.autoencoder(8).train()
    fit = Fit(parameters=[one for one in model.parameters() if one.requires_grad], plan=Plan(steps=6, rate=3e-3))
    before = decoder_loss(model, 0, 99, 2).item()
    fit.run(lambda step: decoder_loss(model, 0, step, 2), lambda line: None)
    assert decoder_loss(model, 0, 99, 2).item() < before


def test_a_text_encoder_begins_to_read(tokenizer: Any) -> None:
    torch.manual_seed(0)
    lines: list[str] = []
    share = train_text(
        models.second_text_encoder(len(tokenizer)), tokenizer, TextRecipe(steps=25, batch=16), lines.append
    )
    assert share > 0.5


def test_a_pool_holds_the_same_at_a_step_however_it_got_there(reader: Any) -> None:
    straight = Pool(height=8, width=8, size=16, period=2, seed=0, encode=reader)
    walked = Pool(height=8, width=8, size=16, period=2, seed=0, encode=reader)
    straight.bring_to(9)
    for step in range(10):
        walked.bring_to(step)
    assert straight.scenes == walked.scenes
    assert torch.equal(straight.latents, walked.latents)


def test_times_are_spread_over_the_whole_range_and_bounded_for_a_refiner() -> None:
    torch.manual_seed(0)
    times = draw_times(noise_levels(), 512)
    assert int(times.min()) < 60 < 940 < int(times.max()) <= 999
    assert int(draw_times(noise_levels(latest=350), 512).max()) < 350


def test_a_carried_over_unet_says_what_its_source_says(reader: Any, tokenizer: Any) -> None:
    torch.manual_seed(2)
    encoders = models.text_encoder(len(tokenizer)).eval(), models.second_text_encoder(len(tokenizer)).eval()
    xl_reader = sdxl_reader(*encoders, tokenizer)
    source, target = models.unet(models.SD15).eval(), models.unet(models.SDXL).eval()
    captions = [scene_of(7, index).caption for index in range(48)]
    left = carry_over(source, target, reading_map(reader, xl_reader, captions))
    assert all(name.startswith("add_embedding.linear_1") for name in left)
    words_15, words_xl = reader(captions[:2], 1), xl_reader(captions[:2], 1)
    noisy, times = torch.randn(2, 4, 8, 8), torch.tensor([100, 900])
    added = {"text_embeds": words_xl.pooled, "time_ids": torch.zeros(2, 6)}
    with torch.no_grad():
        one = source(noisy, times, words_15.context, return_dict=False)[0]
        other = target(noisy, times, words_xl.context, added_cond_kwargs=added, return_dict=False)[0]
    assert float((one - other).abs().mean()) < 0.1 * float(one.abs().mean())


def test_a_carried_lora_has_the_other_texts_width() -> None:
    layers = {
        "unet.a.attn2.to_k.lora_A.weight": torch.randn(4, 64),
        "unet.a.attn1.to_k.lora_A.weight": torch.randn(4, 96),
        "unet.a.attn2.to_k.lora_B.weight": torch.randn(96, 4),
    }
    carried = carry_lora(layers, torch.randn(64, 128))
    assert [tuple(tensor.shape) for tensor in carried.values()] == [(4, 128), (4, 96), (96, 4)]
