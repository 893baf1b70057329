"""Detectors of unsafe pictures: classifiers that lie in `safety/<name>/` of the folder of models; none is built in.

Two layouts are read, both transformers': a StableDiffusionSafetyChecker, and any image classification model with a
`safety/<name>.json` beside it whose `nsfw_levels` says which of its labels count from which level on:
`{"nsfw_levels": {"0": ["explicit"], "1": ["partial"], "2": ["swimwear"]}}`. A level includes those below it, so the
confidence never falls when a request asks for more (requirements.yaml, V3-NSFW-007).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageClassification, CLIPImageProcessor

from reference_impl.engine.loading import BROKEN, broken, bytes_of
from reference_impl.engine.plan import Detector, Tools
from reference_impl.jobs import CannotDraw, Nsfw
from reference_impl.levels import LevelsError, config_of, is_checker, labels_that_count
from reference_impl.shelf import Kind, Model

MARGIN = 0.01
"""How far one level widens the checker's thresholds, in cosines: its own authors' step for a stricter filter."""

SHARPNESS = 200.0
"""Turns the checker's margin into a confidence: .01 above the threshold is 88 %, .01 below it 12 %."""


def open_detector(tools: Tools, name: str | None = None) -> Detector | None:
    """The detector of this name, or the first on the shelf; None when there is none: then nobody has looked.

    Raises:
        CannotDraw: there is none of this name, or what is there cannot be read.
    """
    found = tools.shelf.find(Kind.SAFETY, name) if name else next(iter(tools.shelf.of(Kind.SAFETY)), None)
    if found is None:
        if name:
            raise CannotDraw(f"there is no detector {name}: put its folder in {Kind.SAFETY}/{name}/", "NO_MODEL")
        return None
    model = found
    detector: Classifier | Checker = tools.cache.get(
        (Kind.SAFETY, model.name), lambda: _loaded(model, tools), lambda value: bytes_of(value.network)
    )
    return detector


class Classifier:
    """An image classification model; the confidence is the probability of all labels that count.

    Args:
        network: transformers' model, on its device.
        processor: makes its input.
        counts: for each level the numbers of the labels that count.
    """

    def __init__(self, network: Any, processor: Any, counts: Mapping[int, frozenset[int]]) -> None:
        self.network = network
        self._processor = processor
        self._counts = counts

    def look(self, picture: Image.Image, level: int) -> Nsfw:
        """The sum of the probabilities, in percent."""
        with torch.inference_mode():
            scores = self.network(**_input(self._processor, self.network, picture)).logits[0]
        chances = scores.float().softmax(0)
        counted = sum(float(chances[label]) for label in self._counts[level])
        return Nsfw(valid=True, confidence=round(min(max(100 * counted, 0.0), 100.0), 4))


class Checker:
    """A StableDiffusionSafetyChecker; the confidence comes from how far the nearest concept is above its threshold.

    Its 17 concepts are not sorted by how grave they are, so levels 1 and 2 lower the thresholds instead.
    """

    def __init__(self, network: Any, processor: Any) -> None:
        self.network = network
        self._processor = processor

    def look(self, picture: Image.Image, level: int) -> Nsfw:
        """50 % exactly at the threshold."""
        net = self.network
        with torch.inference_mode():
            pixels = _input(self._processor, net, picture)["pixel_values"]
            seen = net.visual_projection(net.vision_model(pixels)[1]).float()
            special = _cosines(seen, net.special_care_embeds) - net.special_care_embeds_weights.float()
            concepts = _cosines(seen, net.concept_embeds) - net.concept_embeds_weights.float()
        # What needs special care lowers the thresholds of the concepts by one step, as in the checker itself.
        margin = float(concepts.max()) + MARGIN * (level + bool((special > 0).any()))
        return Nsfw(valid=True, confidence=round(100 / (1 + math.exp(min(max(-SHARPNESS * margin, -60), 60))), 4))


def _cosines(seen: torch.Tensor, concepts: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.normalize(seen) @ torch.nn.functional.normalize(concepts.float()).T


def _input(processor: Any, network: Any, picture: Image.Image) -> dict[str, torch.Tensor]:
    pixels = processor(images=picture.convert("RGB"), return_tensors="pt")["pixel_values"]
    return {"pixel_values": pixels.to(network.device, network.dtype)}


def _loaded(model: Model, tools: Tools) -> Classifier | Checker:
    try:
        config = config_of(model)
        return _checker(model, tools) if is_checker(config) else _classifier(model, config, tools)
    except LevelsError as error:
        raise CannotDraw(str(error), "MODEL_BROKEN") from None
    except (*BROKEN, ImportError) as error:
        raise broken(model, error) from error


def _checker(model: Model, tools: Tools) -> Checker:
    from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker

    network = StableDiffusionSafetyChecker.from_pretrained(model.path, local_files_only=True, dtype=tools.dtype)
    side = network.config.vision_config.image_size
    size = {"size": {"shortest_edge": side}, "crop_size": {"height": side, "width": side}}
    return Checker(network.eval().requires_grad_(False).to(tools.device), CLIPImageProcessor(**size))


def _classifier(model: Model, config: Mapping[str, Any], tools: Tools) -> Classifier:
    network = AutoModelForImageClassification.from_pretrained(model.path, local_files_only=True, dtype=tools.dtype)
    processor = AutoImageProcessor.from_pretrained(model.path, local_files_only=True)
    return Classifier(
        network.eval().requires_grad_(False).to(tools.device), processor, labels_that_count(model, config)
    )
