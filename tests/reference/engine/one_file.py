"""Writes pipelines of diffusers as one file in A1111's layout, so that reading such files can be tested round trip."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import DiffusionPipeline
from safetensors.torch import save_file
from torch import Tensor

RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1",
    "conv_shortcut": "skip_connection",
}
TOP = {
    "time_embedding.linear_1.": "time_embed.0.",
    "time_embedding.linear_2.": "time_embed.2.",
    "add_embedding.linear_1.": "label_emb.0.0.",
    "add_embedding.linear_2.": "label_emb.0.2.",
    "conv_in.": "input_blocks.0.0.",
    "conv_norm_out.": "out.0.",
    "conv_out.": "out.2.",
}


def write(pipeline: DiffusionPipeline, file: Path) -> Path:
    """The pipeline's weights as one checkpoint."""
    return save(tensors_of(pipeline.components), file)


def tensors_of(parts: Mapping[str, Any]) -> dict[str, Tensor]:
    """Everything that belongs into the file of a checkpoint."""
    tensors = {f"model.diffusion_model.{name}": tensor for name, tensor in unet(parts["unet"]).items()}
    tensors |= {f"first_stage_model.{name}": tensor for name, tensor in vae(parts["vae"]).items()}
    first, second = parts.get("text_encoder"), parts.get("text_encoder_2")
    if second is None:
        return tensors | clip(first, "cond_stage_model.transformer.")
    if first is None:
        return tensors | open_clip(second, "conditioner.embedders.0.model.")
    tensors |= clip(first, "conditioner.embedders.0.transformer.")
    return tensors | open_clip(second, "conditioner.embedders.1.model.")


def save(tensors: Mapping[str, Tensor], file: Path) -> Path:
    """Any tensors as a file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.detach().contiguous() for name, tensor in tensors.items()}, file)
    return file


def unet(network: Any) -> dict[str, Tensor]:
    """Its tensors by their names there."""
    levels, layers = len(network.config["block_out_channels"]), network.config["layers_per_block"]
    places = _way_down(network)
    for i in range(levels):
        attends = "CrossAttn" in network.config["up_block_types"][i]
        for j in range(layers + 1):
            number = (layers + 1) * i + j
            places[f"up_blocks.{i}.resnets.{j}."] = f"output_blocks.{number}.0."
            places[f"up_blocks.{i}.attentions.{j}."] = f"output_blocks.{number}.1."
        last = (layers + 1) * i + layers
        places[f"up_blocks.{i}.upsamplers.0."] = f"output_blocks.{last}.{2 if attends else 1}."
    return {_renamed(name, places): tensor for name, tensor in network.state_dict().items()}


def control_net(network: Any) -> dict[str, Tensor]:
    """A ControlNet's tensors by the names of its authors."""
    levels, layers = len(network.config["block_out_channels"]), network.config["layers_per_block"]
    hints = len(network.controlnet_cond_embedding.blocks)
    places = _way_down(network)
    places["controlnet_cond_embedding.conv_in."] = "input_hint_block.0."
    places |= {f"controlnet_cond_embedding.blocks.{i}.": f"input_hint_block.{2 * i + 2}." for i in range(hints)}
    places["controlnet_cond_embedding.conv_out."] = f"input_hint_block.{2 * hints + 2}."
    places |= {f"controlnet_down_blocks.{i}.": f"zero_convs.{i}.0." for i in range(levels * (layers + 1))}
    places["controlnet_mid_block."] = "middle_block_out.0."
    return {f"control_model.{_renamed(name, places)}": tensor for name, tensor in network.state_dict().items()}


