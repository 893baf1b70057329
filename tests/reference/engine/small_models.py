"""Models of diffusers' and transformers' own classes with random weights, small enough to be made in seconds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    EulerDiscreteScheduler,
    StableDiffusionInstructPix2PixPipeline,
    StableDiffusionPipeline,
    StableDiffusionXLImg2ImgPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from reference_impl.tiny import tokens

WIDTH = 16
"""Of the text encoders."""
WORDS = ("a", "red", "circle", "blue", "square", "cat", "dog", "photo")


def make(folder: Path) -> Path:
    """A shelf.

    Checkpoints `plain` (SD 1.5), `velocity` (the same, v-prediction), `painter` (for inpainting), `follower` (for
    instructions), `large` (SDXL), `finisher` (its refiner); the VAE `other`; LoRAs `peft`, `kohya`, `words` (of the
    text encoder) and `hollow` (none at all); embeddings `learned`, `Multi`, `both` (SDXL) and `foreign` (of no width
    that there is); the upscaler `up`.
    """
    vocabulary = tokens.write(folder / "tokenizer", WORDS)
    tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
    checkpoints = folder / "checkpoints"
    torch.manual_seed(0)
    one = {
        "vae": vae(),
        "text_encoder": text(vocabulary),
        "tokenizer": tokenizer,
        "unet": unet(),
        "scheduler": scheduler(),
        "safety_checker": None,
        "feature_extractor": None,
    }
    _save(StableDiffusionPipeline(**one, requires_safety_checker=False), checkpoints / "plain")
    by_velocity = {**one, "scheduler": scheduler(prediction_type="v_prediction")}
    _save(StableDiffusionPipeline(**by_velocity, requires_safety_checker=False), checkpoints / "velocity")
    follower = {**one, "unet": unet(in_channels=8)}
    _save(StableDiffusionInstructPix2PixPipeline(**follower, requires_safety_checker=False), checkpoints / "follower")
    painter = {**one, "unet": unet(in_channels=9)}
    _save(StableDiffusionPipeline(**painter, requires_safety_checker=False), checkpoints / "painter")
    two = {
        "vae": one["vae"],
        "text_encoder": one["text_encoder"],
        "text_encoder_2": text(vocabulary, projected=True),
        "tokenizer": tokenizer,
        "tokenizer_2": tokenizer,
        "unet": unet(cross_attention_dim=2 * WIDTH, numbers=6),
        "scheduler": scheduler(),
    }
    _save(StableDiffusionXLPipeline(**two), checkpoints / "large")
    finisher = {**two, "text_encoder": None, "tokenizer": None, "unet": unet(numbers=5)}
    _save(StableDiffusionXLImg2ImgPipeline(**finisher, requires_aesthetics_score=True), checkpoints / "finisher")
    torch.manual_seed(1)
    vae().save_pretrained(folder / "vae" / "other")
    _loras(folder / "loras", one["unet"])
    _embeddings(folder / "embeddings")
    _upscaler(folder / "upscaler")
    return folder


def vae() -> AutoencoderKL:
    """Of factor 8."""
    return AutoencoderKL(
        block_out_channels=(4, 4, 4, 4),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        norm_num_groups=2,
        latent_channels=4,
        mid_block_add_attention=False,
    ).eval()


def unet(*, in_channels: int = 4, cross_attention_dim: int = WIDTH, numbers: int = 0) -> UNet2DConditionModel:
    """Two levels, attention in the second; `numbers` of SDXL's conditions beside the text."""
    more: dict[str, Any] = {}
    if numbers:
        more = {
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 4,
            "projection_class_embeddings_input_dim": WIDTH + 4 * numbers,
        }
    return UNet2DConditionModel(
        sample_size=8,
        in_channels=in_channels,
        out_channels=4,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=cross_attention_dim,
        attention_head_dim=2,
        norm_num_groups=4,
        **more,
    ).eval()


def text(vocabulary: int, *, projected: bool = False) -> CLIPTextModel | CLIPTextModelWithProjection:
    """Three layers."""
    config = CLIPTextConfig(
        vocab_size=vocabulary,
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=3,
        num_attention_heads=2,
        projection_dim=WIDTH,
        bos_token_id=vocabulary - 2,
        eos_token_id=vocabulary - 1,
        pad_token_id=vocabulary - 1,
    )
    model = CLIPTextModelWithProjection(config) if projected else CLIPTextModel(config)
    model.eval()
    return model


def scheduler(**more: object) -> EulerDiscreteScheduler:
    """With the betas of SD 1.5."""
    return EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1, **more
    )


def _save(pipeline: Any, folder: Path) -> None:
    pipeline.save_pretrained(folder)


def _loras(folder: Path, network: UNet2DConditionModel) -> None:
    folder.mkdir()
    peft: dict[str, torch.Tensor] = {}
    kohya: dict[str, torch.Tensor] = {}
    words: dict[str, torch.Tensor] = {}
    for name, layer in network.named_modules():
        if name.endswith(("attn2.to_q", "attn2.to_v")):
            down, up = torch.randn(2, layer.in_features) * 0.5, torch.randn(layer.out_features, 2) * 0.5
            peft |= {f"unet.{name}.lora_A.weight": down, f"unet.{name}.lora_B.weight": up}
            flat = f"lora_unet_{name.replace('.', '_')}"
            kohya |= {
                f"{flat}.lora_down.weight": down,
                f"{flat}.lora_up.weight": up,
                f"{flat}.alpha": torch.tensor(2.0),
            }
    for layer_number in range(3):
        flat = f"lora_te_text_model_encoder_layers_{layer_number}_self_attn"
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            words |= {
                f"{flat}_{part}.lora_down.weight": torch.randn(2, WIDTH),
                f"{flat}_{part}.lora_up.weight": torch.randn(WIDTH, 2),
            }
    save_file(words, folder / "words.safetensors")
    save_file({"nothing": torch.zeros(1)}, folder / "hollow.safetensors")
    save_file(peft, folder / "peft.safetensors")
    save_file(kohya, folder / "kohya.safetensors")


def _embeddings(folder: Path) -> None:
    folder.mkdir()
    torch.save({"string_to_param": {"*": torch.randn(2, WIDTH)}, "name": "learned"}, folder / "learned.pt")
    save_file({"emb_params": torch.randn(3, WIDTH)}, folder / "Multi.safetensors")
    save_file({"clip_l": torch.randn(1, WIDTH), "clip_g": torch.randn(1, WIDTH)}, folder / "both.safetensors")
    save_file({"emb_params": torch.randn(1, 3 * WIDTH)}, folder / "foreign.safetensors")
    (folder / "learned.json").write_text(json.dumps({"trigger_words": ["mystyle"]}))


def _upscaler(folder: Path) -> None:
    from reference_impl.engine.upscalers import Upscaler

    folder.mkdir()
    save_file(Upscaler(8, 4, 1).state_dict(), folder / "up.safetensors")
