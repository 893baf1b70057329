"""A folder of models with random weights, made in seconds: every kind the server can load, none that draws anything."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import torch
from peft import LoraConfig
from torch import Tensor

from reference_impl.tiny import adapters, folders, models
from reference_impl.tiny.upscaler_training import upscaler


def make_models(folder: Path, seed: int = 0) -> list[Path]:
    """Write all kinds of models, their weights drawn from a seed; gives what was written."""
    torch.manual_seed(seed)
    with tempfile.TemporaryDirectory() as scratch:
        tokenizer = models.tokenizer(Path(scratch))
    vae = models.autoencoder()
    text, second = models.text_encoder(len(tokenizer)), models.second_text_encoder(len(tokenizer))
    base = models.unet(models.SD15)
    control = models.control_net(base)
    control_blocks = [*control.controlnet_down_blocks, control.controlnet_mid_block]
    for block in control_blocks:
        torch.nn.init.normal_(block.weight, std=0.1)  # at zero, as training begins, it would have no effect to see
    written = [
        folders.write_sd15(folder, unet=base, text=text, tokenizer=tokenizer, vae=vae),
        folders.write_sdxl(
            folder, unet=models.unet(models.SDXL), text=text, second=second, tokenizer=tokenizer, vae=vae
        ),
        folders.write_refiner(folder, unet=models.unet(models.REFINER), second=second, tokenizer=tokenizer, vae=vae),
        *write_vaes(folder, vae),
        folders.write_network(folder / "controlnet" / folders.CONTROL_NAME, control),
    ]
    written.append(write_image_prompt(folder, adapters.ImagePrompt(base).tensors(), models.image_encoder()))
    written.append(write_classifier(folder, adapters.classifier()))
    written.append(write_upscaler(folder, upscaler()))
    embedding = {"emb_params": torch.randn(2, models.TEXT_WIDTH) * 0.02}
    written.append(folders.write_tensors(folder / "embeddings" / f"{folders.EMBEDDING_NAME}.safetensors", embedding))
    base.add_adapter(LoraConfig(r=4, lora_alpha=4, target_modules=list(adapters.LORA_TARGETS), init_lora_weights=False))
    lora = folder / "loras" / f"{folders.LORA_NAME}.safetensors"
    written.append(folders.write_tensors(lora, adapters.lora_tensors(base)))
    return written


def write_vaes(folder: Path, vae: torch.nn.Module) -> list[Path]:
    """The checkpoints' autoencoder as one that requests can name, and the soft one, for there to be a choice."""
    both = {folders.VAE_NAME: vae, folders.SOFT_VAE_NAME: models.soft_autoencoder()}
    return [folders.write_network(folder / "vae" / name, one) for name, one in both.items()]


def write_upscaler(folder: Path, network: torch.nn.Module) -> Path:
    """An upscaler's file."""
    return folders.write_tensors(folder / "upscaler" / f"{folders.UPSCALER_NAME}.safetensors", network.state_dict())


def write_image_prompt(folder: Path, prompt: Mapping[str, Tensor], eye: torch.nn.Module) -> Path:
    """An IP-Adapter's file and, beside it, the encoder it sees through."""
    place = folder / "ip_adapter"
    folders.write_network(place / "image_encoder", eye)
    adapters.image_processor().save_pretrained(str(place / "image_encoder"))
    return folders.write_tensors(place / f"{folders.IMAGE_PROMPT_NAME}.safetensors", prompt)


def write_classifier(folder: Path, network: torch.nn.Module) -> Path:
    """A classifier's folder with its preprocessing."""
    place = folders.write_network(folder / "safety" / folders.SAFETY_NAME, network)
    adapters.classifier_processor().save_pretrained(str(place))
    return place