def _way_down(network: Any) -> dict[str, str]:
    """What a network and its ControlNet share: entry, time, the way down and the middle."""
    layers = network.config["layers_per_block"]
    places = TOP | {f"mid_block.resnets.{j}.": f"middle_block.{2 * j}." for j in range(2)}
    places["mid_block.attentions.0."] = "middle_block.1."
    for i in range(len(network.config["block_out_channels"])):
        for j in range(layers):
            number = (layers + 1) * i + j + 1
            places[f"down_blocks.{i}.resnets.{j}."] = f"input_blocks.{number}.0."
            places[f"down_blocks.{i}.attentions.{j}."] = f"input_blocks.{number}.1."
        places[f"down_blocks.{i}.downsamplers.0.conv."] = f"input_blocks.{(layers + 1) * (i + 1)}.0.op."
    return places


def vae(network: Any) -> dict[str, Tensor]:
    """Its tensors by their names there; attention is made of convolutions."""
    levels = len(network.config["block_out_channels"])
    names = {"conv_shortcut": "nin_shortcut", "conv_norm_out": "norm_out", "mid_block.attentions.0.": "mid.attn_1."}
    for i in range(levels):
        for j in range(network.config["layers_per_block"] + 1):
            names[f"encoder.down_blocks.{i}.resnets.{j}."] = f"encoder.down.{i}.block.{j}."
            names[f"up_blocks.{i}.resnets.{j}."] = f"up.{levels - 1 - i}.block.{j}."
        names[f"down_blocks.{i}.downsamplers.0."] = f"down.{i}.downsample."
        names[f"up_blocks.{i}.upsamplers.0."] = f"up.{levels - 1 - i}.upsample."
    names |= {f"mid_block.resnets.{i}.": f"mid.block_{i + 1}." for i in range(2)}
    attention = {"group_norm.": "norm.", "to_q.": "q.", "to_k.": "k.", "to_v.": "v.", "to_out.0.": "proj_out."}
    out = {}
    for name, tensor in network.state_dict().items():
        new = _replaced(name, names)
        if "attn_1" in new:
            new = _replaced(new, attention)
            tensor = tensor[..., None, None] if tensor.ndim == 2 else tensor
        out[new] = tensor
    return out


def clip(encoder: Any, prefix: str) -> dict[str, Tensor]:
    """A text encoder in transformers' names, as SD 1.5 has it."""
    tensors = encoder.state_dict().items()
    return {prefix + (name if name.startswith("text_model.") else f"text_model.{name}"): t for name, t in tensors}


def open_clip(encoder: Any, prefix: str) -> dict[str, Tensor]:
    """A text encoder in OpenCLIP's names, as SDXL's second: query, key and value in one tensor."""
    state = {name.removeprefix("text_model."): tensor for name, tensor in encoder.state_dict().items()}
    out = {
        "token_embedding.weight": state["embeddings.token_embedding.weight"],
        "positional_embedding": state["embeddings.position_embedding.weight"],
        "text_projection": state["text_projection.weight"].T,
        "ln_final.weight": state["final_layer_norm.weight"],
        "ln_final.bias": state["final_layer_norm.bias"],
    }
    names = {"mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj", "layer_norm1": "ln_1", "layer_norm2": "ln_2"}
    for i in range(encoder.config.num_hidden_layers):
        old, new = f"encoder.layers.{i}.", f"transformer.resblocks.{i}."
        for kind in ("weight", "bias"):
            parts = [state[f"{old}self_attn.{which}_proj.{kind}"] for which in "qkv"]
            out[f"{new}attn.in_proj_{kind}"] = torch.cat(parts)
            out[f"{new}attn.out_proj.{kind}"] = state[f"{old}self_attn.out_proj.{kind}"]
            out |= {f"{new}{there}.{kind}": state[f"{old}{here}.{kind}"] for here, there in names.items()}
    return {prefix + name: tensor for name, tensor in out.items()}


def _renamed(name: str, places: Mapping[str, str]) -> str:
    new = _replaced(name, RESNET) if "resnets" in name else name
    return next((place + new.removeprefix(start) for start, place in places.items() if new.startswith(start)), new)


def _replaced(name: str, names: Mapping[str, str]) -> str:
    for old, new in names.items():
        name = name.replace(old, new)
    return name
