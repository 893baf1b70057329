"""Teach a text encoder the tiny world's sentences: read off its states what a caption says.

The UNets attend to a frozen encoder that has learned this, which spares them the reading: in a few minutes of CPU the
states of the closing tokens say background, count, and shape, colour, size and place of the first two things.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn import functional

from reference_impl.tiny.scenes import COLOURS, Place, Said, Scene, Shape, Size, scene_of
from reference_impl.tiny.tokens import LENGTH

COLOUR_NAMES: Final = ("", *COLOURS)
SHAPE_NAMES: Final = ("", *Shape)
FIELDS: Final = (len(COLOUR_NAMES), 4) + 2 * (len(SHAPE_NAMES), len(COLOUR_NAMES), len(Size), len(Place))
EMPTY_SHARE: Final = 0.03


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRecipe:
    """How a text encoder is trained."""

    seed: int = 0
    steps: int = 3000
    batch: int = 64
    rate: float = 2e-3


def facts(scene: Scene) -> list[int]:
    """What the caption says as class numbers, one for each of FIELDS; 0 where it does not say."""
    first, second = [*scene.said, Said(), Said()][:2]
    out = [COLOUR_NAMES.index(scene.said_background), scene.count]
    for said in (first, second):
        out += [SHAPE_NAMES.index(said.shape), COLOUR_NAMES.index(said.colour)]
        out += [list(Size).index(said.size), list(Place).index(said.place)]
    return out


def token_ids(tokenizer: Any, captions: Sequence[str], length: int = LENGTH) -> Tensor:
    """(captions, length) token numbers, padded and cut as the pipelines do."""
    batch = tokenizer(list(captions), padding="max_length", max_length=length, truncation=True, return_tensors="pt")
    ids: Tensor = batch.input_ids
    return ids


def _batch(tokenizer: Any, recipe: TextRecipe, step: int, length: int) -> tuple[Tensor, Tensor]:
    scenes = [scene_of(recipe.seed, step * recipe.batch + at) for at in range(recipe.batch)]
    rng = random.Random(f"text/{recipe.seed}/{step}")
    empty = [rng.random() < EMPTY_SHARE for _ in scenes]
    captions = ["" if gone else scene.caption for gone, scene in zip(empty, scenes, strict=True)]
    targets = [[0] * len(FIELDS) if gone else facts(scene) for gone, scene in zip(empty, scenes, strict=True)]
    return token_ids(tokenizer, captions, length), torch.tensor(targets)


def train_text(
    encoder: Any, tokenizer: Any, recipe: TextRecipe, log: Callable[[str], None], device: str = "cpu"
) -> float:
    """Train in place; gives the share of facts read right over the last hundred steps.

    The facts must be readable, by one linear map, from the last and from the last but one layer (the one that
    clip_skip 2 and the SDXL shape use), at the closing token and at any padding after it.
    """
    torch.manual_seed(recipe.seed)
    reader = torch.nn.Linear(encoder.config.hidden_size, sum(FIELDS)).to(device)
    encoder.to(device).train()
    parameters = [*encoder.parameters(), *reader.parameters()]
    fused = torch.optim.AdamW(parameters, lr=recipe.rate, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
    plan = torch.optim.lr_scheduler.OneCycleLR(fused, recipe.rate, total_steps=recipe.steps, pct_start=0.05)
    lengths = random.Random(recipe.seed)
    right = 0.0
    for step in range(recipe.steps):
        ids, wanted = _batch(tokenizer, recipe, step, lengths.choice((28, 40, LENGTH)))
        ids, wanted = ids.to(device), wanted.to(device)
        seen = [reader(state) for state in _summaries(encoder, ids)]
        loss = torch.stack([_loss(logits, wanted) for logits in seen]).mean()
        fused.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        fused.step()
        plan.step()
        right += (_share(seen[0].detach(), wanted) - right) * max(0.02, 1 / (step + 1))
        if (step + 1) % 200 == 0:
            log(f"text step {step + 1} loss {loss.item():.4f} facts read right {right:.4f}")
    encoder.eval()
    return right


def _summaries(encoder: Any, ids: Tensor) -> list[Tensor]:
    """States that must hold all facts: of the closing token and of one padding, in two layers; and the pooled one."""
    out = encoder(ids, output_hidden_states=True)
    norm = encoder.final_layer_norm if hasattr(encoder, "final_layer_norm") else encoder.text_model.final_layer_norm
    last = norm(out.hidden_states[-1])
    before = norm(out.hidden_states[-2])
    rows = torch.arange(len(ids))
    close = (ids == ids[0, -1]).int().argmax(-1)  # the padding is the closing token again: this finds the first
    later = (close + torch.randint(0, ids.shape[1], close.shape).to(close.device)).clamp(max=ids.shape[1] - 1)
    states = [last[rows, close], last[rows, later], before[rows, close], before[rows, later]]
    if getattr(out, "text_embeds", None) is not None:
        states.append(out.text_embeds)
    return states


def _loss(logits: Tensor, wanted: Tensor) -> Tensor:
    parts = logits.split(FIELDS, -1)
    return torch.stack([functional.cross_entropy(part, wanted[:, at]) for at, part in enumerate(parts)]).sum()


def _share(logits: Tensor, wanted: Tensor) -> float:
    found = torch.stack([part.argmax(-1) for part in logits.split(FIELDS, -1)], -1)
    return float((found == wanted).float().mean())
