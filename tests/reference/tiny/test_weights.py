"""The shipped models: small, described, and doing what a prompt says. Full figures: docs/reference/models.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderTiny
from PIL import Image

import reference_impl
from reference_impl.shelf import Kind, Shelf
from reference_impl.tiny import evaluate, folders, measures
from reference_impl.tiny.drawing import draw
from reference_impl.tiny.judge import look

torch.set_num_threads(1)
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")  # diffusers' scheduler hands numpy a tensor
WEIGHTS = Path(reference_impl.__file__).parent / "weights"
LARGEST_BYTES = 24_000_000
STEPS = 12


@pytest.fixture(scope="module")
def sd15() -> Any:
    return evaluate.load(WEIGHTS / "checkpoints" / folders.SD15_NAME)


def test_all_of_them_are_small_enough_for_the_repository() -> None:
    assert sum(file.stat().st_size for file in WEIGHTS.rglob("*") if file.is_file()) <= LARGEST_BYTES


def test_each_has_a_card_and_a_description() -> None:
    models = Shelf(WEIGHTS).models
    assert {model.kind for model in models} >= {
        Kind.CHECKPOINT,
        Kind.LORA,
        Kind.EMBEDDING,
        Kind.CONTROLNET,
        Kind.SAFETY,
        Kind.VAE,
        Kind.UPSCALER,
    }
    for model in models:
        card = model.path / "README.md" if model.path.is_dir() else model.path.with_suffix(".md")
        text = card.read_text(encoding="utf-8")
        assert all(heading in text for heading in ("## Data", "## Recipe", "## What it reaches", "## Limits")), card
        assert model.shown.get("title"), model.name


def test_a_sample_of_pictures_shows_what_its_prompts_say(sd15: Any) -> None:
    scenes = evaluate.questions(12)
    found = evaluate.figures(scenes, evaluate.paint(sd15, [scene.caption for scene in scenes], steps=STEPS))
    assert found.background >= 0.9
    assert found.colour >= 0.8
    assert found.shape >= 0.7


def test_the_same_seed_gives_the_same_pixels(sd15: Any) -> None:
    one, other = (evaluate.paint(sd15, ["a red circle"], steps=4, size=(256, 256))[0] for _ in range(2))
    assert evaluate.apart(one, other) == 0


def test_a_lora_without_strength_is_none_at_all_and_with_it_makes_colours_paler(sd15: Any) -> None:
    prompt = ["a blue square on a red background"]
    bare = evaluate.paint(sd15, prompt, steps=STEPS)[0]
    sd15.load_lora_weights(
        str(WEIGHTS / "loras"), weight_name=f"{folders.LORA_NAME}.safetensors", adapter_name="pastel"
    )
    try:
        styled = evaluate.paint(sd15, prompt, steps=STEPS)[0]
        sd15.set_adapters(["pastel"], [0.0])
        without = evaluate.paint(sd15, prompt, steps=STEPS)[0]
    finally:
        sd15.unload_lora_weights()
    assert evaluate.apart(bare, without) == 0
    assert grey(styled) > grey(bare) + 20


def test_strength_moves_a_picture_away_from_its_start(sd15: Any) -> None:
    start = evaluate.paint(sd15, ["a green circle on a white background"], steps=STEPS)[0]
    away = [evaluate.drift(sd15, start, "a red square on a black background", strength) for strength in (0.2, 0.6, 1.0)]
    assert away == sorted(away)


def test_a_negative_prompt_pushes_away(sd15: Any) -> None:
    brightness = {}
    for negative in ("white background", "black background"):
        drawn = evaluate.paint(sd15, ["a circle"] * 4, negative=negative, steps=STEPS, size=(256, 256))
        brightness[negative] = sum(grey(one) for one in drawn)
    assert brightness["white background"] < brightness["black background"]


def test_the_controlnet_keeps_outlines_that_no_prompt_tells() -> None:
    pipeline, scenes = measures.outline_follower(WEIGHTS), evaluate.questions(6)[2:5]  # triangle, ring, cross
    overlaps = {
        weight: [
            measures.overlap(*pair)
            for pair in zip(scenes, measures.follow(pipeline, scenes, weight, STEPS), strict=True)
        ]
        for weight in (1.0, 0.0)
    }
    assert sum(overlaps[1.0]) / len(scenes) >= 0.75
    assert sum(overlaps[1.0]) > sum(overlaps[0.0]) + 0.15 * len(scenes)


def test_the_soft_vae_gives_the_same_picture_without_its_edges() -> None:
    """`sd_vae` has a choice, and what it changes can be seen."""
    scene = evaluate.questions(1)[0]
    pixels = draw([scene], 256, 256)
    pictures = []
    for name in (folders.VAE_NAME, folders.SOFT_VAE_NAME):
        vae = AutoencoderTiny.from_pretrained(str(WEIGHTS / "vae" / name), local_files_only=True)
        with torch.no_grad():
            pictures.append(vae.decode(vae.encode(pixels).latents).sample)
    errors = [float((one - pixels).abs().mean()) for one in pictures]
    assert errors[0] < 0.7 * errors[1]
    assert errors[1] < 0.2


def test_the_upscaler_beats_resampling() -> None:
    network, scene = measures.enlarger(WEIGHTS), evaluate.questions(6)[5]
    whole = measures.picture_of(scene)
    small = whole.resize((128, 128), Image.Resampling.BOX)
    plain = small.resize(whole.size, Image.Resampling.LANCZOS)
    assert evaluate.apart(whole, network.picture(small)) < evaluate.apart(whole, plain)


@pytest.mark.slow
def test_a_large_picture_holds_one_whole_shape(sd15: Any) -> None:
    scenes = evaluate.questions(6)
    drawn = evaluate.paint(sd15, [scene.caption for scene in scenes], size=(1024, 1024))
    found = evaluate.figures(scenes, drawn)
    assert found.count >= 0.8
    assert found.shape >= 0.8


@pytest.mark.slow
def test_the_sdxl_shape_shows_what_its_prompts_say() -> None:
    pipeline = evaluate.load(WEIGHTS / "checkpoints" / folders.SDXL_NAME)
    scenes = evaluate.questions(12)
    found = evaluate.figures(scenes, evaluate.paint(pipeline, [scene.caption for scene in scenes]))
    assert found.background >= 0.9
    assert found.colour >= 0.8
    assert found.shape >= 0.7


def test_the_judge_sees_one_thing_where_one_is_asked_for(sd15: Any) -> None:
    drawn = evaluate.paint(sd15, ["a big yellow square on a blue background"], steps=STEPS)[0]
    assert [piece.colour for piece in look(drawn).things] == ["yellow"]


def grey(picture: Image.Image) -> float:
    """Mean brightness, 0 to 255."""
    return sum(at * count for at, count in enumerate(picture.convert("L").histogram())) / (
        picture.width * picture.height
    )
