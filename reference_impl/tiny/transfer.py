"""What one UNet of the tiny world has learned, carried over into another of a different shape.

The SDXL-shaped UNets have the levels of the SD 1.5-shaped one; they differ in the text they attend to, in linear layers
where it has 1 x 1 convolutions, and in what is added to the time. So they begin where it ended instead of from nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from reference_impl.tiny.pools import Encode
from reference_impl.tiny.scenes import scene_of


def reading_map(wanted: Encode, given: Encode, captions: Sequence[str]) -> Tensor:
    """The linear map from one reading of captions to another that fits best by least squares.

    Args:
        wanted: the reading that keys and values were trained for.
        given: the reading that they will get.
        captions: what to compare both on.

    Returns:
        (width of the wanted context, width of the given context).
    """
    target = wanted(captions, 1).context.flatten(0, 1).double()
    source = given(captions, 1).context.flatten(0, 1).double()
    solved = torch.linalg.lstsq(source, target).solution
    return solved.T.float()


def carry_lora(tensors: Mapping[str, Tensor], mapping: Tensor) -> dict[str, Tensor]:
    """A LoRA's layers for the other UNet: those that read the text are mapped as its keys and values are."""

    def fitted(name: str, tensor: Tensor) -> Tensor:
        reads = ".attn2.to_k.lora_A" in name or ".attn2.to_v.lora_A" in name
        return tensor @ mapping if reads else tensor

    return {name: fitted(name, tensor) for name, tensor in tensors.items()}


def example_captions(count: int = 192) -> list[str]:
    """Captions to fit a map on; the last but one layer must not be mixed in, so their number says nothing."""
    return [scene_of(7, index).caption for index in range(count)]


def carry_over(source: Any, target: Any, mapping: Tensor) -> list[str]:
    """Copy all that fits, reshape what differs in form, start the added embedding at zero; gives what stayed random."""
    given = source.state_dict()
    left: list[str] = []
    for name, parameter in target.named_parameters():
        if name.startswith("add_embedding.linear_2"):
            parameter.data.zero_()
        elif name not in given:
            left.append(name)
        elif ".attn2.to_k." in name or ".attn2.to_v." in name:
            parameter.data.copy_(given[name] @ mapping)
        else:
            parameter.data.copy_(given[name].reshape(parameter.shape))
    return left
