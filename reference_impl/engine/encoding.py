"""Prompts into the vectors that lead the network: chunks of 75 tokens, weights, clip_skip, learned words.

diffusers' own encoding knows neither weights nor long prompts, and textual inversion through its tokenizer changes the
encoder for everybody. Without any of these the result is diffusers' own, to the bit.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor

from reference_impl.engine.embeddings import Embedding
from reference_impl.engine.loading import Encoder, Loaded
from reference_impl.engine.prompt import Piece, parse
from reference_impl.jobs import CannotDraw

CHUNK = 75
"""Tokens between the start and the end mark of what the encoder sees at once."""
LOOK_BACK = 20
"""How far back a chunk may be cut at a comma, so that no phrase is torn (A1111's default)."""

Token: TypeAlias = "int | Tensor"
Chunk: TypeAlias = list[tuple[Token, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """An encoded prompt.

    Attributes:
        tokens: (1, n * 77, width), the widths of several encoders side by side.
        pooled: (1, width) of the second encoder of SDXL; None for SD 1.5.
    """

    tokens: Tensor
    pooled: Tensor | None

    @property
    def length(self) -> int:
        """Tokens, marks and padding included: a multiple of 77."""
        return int(self.tokens.shape[1])


def encode(
    loaded: Loaded, prompts: Sequence[str], clip_skip: int | None = None, embeddings: Sequence[Embedding] = ()
) -> list[Text]:
    """Prompts that are used together, all brought to the same length by empty chunks.

    Args:
        loaded: the checkpoint.
        prompts: such as the negative and the positive one.
        clip_skip: 1 or None is the checkpoint's habit (SD 1.5: the last layer, SDXL: the last but one), 2 a layer
            earlier, and so on down to the first layer.
        embeddings: learned words.

    Raises:
        CannotDraw: the checkpoint has no text encoder.
    """
    if not loaded.encoders:
        raise CannotDraw(f"{loaded.name} has no text encoder", "MODEL_BROKEN")
    of_encoder = []
    for i, encoder in enumerate(loaded.encoders):
        words = {word.lower(): found.vectors[i] for found in embeddings for word in found.words}
        chunked = [_chunks(encoder.tokenizer, parse(prompt), words) for prompt in prompts]
        longest = max(map(len, chunked))
        padded = [[*chunks, *[[] for _ in range(longest - len(chunks))]] for chunks in chunked]
        of_encoder.append([_run(encoder, chunks, clip_skip, loaded) for chunks in padded])
    texts = []
    for parts in zip(*of_encoder, strict=True):
        tokens = torch.cat([tokens for tokens, _ in parts], dim=-1)
        texts.append(Text(tokens=tokens, pooled=parts[-1][1]))
    return texts


def _chunks(tokenizer: Any, pieces: Sequence[Piece], words: dict[str, Tensor]) -> list[Chunk]:
    pattern = re.compile(
        r"(?<!\w)(" + "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True)) + r")(?!\w)", re.I
    )
    comma = tokenizer(",", add_special_tokens=False).input_ids
    chunks: list[Chunk] = []
    now: Chunk = []
    cut = 0  # behind the last comma of `now`

    def add(token: Token, weight: float) -> None:
        nonlocal now, cut
        if len(now) == CHUNK:
            kept = cut if CHUNK - LOOK_BACK <= cut < CHUNK else CHUNK
            chunks.append(now[:kept])
            now, cut = now[kept:], 0
        now.append((token, weight))
        if not isinstance(token, Tensor) and [token] == comma:
            cut = len(now)

    for piece in pieces:
        if piece.text is None:
            chunks.append(now)
            now, cut = [], 0
            continue
        for part in pattern.split(piece.text) if words else [piece.text]:
            if part.lower() in words:
                for vector in words[part.lower()]:
                    add(vector, piece.weight)
            elif part.strip():
                for token in tokenizer(part, add_special_tokens=False).input_ids:
                    add(token, piece.weight)
    if now or not chunks:
        chunks.append(now)
    return chunks


def _run(encoder: Encoder, chunks: Sequence[Chunk], clip_skip: int | None, loaded: Loaded) -> tuple[Tensor, Any]:
    """Tokens (1, n * 77, width) and, from an encoder with a projection, the pooled first chunk (1, width)."""
    tokenizer, model = encoder.tokenizer, encoder.model
    ids, weights, spliced = [], [], []
    for row, chunk in enumerate(chunks):
        line = [tokenizer.bos_token_id]
        for token, _ in chunk:
            if isinstance(token, Tensor):
                spliced.append((row, len(line), token))
            line.append(0 if isinstance(token, Tensor) else token)
        line.append(tokenizer.eos_token_id)
        padding = CHUNK + 2 - len(line)
        ids.append(line + [tokenizer.pad_token_id] * padding)
        weights.append([1.0] + [weight for _, weight in chunk] + [1.0] * (padding + 1))

    def splice(module: object, args: object, out: Tensor) -> Tensor:
        for row, column, vector in spliced:
            out[row, column] = vector.to(out)
        return out

    hook = model.get_input_embeddings().register_forward_hook(splice)
    try:
        out = model(torch.tensor(ids, device=loaded.device), output_hidden_states=True)
    finally:
        hook.remove()
    hidden = _layer(model, out, clip_skip, two="text_encoder_2" in loaded.pipeline.components)
    weighted = _emphasised(hidden, torch.tensor(weights, device=hidden.device, dtype=hidden.dtype))
    pooled = out[0][:1] if out[0].ndim == 2 else None
    return weighted.reshape(1, -1, weighted.shape[-1]), pooled


def _layer(model: Any, out: Any, clip_skip: int | None, *, two: bool) -> Tensor:
    """The hidden states that the network was trained with, `clip_skip` - 1 layers earlier."""
    earlier = max(clip_skip or 1, 1) - 1
    if two:  # SDXL, and its refiner, take the last layer but one as it is
        layers: tuple[Tensor, ...] = out.hidden_states
        return layers[max(len(layers) - 2 - earlier, 1)]
    if not earlier:
        last: Tensor = out.last_hidden_state
        return last
    # transformers 5.6 took a level out of CLIPTextModel.
    norm = getattr(model, "text_model", model).final_layer_norm
    result: Tensor = norm(out.hidden_states[max(len(out.hidden_states) - 1 - earlier, 1)])
    return result


def _emphasised(hidden: Tensor, weights: Tensor) -> Tensor:
    """Each token times its weight, then each chunk back to its old mean, as A1111 does it.

    Args:
        hidden: (chunks, 77, width).
        weights: (chunks, 77).
    """
    if bool((weights == 1).all()):
        return hidden
    scaled = hidden * weights[..., None]
    touched = (weights != 1).any(dim=1)[:, None, None]
    means = hidden.mean(dim=(1, 2), keepdim=True) / scaled.mean(dim=(1, 2), keepdim=True)
    return torch.where(touched, scaled * means, hidden)
