"""Small pictures of what is being drawn: a linear guess from latents to colours, fitted to the VAE when first asked."""

from __future__ import annotations

import io
from itertools import product

import torch
from PIL import Image
from torch import Tensor

from reference_impl.engine.latents import encoded, picture_of
from reference_impl.engine.loading import Vae, factor_of

LONGEST = 128
"""Pixels of a preview's longer side."""


class Previewer:
    """Makes previews of the latents of one VAE.

    The usual tables of factors hold for the VAEs of SD and SDXL only. Four latents say little more than a colour and a
    brightness, so 27 plain colours that the VAE encodes and a least squares fit give such a table for any.
    """

    def __init__(self, vae: Vae) -> None:
        levels = (0, 128, 255)
        side = factor_of(vae) * 4
        colours = list(product(levels, repeat=3))
        latents = encoded(vae, [Image.new("RGB", (side, side), colour) for colour in colours])
        # The middle of each square: at its edge the VAE sees the padding.
        middle = latents[..., 1:3, 1:3].mean(dim=(2, 3)).cpu()
        known = torch.cat([middle, torch.ones(len(colours), 1)], dim=1)
        wanted = torch.tensor(colours, dtype=torch.float32) / 127.5 - 1
        self._table = torch.linalg.lstsq(known, wanted).solution

    def picture(self, latents: Tensor) -> Image.Image:
        """An RGB picture of latents (4, h, w)."""
        flat = latents.float().cpu().movedim(0, -1)
        pixels = flat @ self._table[:-1] + self._table[-1]
        small = picture_of(pixels.movedim(-1, 0))
        factor = LONGEST / max(small.size)
        size = (max(round(small.width * factor), 1), max(round(small.height * factor), 1))
        return small.resize(size, Image.Resampling.BILINEAR)

    def png(self, latents: Tensor) -> bytes:
        """The same as a PNG file."""
        file = io.BytesIO()
        self.picture(latents).save(file, "PNG", compress_level=1)
        return file.getvalue()
