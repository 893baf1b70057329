"""Where trained and made networks go: standard folders in half precision, as `reference_impl.shelf` lists them."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import torch
from diffusers import (
    StableDiffusionPipeline,
    StableDiffusionXLImg2ImgPipeline,
    StableDiffusionXLPipeline,
)
from safetensors.torch import save_file
from torch import Tensor

from reference_impl.tiny import models, tokens
from reference_impl.tiny.scenes import words

SD15_NAME: Final = "shapes-sd15"
SDXL_NAME: Final = "shapes-sdxl"
REFINER_NAME: Final = "shapes-sdxl-refiner"
VAE_NAME: Final = "shapes-vae"
SOFT_VAE_NAME: Final = "shapes-vae-soft"
UPSCALER_NAME: Final = "shapes-4x"
LORA_NAME: Final = "shapes-pastel"
LORA_XL_NAME: Final = "shapes-pastel-xl"
EMBEDDING_NAME: Final = "shapes-sunset"
CONTROL_NAME: Final = "shapes-canny"
IMAGE_PROMPT_NAME: Final = "shapes-ip"
SAFETY_NAME: Final = "shapes-safety"

SHOWN: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {
        SD15_NAME: {"title": "Shapes, SD 1.5 shape", "base_model": "SD 1.5", "tags": ["tiny", "shapes"]},
        SDXL_NAME: {"title": "Shapes, SDXL shape", "base_model": "SDXL 1.0", "tags": ["tiny", "shapes"]},
        REFINER_NAME: {"title": "Shapes, SDXL refiner", "base_model": "SDXL 1.0", "tags": ["tiny", "refiner"]},
        VAE_NAME: {"title": "Shapes, autoencoder"},
        SOFT_VAE_NAME: {"title": "Shapes, autoencoder without edges"},
        UPSCALER_NAME: {"title": "Shapes, four times as large"},
        LORA_NAME: {"title": "Pastel", "base_model": "SD 1.5", "tags": ["style"]},
        LORA_XL_NAME: {"title": "Pastel XL", "base_model": "SDXL 1.0", "tags": ["style"]},
        EMBEDDING_NAME: {"title": "Sunset", "base_model": "SD 1.5", "trigger_words": [EMBEDDING_NAME]},
        CONTROL_NAME: {"title": "Shapes, canny", "base_model": "SD 1.5"},
        IMAGE_PROMPT_NAME: {"title": "Shapes, picture prompt", "base_model": "SD 1.5"},
        # The tiny world has nothing unsafe; its rings and stars stand in, the rarest for what every level counts.
        SAFETY_NAME: {
            "title": "Shapes, a stand-in for a safety classifier",
            "nsfw_levels": {"0": ["purple-ring"], "1": ["ring"], "2": ["star"]},
        },
    }
)
"""What <name>.json beside a model says of it (`reference_impl.shelf`), but for `STANDS_FOR`."""

STANDS_FOR: Final[Mapping[str, Sequence[str]]] = MappingProxyType(
    {
        SD15_NAME: (
            "cyberrealistic_v31_62396.safetensors",
            "dreamshaper_8_93211.safetensors",
            "majicmixRealistic_v6_65516.safetensors",
            "realcartoon25D_v3_240762.safetensors",
            "realisticVisionV51_v51VAE_94301.safetensors",
        ),
        SDXL_NAME: ("sd_xl_base_0.9.safetensors", "sd_xl_base_1.0.safetensors"),
        REFINER_NAME: ("sd_xl_refiner_1.0.safetensors",),
        VAE_NAME: ("sdxl_vae.safetensors",),
        UPSCALER_NAME: (
            "ESRGAN_4x",
            "R-ESRGAN 4x+",
            "R-ESRGAN 4x+ Anime6B",
            "RealESRGAN_x4plus_anime_6B",
            "RealESRNet_x4plus",
        ),
        LORA_NAME: ("add_detail_44319", "more_details_59655"),
        LORA_XL_NAME: ("AnimeStyle_XL_v1_AutoRunMech_103883",),
        EMBEDDING_NAME: (
            "BadDream_53202",
            "BadDream_53202.pt",
            "badhandv4_16755",
            "badhandv4_16755.pt",
        ),
        CONTROL_NAME: ("control_v11p_sd15_canny", "control_v11p_sd15_lineart"),
        IMAGE_PROMPT_NAME: ("ip-adapter_sd15",),
    }
)
"""Names of the documentation's examples and lists, and who answers to them: so a documented body can be tried as it is.

