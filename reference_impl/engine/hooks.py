"""Where the optional abilities plug in, one function for each; imported late so that each costs only those who use it.

What is wired here, and what it must be: `load_single_file` and `load_single_vae` (A1111's one-file layout),
`open_guides` (control units and picture prompts, see `plan.OpenGuides`), `cut_out` (`plan.CutOut`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from reference_impl.jobs import CannotDraw, Job
from reference_impl.shelf import Model

if TYPE_CHECKING:
    import torch
    from diffusers import AutoencoderKL, DiffusionPipeline
    from PIL import Image

    from reference_impl.engine.loading import Loaded
    from reference_impl.engine.plan import Canvas, Guide, Tools


def load_single_file(model: Model, dtype: torch.dtype) -> DiffusionPipeline:
    """A checkpoint that is one file, as the pipeline that diffusers makes of it."""
    raise CannotDraw(f"{model.name} is a single file; this server reads folders in diffusers' layout")


def load_single_vae(model: Model, dtype: torch.dtype) -> AutoencoderKL:
    """A VAE that is one file."""
    raise CannotDraw(f"{model.name} is a single file; this server reads folders in diffusers' layout")


@contextmanager
def open_guides(job: Job, loaded: Loaded, canvas: Canvas, tools: Tools) -> Iterator[Sequence[Guide]]:
    """The guides of a job for one pass: see `plan.OpenGuides`."""
    if job.controls:
        raise CannotDraw("this server has no control models")
    if job.picture_prompts:
        raise CannotDraw("this server has no IP-Adapters")
    yield ()


def cut_out(picture: Image.Image, latents: torch.Tensor, job: Job, tools: Tools) -> Image.Image:
    """The picture without its background: see `plan.CutOut`."""
    raise CannotDraw("this server cannot make transparent backgrounds")
