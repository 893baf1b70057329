"""A sampling method with its sigmas chosen: it knows how often it will ask the network, and walks.

Whoever drives a course answers each `Ask` with the denoised picture, so a course knows nothing of guidance, masks, or
of what the network's output means. Schedulers get the answer back in the form that they are set to.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from reference_impl.engine import ksamplers
from reference_impl.engine.noise import Noise


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A question to the network: what picture lies behind these latents?

    Attributes:
        latents: as the network was trained on: of unit variance, sqrt(a) * picture + sqrt(1 - a) * noise.
        timestep: of the training, may lie between two.
        sigma: sqrt((1 - a) / a), noise over picture.
    """

    latents: Tensor
    timestep: Tensor
    sigma: float


Walk = Generator[Ask, Tensor, Tensor]
"""Asks; is sent the denoised latents; returns the finished latents."""


class Course(Protocol):
    """A method and its way through the sigmas."""

    @property
    def calls(self) -> int:
        """How often the network will be asked; the most, for a method that chooses its steps itself."""

    def walk(self, clean: Tensor | None, first: Tensor, noise: Noise) -> Walk:
        """Samples from noise, or from a picture with noise on it.

        Args:
            clean: latents to begin from; None: from noise alone.
            first: the noise to begin with, standard normal.
            noise: source of what is drawn on the way.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerCourse:
    """A scheduler of diffusers.

    Attributes:
        timesteps: of the calls, in order.
        sigmas: of the calls.
        unit: the scheduler keeps its latents at unit variance; otherwise as picture + sigma * noise.
    """

    scheduler: Any
    timesteps: Tensor
    sigmas: Sequence[float]
    unit: bool

    @property
    def calls(self) -> int:
        """One for each timestep."""
        return len(self.timesteps)

    def walk(self, clean: Tensor | None, first: Tensor, noise: Noise) -> Walk:
        """See `Course`."""
        x = _begin(clean, first, self.sigmas[0], unit=self.unit)
        step = self.scheduler.step
        velocity = self.scheduler.config.prediction_type == "v_prediction"
        more = {"generator": noise.generators} if "generator" in inspect.signature(step).parameters else {}
        for timestep, sigma in zip(self.timesteps, self.sigmas, strict=True):
            size = math.sqrt(sigma**2 + 1)
            scaled = self.scheduler.scale_model_input(x, timestep)
            denoised = yield Ask(latents=scaled, timestep=timestep, sigma=sigma)
            said = (scaled - denoised * size) / sigma if velocity else (scaled * size - denoised) / sigma
            x = step(said, timestep, x, return_dict=False, **more)[0]
        return x


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodCourse:
    """A method of ours, `ksamplers`.

    Attributes:
        method: the generator's function.
        sigmas: falling, 0 at the end.
        log_sigmas: of the training's timesteps, rising.
        calls: see `Course`.
    """

    method: Callable[[Tensor, Sequence[float], ksamplers.Noise], ksamplers.Method]
    sigmas: Sequence[float]
    log_sigmas: Sequence[float]
    calls: int

    def walk(self, clean: Tensor | None, first: Tensor, noise: Noise) -> Walk:
        """See `Course`."""
        running = self.method(_begin(clean, first, self.sigmas[0], unit=False), self.sigmas, noise.draw)
        try:
            x, sigma = next(running)
            while True:
                timestep = np.interp(math.log(sigma), self.log_sigmas, np.arange(len(self.log_sigmas)))
                scaled = x / math.sqrt(sigma**2 + 1)
                denoised = yield Ask(latents=scaled, timestep=torch.tensor(timestep).float(), sigma=sigma)
                x, sigma = running.send(denoised)
        except StopIteration as end:
            result: Tensor = end.value
            return result


def _begin(clean: Tensor | None, first: Tensor, sigma: float, *, unit: bool) -> Tensor:
    if clean is None:
        return first if unit else first * sigma
    noisy = clean + first * sigma
    return noisy / math.sqrt(sigma**2 + 1) if unit else noisy
