"""Where the optional abilities plug in, a function for each, imported late so that each costs only those who use it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from reference_impl.jobs import Job
from reference_impl.shelf import Kind, Model

if TYPE_CHECKING:
    import torch
    from diffusers import AutoencoderKL, DiffusionPipeline
    from PIL import Image

    from reference_impl.engine.loading import Loaded
    from reference_impl.engine.plan import Canvas, Detector, Guide, Tools


def load_single_file(model: Model, dtype: torch.dtype) -> DiffusionPipeline:
    """A checkpoint that is one file, as the pipeline that diffusers makes of it."""
    from reference_impl.engine.single_file import checkpoint

    return checkpoint(model, dtype)


def load_single_vae(model: Model, dtype: torch.dtype) -> AutoencoderKL:
    """A VAE that is one file."""
    from reference_impl.engine.single_file import variational

    return variational(model, dtype)


@contextmanager
def open_guides(job: Job, loaded: Loaded, canvas: Canvas, tools: Tools) -> Iterator[Sequence[Guide]]:
    """The guides of a job for one pass: see `plan.OpenGuides`."""
    if not job.controls and not job.picture_prompts:
        yield ()
        return
    from reference_impl.engine import control

    with control.open_guides(job, loaded, canvas, tools) as guides:
        yield guides


def finish(picture: Image.Image, job: Job, tools: Tools) -> Image.Image:
    """A drawn picture as the preprocessors of its control units want it in the end; most leave it alone."""
    if job.controls:
        from reference_impl.engine.preprocessors import finished

        for control in job.controls:
            picture = finished(picture, control, tools)
    return picture


def cut_out(picture: Image.Image, latents: torch.Tensor, job: Job, tools: Tools) -> Image.Image:
    """The picture without its background: see `plan.CutOut`."""
    from reference_impl.engine import alpha

    return alpha.cut_out(picture, latents, job, tools)


def prompt_to_draw(job: Job) -> str:
    """The prompt that the network is given; the request's own is what the file's text repeats."""
    if not job.transparent:
        return job.prompt
    from reference_impl.engine.alpha import on_plain_ground

    return on_plain_ground(job.prompt)


def open_detector(tools: Tools, name: str | None = None) -> Detector | None:
    """The detector of this name, or the first on the shelf; None: nobody looks, and the answer says so.

    Raises:
        CannotDraw: there is none of this name, or what is there cannot be read.
    """
    if name is None and not tools.shelf.of(Kind.SAFETY):
        return None
    from reference_impl.engine import detectors

    return detectors.open_detector(tools, name)
