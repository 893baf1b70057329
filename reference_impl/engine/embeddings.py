"""Textual inversions: words that stand for learned vectors. They are read here, and spliced in by `encoding`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from reference_impl.engine.loading import BROKEN, Loaded, broken
from reference_impl.engine.plan import Tools
from reference_impl.jobs import CannotDraw
from reference_impl.shelf import Kind, Model


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedding:
    """The vectors of one word.

    Attributes:
        words: what may stand in a prompt for it, without regard to case.
        vectors: (n, width) for each encoder, in the order of `Loaded.encoders`.
    """

    words: tuple[str, ...]
    vectors: tuple[Tensor, ...]


def embeddings_for(loaded: Loaded, listed: tuple[str, ...], texts: tuple[str, ...], tools: Tools) -> list[Embedding]:
    """The embeddings that the texts name.

    A1111 knows every embedding in its folder by its file's name, so v2 has no field for them; v3's field lists them
    too. What is listed but not named in a text changes nothing: nothing says to which prompt it would belong.

    Args:
        loaded: the checkpoint; an embedding that is only named and does not fit it is left as plain text.
        listed: names in the request; these must be there and fit.
        texts: prompt and negative prompt.
        tools: shelf and cache.

    Raises:
        CannotDraw: a listed one is missing, damaged, or made for another kind of checkpoint.
    """
    models = []
    for name in listed:
        model = tools.shelf.find(Kind.EMBEDDING, name)
        if model is None:
            raise CannotDraw(f"there is no embedding {name!r}; the list of models names those there are", "NO_MODEL")
        models.append(model)
    must = {model.name for model in models}
    together = " ".join(texts).lower()
    models += [model for model in tools.shelf.of(Kind.EMBEDDING) if model.name not in must]
    found = []
    for model in models:
        words = _words(model)
        if model.name not in must and not any(word.lower() in together for word in words):
            continue
        vectors = _fitting(_read(model, tools), loaded)
        if vectors is not None:
            found.append(Embedding(words=words, vectors=vectors))
        elif model.name in must:
            raise CannotDraw(f"the embedding {model.name} is not made for {loaded.family} checkpoints", "MISFIT")
    return found


def _words(model: Model) -> tuple[str, ...]:
    said = model.shown.get("trigger_words") or ()
    triggers = [said] if isinstance(said, str) else list(said)
    return tuple(dict.fromkeys([model.path.stem, model.path.name, *map(str, triggers)]))


def _fitting(read: Mapping[str, Tensor], loaded: Loaded) -> tuple[Tensor, ...] | None:
    vectors = []
    for i, encoder in enumerate(loaded.encoders):
        width = encoder.model.config.hidden_size
        names = ("clip_g",) if i or loaded.refiner else ("clip_l", "")
        found = next((read[name] for name in names if name in read and read[name].shape[-1] == width), None)
        if found is None:
            return None
        vectors.append(found)
    return tuple(vectors)


def _read(model: Model, tools: Tools) -> Mapping[str, Tensor]:
    key = (Kind.EMBEDDING, model.name)
    return tools.cache.get(key, lambda: read_embedding(model), lambda read: sum(t.nbytes for t in read.values()))


def read_embedding(model: Model) -> Mapping[str, Tensor]:
    """Vectors by encoder: `clip_l` and `clip_g` of an SDXL file, "" of one that has a single set.

    Raises:
        CannotDraw: the file is damaged, or in a layout that is none of A1111's, kohya's and diffusers'.
    """
    try:
        raw = _raw(model.path)
    except BROKEN as error:
        raise broken(model, error) from error
    if isinstance(raw.get("string_to_param"), dict):  # A1111's .pt
        raw = raw["string_to_param"]
    tensors = {name: value for name, value in raw.items() if isinstance(value, Tensor)}
    if {"clip_l", "clip_g"} & set(tensors):
        return {name: _rows(tensors[name]) for name in ("clip_l", "clip_g") if name in tensors}
    if len(tensors) != 1:
        raise CannotDraw(f"{model.name} is no textual inversion: one tensor, or clip_l and clip_g, expected")
    return {"": _rows(next(iter(tensors.values())))}


def _raw(path: Path) -> dict[str, Any]:
    if path.suffix == ".safetensors":
        return dict(load_file(path))
    read = torch.load(path, map_location="cpu", weights_only=True)  # weights only: a pickle runs no code here
    if not isinstance(read, dict):
        raise TypeError("no table of tensors in it")
    return read


def _rows(tensor: Tensor) -> Tensor:
    return (tensor if tensor.ndim == 2 else tensor.reshape(1, -1)).float()
