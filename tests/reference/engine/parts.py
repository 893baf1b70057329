"""Tiny models with random weights in the layouts of the real ones: what the tests of the optional abilities need.

Everything is made from a fixed seed. Pictures of 64 pixels are 8 latents wide.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    ControlNetModel,
    DiffusionPipeline,
    EulerDiscreteScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLImg2ImgPipeline,
    StableDiffusionXLPipeline,
    T2IAdapter,
    UNet2DConditionModel,
)
from PIL import Image, ImageDraw
from safetensors.torch import save_file
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
)

from reference_impl.engine.cache import Cache
from reference_impl.engine.plan import Tools
from reference_impl.jobs import Job
from reference_impl.shelf import Shelf
from reference_impl.tiny import tokens

SIDE = 64
CHANNELS = (16, 32, 32, 32)
HINT = (8, 8, 16, 16)
WORDS = ("a", "red", "blue", "circle", "square", "on", "background")
TRAINING: dict[str, Any] = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "steps_offset": 1,
}


def tools(folder: Path) -> Tools:
    """Shelf and cache as an engine has them."""
    return Tools(shelf=Shelf(folder), cache=Cache(2**30), device=torch.device("cpu"), dtype=torch.float32)


def job(**more: Any) -> Job:
    """A small job of two steps."""
    usual: dict[str, Any] = {
        "model": "tiny",
        "prompt": "a red circle",
        "width": SIDE,
        "height": SIDE,
        "steps": 2,
        "sampler": "Euler",
        "seed": 7,
    }
    return Job(**(usual | more))


def drawing(shape: str = "circle", size: tuple[int, int] = (SIDE, SIDE), ground: str = "blue") -> Image.Image:
    """A red shape on a ground."""
    picture = Image.new("RGB", size, ground)
    pen = ImageDraw.Draw(picture)
    box = (size[0] // 4, size[1] // 4, 3 * size[0] // 4, 3 * size[1] // 4)
    (pen.ellipse if shape == "circle" else pen.rectangle)(box, fill="red")
    return picture


def png(picture: Image.Image) -> bytes:
    """The picture as a file."""
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def half_mask(size: tuple[int, int] = (SIDE, SIDE)) -> Image.Image:
    """White on the left."""
    mask = Image.new("L", size, 0)
    mask.paste(255, (0, 0, size[0] // 2, size[1]))
    return mask


def tokenizer(folder: Path, pad: str = tokens.END) -> CLIPTokenizer:
    """A tokenizer of a few words, and what it fills texts up with."""
    tokens.write(folder, WORDS)
    return CLIPTokenizer.from_pretrained(folder, pad_token=pad)


def text_config(words: int, width: int, **more: Any) -> CLIPTextConfig:
    """Two layers of CLIP's text encoder."""
    return CLIPTextConfig(
        vocab_size=words,
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=2,
        num_attention_heads=1,
        projection_dim=width,
        max_position_embeddings=77,
        bos_token_id=words - 2,
        eos_token_id=words - 1,
        pad_token_id=words - 1,
        **more,
    )


def vae(**more: Any) -> AutoencoderKL:
    """Eight pixels to a latent."""
    torch.manual_seed(1)
    return AutoencoderKL(
        block_out_channels=(8, 8, 16, 16),
        layers_per_block=2,
        latent_channels=4,
        norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        **more,
    ).eval()


