"""Hires fix: what the second pass begins from."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from reference_impl.engine.latents import decoded, encoded, grown
from reference_impl.engine.loading import Vae, factor_of
from reference_impl.engine.plan import Canvas, Tools
from reference_impl.engine.upscalers import enlarged

LATENT: Mapping[str, tuple[str, bool]] = {
    "Latent": ("bilinear", False),
    "Latent (antialiased)": ("bilinear", True),
    "Latent (bicubic)": ("bicubic", False),
    "Latent (bicubic antialiased)": ("bicubic", True),
    "Latent (nearest)": ("nearest-exact", False),
    "Latent (nearest-exact)": ("nearest-exact", False),
}
"""A1111's names for enlarging the latents themselves: interpolation, and whether it is smoothed."""


def second_start(latents: Tensor, first: Canvas, second: Canvas, upscaler: str, vae: Vae, tools: Tools) -> Tensor:
    """Latents of the second canvas that show what the first pass drew.

    Args:
        latents: (N, 4, h, w) of the first pass.
        first: its canvas.
        second: the larger one.
        upscaler: a name of `LATENT`, or one that `upscalers` knows.
        vae: for the way over pixels.
        tools: shelf and cache.

    Raises:
        CannotDraw: the upscaler has no weights here.
    """
    if upscaler in LATENT:
        mode, antialias = LATENT[upscaler]
        factor = factor_of(vae)
        return grown(latents, second.height // factor, second.width // factor, mode, antialias=antialias)
    drawn = [first.placed(picture) for picture in decoded(vae, latents)]
    return encoded(vae, [second.shown(enlarged(picture, upscaler, second.picture, tools)) for picture in drawn])
