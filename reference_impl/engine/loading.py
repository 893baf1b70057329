"""Checkpoints and VAEs from the shelf into memory, by diffusers' own classes; offline.

A checkpoint is taken apart here: everything behind this module sees a `Loaded`, never a pipeline.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, TypeAlias

import torch
from diffusers import AutoencoderKL, AutoencoderTiny, DiffusionPipeline, UNet2DConditionModel
from safetensors import SafetensorError
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from reference_impl.engine import hooks
from reference_impl.jobs import CannotDraw
from reference_impl.shelf import Family, Model

Vae: TypeAlias = AutoencoderKL | AutoencoderTiny

TRAINED_WITH = ("num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "trained_betas")
"""What a sampler must know of the training; everything else in scheduler_config.json is replaced by the request."""

BROKEN = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    RuntimeError,
    EOFError,
    SafetensorError,
    UnpicklingError,
)
"""What the libraries raise over weights that are damaged, cut off or of another shape."""


class Prediction(StrEnum):
    """What the network's output means (diffusers' `prediction_type`)."""

    NOISE = "epsilon"
    VELOCITY = "v_prediction"
    PICTURE = "sample"


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoder:
    """A text encoder and the tokenizer that was trained with it."""

    tokenizer: CLIPTokenizer
    model: CLIPTextModel | CLIPTextModelWithProjection


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """The parts of a checkpoint, on the device, in evaluation mode.

    Attributes:
        encoders: SD 1.5 has one, SDXL two, SDXL's refiner only the second.
        schedule: what a scheduler is made with: `TRAINED_WITH`, and the form in which it is told the answers.
        refiner: it finishes pictures that another checkpoint has begun.
        pipeline: the pipeline that the parts came in; LoRA and IP-Adapter loaders are methods of such.
    """

    name: str
    family: Family
    unet: UNet2DConditionModel
    vae: Vae
    encoders: tuple[Encoder, ...]
    prediction: Prediction
    schedule: Mapping[str, Any]
    refiner: bool
    device: torch.device
    dtype: torch.dtype
    pipeline: DiffusionPipeline

    @property
    def factor(self) -> int:
        """Pixels along one side of a latent: 8 for SD and SDXL, 32 for the tiny models."""
        return factor_of(self.vae)

    @property
    def nbytes(self) -> int:
        """Bytes of all weights."""
        return sum(map(bytes_of, (self.unet, self.vae, *(encoder.model for encoder in self.encoders))))


def factor_of(vae: Vae) -> int:
    """Pixels along one side of a latent."""
    if isinstance(vae, AutoencoderTiny):
        return int(2 ** (len(vae.config["encoder_block_out_channels"]) - 1))
    return int(2 ** (len(vae.config["block_out_channels"]) - 1))


def bytes_of(module: torch.nn.Module) -> int:
    """Bytes of a module's parameters and buffers."""
    return sum(t.numel() * t.element_size() for t in (*module.parameters(), *module.buffers()))


def load_checkpoint(model: Model, device: torch.device, dtype: torch.dtype) -> Loaded:
    """A checkpoint of the shelf, ready to draw.

    Args:
        model: a folder in diffusers' layout, or one file in A1111's.
        device: where it goes.
        dtype: of all its weights.

    Raises:
        CannotDraw: the files are damaged, or of a kind of checkpoint that is not SD 1.5 or SDXL.
    """
    try:
        pipeline = _pipeline(model.path, dtype) if model.path.is_dir() else hooks.load_single_file(model, dtype)
    except BROKEN as error:
        raise broken(model, error) from error
    parts = pipeline.components
    unet, vae = parts.get("unet"), parts.get("vae")
    if not isinstance(unet, UNet2DConditionModel) or not isinstance(vae, Vae):
        raise CannotDraw(f"{model.name} is no SD 1.5 or SDXL checkpoint: it has no UNet with a VAE", "MODEL_BROKEN")
    encoders = tuple(
        Encoder(tokenizer=parts[f"tokenizer{n}"], model=_placed(parts[f"text_encoder{n}"], device, dtype))
        for n in ("", "_2")
        if parts.get(f"text_encoder{n}") is not None
    )
    config = pipeline.scheduler.config
    has_two = "text_encoder_2" in parts
    prediction = Prediction(config.get("prediction_type", "epsilon"))
    return Loaded(
        name=model.name,
        family=model.family or (Family.SDXL if has_two else Family.SD15),
        unet=_placed(unet, device, dtype),
        vae=place_vae(vae, device, dtype),
        encoders=encoders,
        prediction=prediction,
        schedule={key: config[key] for key in TRAINED_WITH if key in config} | _form(prediction),
        refiner=model.refiner or (has_two and len(encoders) == 1),
        device=device,
        dtype=dtype,
        pipeline=pipeline,
    )


def load_vae(model: Model, device: torch.device, dtype: torch.dtype) -> Vae:
    """A VAE of the shelf: a folder in diffusers' layout, or one file in A1111's.

    Raises:
        CannotDraw: the files are damaged.
    """
    try:
        if not model.path.is_dir():
            vae: Vae = hooks.load_single_vae(model, dtype)
        else:
            kind = AutoencoderTiny if _is_tiny(model.path) else AutoencoderKL
            vae = kind.from_pretrained(model.path, dtype=dtype, local_files_only=True, **_variant(model.path))
    except BROKEN as error:
        raise broken(model, error) from error
    return place_vae(vae, device, dtype)


def broken(model: Model, error: Exception) -> CannotDraw:
    """The failure to tell a user whose model cannot be read."""
    said = str(error).strip().partition("\n")[0][:200]
    return CannotDraw(f"the weights of {model.name} cannot be read ({said}); put whole files there", "MODEL_BROKEN")


def place_vae(vae: Vae, device: torch.device, dtype: torch.dtype) -> Vae:
    """The VAE on its device; in float32 where half precision is known to overflow (SDXL's says so itself)."""
    wide = dtype is torch.float16 and bool(vae.config.get("force_upcast", False))
    placed: Vae = _placed(vae, device, torch.float32 if wide else dtype)
    return placed


def _placed(module: Any, device: torch.device, dtype: torch.dtype) -> Any:
    # channels_last is worth 15 to 40 % of the convolutions' time on a CPU, and what CUDA's half precision kernels want.
    return module.eval().requires_grad_(False).to(device=device, dtype=dtype, memory_format=torch.channels_last)


def _pipeline(folder: Path, dtype: torch.dtype) -> DiffusionPipeline:
    # The checker of the folder, if any, is not used: it blackens pictures, the contract wants a confidence.
    off = {"safety_checker": None, "requires_safety_checker": False} if _names_checker(folder) else {}
    return DiffusionPipeline.from_pretrained(
        folder, dtype=dtype, local_files_only=True, **_variant(folder / "unet"), **off
    )


def _form(prediction: Prediction) -> dict[str, Any]:
    """Methods that average over past answers (PLMS) do better on what the network was trained to say."""
    return {"prediction_type": "v_prediction" if prediction is Prediction.VELOCITY else "epsilon"}


def _names_checker(folder: Path) -> bool:
    return '"safety_checker"' in (folder / "model_index.json").read_text(encoding="utf-8")


def _variant(folder: Path) -> dict[str, str]:
    """`fp16` for a folder that holds half precision files only."""
    files = [file.name for file in folder.glob("*.safetensors")]
    return {"variant": "fp16"} if files and all(".fp16" in name for name in files) else {}


def _is_tiny(folder: Path) -> bool:
    return '"AutoencoderTiny"' in (folder / "config.json").read_text(encoding="utf-8")
