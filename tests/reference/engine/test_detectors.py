"""Detectors: nobody looks unless a folder is given, levels never lower a confidence, broken folders are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from PIL import Image
from transformers import CLIPConfig, ViTConfig, ViTForImageClassification, ViTImageProcessor

from reference_impl.engine.detectors import open_detector
from reference_impl.engine.engine import LocalEngine
from reference_impl.jobs import CannotDraw, Nsfw
from reference_impl.shelf import Shelf
from reference_impl.tiny import adapters, making
from tests.reference.engine import parts

LEVELS = {"0": ["explicit"], "1": ["partial"], "2": ["swimwear"]}
PICTURES = [
    parts.drawing(),
    parts.drawing("square", ground="yellow"),
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 80, 3), np.uint8)),
]


def put_classifier(shelf: Path, levels: object = LEVELS, name: str = "worldly") -> None:
    """A random classifier of four labels."""
    torch.manual_seed(0)
    labels = ["harmless", "explicit", "partial", "swimwear"]
    config = ViTConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=32,
        patch_size=8,
        id2label=dict(enumerate(labels)),
        label2id={label: number for number, label in enumerate(labels)},
    )
    place = shelf / "safety" / name
    ViTForImageClassification(config).save_pretrained(place)
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(place)
    if levels is not None:
        parts.describe(place, nsfw_levels=levels)


def put_checker(shelf: Path) -> StableDiffusionSafetyChecker:
    """A random checker whose thresholds lie in the middle of what it sees."""
    torch.manual_seed(0)
    tower: dict[str, Any] = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }
    config = CLIPConfig(
        vision_config={**tower, "image_size": 32, "patch_size": 8},
        text_config={**tower, "vocab_size": 100},
        projection_dim=24,
    )
    checker = StableDiffusionSafetyChecker(config).eval()
    with torch.no_grad():
        checker.concept_embeds.normal_()
        checker.special_care_embeds.normal_()
        checker.concept_embeds_weights.fill_(0.4)
    checker.save_pretrained(shelf / "safety" / "checker")
    return checker


def looked(shelf: Path, picture: Image.Image) -> list[float]:
    """The confidences of the three levels."""
    detector = open_detector(parts.tools(shelf))
    assert detector is not None
    seen = [detector.look(picture, level) for level in (0, 1, 2)]
    assert all(one.valid and 0 <= one.confidence <= 100 for one in seen)
    return [one.confidence for one in seen]


def test_without_a_folder_nobody_looks(tmp_path: Path) -> None:
    assert open_detector(parts.tools(tmp_path)) is None


def test_a_classifier_counts_the_labels_of_a_level_and_of_those_below(tmp_path: Path) -> None:
    put_classifier(tmp_path)
    for picture in PICTURES:
        low, middle, high = looked(tmp_path, picture)
        assert 0 < low < middle < high < 100


def test_a_level_without_labels_of_its_own_is_that_below(tmp_path: Path) -> None:
    put_classifier(tmp_path, {"0": ["explicit"], "2": ["partial", "swimwear"]})
    low, middle, high = looked(tmp_path, PICTURES[0])
    assert low == middle < high


def test_the_checker_of_stable_diffusion_gives_a_confidence_from_its_margin(tmp_path: Path) -> None:
    put_checker(tmp_path)
    for picture in PICTURES:
        low, middle, high = looked(tmp_path, picture)
        assert low < middle < high or low in (0.0, 100.0)


def test_the_checker_is_above_half_exactly_where_its_own_judgement_is_unsafe(tmp_path: Path) -> None:
    """Its thresholds are put in the middle of what it sees in pictures of different colours."""
    pictures = [parts.drawing(ground=ground) for ground in ("red", "green", "blue", "white", "black", "yellow")]
    checker = put_checker(tmp_path)
    concepts = torch.nn.functional.normalize(checker.concept_embeds)
    with torch.no_grad():
        seen = [checker.visual_projection(checker.vision_model(checker_input(one))[1]) for one in pictures]
        nearest = sorted(float((torch.nn.functional.normalize(one) @ concepts.T).max()) for one in seen)
        checker.concept_embeds_weights.fill_((nearest[2] + nearest[3]) / 2)
    checker.save_pretrained(tmp_path / "safety" / "checker")
    detector = open_detector(parts.tools(tmp_path))
    assert detector is not None
    verdicts = []
    for picture in pictures:
        _, unsafe = checker(images=np.zeros((1, 2, 2, 3)), clip_input=checker_input(picture))
        assert (detector.look(picture, 0).confidence > 50) == unsafe[0]
        verdicts.append(unsafe[0])
    assert sorted(verdicts) == [False] * 3 + [True] * 3


def checker_input(picture: Image.Image) -> torch.Tensor:
    from transformers import CLIPImageProcessor

    processor = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    pixels: torch.Tensor = processor(images=picture, return_tensors="pt")["pixel_values"]
    return pixels


@pytest.mark.parametrize(
    "levels", [None, {}, {"1": ["partial"]}, {"0": ["explicit"], "3": []}, {"0": ["nudes"]}, {"0": "explicit"}, ["0"]]
)
def test_a_classifier_without_a_fitting_map_of_levels_is_told(tmp_path: Path, levels: object) -> None:
    put_classifier(tmp_path, levels)
    with pytest.raises(CannotDraw, match=r'safety/worldly\.json should say "nsfw_levels"'):
        open_detector(parts.tools(tmp_path))


def test_the_detector_of_the_tiny_world_is_read(tmp_path: Path) -> None:
    torch.manual_seed(0)
    making.write_classifier(tmp_path, adapters.classifier())
    low, middle, high = looked(tmp_path, PICTURES[0])
    assert 0 < low < middle < high < 100


def test_a_damaged_folder_is_told(tmp_path: Path) -> None:
    put_classifier(tmp_path)
    (tmp_path / "safety" / "worldly" / "model.safetensors").write_bytes(b"cut off")
    with pytest.raises(CannotDraw, match="the weights of worldly cannot be read"):
        open_detector(parts.tools(tmp_path))


def test_one_of_several_is_chosen_by_name(tmp_path: Path) -> None:
    put_classifier(tmp_path)
    put_classifier(tmp_path, {"0": ["harmless"]}, "zealous")
    tools = parts.tools(tmp_path)
    first, second = open_detector(tools), open_detector(tools, "zealous")
    assert first is not None
    assert second is not None
    assert first is open_detector(tools, "worldly")
    assert first.look(PICTURES[0], 0) != second.look(PICTURES[0], 0)
    with pytest.raises(CannotDraw, match=r"there is no detector strict: put its folder in safety/strict/"):
        open_detector(tools, "strict")


def test_an_engine_says_that_nobody_looked_until_there_is_a_detector(tmp_path: Path) -> None:
    parts.saved(parts.sd15(tmp_path / "words"), tmp_path / "checkpoints" / "tiny")

    def seen(level: int | None) -> Nsfw | None:
        engine = LocalEngine(Shelf(tmp_path), device="cpu", threads=1, previews=False)
        [[finished]] = engine.run("tiny", [parts.job(nsfw_level=level)], lambda _: None)
        return finished.nsfw

    assert (seen(None), seen(0)) == (None, Nsfw(valid=False, confidence=0.0))
    put_classifier(tmp_path)
    found = [seen(level) for level in (0, 2)]
    assert all(one and one.valid for one in found)
    assert found[0] != found[1]
    assert seen(None) is None
