"""The passes over a picture: from noise or from a source, a second one for hires fix, and what is done in the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from reference_impl.engine import hooks
from reference_impl.engine.courses import Course
from reference_impl.engine.encoding import Text
from reference_impl.engine.hires import LATENT, second_start
from reference_impl.engine.latents import decoded, encoded, latent_mask
from reference_impl.engine.loading import Loaded, Vae, factor_of
from reference_impl.engine.network import Network
from reference_impl.engine.noise import Noise
from reference_impl.engine.plan import Canvas, Tools, whole_canvas
from reference_impl.engine.progress import Progress
from reference_impl.engine.samplers import SAMPLERS
from reference_impl.engine.scenes import Scene, scene_of
from reference_impl.engine.upscalers import needed
from reference_impl.jobs import CannotDraw, Job, MaskStart


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """The encoded prompts of a job, for its checkpoint or for its refiner."""

    negative: Text
    positive: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One picture to draw."""

    job: Job
    seed: int
    texts: Texts
    refining: Texts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What a pass begins from: latents of a picture, and which of them are kept (0) or drawn (1); None: all drawn."""

    clean: Tensor
    mask: Tensor | None = None


class Drawing:
    """Draws the pictures of jobs that agree in everything but prompt and seed.

    Args:
        job: one of them.
        loaded: the checkpoint, with the job's LoRAs on it.
        vae: the checkpoint's, or the one that the job names.
        refiner: takes over after the job's share of the steps.
        tools: shelf and cache.
    """

    def __init__(self, job: Job, *, loaded: Loaded, vae: Vae, refiner: Loaded | None, tools: Tools) -> None:
        if job.sampler not in SAMPLERS:
            raise CannotDraw(f"there is no sampler {job.sampler!r}; those there are: {', '.join(SAMPLERS)}")
        if job.hires is not None and job.hires.upscaler not in LATENT:
            needed(job.hires.upscaler, tools.shelf)  # before the first pass is drawn for nothing
        self._job, self._loaded, self._vae, self._refiner, self._tools = job, loaded, vae, refiner, tools
        self._factor = factor_of(vae)
        self._kept: Image.Image | None = None
        self._scene: Scene | None = None
        if job.source is not None:
            scene = scene_of(job, self._factor)
            if isinstance(scene, Scene):
                self._scene = scene
            else:
                self._kept = scene

    @property
    def calls(self) -> int:
        """Calls of the network for one group of pictures, as far as can be known: DPM adaptive may need fewer."""
        return sum(course.calls for course in self._courses())

    def draw(self, wishes: Sequence[Wish], progress: Progress) -> list[Image.Image]:
        """The pictures of the wishes, drawn side by side.

        Args:
            wishes: as many as fit into memory.
            progress: told after each call of the network.

        Raises:
            CannotDraw: something that the job needs is not here.
        """
        if self._kept is not None:
            return [self._kept] * len(wishes)
        noise = Noise([wish.seed for wish in wishes], self._tools.device)
        canvas, start = self._canvas, self._start(noise)
        courses = self._courses()
        latents = self._pass(wishes, courses[0], canvas, start, noise, progress, last=len(courses) == 1)
        if self._job.hires is not None:
            hires, first = self._job.hires, canvas
            canvas = whole_canvas((hires.width, hires.height), self._factor)
            clean = second_start(latents, first, canvas, hires.upscaler, self._vae, self._tools)
            latents = clean
            if len(courses) > 1:
                latents = self._pass(wishes, courses[1], canvas, Start(clean=clean), noise, progress, last=True)
        drawn = decoded(self._vae, latents)
        finished = [self._scene.finished(one) if self._scene else canvas.placed(one) for one in drawn]
        finished = [hooks.finish(picture, self._job, self._tools) for picture in finished]
        if self._job.transparent:
            return [
                hooks.cut_out(picture, latents[i : i + 1], wishes[i].job, self._tools)
                for i, picture in enumerate(finished)
            ]
        return finished

    @cached_property
    def _canvas(self) -> Canvas:
        return self._scene.canvas if self._scene else whole_canvas((self._job.width, self._job.height), self._factor)

    def _courses(self) -> list[Course]:
        """The ways through the noise: one for each pass. New ones for each group, since schedulers remember."""
        job = self._job
        if self._kept is not None:
            return []
        courses = [self._course(job.strength if job.source is not None else 1.0)]
        if job.hires is not None and job.hires.strength > 0:
            courses.append(self._course(job.hires.strength))
        return courses

    def _course(self, strength: float) -> Course:
        steps = self._job.steps
        taken = min(max(round(strength * steps), 1), steps)
        return SAMPLERS[self._job.sampler].course(self._loaded.schedule, steps, steps - taken)

    def _pass(
        self,
        wishes: Sequence[Wish],
        course: Course,
        canvas: Canvas,
        start: Start | None,
        noise: Noise,
        progress: Progress,
        *,
        last: bool,
    ) -> Tensor:
        job = self._job
        channels = self._loaded.unet.config["out_channels"]
        first = noise.shaped(channels, canvas.height // self._factor, canvas.width // self._factor)
        if start is not None and job.source is not None:
            first = first * job.noise_multiplier
        with hooks.open_guides(job, self._loaded, canvas, self._tools) as guides:
            network = Network(
                self._loaded,
                [wish.texts.negative for wish in wishes],
                [wish.texts.positive for wish in wishes],
                guidance=job.guidance,
                canvas=canvas,
                guides=guides,
                beside=self._beside(),
                source_guidance=job.source_guidance,
            )
            refining = self._refining(wishes, canvas) if last else None
            switch_at = job.refiner.switch_at if job.refiner and refining else 1.0

            def at(share: float) -> Network:
                return refining if refining and share >= switch_at else network

            return sampled(course, at, start, first, noise, progress)

    def _refining(self, wishes: Sequence[Wish], canvas: Canvas) -> Network | None:
        texts = [wish.refining for wish in wishes if wish.refining is not None]
        if self._refiner is None or not texts:
            return None
        return Network(
            self._refiner,
            [text.negative for text in texts],
            [text.positive for text in texts],
            guidance=self._job.guidance,
            canvas=canvas,
        )

    def _start(self, noise: Noise) -> Start | None:
        """The source as latents, its masked part as the job wants it to begin."""
        if self._scene is None:
            return None
        clean, mask = self._source
        if mask is None or self._job.mask is None:
            return Start(clean=clean)
        if self._job.mask.start is MaskStart.LATENT_NOISE:
            clean = clean * (1 - mask) + noise.shaped(*clean.shape[1:]) * mask
        elif self._job.mask.start is MaskStart.LATENT_NOTHING:
            clean = clean * (1 - mask)
        return Start(clean=clean, mask=mask)

    @cached_property
    def _source(self) -> tuple[Tensor, Tensor | None]:
        """Latents of the scene's start, (1, 4, h, w), and of its mask; encoded once for all pictures of a job."""
        assert self._scene is not None
        canvas = self._scene.canvas
        clean = encoded(self._vae, [self._scene.start])
        height, width = canvas.height // self._factor, canvas.width // self._factor
        if clean.shape[-2:] != (height, width):
            clean = torch.nn.functional.interpolate(clean, size=(height, width), mode="bilinear")
        if self._scene.start_mask is None:
            return clean, None
        return clean, latent_mask(self._scene.start_mask, self._factor, self._tools.device)

    def _beside(self) -> Tensor | None:
        """Latents at the entry of networks for inpainting (mask and kept part) and for instructions (the source)."""
        config = self._loaded.unet.config
        more = config["in_channels"] - config["out_channels"]
        if not more or self._scene is None:
            return None
        if more == config["out_channels"]:
            return self._source[0] / self._vae.config["scaling_factor"]
        _, mask = self._source
        if mask is None or self._scene.start_mask is None:
            return None
        shown = self._scene.canvas.shown(self._scene.picture)
        hidden = np.asarray(self._scene.start_mask)[..., None] >= 128
        kept = Image.fromarray(np.where(hidden, np.uint8(127), np.asarray(shown)))
        return torch.cat([mask, encoded(self._vae, [kept])], dim=1)


def sampled(
    course: Course,
    network: Callable[[float], Network],
    start: Start | None,
    first: Tensor,
    noise: Noise,
    progress: Progress,
) -> Tensor:
    """Walks a course: latents without noise, (N, 4, h, w).

    Args:
        course: the way.
        network: which network answers at a share of the way.
        start: what to begin from; None: noise alone.
        first: the noise to begin with.
        noise: source of more.
        progress: told of each call.
    """
    walk = course.walk(start.clean if start else None, first, noise)
    asked = 0
    try:
        ask = next(walk)
        while True:
            share = asked / course.calls
            denoised = network(share)(ask, share)
            if start is not None and start.mask is not None:
                # What is kept is put into the answer, not into the latents: so it holds for every method, and the last
                # answer holds it without noise.
                denoised = torch.lerp(start.clean.expand_as(denoised), denoised, start.mask)
            asked += 1
            progress.advance(denoised)
            ask = walk.send(denoised)
    except StopIteration as end:
        progress.skip(course.calls - asked)
        result: Tensor = end.value
        return result
