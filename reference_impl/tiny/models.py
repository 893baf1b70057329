"""The architectures of the tiny families: standard classes of diffusers and transformers, small.

Everything is built with random weights here; training fills them, `folders` writes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from diffusers import AutoencoderTiny, ControlNetModel, EulerDiscreteScheduler, UNet2DConditionModel
from torch import Tensor
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
)

from reference_impl.tiny import tokens
from reference_impl.tiny.drawing import GRADIENT_GAIN
from reference_impl.tiny.scenes import words

CELL: Final = 32  # pixels of the picture to one latent pixel
LATENT_SCALE: Final = 1.4  # brings the latents' spread near 1
TEXT_WIDTH: Final = 64
CHANNELS: Final = (32, 64, 96)
GROUPS: Final = 8
DECODER_BLOCKS: Final = (3, 2, 2, 1, 1, 0)
HINT_CHANNELS: Final = (4, 4, 8, 16, 16, 16)  # five halvings bring a hint of CELL pixels down to one
HINT_GAIN: Final = 8.0  # so large that SiLU passes on what is above zero as it is
TIME_WIDTH: Final = 16  # of each of the SDXL-shaped family's time ids
NOISE: Final[dict[str, Any]] = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "steps_offset": 1,
    "prediction_type": "v_prediction",
    "timestep_spacing": "linspace",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class UnetKind:
    """What tells one UNet of the family from another.

    Attributes:
        cross: width of the text it attends to.
        pooled: width of the pooled text that is added to the time; 0 for the SD 1.5 shape.
        time_ids: how many time ids go with it: 6 (sizes and crop) or 5 (the last an aesthetic score).
        native: edge of the latents of its usual picture.
    """

    cross: int
    pooled: int = 0
    time_ids: int = 0
    native: int = 16


SD15: Final = UnetKind(cross=TEXT_WIDTH)
SDXL: Final = UnetKind(cross=2 * TEXT_WIDTH, pooled=TEXT_WIDTH, time_ids=6, native=32)
REFINER: Final = UnetKind(cross=TEXT_WIDTH, pooled=TEXT_WIDTH, time_ids=5, native=32)


def unet(kind: UnetKind) -> UNet2DConditionModel:
    """A UNet with random weights: three levels, attention on the second and third, v-prediction."""
    extra: dict[str, Any] = {}
    if kind.pooled:
        extra = {
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": TIME_WIDTH,
            "projection_class_embeddings_input_dim": kind.pooled + TIME_WIDTH * kind.time_ids,
            "use_linear_projection": True,
        }
    return UNet2DConditionModel(
        sample_size=kind.native,
        in_channels=4,
        out_channels=4,
        block_out_channels=CHANNELS,
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=kind.cross,
        attention_head_dim=4,
        norm_num_groups=GROUPS,
        **extra,
    )


def control_net(base: UNet2DConditionModel) -> ControlNetModel:
    """A ControlNet that starts as a copy of the base's encoder, its outputs at zero.

    What sees the hint is fixed by hand but for its last layer: a dozen narrow layers with the usual random weights
    would dim a thin line to nothing before it is ever noticed. Its 16 channels are how much of a line runs through
    each of the 4 x 4 parts, 8 pixels wide, of a latent pixel's cell.
    """
    net = ControlNetModel.from_unet(base, conditioning_channels=3, conditioning_embedding_out_channels=HINT_CHANNELS)
    with torch.no_grad():
        _fix_sight(net.controlnet_cond_embedding)
    return net


def _fix_sight(sight: Any) -> None:
    """Three halvings of which a line comes out as strong as it went in, then two that lay quarters side by side."""
    for parameter in sight.parameters():
        parameter.zero_()
    sight.conv_in.weight[0, :, 1, 1] = HINT_GAIN / 3
    used = 1
    for at, (same, halving) in enumerate(zip(sight.blocks[::2], sight.blocks[1::2], strict=True)):
        for channel in range(used):
            same.weight[channel, channel, 1, 1] = 1
        if at < 3:
            halving.weight[0, 0, 1:, 1:] = 0.5
            continue
        for channel in range(used):
            for quarter, (row, column) in enumerate(((1, 1), (1, 2), (2, 1), (2, 2))):
                halving.weight[4 * channel + quarter, channel, row, column] = 1
        used *= 4
    torch.nn.init.normal_(sight.conv_out.weight, std=0.03)


def fixed_sight(net: ControlNetModel) -> list[torch.nn.Parameter]:
    """The weights of a ControlNet that `control_net` fixes by hand."""
    sight: Any = net.controlnet_cond_embedding
    return [*sight.conv_in.parameters(), *sight.blocks.parameters()]


def sight_of(net: ControlNetModel, hints: Tensor) -> Tensor:
    """What the fixed layers make of hints: (n, 3, height, width) to (n, 16, height / CELL, width / CELL)."""
    sight: Any = net.controlnet_cond_embedding
    seen = torch.nn.functional.silu(sight.conv_in(hints))
    for block in sight.blocks:
        seen = torch.nn.functional.silu(block(seen))
    return seen


def tokenizer(folder: Path) -> CLIPTokenizer:
    """The tiny world's tokenizer, written to a folder and read back from it."""
    tokens.write(folder, words())
    return CLIPTokenizer.from_pretrained(str(folder))


