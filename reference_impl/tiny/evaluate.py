"""Figures of a trained checkpoint: prompts drawn by plain diffusers pipelines and judged by their pixels alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from diffusers import (
    DPMSolverMultistepScheduler,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionPipeline,
    StableDiffusionXLImg2ImgPipeline,
    StableDiffusionXLPipeline,
)
from PIL import Image

from reference_impl.tiny.judge import look, mark
from reference_impl.tiny.scenes import Place, Scene, Shape, Size, scene_of

HELD_OUT: Final = 1_000_003  # no training uses this row of scenes
STEPS: Final = 20
GUIDANCE: Final = 5.0
BATCH: Final = 8
STRENGTHS: Final = (0.2, 0.4, 0.6, 0.8, 1.0)


def load(folder: Path, device: str = "cpu") -> Any:
    """A text-to-image pipeline of either family, in full precision, silent, with a sampler for few steps."""
    kind = StableDiffusionXLPipeline if (folder / "text_encoder_2").is_dir() else StableDiffusionPipeline
    pipeline = kind.from_pretrained(str(folder), local_files_only=True)
    pipeline.scheduler = DPMSolverMultistepScheduler.from_config(pipeline.scheduler.config, use_karras_sigmas=True)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.to(device)
    pipeline.unet.to(memory_format=torch.channels_last)
    pipeline.vae.to(memory_format=torch.channels_last)
    return pipeline


def from_picture(pipeline: Any) -> Any:
    """The picture-to-picture pipeline of the same parts."""
    xl = isinstance(pipeline, StableDiffusionXLPipeline)
    kind = StableDiffusionXLImg2ImgPipeline if xl else StableDiffusionImg2ImgPipeline
    other = kind(**pipeline.components) if xl else kind(**pipeline.components, requires_safety_checker=False)
    other.set_progress_bar_config(disable=True)
    return other


def questions(count: int, things: int = 1, *, small: bool = False) -> list[Scene]:
    """Held-out scenes whose captions tell background, colour and shape; shapes in turn, so that each is asked alike.

    Args:
        count: how many.
        things: in each of them.
        small: a lone thing is called small or is at a side, and so less than eight latent pixels wide; or else neither.
    """
    found: list[Scene] = []
    index = 0
    while len(found) < count:
        scene = scene_of(HELD_OUT, index)
        index += 1
        told = scene.said_background and all(said.colour and said.shape for said in scene.said)
        wanted = list(Shape)[len(found) % len(Shape)]
        first = scene.said[0]
        little = things == 1 and (first.size is Size.SMALL or first.place is not Place.UNSAID)
        if told and scene.count == things and first.shape == wanted and little == small:
            found.append(scene)
    return found


def paint(
    pipeline: Any,
    captions: Sequence[str],
    *,
    first_seed: int = 0,
    size: tuple[int, int] = (512, 512),
    steps: int = STEPS,
    guidance: float = GUIDANCE,
    negative: str = "",
) -> list[Image.Image]:
    """One picture for each caption, seeds counted up from the first; `size` is width and height."""
    pictures: list[Image.Image] = []
    at_once = max(1, BATCH * 512 * 512 // (size[0] * size[1]))
    for first in range(0, len(captions), at_once):
        group = captions[first : first + at_once]
        seeds = range(first_seed + len(pictures), first_seed + len(pictures) + len(group))
        with torch.no_grad():
            pictures += pipeline(
                list(group),
                negative_prompt=[negative] * len(group),
                width=size[0],
                height=size[1],
                num_inference_steps=steps,
                guidance_scale=guidance,
                generator=[torch.Generator().manual_seed(seed) for seed in seeds],
            ).images
    return pictures


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Shares, 0 to 1, of pictures that are right in each respect; `place` over those whose caption tells one."""

    pictures: int
    background: float
    count: float
    colour: float
    shape: float
    place: float
    all: float

    def line(self) -> str:
        """For a log."""
        parts = [
            f"{name} {getattr(self, name):.2f}" for name in ("background", "count", "colour", "shape", "place", "all")
        ]
        return f"{self.pictures} pictures: " + ", ".join(parts)


def figures(scenes: Sequence[Scene], pictures: Sequence[Image.Image]) -> Figures:
    """How far pictures show what their scenes' captions say."""
    marks = [mark(scene, look(picture)) for scene, picture in zip(scenes, pictures, strict=True)]
    placed = [one for one, scene in zip(marks, scenes, strict=True) if scene.said[0].place is not Place.UNSAID]
    return Figures(
        pictures=len(marks),
        background=_share([one.background for one in marks]),
        count=_share([one.count for one in marks]),
        colour=_share([one.colour for one in marks]),
        shape=_share([one.shape for one in marks]),
        place=_share([one.place for one in placed]),
        all=_share([one.all for one in marks]),
    )


def by_shape(scenes: Sequence[Scene], pictures: Sequence[Image.Image]) -> dict[str, Figures]:
    """The same, for each shape that is asked for first."""
    return {
        shape: figures(*map(list, zip(*chosen, strict=True)))
        for shape in Shape
        if (chosen := [pair for pair in zip(scenes, pictures, strict=True) if pair[0].said[0].shape == shape])
    }


def _share(right: Sequence[bool]) -> float:
    return sum(right) / len(right) if right else float("nan")


def apart(one: Image.Image, other: Image.Image) -> float:
    """Mean absolute difference of two pictures of one size, 0 to 255."""
    return float(np.abs(np.asarray(one, dtype=float) - np.asarray(other, dtype=float)).mean())


def sheet(pictures: Sequence[Image.Image], columns: int, edge: int = 96) -> Image.Image:
    """Pictures side by side, row by row."""
    rows = -(-len(pictures) // columns)
    out = Image.new("RGB", (columns * edge, rows * edge), "white")
    for at, picture in enumerate(pictures):
        small = picture.convert("RGB").resize((edge - 4, edge - 4), Image.Resampling.LANCZOS)
        out.paste(small, (at % columns * edge + 2, at // columns * edge + 2))
    return out


def pushes(pipeline: Any) -> list[str]:
    """Whether guidance, a negative prompt and strength push where they should; a line for each."""
    scenes = questions(6)
    captions = [scene.caption for scene in scenes]
    lines = []
    for guidance in (1.0, 3.0, GUIDANCE, 8.0):
        found = figures(scenes, paint(pipeline, captions, guidance=guidance))
        lines.append(f"guidance {guidance:g}: {found.line()}")
    bare = ["a circle"] * 6
    for negative in ("", "white background", "black background"):
        grey = [float(np.asarray(one).mean()) for one in paint(pipeline, bare, negative=negative)]
        lines.append(f"negative {negative or 'none'!s}: mean grey {sum(grey) / len(grey):.0f}")
    start = paint(pipeline, captions[:1])[0]
    away = [f"{strength:g}: {drift(pipeline, start, captions[1], strength):.0f}" for strength in STRENGTHS]
    lines.append("distance to the start by strength " + ", ".join(away))
    return lines


def drift(pipeline: Any, start: Image.Image, caption: str, strength: float, seed: int = 1) -> float:
    """How far picture-to-picture goes from its start, 0 to 255."""
    with torch.no_grad():
        drawn = from_picture(pipeline)(
            caption,
            image=start,
            strength=strength,
            num_inference_steps=STEPS,
            guidance_scale=GUIDANCE,
            generator=torch.Generator().manual_seed(seed),
        ).images[0]
    return apart(start, drawn)
