"""Checkpoints of the published sizes with random weights: as slow as the real ones, and made in a minute.

`python -m benchmarks.reference.checkpoints FOLDER NAME` makes one, in a process of its own, whose memory goes with it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.reference.cases import SD15, SDXL, TINY

WEIGHTS = Path(__file__).resolve().parents[2] / "reference_impl" / "weights"
SCHEDULER = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "steps_offset": 1,
    "prediction_type": "epsilon",
}


def models_folder(folder: Path, names: set[str]) -> Path:
    """A folder for `--models` with these checkpoints; what is there already is kept.

    Raises:
        subprocess.CalledProcessError: one could not be made; it has said why.
    """
    checkpoints = folder / "checkpoints"
    checkpoints.mkdir(parents=True, exist_ok=True)
    for name in sorted(names):
        if (checkpoints / name).exists():
            continue
        if name == TINY:
            shutil.copytree(WEIGHTS / "checkpoints" / TINY, checkpoints / TINY)
        else:
            subprocess.run(
                [sys.executable, "-m", "benchmarks.reference.checkpoints", str(checkpoints), name], check=True
            )
    return folder


def make(checkpoints: Path, name: str) -> None:
    """Write one of the checkpoints in half precision; it is there in full or not at all."""
    import torch

    torch.manual_seed(0)
    unfinished = checkpoints / f"{name}.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    with torch.no_grad():
        pipeline = {SD15: _sd15, SDXL: _sdxl}[name]()
    pipeline.to(torch.float16)
    pipeline.save_pretrained(unfinished)
    unfinished.rename(checkpoints / name)


def _sd15() -> object:
    from diffusers import AutoencoderKL, EulerDiscreteScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTokenizer

    tokenizer = CLIPTokenizer.from_pretrained(WEIGHTS / "checkpoints" / TINY, subfolder="tokenizer")
    unet = UNet2DConditionModel(sample_size=64, cross_attention_dim=768, attention_head_dim=8)
    return StableDiffusionPipeline(
        vae=AutoencoderKL(**_vae(0.18215)),
        text_encoder=CLIPTextModel(_text(tokenizer, width=768, layers=12, heads=12)),
        tokenizer=tokenizer,
        unet=unet,
        scheduler=EulerDiscreteScheduler(**SCHEDULER),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def _sdxl() -> object:
    from diffusers import AutoencoderKL, EulerDiscreteScheduler, StableDiffusionXLPipeline, UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

    tokenizer = CLIPTokenizer.from_pretrained(WEIGHTS / "checkpoints" / TINY, subfolder="tokenizer")
    unet = UNet2DConditionModel(
        sample_size=128,
        block_out_channels=(320, 640, 1280),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=2048,
        transformer_layers_per_block=[1, 2, 10],
        attention_head_dim=[5, 10, 20],
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=2816,
    )
    return StableDiffusionXLPipeline(
        vae=AutoencoderKL(**_vae(0.13025)),
        text_encoder=CLIPTextModel(_text(tokenizer, width=768, layers=12, heads=12)),
        text_encoder_2=CLIPTextModelWithProjection(_text(tokenizer, width=1280, layers=32, heads=20)),
        tokenizer=tokenizer,
        tokenizer_2=tokenizer,
        unet=unet,
        scheduler=EulerDiscreteScheduler(**SCHEDULER),
        add_watermarker=False,
    )


def _vae(scale: float) -> dict[str, object]:
    return {
        "block_out_channels": (128, 256, 512, 512),
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
        "layers_per_block": 2,
        "latent_channels": 4,
        "scaling_factor": scale,
    }


def _text(tokenizer: object, *, width: int, layers: int, heads: int) -> object:
    from transformers import CLIPTextConfig

    return CLIPTextConfig(
        vocab_size=49408,
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        projection_dim=width,
        hidden_act="quick_gelu",
        bos_token_id=tokenizer.bos_token_id,  # type: ignore[attr-defined]  # of CLIPTokenizer
        eos_token_id=tokenizer.eos_token_id,  # type: ignore[attr-defined]
        pad_token_id=tokenizer.pad_token_id,  # type: ignore[attr-defined]
    )


if __name__ == "__main__":
    make(Path(sys.argv[1]), sys.argv[2])
