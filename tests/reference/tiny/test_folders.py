"""Folders that are written load again with the standard classes, offline, and are of the kinds the shelf lists."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import (
    AutoencoderTiny,
    ControlNetModel,
    StableDiffusionPipeline,
    StableDiffusionXLImg2ImgPipeline,
    StableDiffusionXLPipeline,
)
from transformers import AutoModelForImageClassification, CLIPVisionModelWithProjection

from reference_impl.shelf import Family, Kind, Shelf
from reference_impl.tiny import folders
from reference_impl.tiny.making import make_models

torch.set_num_threads(1)
KINDS = {
    folders.SD15_NAME: StableDiffusionPipeline,
    folders.SDXL_NAME: StableDiffusionXLPipeline,
    folders.REFINER_NAME: StableDiffusionXLImg2ImgPipeline,
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    make_models(folder)
    return folder


@pytest.mark.parametrize("name", list(KINDS))
def test_a_checkpoint_loads_offline_and_in_full_precision(made: Path, name: str) -> None:
    pipeline = KINDS[name].from_pretrained(str(made / "checkpoints" / name), local_files_only=True)
    parts = [part for part in pipeline.components.values() if isinstance(part, torch.nn.Module)]
    assert {parameter.dtype for part in parts for parameter in part.parameters()} == {torch.float32}
    assert pipeline.scheduler.config.prediction_type == "v_prediction"


def test_the_shelf_finds_every_kind_of_model(made: Path) -> None:
    shelf = Shelf(made)
    found = {(model.kind, model.name.removesuffix(".safetensors")) for model in shelf.models}
    assert found == {
        (Kind.CHECKPOINT, folders.SD15_NAME),
        (Kind.CHECKPOINT, folders.SDXL_NAME),
        (Kind.CHECKPOINT, folders.REFINER_NAME),
        (Kind.VAE, folders.VAE_NAME),
        (Kind.VAE, folders.SOFT_VAE_NAME),
        (Kind.LORA, folders.LORA_NAME),
        (Kind.EMBEDDING, folders.EMBEDDING_NAME),
        (Kind.CONTROLNET, folders.CONTROL_NAME),
        (Kind.IP_ADAPTER, folders.IMAGE_PROMPT_NAME),
        (Kind.SAFETY, folders.SAFETY_NAME),
        (Kind.UPSCALER, folders.UPSCALER_NAME),
    }
    families = {model.name: (model.family, model.refiner) for model in shelf.of(Kind.CHECKPOINT)}
    assert families == {
        folders.SD15_NAME: (Family.SD15, False),
        folders.SDXL_NAME: (Family.SDXL, False),
        folders.REFINER_NAME: (Family.SDXL, True),
    }


def test_what_hangs_on_a_checkpoint_loads_with_its_own_class(made: Path) -> None:
    places: dict[str, Any] = {
        f"vae/{folders.VAE_NAME}": AutoencoderTiny,
        f"vae/{folders.SOFT_VAE_NAME}": AutoencoderTiny,
        f"controlnet/{folders.CONTROL_NAME}": ControlNetModel,
        f"safety/{folders.SAFETY_NAME}": AutoModelForImageClassification,
        "ip_adapter/image_encoder": CLIPVisionModelWithProjection,
    }
    for place, kind in places.items():
        loaded = kind.from_pretrained(str(made / place), local_files_only=True)
        assert {parameter.dtype for parameter in loaded.parameters()} == {torch.float32}


def test_a_seed_makes_the_same_files(made: Path, tmp_path: Path) -> None:
    make_models(tmp_path)
    files = sorted(file.relative_to(made) for file in made.rglob("*.safetensors"))
    assert files == sorted(file.relative_to(tmp_path) for file in tmp_path.rglob("*.safetensors"))
    assert all((made / file).read_bytes() == (tmp_path / file).read_bytes() for file in files)