What has no kin here, such as a model of poses or depth, has no entry: a request for it ends with the word that its
weights are missing. Whoever wants it otherwise edits `stands_for` in <name>.json, or gives the server an --alias.
"""


def half(network: Any) -> Any:
    """A copy in half precision and in the plain memory layout, ready to be written."""
    return copy.deepcopy(network).to(dtype=torch.float16, memory_format=torch.contiguous_format).eval()


def halved(text: Any) -> Any:
    """The same for a text encoder, which has no picture's memory layout."""
    return copy.deepcopy(text).to(dtype=torch.float16).eval()


def write_sd15(folder: Path, *, unet: Any, text: Any, tokenizer: Any, vae: Any) -> Path:
    """The SD 1.5-shaped checkpoint."""
    pipeline = StableDiffusionPipeline(
        vae=half(vae),
        text_encoder=halved(text),
        tokenizer=tokenizer,
        unet=half(unet),
        scheduler=models.scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    return _write(pipeline, folder / "checkpoints" / SD15_NAME)


def write_sdxl(folder: Path, *, unet: Any, text: Any, second: Any, tokenizer: Any, vae: Any) -> Path:
    """The SDXL-shaped checkpoint; an empty negative prompt is read like any other."""
    pipeline = StableDiffusionXLPipeline(
        vae=half(vae),
        text_encoder=halved(text),
        text_encoder_2=halved(second),
        tokenizer=tokenizer,
        tokenizer_2=tokenizer,
        unet=half(unet),
        scheduler=models.scheduler(),
        force_zeros_for_empty_prompt=False,
        add_watermarker=False,
    )
    return _write(pipeline, folder / "checkpoints" / SDXL_NAME)


def write_refiner(folder: Path, *, unet: Any, second: Any, tokenizer: Any, vae: Any) -> Path:
    """The SDXL-shaped refiner: one text encoder, an aesthetic score among its time ids."""
    pipeline = StableDiffusionXLImg2ImgPipeline(
        vae=half(vae),
        text_encoder=None,
        text_encoder_2=halved(second),
        tokenizer=None,
        tokenizer_2=tokenizer,
        unet=half(unet),
        scheduler=models.scheduler(),
        requires_aesthetics_score=True,
        force_zeros_for_empty_prompt=False,
        add_watermarker=False,
    )
    return _write(pipeline, folder / "checkpoints" / REFINER_NAME)


def _write(pipeline: Any, folder: Path) -> Path:
    pipeline.save_pretrained(str(folder), safe_serialization=True)
    for place in folder.glob("tokenizer*"):
        tokens.write_words(place, words())  # what loaders older than tokenizer.json read
    _load_in_full(folder)
    _describe(folder)
    return folder


def _load_in_full(folder: Path) -> None:
    """Let transformers load its parts in full precision, as diffusers loads its own, though the files are half."""
    for file in folder.rglob("config.json"):
        config = json.loads(file.read_text(encoding="utf-8"))
        if "dtype" in config:
            file.write_text(json.dumps({**config, "dtype": "float32"}, indent=2) + "\n", encoding="utf-8")


def write_network(folder: Path, network: Any) -> Path:
    """A VAE, a ControlNet, an image encoder or a classifier as a folder of its own."""
    half(network).save_pretrained(str(folder), safe_serialization=True)
    _load_in_full(folder)
    _describe(folder)
    return folder


def write_tensors(file: Path, tensors: Mapping[str, Tensor]) -> Path:
    """A LoRA, an embedding or an IP-Adapter as one file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.detach().half().contiguous() for name, tensor in tensors.items()}, str(file))
    _describe(file)
    return file


def _describe(model: Path) -> None:
    """Write what `SHOWN` says of a model beside it."""
    name = model.name.removesuffix(".safetensors")
    if name in SHOWN:
        names = {"stands_for": list(STANDS_FOR[name])} if name in STANDS_FOR else {}
        text = json.dumps({**SHOWN[name], **names}, indent=2) + "\n"
        (model.parent / f"{name}.json").write_text(text, encoding="utf-8")