def text_encoder(vocabulary: int) -> CLIPTextModel:
    """The SD 1.5 shape's text encoder."""
    return CLIPTextModel(_text_config(vocabulary, "quick_gelu"))


def second_text_encoder(vocabulary: int) -> CLIPTextModelWithProjection:
    """The SDXL shape's second text encoder, whose pooled output is projected."""
    return CLIPTextModelWithProjection(_text_config(vocabulary, "gelu"))


def _text_config(vocabulary: int, activation: str) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=vocabulary,
        hidden_size=TEXT_WIDTH,
        intermediate_size=2 * TEXT_WIDTH,
        num_hidden_layers=4,
        num_attention_heads=4,
        max_position_embeddings=tokens.LENGTH,
        projection_dim=TEXT_WIDTH,
        hidden_act=activation,
        bos_token_id=vocabulary - 2,
        eos_token_id=vocabulary - 1,
        pad_token_id=vocabulary - 1,
    )


def image_encoder() -> CLIPVisionModelWithProjection:
    """The IP-Adapter's eye: 64 px pictures in patches of 8."""
    return CLIPVisionModelWithProjection(
        CLIPVisionConfig(
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=3,
            num_attention_heads=4,
            image_size=64,
            patch_size=8,
            projection_dim=64,
        )
    )


def scheduler() -> EulerDiscreteScheduler:
    """SD 1.5's noise levels, v-prediction."""
    return EulerDiscreteScheduler(**NOISE)


def autoencoder(width: int = 24, blocks: Sequence[int] = DECODER_BLOCKS) -> AutoencoderTiny:
    """The autoencoder: 32 pixels to a latent pixel, the encoder fixed by hand, the decoder ready to be trained.

    A learned encoder of this reach needs more pictures than a minute on a CPU sees; a fixed one is exact at once:
    a latent pixel is its cell's mean red, green and blue in [-1, 1] and, for edges finer than a cell, three times the
    right half's grey minus the left half's. So `latents[:, :3]` is a preview by itself. The decoder starts as an
    enlargement of these means: its residual branches are zero, and without any blocks it stays one.
    """
    model = AutoencoderTiny(
        encoder_block_out_channels=(4,) * 6,
        decoder_block_out_channels=(width,) * 6,
        num_encoder_blocks=(0,) * 6,
        num_decoder_blocks=tuple(blocks),
        latent_channels=4,
        upsample_fn="bilinear",
        scaling_factor=LATENT_SCALE,
    )
    with torch.no_grad():
        _fix_encoder(model)
        _open_decoder(model)
    return model


def soft_autoencoder() -> AutoencoderTiny:
    """The same encoder, and a decoder that has learned nothing: it enlarges the latents' colours, without edges."""
    return autoencoder(4, (0,) * len(DECODER_BLOCKS)).eval()


def _convolutions(part: Any) -> list[torch.nn.Conv2d]:
    return [module for module in part.layers if isinstance(module, torch.nn.Conv2d)]


def _fix_encoder(model: AutoencoderTiny) -> None:
    """Six convolutions: take the colours and their mean, halve five times by averaging, spread [0, 1] to [-1, 1]."""
    for parameter in model.encoder.parameters():
        parameter.zero_()
        parameter.requires_grad_(False)
    first, *halvings, last = _convolutions(model.encoder)
    for channel in range(3):
        first.weight[channel, channel, 1, 1] = 1
        first.weight[3, channel, 1, 1] = 1 / 3
        last.weight[channel, channel, 1, 1] = 2
        last.bias[channel] = -1
    for at, halving in enumerate(halvings):
        for channel in range(4):
            halving.weight[channel, channel, 1:, 1:] = 0.25  # taps 1 and 2 of stride 2 are pixels 2i and 2i + 1
        if at == len(halvings) - 1:
            halving.weight[3, 3, 1:, 1] = -0.5
            halving.weight[3, 3, 1:, 2] = 0.5
    last.weight[3, 3, 1, 1] = 2 * GRADIENT_GAIN


def _open_decoder(model: AutoencoderTiny) -> None:
    for module in model.decoder.modules():
        if type(module).__name__ == "AutoencoderTinyBlock":
            module.conv[4].weight.zero_()
            module.conv[4].bias.zero_()
    for convolution in _convolutions(model.decoder):
        convolution.weight[:3] = 0
        if convolution.bias is not None:
            convolution.bias[:3] = 0
        for channel in range(3):
            convolution.weight[channel, channel, 1, 1] = 1
    first = _convolutions(model.decoder)[0]
    for channel in range(3):
        first.weight[channel, channel, 1, 1] = 0.515  # undoes the decoder's own soft bound on its input, on average
        first.bias[channel] = 0.5
