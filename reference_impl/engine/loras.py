"""LoRAs on the network and the text encoders of a checkpoint, for as long as one job is drawn."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from safetensors.torch import load_file
from torch import Tensor

from reference_impl.engine.loading import BROKEN, Loaded, broken
from reference_impl.engine.plan import Tools
from reference_impl.jobs import CannotDraw, Lora
from reference_impl.shelf import Kind, Model


@contextmanager
def applied(loaded: Loaded, loras: Sequence[Lora], tools: Tools) -> Iterator[None]:
    """The checkpoint with LoRAs on it; taken off again whatever happens, since the checkpoint stays in the cache.

    Args:
        loaded: the checkpoint, changed in place.
        loras: by name, each with its weight; a name that comes twice counts with the sum; 0 leaves one out.
        tools: shelf and cache.

    Raises:
        CannotDraw: one is missing, damaged, or made for another kind of checkpoint.
    """
    weights: dict[str, float] = {}
    for lora in loras:
        model = tools.shelf.find(Kind.LORA, lora.name)
        if model is None:
            raise CannotDraw(f"there is no LoRA {lora.name!r}; the list of models names those there are", "NO_MODEL")
        weights[model.name] = weights.get(model.name, 0.0) + lora.strength
    wanted = [(tools.shelf.find(Kind.LORA, name), weight) for name, weight in weights.items() if weight]
    if not wanted:
        yield
        return
    pipeline = loaded.pipeline
    try:
        names = []
        for i, (model, _) in enumerate(wanted):
            assert model is not None
            names.append(f"lora{i}")
            _load(loaded, model, names[-1], tools)
        pipeline.set_adapters(names, [weight for _, weight in wanted])
        yield
    finally:
        pipeline.unload_lora_weights()


def _load(loaded: Loaded, model: Model, adapter: str, tools: Tools) -> None:
    weights = tools.cache.get(
        (Kind.LORA, model.name), lambda: _read(model), lambda read: sum(t.nbytes for t in read.values())
    )
    pipeline = loaded.pipeline
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Already found a `peft_config`")  # several at once are what we want
            pipeline.load_lora_weights(dict(weights), adapter_name=adapter)
        fits = any(adapter in adapters for adapters in pipeline.get_list_adapters().values())
    except BROKEN:
        fits = False
    if not fits:
        raise CannotDraw(
            f"the LoRA {model.name} does not fit {loaded.name}: it was made for another kind of checkpoint, or is no "
            "LoRA that diffusers reads",
            "MISFIT",
        )


def _read(model: Model) -> Mapping[str, Tensor]:
    try:
        if model.path.suffix == ".safetensors":
            return dict(load_file(model.path))
        read = torch.load(model.path, map_location="cpu", weights_only=True)
        return {name: value for name, value in read.items() if isinstance(value, Tensor)}
    except BROKEN as error:
        raise broken(model, error) from error