def sd15(folder: Path) -> StableDiffusionPipeline:
    """The SD 1.5 shape: four levels, two layers each, no attention on the innermost."""
    words = tokenizer(folder)
    torch.manual_seed(2)
    unet = UNet2DConditionModel(
        block_out_channels=CHANNELS,
        layers_per_block=2,
        cross_attention_dim=32,
        attention_head_dim=8,
        norm_num_groups=8,
        sample_size=64,
    ).eval()
    return StableDiffusionPipeline(
        vae=vae(),
        text_encoder=CLIPTextModel(text_config(len(words), 32, hidden_act="quick_gelu")).eval(),
        tokenizer=words,
        unet=unet,
        scheduler=EulerDiscreteScheduler(**TRAINING),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def sdxl_unet(cross: int, sizes: int, width: int = 48, levels: tuple[int, ...] = (16, 32, 32)) -> UNet2DConditionModel:
    """SDXL's shape, or its refiner's: text and `sizes` numbers are added to the time."""
    torch.manual_seed(3)
    inner = len(levels) == 4
    down = ["DownBlock2D", *["CrossAttnDownBlock2D"] * (len(levels) - 1)]
    if inner:
        down[-1] = "DownBlock2D"
    return UNet2DConditionModel(
        block_out_channels=levels,
        layers_per_block=2,
        down_block_types=tuple(down),
        up_block_types=tuple(name.replace("Down", "Up") for name in reversed(down)),
        cross_attention_dim=cross,
        attention_head_dim=tuple(max(1, channels // 16) for channels in levels),
        transformer_layers_per_block=2 if inner else tuple(range(1, len(levels) + 1)),
        use_linear_projection=True,
        norm_num_groups=8,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=width + 8 * sizes,
        sample_size=128,
    ).eval()


def sdxl(folder: Path) -> StableDiffusionXLPipeline:
    """The SDXL shape: two text encoders of different width."""
    words = tokenizer(folder)
    unet = sdxl_unet(cross=32 + 48, sizes=6)
    return StableDiffusionXLPipeline(
        vae=vae(scaling_factor=0.13025),
        text_encoder=CLIPTextModel(text_config(len(words), 32, hidden_act="quick_gelu")).eval(),
        text_encoder_2=CLIPTextModelWithProjection(text_config(len(words), 48, hidden_act="gelu")).eval(),
        tokenizer=words,
        tokenizer_2=tokenizer(folder, pad="!"),
        unet=unet,
        scheduler=EulerDiscreteScheduler(**TRAINING),
        add_watermarker=False,
    )


def refiner(folder: Path) -> StableDiffusionXLImg2ImgPipeline:
    """The shape of SDXL's refiner: the second text encoder alone, four levels."""
    words = tokenizer(folder)
    unet = sdxl_unet(cross=48, sizes=5, levels=(16, 32, 32, 32))
    return StableDiffusionXLImg2ImgPipeline(
        vae=vae(scaling_factor=0.13025),
        text_encoder=None,
        text_encoder_2=CLIPTextModelWithProjection(text_config(len(words), 48, hidden_act="gelu")).eval(),
        tokenizer=None,
        tokenizer_2=tokenizer(folder, pad="!"),
        unet=unet,
        scheduler=EulerDiscreteScheduler(**TRAINING),
        requires_aesthetics_score=True,
        add_watermarker=False,
    )


def control_net(unet: UNet2DConditionModel, seed: int = 4) -> ControlNetModel:
    """A ControlNet whose outputs are not at zero, so that it shows."""
    torch.manual_seed(seed)
    net: ControlNetModel = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=HINT)
    for name, parameter in net.named_parameters():
        if name.startswith(("controlnet_down", "controlnet_mid", "controlnet_cond_embedding.conv_out")):
            torch.nn.init.normal_(parameter, std=0.3)
    return net.eval()


def t2i_adapter(unet: UNet2DConditionModel) -> T2IAdapter:
    """A T2I-Adapter: one output for each level, or SDXL's shape."""
    torch.manual_seed(5)
    channels = list(unet.config["block_out_channels"])
    if len(channels) == 3:
        channels, kind, down = [*channels, channels[-1]], "full_adapter_xl", 16
    else:
        kind, down = "full_adapter", 8
    adapter = T2IAdapter(in_channels=3, channels=channels, num_res_blocks=1, downscale_factor=down, adapter_type=kind)
    return adapter.eval()


def ip_adapter(unet: UNet2DConditionModel, file: Path, seed: int = 6) -> Path:
    """An IP-Adapter in the layout of its authors, for an image encoder of width 24."""
    numbers = torch.Generator().manual_seed(seed)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=numbers) * 0.3

    cross = unet.config["cross_attention_dim"]
    tensors = {
        "image_proj.proj.weight": random(4 * cross, 24),
        "image_proj.proj.bias": torch.zeros(4 * cross),
        "image_proj.norm.weight": torch.ones(cross),
        "image_proj.norm.bias": torch.zeros(cross),
    }
    widths = list(unet.config["block_out_channels"])
    for number, name in enumerate(unet.attn_processors):
        if "attn2" in name:
            place = name.split(".")
            level = int(place[1]) if place[0] != "mid_block" else -1
            width = (widths[::-1] if place[0] == "up_blocks" else widths)[level]
            tensors[f"ip_adapter.{number}.to_k_ip.weight"] = random(width, cross)
            tensors[f"ip_adapter.{number}.to_v_ip.weight"] = random(width, cross)
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, file)
    return file


def image_encoder(folder: Path, projection: int = 24) -> None:
    """CLIP's image encoder for pictures of 32 pixels."""
    torch.manual_seed(8)
    config = CLIPVisionConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=32,
        patch_size=8,
        projection_dim=projection,
    )
    CLIPVisionModelWithProjection(config).save_pretrained(folder)


def describe(place: Path, **said: Any) -> None:
    """What lies beside a model."""
    place.parent.mkdir(parents=True, exist_ok=True)
    (place.parent / f"{place.name}.json").write_text(json.dumps(said))


def saved(pipeline: DiffusionPipeline, folder: Path) -> Path:
    """The pipeline as a folder of the shelf."""
    pipeline.save_pretrained(folder)
    return folder
