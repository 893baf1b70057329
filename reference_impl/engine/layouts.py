"""Configurations of models that are one file, worked out from the shapes of their tensors (A1111's layout).

Shapes tell widths, depths and where attention stands. What they do not tell follows the published SD 1.5 and SDXL:
heads, groups of the norms, activation, scale of the latents, betas. All dictionaries are those of diffusers' and
transformers' config.json.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

Shapes: TypeAlias = Mapping[str, tuple[int, ...]]
Config: TypeAlias = dict[str, Any]

UNET = "model.diffusion_model."
VAE = "first_stage_model."
CLIP = "cond_stage_model.transformer.text_model."
CLIP_XL = "conditioner.embedders.0.transformer.text_model."
OPEN_CLIP = "conditioner.embedders.1.model."
OPEN_CLIP_REFINER = "conditioner.embedders.0.model."

HEAD = 64
"""Channels of an attention head in SDXL's network and in all CLIP encoders."""

SCHEDULER: Config = {
    "_class_name": "EulerDiscreteScheduler",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000,
    "steps_offset": 1,
    "prediction_type": "epsilon",
}


def unet(shapes: Shapes, text_width: int | None) -> Config:
    """UNet2DConditionModel's configuration.

    Args:
        shapes: of the whole file.
        text_width: of the pooled text that SDXL adds to the time; None for SD 1.5.

    Raises:
        KeyError: tensors that every such network has are missing.
    """
    part = _below(shapes, UNET)
    levels = list(_levels(part))
    widths = [width for width, _, _ in levels]
    middle = _depth(part, "middle_block.1.")
    down = ["CrossAttnDownBlock2D" if depth else "DownBlock2D" for _, _, depth in levels]
    config: Config = {
        "_class_name": "UNet2DConditionModel",
        "sample_size": 64 if text_width is None else 128,
        "in_channels": part["input_blocks.0.0.weight"][1],
        "out_channels": part["out.2.weight"][0],
        "block_out_channels": widths,
        "layers_per_block": levels[0][1],
        "down_block_types": down,
        "up_block_types": [name.replace("Down", "Up") for name in reversed(down)],
        "cross_attention_dim": part["middle_block.1.transformer_blocks.0.attn2.to_k.weight"][1],
        "use_linear_projection": len(part["middle_block.1.proj_in.weight"]) == 2,
        "transformer_layers_per_block": [depth or middle for _, _, depth in levels],
        # diffusers calls the number of heads a dimension.
        "attention_head_dim": 8 if text_width is None else [max(1, width // HEAD) for width in widths],
    }
    if text_width is not None:
        added = part["label_emb.0.0.weight"][1]
        sizes = 5 if OPEN_CLIP_REFINER + "text_projection" in shapes else 6
        config |= {
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": (added - text_width) // sizes,
            "projection_class_embeddings_input_dim": added,
        }
    return config


def vae(shapes: Shapes, xl: bool) -> Config:
    """AutoencoderKL's configuration, of a checkpoint or of a VAE alone.

    Raises:
        KeyError: tensors that every such VAE has are missing.
    """
    part = _below(shapes, VAE) or dict(shapes)
    widths = list(_counted(part, "encoder.down.{}.block.0.conv1.weight"))
    layers = len(list(_counted(part, "encoder.down.0.block.{}.conv1.weight")))
    return {
        "_class_name": "AutoencoderKL",
        "in_channels": part["encoder.conv_in.weight"][1],
        "out_channels": part["decoder.conv_out.weight"][0],
        "latent_channels": part["decoder.conv_in.weight"][1],
        "block_out_channels": [shape[0] for shape in widths],
        "layers_per_block": layers,
        "down_block_types": ["DownEncoderBlock2D"] * len(widths),
        "up_block_types": ["UpDecoderBlock2D"] * len(widths),
        "mid_block_add_attention": "encoder.mid.attn_1.q.weight" in part,
        "sample_size": 1024 if xl else 512,
        "scaling_factor": 0.13025 if xl else 0.18215,
        "force_upcast": xl,
    }


def clip(shapes: Shapes, prefix: str) -> Config:
    """CLIPTextModel's configuration: SD 1.5's encoder, and SDXL's first.

    Raises:
        KeyError: tensors that every such encoder has are missing.
    """
    part = _below(shapes, prefix)
    layers = len(list(_counted(part, "encoder.layers.{}.mlp.fc1.weight")))
    return _text(part["embeddings.token_embedding.weight"], part["encoder.layers.0.mlp.fc1.weight"][0], layers) | {
        "architectures": ["CLIPTextModel"],
        "hidden_act": "quick_gelu",
        "max_position_embeddings": part["embeddings.position_embedding.weight"][0],
    }


def open_clip(shapes: Shapes, prefix: str) -> Config:
    """CLIPTextModelWithProjection's configuration: SDXL's second encoder, the only one of its refiner.

    Raises:
        KeyError: tensors that every such encoder has are missing.
    """
    part = _below(shapes, prefix)
    layers = len(list(_counted(part, "transformer.resblocks.{}.mlp.c_fc.weight")))
    inner = part["transformer.resblocks.0.mlp.c_fc.weight"][0]
    return _text(part["token_embedding.weight"], inner, layers) | {
        "architectures": ["CLIPTextModelWithProjection"],
        "hidden_act": "gelu",
        "max_position_embeddings": part["positional_embedding"][0],
        "projection_dim": part["text_projection"][1],
    }


def tokenizer(pad: str) -> Config:
    """tokenizer_config.json of CLIP's tokenizer; the vocabulary is not in it."""
    end = "<|endoftext|>"
    return {
        "tokenizer_class": "CLIPTokenizer",
        "model_max_length": 77,
        "do_lower_case": True,
        "bos_token": "<|startoftext|>",
        "eos_token": end,
        "unk_token": end,
        "pad_token": pad,
    }


def scheduler(shapes: Shapes) -> Config:
    """The training's noise; two marks that files trained otherwise carry are read."""
    marks: Config = {}
    if "v_pred" in shapes:
        marks["prediction_type"] = "v_prediction"
    if "ztsnr" in shapes:
        marks["rescale_betas_zero_snr"] = True
    return SCHEDULER | marks


def hint_widths(shapes: Shapes) -> tuple[int, tuple[int, ...]]:
    """Channels of a ControlNet's picture, and `conditioning_embedding_out_channels`, from either layout of a file.

    Raises:
        KeyError: it holds no such network.
    """
    if "controlnet_cond_embedding.conv_in.weight" in shapes:
        first = shapes["controlnet_cond_embedding.conv_in.weight"]
        others = list(_counted(shapes, "controlnet_cond_embedding.blocks.{}.weight"))
    else:
        # This layout counts the activations too, and its last layer is the way out.
        first = shapes["control_model.input_hint_block.0.weight"]
        others = list(_counted(shapes, "control_model.input_hint_block.{}.weight", start=2, step=2))[:-1]
    return first[1], tuple(shape[0] for shape in (first, *others))[::2]


def _levels(part: Shapes) -> Iterator[tuple[int, int, int]]:
    """For each level of the network's way down: its width, its residual blocks, its transformer blocks in each."""
    width = count = depth = 0
    number = 1
    while part.keys() & {f"input_blocks.{number}.0.op.weight", f"input_blocks.{number}.0.in_layers.2.weight"}:
        block = f"input_blocks.{number}."
        if f"{block}0.op.weight" in part:
            yield width, count, depth
            count = 0
        else:
            width, count, depth = part[f"{block}0.in_layers.2.weight"][0], count + 1, _depth(part, f"{block}1.")
        number += 1
    yield width, count, depth


def _depth(part: Shapes, start: str) -> int:
    return len(list(_counted(part, start + "transformer_blocks.{}.attn2.to_k.weight")))


def _text(tokens: tuple[int, ...], inner: int, layers: int) -> Config:
    words, width = tokens
    return {
        "model_type": "clip_text_model",
        "vocab_size": words,
        "hidden_size": width,
        "intermediate_size": inner,
        "num_hidden_layers": layers,
        "num_attention_heads": max(1, width // HEAD),
        "projection_dim": width,
        # The last two entries of CLIP's vocabulary begin and end a text.
        "bos_token_id": words - 2,
        "eos_token_id": words - 1,
        "pad_token_id": words - 1,
    }


def _counted(shapes: Shapes, pattern: str, start: int = 0, step: int = 1) -> Iterator[tuple[int, ...]]:
    number = start
    while (name := pattern.format(number)) in shapes:
        yield shapes[name]
        number += step


def _below(shapes: Shapes, prefix: str) -> dict[str, tuple[int, ...]]:
    return {name.removeprefix(prefix): shape for name, shape in shapes.items() if name.startswith(prefix)}
