"""Between pictures and latents: the VAE, masks, sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, AutoencoderTiny
from PIL import Image
from torch import Tensor
from torch.nn import functional

from reference_impl.engine.loading import Vae, factor_of
from reference_impl.jobs import CannotDraw

LARGE = 2048 * 2048
"""Pixels above which a VAE works in overlapping tiles: its memory grows with them, and SDXL's takes 20 GB there."""


def encoded(vae: Vae, pictures: Sequence[Image.Image]) -> Tensor:
    """Latents of RGB pictures of one size.

    The middle of the VAE's distribution is taken, nothing is drawn from it: the same source gives the same latents.

    Returns:
        float32, (n, 4, height / factor, width / factor), scaled as the network was trained.
    """
    pixels = torch.stack([_pixels(picture) for picture in pictures]).to(device=vae.device, dtype=vae.dtype)
    _tile(vae, pixels.shape[-2] * pixels.shape[-1])
    out = vae.encode(pixels.contiguous(memory_format=torch.channels_last))
    plain = out.latents if isinstance(vae, AutoencoderTiny) else out.latent_dist.mode()
    shift = vae.config.get("shift_factor") or 0.0
    scaled: Tensor = (plain.float() - shift) * vae.config["scaling_factor"]
    return scaled


def decoded(vae: Vae, latents: Tensor) -> list[Image.Image]:
    """RGB pictures of latents (n, 4, h, w), one at a time: eight large ones would want eight times the memory.

    Raises:
        CannotDraw: they are no numbers any more.
    """
    shift = vae.config.get("shift_factor") or 0.0
    pictures = []
    _tile(vae, latents.shape[-2] * latents.shape[-1] * factor_of(vae) ** 2)
    for one in latents.split(1):
        plain = (one / vae.config["scaling_factor"] + shift).to(vae.dtype)
        pixels = vae.decode(plain.contiguous(memory_format=torch.channels_last), return_dict=False)[0]
        if not bool(pixels.isfinite().all()):
            raise CannotDraw(
                f"the picture's numbers ran out of {pixels.dtype}'s range; --dtype bfloat16 or float32 has more of it",
                "OVERFLOW",
            )
        pictures.append(picture_of(pixels[0]))
    return pictures


def picture_of(pixels: Tensor) -> Image.Image:
    """An RGB picture of (3, height, width) in [-1, 1]; what lies outside is cut."""
    bytes_ = (pixels.float() * 127.5 + 127.5).clamp(0, 255).round().byte()
    return Image.fromarray(bytes_.permute(1, 2, 0).cpu().numpy())


def latent_mask(mask: Image.Image, factor: int, device: torch.device) -> Tensor:
    """Which latents are drawn anew: those with a pixel of at least middle grey, 1 and 0, (1, 1, h, w).

    A latent that is drawn but not masked in all its pixels does no harm, the source is pasted over it in the end; a
    masked pixel whose latent is not drawn would stay for ever.
    """
    pixels = torch.from_numpy(np.asarray(mask, dtype=np.float32))[None, None].to(device)
    return functional.max_pool2d((pixels >= 128).float(), factor)


def grown(latents: Tensor, height: int, width: int, mode: str = "bilinear", *, antialias: bool = False) -> Tensor:
    """Latents scaled until they cover height x width latents, what is too much cut off evenly."""
    factor = max(height / latents.shape[-2], width / latents.shape[-1])
    size = (max(round(latents.shape[-2] * factor), height), max(round(latents.shape[-1] * factor), width))
    more: dict[str, Any] = {} if mode == "nearest-exact" else {"align_corners": False, "antialias": antialias}
    scaled = functional.interpolate(latents, size=size, mode=mode, **more)
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    return scaled[..., top : top + height, left : left + width]


def _tile(vae: Vae, pixels: int) -> None:
    # AutoencoderTiny's tiles are laid out for a factor of 8 only, and it is small enough without.
    if isinstance(vae, AutoencoderKL):
        vae.use_tiling = pixels > LARGE


def _pixels(picture: Image.Image) -> Tensor:
    array = np.array(picture.convert("RGB"), dtype=np.float32)
    return torch.from_numpy(array).permute(2, 0, 1) / 127.5 - 1
